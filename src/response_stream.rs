//! The body of a streamed response: parts, bytes, records or events as they arrive, and an end that is certain.
//!
//! ```no_run
//! use sagemaker_invoke::{Client, InvokeEndpointWithResponseStream};
//!
//! # fn main() -> Result<(), sagemaker_invoke::Error> {
//! let client = Client::from_env()?;
//! let request = InvokeEndpointWithResponseStream::new("chat-model", r#"{"inputs":"Hello","stream":true}"#);
//! let mut response = client.invoke(&request)?;
//! while let Some(record) = response.body.next_record()? {
//!     println!("{}", String::from_utf8_lossy(record));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A stream ends well only when its last chunk has arrived and no part of a frame is left. Everything else is an error,
//! which stays: each further read returns it again. From the head of the response on nothing is sent again, and
//! [`Error::may_have_run`] is true.

mod classify;
mod event_stream;
mod part_reader;
mod parts;
mod records;

use std::fmt;
use std::io::{self, BufRead, Read};
use std::time::Duration;

use self::part_reader::{PartReader, PlainReader};
use self::parts::Parts;
pub(crate) use self::parts::StreamOptions;
pub use self::records::{Event, RecordReader};
use crate::error::Error;

/// The body of a streamed response.
///
/// It can be read as bytes ([`Read`], [`BufRead`]), as [parts](Self::next_part), as [records](Self::next_record) or as
/// [events](Self::next_event), on any thread; each reader goes on at the byte where the last one stopped. It owns its
/// connection, which is used again when the end is read, and closed when the stream is dropped early.
///
/// ```
/// use sagemaker_invoke::ResponseStream;
///
/// let mut stream = ResponseStream::from_reader(&b"data: {\"token\":\"a\"}\n\ndata: [DONE]\n\n"[..]);
/// assert_eq!(stream.next_record()?, Some(&b"{\"token\":\"a\"}"[..]));
/// assert_eq!(stream.next_record()?, None);
/// # Ok::<(), sagemaker_invoke::Error>(())
/// ```
///
/// The [`io::Error`] of a failed [`Read`] holds the [`Error`], which `io::Error::downcast` gives back.
pub struct ResponseStream {
    parts: Parts,
    records: RecordReader,
}

/// What a stream has delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamSummary {
    /// Number of parts; of a body without frames, the number of reads that brought it.
    pub parts: u64,
    /// Bytes of all parts.
    pub bytes: u64,
    /// From the request to the first part with content.
    pub time_to_first_part: Option<Duration>,
    /// From the request to the last byte, or to now while the stream goes on.
    pub elapsed: Duration,
}

impl ResponseStream {
    pub(crate) fn new(reader: Box<dyn PartReader>, options: StreamOptions) -> Self {
        let max_bytes = usize::try_from(options.max_bytes).unwrap_or(usize::MAX);
        Self {
            parts: Parts::new(reader, options),
            records: RecordReader::new(max_bytes),
        }
    }

    /// A stream over the bytes of any reader, without frames: for tests of programs that read streams.
    #[must_use]
    pub fn from_reader(reader: impl Read + Send + 'static) -> Self {
        Self::new(Box::new(PlainReader(reader)), StreamOptions::plain())
    }

    /// The next part, or the rest of the current one if it was read in part; `None` at the end. Its bounds have no
    /// meaning: a part may hold several records or half a character. It may be empty.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`], or the error of the connection.
    pub fn next_part(&mut self) -> Result<Option<&[u8]>, Error> {
        self.parts.next_part()
    }

    /// The next record; `None` at the end: the data of a server-sent event, or a line of JSON lines. See [`RecordReader`].
    ///
    /// Model servers report errors as records, too, in a stream that ends well.
    ///
    /// # Errors
    ///
    /// Those of [`next_part`](Self::next_part).
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, Error> {
        match self.records.next_record(&mut self.parts) {
            Ok(record) => Ok(record),
            Err(error) => Err(self.parts.failed_record(error)),
        }
    }

    /// The next server-sent event with all its fields; `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of [`next_part`](Self::next_part).
    pub fn next_event(&mut self) -> Result<Option<&Event>, Error> {
        match self.records.next_event(&mut self.parts) {
            Ok(event) => Ok(event),
            Err(error) => Err(self.parts.failed_record(error)),
        }
    }

    /// The remaining records, as owned values. Ends after the first error.
    pub fn records(&mut self) -> Records<'_> {
        Records {
            stream: self,
            is_over: false,
        }
    }

    /// Reads the rest and drops it, so that a late error is seen and the connection can be used again.
    ///
    /// # Errors
    ///
    /// Those of [`next_part`](Self::next_part).
    pub fn finish(mut self) -> Result<StreamSummary, Error> {
        while self.next_part()?.is_some() {}
        Ok(self.summary())
    }

    /// What has been delivered so far.
    #[must_use]
    pub fn summary(&self) -> StreamSummary {
        self.parts.summary()
    }
}

impl Read for ResponseStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.parts.read(buffer)
    }
}

impl BufRead for ResponseStream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.parts.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.parts.consume(amount);
    }
}

/// Shows what has been delivered, in numbers.
impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.summary();
        write!(
            f,
            "ResponseStream({} parts, {} bytes)",
            summary.parts, summary.bytes
        )
    }
}

/// The records of a stream, by [`ResponseStream::records`].
#[derive(Debug)]
pub struct Records<'a> {
    stream: &'a mut ResponseStream,
    is_over: bool,
}

impl Iterator for Records<'_> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let record = self
            .stream
            .next_record()
            .map(|record| record.map(<[u8]>::to_vec))
            .transpose();
        self.is_over = !matches!(record, Some(Ok(_)));
        record
    }
}

impl std::iter::FusedIterator for Records<'_> {}

#[cfg(test)]
mod tests;
