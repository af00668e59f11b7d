//! The transport below TLS: it joins small writes, and still reads what the peer said when a write failed.

use std::sync::Arc;

use ureq::unversioned::transport::time::Duration as UreqDuration;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::readers::Readers;

/// A write up to this size is held until something is read, so that the head and a small body leave together. Larger
/// ones gain nothing: they fill packets by themselves.
const MAX_HELD_BYTES: usize = 16 * 1024;

/// Longest wait for the peer's answer after a write has failed. The peer sent it before it closed, so it is usually there.
const LAST_WORDS_LIMIT: UreqDuration = UreqDuration::from_millis(250);

/// Joins writes until something is read. A failed write is remembered instead of reported: a server that refuses a
/// large body answers and closes, and its answer is worth more than "broken pipe". Once nothing is left to read, the
/// failure comes as a [`WriteFailed`].
pub(super) struct HeldWrites<T> {
    inner: T,
    held: Vec<u8>,
    failed: Option<Error>,
    readers: Arc<Readers>,
}

/// A write of the request failed, so that the peer cannot have all of it.
#[derive(Debug, thiserror::Error)]
#[error("a write failed")]
pub(super) struct WriteFailed(#[source] pub(super) Error);

impl<T: Transport> HeldWrites<T> {
    pub(super) fn new(inner: T, readers: Arc<Readers>) -> Self {
        Self { inner, held: Vec::new(), failed: None, readers }
    }

    /// Writes what is held; drops it after a failure.
    fn flush(&mut self, timeout: NextTimeout) {
        let mut written = 0;
        while let Some(rest) = self.held.get(written..).filter(|rest| !rest.is_empty()) {
            let output = self.inner.buffers().output();
            let amount = rest.len().min(output.len());
            for (place, byte) in output.iter_mut().zip(rest) {
                *place = *byte;
            }
            written += amount;
            self.write(amount, timeout);
        }
        self.held.clear();
    }

    fn write(&mut self, amount: usize, timeout: NextTimeout) {
        if self.failed.is_none() {
            self.failed = self.inner.transmit_output(amount, timeout).err();
        }
    }

    /// What the peer sent before the write failed; the failure, when there is nothing.
    fn last_words(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if timeout.after > LAST_WORDS_LIMIT {
            timeout.after = LAST_WORDS_LIMIT;
        }
        if let Ok(true) = self.inner.await_input(timeout) {
            return Ok(true);
        }
        // The connection stays failed.
        let failed = self.failed.replace(Error::ConnectionFailed).unwrap_or(Error::ConnectionFailed);
        Err(Error::Other(Box::new(WriteFailed(failed))))
    }
}

/// Rounds up, so that the limit of a response is the same number in each call, and is not set again in the socket. The
/// timers of sockets are not finer.
fn in_whole_milliseconds(mut timeout: NextTimeout) -> NextTimeout {
    if let UreqDuration::Exact(after) = timeout.after
        && let Ok(milliseconds) = u64::try_from(after.as_nanos().div_ceil(1_000_000))
    {
        timeout.after = UreqDuration::from_millis(milliseconds);
    }
    timeout
}

impl<T: Transport> Transport for HeldWrites<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    #[expect(clippy::expect_used, reason = "ureq fills no more than the buffer that it was given")]
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.held.is_empty() && amount > MAX_HELD_BYTES {
            self.write(amount, timeout);
            return Ok(());
        }
        let output = self.inner.buffers().output();
        self.held.extend_from_slice(output.get(..amount).expect("the output is inside its buffer"));
        if self.held.len() > MAX_HELD_BYTES {
            self.flush(timeout);
        }
        Ok(())
    }

    /// With no time at all, looks whether the peer has closed or sent something, and answers at once.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if timeout.after.is_zero() {
            let is_quiet = self.failed.is_none() && self.inner.is_open();
            return if is_quiet { Err(Error::Timeout(Timeout::PerRead)) } else { Ok(false) };
        }
        let timeout = in_whole_milliseconds(self.readers.limit(timeout)?);
        if !self.held.is_empty() {
            self.flush(timeout);
        }
        if self.failed.is_some() { self.last_words(timeout) } else { self.inner.await_input(timeout) }
    }

    /// Whether every write has succeeded; the peer is looked at by [`await_input`](Self::await_input).
    fn is_open(&mut self) -> bool {
        self.failed.is_none()
    }
}

/// Shows the length of what is held: it may be a signature or a body.
impl<T: Transport> std::fmt::Debug for HeldWrites<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldWrites({:?}, {} bytes)", self.inner, self.held.len())
    }
}
