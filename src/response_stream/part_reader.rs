//! Where the bytes of a stream come from: a response, or a reader that the program gives.

use std::io::{self, Read};
use std::time::Instant;

use crate::error::reader_failed;
use crate::http::{Body, TransportError};

/// A source of bytes.
pub(crate) trait PartReader: Send {
    /// Reads some bytes, or none at the end. Gives up at `deadline`.
    fn read_some(
        &mut self,
        buffer: &mut [u8],
        deadline: Option<Instant>,
    ) -> Result<usize, TransportError>;
}

impl PartReader for Body {
    fn read_some(
        &mut self,
        buffer: &mut [u8],
        deadline: Option<Instant>,
    ) -> Result<usize, TransportError> {
        self.read_before(buffer, deadline)
    }
}

/// A reader of the program's own.
pub(super) struct PlainReader<R>(pub(super) R);

impl<R: Read + Send> PartReader for PlainReader<R> {
    fn read_some(
        &mut self,
        buffer: &mut [u8],
        _: Option<Instant>,
    ) -> Result<usize, TransportError> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome.map_err(reader_failed),
            }
        }
    }
}
