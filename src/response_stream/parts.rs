//! From the bytes of the body to parts, with the state that makes an end certain and an error stay.

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::StreamSummary;
use super::classify::{Meaning, failure, frame_error, meaning_of};
use super::event_stream::{Decoder, FrameError, Message};
use super::part_reader::PartReader;
use crate::error::{Error, StreamError, StreamErrorKind};
use crate::http::{IncompleteResponse, TransportError};
use crate::system::{OsSystem, System};
use crate::text::Redactor;

/// Bytes read at a time, at least.
const READ_BYTES: usize = 16 * 1024;

/// The type of a body consisting of frames.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// First bytes of a response other than an event stream, in its error.
const SHOWN_BYTES: usize = 200;

/// Headers of parts up to this size are remembered; the usual three take 89 bytes.
const MAX_REMEMBERED_BYTES: usize = 1024;

/// Longest wait for the last chunk after an exception, so that the connection can be used again.
const LAST_CHUNK_LIMIT: Duration = Duration::from_secs(1);

/// What a stream needs to know of its call.
pub(crate) struct StreamOptions {
    /// Whether the body consists of frames; a container's does not.
    pub(crate) is_framed: bool,
    pub(crate) max_bytes: u64,
    /// Longest wait for a whole part.
    pub(crate) part_limit: Option<Duration>,
    pub(crate) sent_at: Instant,
    pub(crate) call_began_at: Instant,
    pub(crate) attempts: u32,
    pub(crate) system: Arc<dyn System>,
    pub(crate) status: u16,
    /// The type of the body, for the error of one that is not an event stream.
    pub(crate) content_type: Option<String>,
    pub(crate) request_id: Option<String>,
    /// An exception may repeat the request.
    pub(crate) redactor: Redactor,
}

impl StreamOptions {
    /// Of a stream that does not come from a call.
    pub(super) fn plain() -> Self {
        let system: Arc<dyn System> = Arc::new(OsSystem);
        let now = system.instant();
        Self {
            is_framed: false,
            max_bytes: u64::MAX,
            part_limit: None,
            sent_at: now,
            call_began_at: now,
            attempts: 0,
            system,
            status: 200,
            content_type: None,
            request_id: None,
            redactor: Redactor::default(),
        }
    }
}

/// The parts of a body.
pub(super) struct Parts {
    reader: Box<dyn PartReader>,
    decoder: Decoder,
    /// The headers of the last part, which were checked. Empty before the first one.
    part_headers: Vec<u8>,
    /// The unread rest of the current part, in the decoder's buffer.
    part: Range<usize>,
    /// Whether the caller has not seen the current part at all: an empty one must be given once.
    is_new: bool,
    end: Option<StreamEnd>,
    /// Whether a whole message has arrived, so that the body is an event stream whatever its type says.
    has_messages: bool,
    options: StreamOptions,
    summary: StreamSummary,
}

/// How the stream ended.
enum StreamEnd {
    Complete,
    Failed(Error),
}

impl Parts {
    pub(super) fn new(reader: Box<dyn PartReader>, options: StreamOptions) -> Self {
        Self {
            reader,
            decoder: Decoder::new(options.max_bytes),
            part_headers: Vec::new(),
            part: 0..0,
            is_new: false,
            end: None,
            has_messages: false,
            options,
            summary: StreamSummary::default(),
        }
    }

    pub(super) fn next_part(&mut self) -> Result<Option<&[u8]>, Error> {
        if !self.is_new && self.part.is_empty() && !self.advance()? {
            return Ok(None);
        }
        self.is_new = false;
        let part = std::mem::replace(&mut self.part, 0..0);
        Ok(Some(self.decoder.bytes(part)))
    }

    pub(super) fn summary(&self) -> StreamSummary {
        let elapsed = match self.end {
            Some(_) => self.summary.elapsed,
            None => self.elapsed(),
        };
        StreamSummary {
            elapsed,
            ..self.summary
        }
    }

    /// The error inside an [`io::Error`] from reading records. Any other error ends the stream too.
    pub(super) fn failed_record(&mut self, error: io::Error) -> Error {
        let error = match error.downcast::<Error>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        let kind = failure(StreamErrorKind::TooLarge);
        let error = self.stream_error(StreamError {
            message: Some(error.to_string()),
            ..kind
        });
        self.summary.elapsed = self.elapsed();
        self.end = Some(StreamEnd::Failed(error.repeated()));
        self.part = 0..0;
        error
    }

    /// Moves to the next part; `false` at the end.
    fn advance(&mut self) -> Result<bool, Error> {
        match &self.end {
            Some(StreamEnd::Complete) => return Ok(false),
            Some(StreamEnd::Failed(error)) => return Err(error.repeated()),
            None => {}
        }
        let advanced = self.read_part();
        if !matches!(advanced, Ok(true)) {
            self.summary.elapsed = self.elapsed();
        }
        match &advanced {
            Ok(true) => {}
            Ok(false) => self.end = Some(StreamEnd::Complete),
            Err(error) => self.end = Some(StreamEnd::Failed(error.repeated())),
        }
        advanced
    }

    fn read_part(&mut self) -> Result<bool, Error> {
        // A part already here needs no deadline: reading the clock takes as long as decoding the part.
        let part = match self.decoded_part()? {
            Some(part) => Some(part),
            None => self.wait_for_part()?,
        };
        let Some(part) = part else { return Ok(false) };
        self.begin_part(part);
        Ok(true)
    }

    fn wait_for_part(&mut self) -> Result<Option<Range<usize>>, Error> {
        let deadline = self
            .options
            .part_limit
            .and_then(|limit| self.options.system.instant().checked_add(limit));
        loop {
            let room = self.decoder.room(READ_BYTES);
            match self
                .reader
                .read_some(room, deadline)
                .map_err(|error| self.transport_error(error))?
            {
                0 => return self.check_end().map(|()| None),
                bytes => self.decoder.filled(bytes),
            }
            if let Some(part) = self.decoded_part()? {
                return Ok(Some(part));
            }
        }
    }

