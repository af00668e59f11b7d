//! Messages of `application/vnd.amazon.eventstream`, sans-IO: bytes in, in any pieces, messages out.
//!
//! ```text
//! ├ total length u32 ┼ headers length u32 ┼ CRC-32 of both ┼ headers ┼ payload ┼ CRC-32 of all before ┤
//! ```
//!
//! Source: the Smithy specification, "Event stream", `vnd.amazon.eventstream`.

use std::collections::HashSet;
use std::ops::Range;

/// Lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
/// The prelude and the checksum at the end.
const OVERHEAD_BYTES: usize = PRELUDE_BYTES + 4;
/// Up to this many headers, names are compared with each other without allocating.
const FEW_HEADERS: usize = 16;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    PreludeChecksum,
    MessageChecksum,
    /// The lengths contradict each other.
    Lengths,
    /// The message has more bytes than this limit allows.
    TooLarge(u64),
    Header(&'static str),
    DuplicateHeader,
}

/// Collects bytes until a message is whole.
#[derive(Debug)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
    /// What is not decoded yet.
    pending: Range<usize>,
    max_bytes: u64,
}

impl Decoder {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            buffer: Vec::new(),
            pending: 0..0,
            max_bytes,
        }
    }

    /// Room for more bytes, at least `bytes`. What is pending moves to the front; decoded messages are gone.
    #[expect(clippy::expect_used, reason = "the buffer never shrinks")]
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.pending.is_empty() {
            self.pending = 0..0;
        }
        if self.buffer.len() - self.pending.end < bytes {
            self.buffer.copy_within(self.pending.clone(), 0);
            self.pending = 0..self.pending.len();
            let wanted = self.pending.end + bytes;
            if self.buffer.len() < wanted {
                // Doubling, so that a large message is not copied for each of its pieces.
                self.buffer.resize(wanted.max(2 * self.pending.end), 0);
            }
        }
        self.buffer
            .get_mut(self.pending.end..)
            .expect("what is pending is inside the buffer")
    }

    /// Notes `bytes` of the room as filled.
    pub(super) fn filled(&mut self, bytes: usize) {
        self.pending.end = (self.pending.end + bytes).min(self.buffer.len());
    }

    /// The bytes not decoded yet.
    #[expect(clippy::expect_used, reason = "the buffer never shrinks")]
    pub(super) fn pending(&self) -> &[u8] {
        self.buffer
            .get(self.pending.clone())
            .expect("what is pending is inside the buffer")
    }

    /// Takes the next message off the pending bytes, as its place in the buffer; `None` while it is not whole. The
    /// prelude is checked as soon as it is there, because a corrupted length would be waited for in vain.
    pub(super) fn next_message(&mut self) -> Result<Option<Range<usize>>, FrameError> {
        let Some(total) = message_length(self.pending(), self.max_bytes)? else {
            return Ok(None);
        };
        if self.pending.len() < total {
            return Ok(None);
        }
        let message = self.pending.start..self.pending.start + total;
        self.pending.start = message.end;
        Ok(Some(message))
    }

    /// The bytes of a message, until the next call of [`room`](Self::room).
    #[expect(clippy::expect_used, reason = "the buffer never shrinks")]
    pub(super) fn bytes(&self, place: Range<usize>) -> &[u8] {
        self.buffer
            .get(place)
            .expect("a message is inside the buffer")
    }

    /// Takes all pending bytes, of a body without messages.
    pub(super) fn take_pending(&mut self) -> Range<usize> {
        let taken = self.pending.clone();
        self.pending.start = self.pending.end;
        taken
    }
}

/// The length of the message that begins here; `None` before its prelude is whole.
fn message_length(bytes: &[u8], max_bytes: u64) -> Result<Option<usize>, FrameError> {
    let Some((lengths, rest)) = bytes.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let Some(checksum) = rest.first_chunk::<4>() else {
        return Ok(None);
    };
    if crc32fast::hash(lengths) != u32::from_be_bytes(*checksum) {
        return Err(FrameError::PreludeChecksum);
    }
    let [a, b, c, d, e, f, g, h] = *lengths;
    let (total, headers) = (
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    );
    if u64::from(total) > max_bytes.saturating_add(OVERHEAD_BYTES.try_into().unwrap_or(u64::MAX)) {
        return Err(FrameError::TooLarge(max_bytes));
    }
    match (usize::try_from(total), usize::try_from(headers)) {
        (Ok(total), Ok(headers))
            if total
                .checked_sub(OVERHEAD_BYTES)
                .is_some_and(|rest| headers <= rest) =>
        {
            Ok(Some(total))
        }
        _ => Err(FrameError::Lengths),
    }
}

