//! Records in text that arrives in pieces: server-sent events and JSON lines, sans-IO.
//!
//! Source: the HTML standard, "Server-sent events", section "Interpreting an event stream". Two differences: an event
//! ended by the body without a blank line is delivered, because model servers leave the blank line out at times; and a
//! line without a field of server-sent events is a record by itself, which is what JSON lines are. Between the lines of
//! an event such a line is ignored, as the standard says.

use std::io::{self, BufRead};

/// What model servers send behind the last record.
const DONE: &[u8] = b"[DONE]";

/// Reads records from any [`BufRead`]: the data of server-sent events, or the lines of JSON lines, whichever comes.
///
/// Comments, blank lines, keep-alives and `[DONE]` are skipped, and what follows `[DONE]` is read and dropped. A record is
/// given as soon as it is whole; the last one also without a line end.
///
/// ```
/// use sagemaker_invoke::response_stream::RecordReader;
///
/// let mut body: &[u8] = b": keep-alive\n\ndata: {\"token\":\"a\"}\n\n{\"token\":\"b\"}\ndata: [DONE]\n\n";
/// let mut records = RecordReader::default();
/// assert_eq!(records.next_record(&mut body)?, Some(&b"{\"token\":\"a\"}"[..]));
/// assert_eq!(records.next_record(&mut body)?, Some(&b"{\"token\":\"b\"}"[..]));
/// assert_eq!(records.next_record(&mut body)?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct RecordReader {
    max_record_bytes: usize,
    line: Vec<u8>,
    /// The line is whole and was given as a record or a part of one.
    is_line_done: bool,
    /// The last line ended with CR: a following LF belongs to it.
    skips_line_feed: bool,
    is_begun: bool,
    is_done: bool,
    event: Event,
    has_data: bool,
    /// The event was given, and its fields are cleared before the next line.
    is_given: bool,
}

/// A server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The type of the event, field `event`; empty when it has none.
    pub event: String,
    /// The lines of the field `data`, joined by line feeds.
    pub data: Vec<u8>,
    /// The last field `id`, of this event or an earlier one.
    pub id: String,
    /// The field `retry`, in milliseconds.
    pub retry: Option<u64>,
}

/// Default of the largest record: 64 MiB.
const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;

impl Default for RecordReader {
    /// For records of up to 64 MiB.
    fn default() -> Self {
        Self::new(MAX_RECORD_BYTES)
    }
}

impl RecordReader {
    /// A longer record than `max_record_bytes` is an error of the kind [`io::ErrorKind::InvalidData`].
    #[must_use]
    pub fn new(max_record_bytes: usize) -> Self {
        Self {
            max_record_bytes,
            line: Vec::new(),
            is_line_done: true,
            skips_line_feed: false,
            is_begun: false,
            is_done: false,
            event: Event::default(),
            has_data: false,
            is_given: false,
        }
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of `input`, and a record over the limit.
    pub fn next_record(&mut self, input: &mut impl BufRead) -> io::Result<Option<&[u8]>> {
        Ok(self.next_event(input)?.map(|event| event.data.as_slice()))
    }

    /// The next event; `None` at the end. A line of JSON lines is an event with data only.
    ///
    /// # Errors
    ///
    /// Those of [`next_record`](Self::next_record).
    pub fn next_event(&mut self, input: &mut impl BufRead) -> io::Result<Option<&Event>> {
        if std::mem::take(&mut self.is_given) {
            self.clear_event();
        }
        while self.read_line(input)? {
            if self.take_line() && self.is_wanted() {
                self.is_given = true;
                return Ok(Some(&self.event));
            }
        }
        // The body ended without a blank line.
        if self.has_data && self.is_wanted() {
            self.is_given = true;
            return Ok(Some(&self.event));
        }
        Ok(None)
    }

    /// Whether a whole event is one for the caller; otherwise it is cleared.
    fn is_wanted(&mut self) -> bool {
        self.is_done |= self.event.data.trim_ascii() == DONE;
        if self.is_done {
            self.clear_event();
        }
        !self.is_done
    }

    fn clear_event(&mut self) {
        self.event.event.clear();
        self.event.data.clear();
        self.event.retry = None;
        self.has_data = false;
    }

    /// Reads up to the end of a line; `false` at the end of the input.
    fn read_line(&mut self, input: &mut impl BufRead) -> io::Result<bool> {
        if std::mem::take(&mut self.is_line_done) {
            self.line.clear();
        }
        loop {
            let mut piece = match input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                piece => piece?,
            };
            if piece.is_empty() {
                self.is_line_done = true;
                return Ok(!self.line.is_empty());
            }
            let mut used = 0;
            if std::mem::take(&mut self.skips_line_feed)
                && let Some((b'\n', rest)) = piece.split_first()
            {
                piece = rest;
                used = 1;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let content = piece.split_at(end.unwrap_or(piece.len())).0;
            self.line.extend_from_slice(content);
            used += content.len() + usize::from(end.is_some());
            self.skips_line_feed = end.is_some_and(|at| piece.get(at) == Some(&b'\r'));
            input.consume(used);
            if self.line.len() + self.event.data.len() > self.max_record_bytes {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a record is larger than the limit",
                ));
            }
            if end.is_some() {
                self.is_line_done = true;
                return Ok(true);
            }
        }
    }

    /// Adds the line to the event; `true` when the event is whole.
    fn take_line(&mut self) -> bool {
        if !std::mem::replace(&mut self.is_begun, true) && self.line.starts_with(b"\xef\xbb\xbf") {
            self.line.drain(..3);
        }
        if self.line.is_empty() {
            if !self.has_data {
                self.event.event.clear();
            }
            return self.has_data;
        }
        let name_length = self
            .line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(self.line.len());
        let (name, value) = self.line.split_at(name_length);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"" => {}
            b"data" => {
                if self.has_data {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
                self.has_data = true;
            }
            b"event" => self.event.event = String::from_utf8_lossy(value).into_owned(),
            b"id" if value.contains(&0) => {}
            b"id" => self.event.id = String::from_utf8_lossy(value).into_owned(),
            b"retry" => self.event.retry = milliseconds(value).or(self.event.retry),
            _ => return self.take_plain_line(),
        }
        false
    }

    /// A line without a field of server-sent events. A blank one is a keep-alive, and within an event it is ignored.
    fn take_plain_line(&mut self) -> bool {
        if self.has_data || self.line.trim_ascii().is_empty() {
            return false;
        }
        self.event.data.clear();
        self.event.data.extend_from_slice(&self.line);
        self.has_data = true;
        true
    }
}

/// Digits and nothing else.
fn milliseconds(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
