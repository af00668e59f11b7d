//! The transport below TLS: it joins small writes, and reads what the peer sent when a write stalls or fails.

use std::net::SocketAddr;

use ureq::Error;
use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, LazyBuffers, NextTimeout, Transport};

use super::socket::Socket;

/// A write up to this size is held until something is read, so that the head and a small body leave together. Larger
/// ones gain nothing: they fill packets by themselves.
const MAX_HELD_BYTES: usize = 16 * 1024;

/// Longest wait for the peer's last words after a write has failed: they have arrived before the failure, or never.
const LAST_WORDS_LIMIT: Duration = Duration::from_millis(250);

/// Joins writes until something is read.
///
/// A server that refuses a large body answers and then closes, or reads no more; its answer is worth more than "broken
/// pipe" or a timeout. So a failed write is remembered instead of reported: once nothing is left to read, the failure
/// comes as a [`WriteFailed`]. And a write that stalls ends as soon as the peer has sent something. Only a reader above
/// TLS can decide whether that is a response, so the rest is held until the next write or read.
pub(super) struct HeldWrites {
    socket: Socket,
    buffers: LazyBuffers,
    held: Vec<u8>,
    /// The last write has stalled; the rest of it is held.
    is_stalled: bool,
    failed: Option<Error>,
}

/// A write of the request failed, so that the peer cannot have all of it.
#[derive(Debug, thiserror::Error)]
#[error("a write failed")]
pub(super) struct WriteFailed(#[source] pub(super) Error);

impl HeldWrites {
    pub(super) fn connect(addresses: &[SocketAddr], details: &ConnectionDetails<'_>) -> Result<Self, Error> {
        let socket = Socket::connect(addresses, details)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Self { socket, buffers, held: Vec::new(), is_stalled: false, failed: None })
    }

    /// Writes what is held; drops it after a failure.
    fn flush(&mut self, timeout: NextTimeout) {
        match self.socket.write(&self.held, timeout) {
            Ok(written) => drop(self.held.drain(..written)),
            Err(error) => {
                self.held.clear();
                self.failed = Some(error);
            }
        }
        self.is_stalled = !self.held.is_empty();
    }

    /// What the peer sent before the write failed; the failure, when there is nothing.
    fn last_words(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        timeout.after = timeout.after.min(LAST_WORDS_LIMIT);
        if let Ok(true) = self.read(timeout) {
            return Ok(true);
        }
        match self.failed.replace(Error::ConnectionFailed) {
            Some(error) => Err(Error::Other(Box::new(WriteFailed(error)))),
            None => Ok(false),
        }
    }

    fn read(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let bytes = self.socket.read(self.buffers.input_append_buf(), timeout)?;
        self.buffers.input_appended(bytes);
        Ok(bytes > 0)
    }
}

impl Transport for HeldWrites {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.failed.is_some() {
            return Ok(());
        }
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        if !self.held.is_empty() || amount <= MAX_HELD_BYTES {
            self.held.extend_from_slice(output);
            if self.held.len() > MAX_HELD_BYTES {
                self.flush(timeout);
            }
            return Ok(());
        }
        match self.socket.write(output, timeout) {
            Ok(written) => self.held.extend_from_slice(output.get(written..).unwrap_or_default()),
            Err(error) => self.failed = Some(error),
        }
        self.is_stalled = !self.held.is_empty();
        Ok(())
    }

    /// With no time at all, reads what is there, and writes nothing.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if timeout.after.is_zero() {
            return if self.failed.is_some() {
                Err(Error::Timeout(timeout.reason))
            } else {
                self.read(timeout)
            };
        }
        let may_write = !timeout.for_write().after.is_zero();
        if may_write && !self.held.is_empty() {
            self.flush(timeout);
        }
        if self.failed.is_some() { self.last_words(timeout) } else { self.read(timeout) }
    }

    /// Whether every write has succeeded, apart from what is held on purpose. The peer is looked at by
    /// [`await_input`](Self::await_input).
    fn is_open(&mut self) -> bool {
        self.failed.is_none() && !self.is_stalled
    }
}

/// Shows the length of what is held: it may be a signature or a body.
impl std::fmt::Debug for HeldWrites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldWrites({} bytes)", self.held.len())
    }
}