    fn begin_part(&mut self, part: Range<usize>) {
        let bytes = part.len();
        self.summary.parts += 1;
        self.summary.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        if bytes > 0 && self.summary.time_to_first_part.is_none() {
            self.summary.time_to_first_part = Some(self.elapsed());
        }
        self.is_new = true;
        self.part = part;
    }

    /// The place of the next part among the bytes read so far.
    fn decoded_part(&mut self) -> Result<Option<Range<usize>>, Error> {
        if !self.options.is_framed {
            let part = self.decoder.take_pending();
            return Ok(if part.is_empty() { None } else { Some(part) });
        }
        loop {
            let next = self.decoder.next_message();
            let Some(place) = next.map_err(|error| self.frame_error(error))? else {
                return Ok(None);
            };
            let message = Message::parse(self.decoder.bytes(place.clone()));
            let message = message.map_err(|error| self.frame_error(error))?;
            // The payload is before the checksum at the end of the message.
            let payload_end = place.end - 4;
            let payload = payload_end - message.payload.len()..payload_end;
            // Most parts have the headers of the part before, and checking them takes longer than all the rest.
            if !self.part_headers.is_empty() && message.header_bytes == self.part_headers {
                return Ok(Some(payload));
            }
            message
                .check_headers()
                .map_err(|error| self.frame_error(error))?;
            self.has_messages = true;
            match meaning_of(&message, &self.options.redactor) {
                Meaning::Ignored => {}
                Meaning::Part => {
                    if message.header_bytes.len() <= MAX_REMEMBERED_BYTES {
                        self.part_headers.clear();
                        self.part_headers.extend_from_slice(message.header_bytes);
                    }
                    return Ok(Some(payload));
                }
                Meaning::Failed(error) => {
                    let error = self.stream_error(error);
                    self.read_last_chunk();
                    return Err(error);
                }
            }
        }
    }

    /// After an exception nothing of use follows but the last chunk, which frees the connection.
    fn read_last_chunk(&mut self) {
        let deadline = self.options.system.instant().checked_add(LAST_CHUNK_LIMIT);
        let mut rest = [0; 1024];
        while let Ok(1..) = self.reader.read_some(&mut rest, deadline) {}
    }

    /// The last chunk has arrived: no part of a frame may be left.
    fn check_end(&self) -> Result<(), Error> {
        let is_framed = self.has_messages || !self.options.is_framed;
        match self.decoder.pending().len() {
            // A proxy that answers with nothing must not look like a stream without parts.
            0 if !is_framed && !self.has_stream_type() => Err(self.not_an_event_stream()),
            0 => Ok(()),
            _ if !is_framed && !self.looks_framed() => Err(self.not_an_event_stream()),
            left => {
                let message = Some(format!("{left} bytes of it are left"));
                Err(self.stream_error(StreamError {
                    message,
                    ..failure(StreamErrorKind::Cut)
                }))
            }
        }
    }

    fn has_stream_type(&self) -> bool {
        let essence = self
            .options
            .content_type
            .as_deref()
            .and_then(|it| it.split(';').next());
        essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(EVENT_STREAM))
    }

    /// A frame begins with a length whose first byte is 0 up to 16 MiB.
    fn looks_framed(&self) -> bool {
        self.decoder.pending().first().is_none_or(|byte| *byte == 0)
    }

    fn frame_error(&self, error: FrameError) -> Error {
        if error == FrameError::PreludeChecksum && !self.has_messages && !self.looks_framed() {
            return self.not_an_event_stream();
        }
        self.stream_error(frame_error(error))
    }

    fn not_an_event_stream(&self) -> Error {
        let begin = self.decoder.pending();
        let begin = self.options.redactor.redact_start(begin, SHOWN_BYTES);
        let content_type = self.options.content_type.as_deref().unwrap_or("no type");
        let message = format!("HTTP {} with {content_type}: {begin}", self.options.status);
        let error = failure(StreamErrorKind::NotAnEventStream);
        self.stream_error(StreamError {
            message: Some(message),
            ..error
        })
    }

    fn stream_error(&self, error: StreamError) -> Error {
        let request_id = self.options.request_id.clone();
        let (bytes_delivered, attempts) = (self.summary.bytes, self.options.attempts);
        let mut error = StreamError {
            request_id,
            bytes_delivered,
            attempts,
            ..error
        };
        error.redact(&self.options.redactor);
        Error::Stream(Box::new(error))
    }

    fn transport_error(&self, error: TransportError) -> Error {
        let now = self.options.system.instant();
        let elapsed = now.saturating_duration_since(self.options.call_began_at);
        let error = error.with_response(IncompleteResponse {
            status: self.options.status,
            code: None,
            request_id: self.options.request_id.clone(),
            refused: false,
        });
        Error::from(error).after(self.options.attempts, elapsed)
    }

    fn elapsed(&self) -> Duration {
        self.options
            .system
            .instant()
            .saturating_duration_since(self.options.sent_at)
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let bytes = self.fill_buf()?.read(buffer)?;
        self.consume(bytes);
        Ok(bytes)
    }
}

impl BufRead for Parts {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.part.is_empty() {
            self.is_new = false;
            if !self.advance().map_err(io::Error::other)? {
                return Ok(&[]);
            }
        }
        self.is_new = false;
        Ok(self.decoder.bytes(self.part.clone()))
    }

    fn consume(&mut self, amount: usize) {
        self.part.start = (self.part.start + amount).min(self.part.end);
    }
}