/// A whole message whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// The bytes of all headers.
    pub(super) header_bytes: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// The value of a header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum HeaderValue<'a> {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Integer(i32),
    Long(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
}

impl<'a> Message<'a> {
    /// Reads the bytes of one message. Its headers are not checked yet: see [`check_headers`](Self::check_headers).
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (content, checksum) = bytes.split_last_chunk::<4>().ok_or(FrameError::Lengths)?;
        if crc32fast::hash(content) != u32::from_be_bytes(*checksum) {
            return Err(FrameError::MessageChecksum);
        }
        let headers_length = content
            .get(4..8)
            .and_then(|length| length.first_chunk::<4>());
        let headers_length = headers_length.ok_or(FrameError::Lengths)?;
        let headers_length = usize::try_from(u32::from_be_bytes(*headers_length))
            .map_err(|_| FrameError::Lengths)?;
        let rest = content.get(PRELUDE_BYTES..).ok_or(FrameError::Lengths)?;
        let (header_bytes, payload) = rest
            .split_at_checked(headers_length)
            .ok_or(FrameError::Lengths)?;
        Ok(Self {
            header_bytes,
            payload,
        })
    }

    /// The text of a header; `None` if it is missing or has another type.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.headers().find_map(|header| match header {
            Ok((candidate, HeaderValue::Text(text))) if candidate == name => Some(text),
            _ => None,
        })
    }

    pub(super) fn headers(&self) -> MessageHeaders<'a> {
        MessageHeaders(self.header_bytes)
    }

    /// Fails if a header is malformed or occurs twice.
    pub(super) fn check_headers(&self) -> Result<(), FrameError> {
        let mut names = HashSet::new();
        for (index, header) in self.headers().enumerate() {
            let (name, _) = header?;
            let is_duplicate = if index < FEW_HEADERS {
                let mut earlier = self.headers().take(index).flatten();
                earlier.any(|(earlier, _)| earlier == name)
            } else {
                if names.is_empty() {
                    names.extend(self.headers().take(index).flatten().map(|(name, _)| name));
                }
                !names.insert(name)
            };
            if is_duplicate {
                return Err(FrameError::DuplicateHeader);
            }
        }
        Ok(())
    }
}

/// The headers of a message, in order. Ends after an error.
pub(super) struct MessageHeaders<'a>(&'a [u8]);

impl<'a> Iterator for MessageHeaders<'a> {
    type Item = Result<(&'a str, HeaderValue<'a>), FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let header = self.header();
        if header.is_err() {
            self.0 = &[];
        }
        Some(header)
    }
}

impl<'a> MessageHeaders<'a> {
    fn header(&mut self) -> Result<(&'a str, HeaderValue<'a>), FrameError> {
        let [name_length] = self.array()?;
        if name_length == 0 {
            return Err(FrameError::Header("a header has no name"));
        }
        let name = text(self.take(name_length.into())?)?;
        Ok((name, self.value()?))
    }

    fn value(&mut self) -> Result<HeaderValue<'a>, FrameError> {
        let [kind] = self.array()?;
        Ok(match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            2 => HeaderValue::Byte(i8::from_be_bytes(self.array()?)),
            3 => HeaderValue::Short(i16::from_be_bytes(self.array()?)),
            4 => HeaderValue::Integer(i32::from_be_bytes(self.array()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(self.array()?)),
            6 => HeaderValue::Bytes(self.counted()?),
            7 => HeaderValue::Text(text(self.counted()?)?),
            8 => HeaderValue::Timestamp(i64::from_be_bytes(self.array()?)),
            9 => HeaderValue::Uuid(self.array()?),
            _ => return Err(FrameError::Header("a header has an unknown type")),
        })
    }

    /// Bytes behind their length.
    fn counted(&mut self) -> Result<&'a [u8], FrameError> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(length.into())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }
}

const CUT_OFF: FrameError = FrameError::Header("a header is cut off");

fn text(bytes: &[u8]) -> Result<&str, FrameError> {
    std::str::from_utf8(bytes).map_err(|_| FrameError::Header("a header is not UTF-8"))
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PreludeChecksum => f.write_str("the checksum of a frame's lengths is wrong"),
            Self::MessageChecksum => f.write_str("the checksum of a frame is wrong"),
            Self::Lengths => f.write_str("the lengths of a frame contradict each other"),
            Self::TooLarge(limit) => write!(f, "a frame is larger than the limit of {limit} bytes"),
            Self::Header(problem) => f.write_str(problem),
            Self::DuplicateHeader => f.write_str("a frame has the same header twice"),
        }
    }
}

#[cfg(test)]
mod tests;
