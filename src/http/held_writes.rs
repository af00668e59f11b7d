//! The transport below TLS: it joins small writes, and still reads the answer of the peer when a write failed.

use std::sync::Arc;

use ureq::unversioned::transport::time::Duration as UreqDuration;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::deadlines::Deadlines;

/// A write up to this size is held until something is read, so that the head and a small body leave together. Larger
/// ones gain nothing: they fill packets by themselves.
const MAX_HELD_BYTES: usize = 16 * 1024;

/// Longest wait for the peer's answer after a write has failed. The peer sent it before it closed, so it is usually there.
const LAST_WORDS_LIMIT: UreqDuration = UreqDuration::from_millis(250);

/// Divisor of the limit for progress that gives the wait for a response after a stalled write.
const PART_OF_STALL_LIMIT: u32 = 8;

/// The shortest wait of a socket, a tick of the kernel's clock. Given no time at all, ureq does not read.
const ONE_TICK: UreqDuration = UreqDuration::from_millis(1);

/// Maximum number of reads after a failed write once the deadline has passed, so that a peer that sends without end cannot
/// prolong the call. One read brings up to 64 KiB.
const MAX_LATE_READS: u32 = 16;

/// Joins writes until something is read. A failed write is remembered instead of reported: a server that refuses a
/// large body answers and closes, and its answer is worth more than "broken pipe". Once nothing is left to read, the
/// failure comes, that of the request as a [`WriteFailed`].
pub(super) struct HeldWrites<T> {
    inner: T,
    held: Vec<u8>,
    /// Whether a part of the request is in `held`.
    holds_request: bool,
    failed: Option<Error>,
    /// Whether the write that failed was one of the request.
    has_lost_request: bool,
    deadlines: Arc<Deadlines>,
    /// Reads after a failed write and after the deadline.
    late_reads: u32,
}

/// The reason of the time limit of a write by which the request is told from what TLS writes of itself, such as an alert
/// while the response is read. ureq's own reason is the limit that is the nearest.
pub(super) const REQUEST: Timeout = Timeout::SendBody;

/// A write of the request failed, so that the peer cannot have all of it.
#[derive(Debug, thiserror::Error)]
#[error("a write failed")]
pub(super) struct WriteFailed(#[source] pub(super) Error);

impl<T: Transport> HeldWrites<T> {
    pub(super) fn new(inner: T, deadlines: Arc<Deadlines>) -> Self {
        Self {
            inner,
            held: Vec::new(),
            holds_request: false,
            failed: None,
            has_lost_request: false,
            deadlines,
            late_reads: 0,
        }
    }

    /// Writes what is held; drops it after a failure. `timeout` has the deadline of the thread, here and in `write`.
    fn flush(&mut self, timeout: NextTimeout) {
        let mut written = 0;
        while let Some(rest) = self.held.get(written..).filter(|rest| !rest.is_empty()) {
            let output = self.inner.buffers().output();
            let amount = rest.len().min(output.len());
            for (place, byte) in output.iter_mut().zip(rest) {
                *place = *byte;
            }
            written += amount;
            self.write(amount, timeout, self.holds_request);
        }
        self.held.clear();
        self.holds_request = false;
    }

    fn write(&mut self, amount: usize, timeout: NextTimeout, is_request: bool) {
        if self.failed.is_none() {
            self.failed = if timeout.after.is_zero() {
                Some(Error::Timeout(timeout.reason))
            } else {
                self.inner.transmit_output(amount, timeout).err()
            };
        }
        self.has_lost_request |= is_request && self.failed.is_some();
    }

    /// A stalled peer closes nothing, so its response is there or does not come. The limit for progress has passed
    /// already, and the wait adds a small part to it only.
    fn last_words_limit(&self, timeout: NextTimeout) -> UreqDuration {
        match (&self.failed, timeout.per_write) {
            (Some(Error::Timeout(_)), Some(stall_limit)) => {
                let part = UreqDuration::Exact(*stall_limit / PART_OF_STALL_LIMIT);
                part.clamp(ONE_TICK, LAST_WORDS_LIMIT)
            }
            _ => LAST_WORDS_LIMIT,
        }
    }

    /// Reads the response that the peer sent before the write failed; the failure, when there is none.
    fn last_words(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if timeout.after.is_zero() && self.late_reads < MAX_LATE_READS {
            // The deadline ended the write. A response that has arrived still counts.
            self.late_reads += 1;
            timeout.after = ONE_TICK;
        }
        let limit = self.last_words_limit(timeout);
        if timeout.after > limit {
            timeout.after = limit;
        }
        if let Ok(true) = self.inner.await_input(timeout) {
            return Ok(true);
        }
        // The connection stays failed.
        let error = self
            .failed
            .replace(Error::ConnectionFailed)
            .unwrap_or(Error::ConnectionFailed);
        Err(if self.has_lost_request {
            Error::Other(Box::new(WriteFailed(error)))
        } else {
            error
        })
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

    #[expect(
        clippy::expect_used,
        reason = "ureq fills no more than the buffer that it was given"
    )]
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let is_request = timeout.reason == REQUEST;
        if self.held.is_empty() && amount > MAX_HELD_BYTES {
            self.write(amount, self.deadlines.limit(timeout), is_request);
            return Ok(());
        }
        self.holds_request |= is_request;
        let output = self.inner.buffers().output();
        self.held.extend_from_slice(
            output
                .get(..amount)
                .expect("the output is inside its buffer"),
        );
        if self.held.len() > MAX_HELD_BYTES {
            self.flush(self.deadlines.limit(timeout));
        }
        Ok(())
    }

    /// With no time at all, looks whether the peer has closed or sent something, and answers at once.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if timeout.after.is_zero() {
            let is_quiet = self.failed.is_none() && self.inner.is_open();
            return if is_quiet {
                Err(Error::Timeout(Timeout::PerRead))
            } else {
                Ok(false)
            };
        }
        let timeout = in_whole_milliseconds(self.deadlines.limit(timeout));
        if !self.held.is_empty() {
            self.flush(timeout);
        }
        if self.failed.is_some() {
            return self.last_words(timeout);
        }
        if timeout.after.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        self.inner.await_input(timeout)
    }

    /// Whether every write of the request has succeeded; the rest is looked at by [`await_input`](Self::await_input).
    fn is_open(&mut self) -> bool {
        !self.has_lost_request
    }
}

/// Shows the length of what is held: it may be a signature or a body.
impl<T: Transport> std::fmt::Debug for HeldWrites<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldWrites({:?}, {} bytes)", self.inner, self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use ureq::unversioned::transport::LazyBuffers;

    use super::*;

    /// A transport whose writes and reads succeed as it is told.
    #[derive(Debug)]
    struct Socket {
        buffers: LazyBuffers,
        writes: VecDeque<bool>,
        reads: VecDeque<bool>,
    }

    impl Transport for Socket {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), Error> {
            if self.writes.pop_front().unwrap() {
                Ok(())
            } else {
                Err(Error::ConnectionFailed)
            }
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
            Ok(self.reads.pop_front().unwrap())
        }

        fn is_open(&mut self) -> bool {
            true
        }
    }

    fn held_writes(writes: &[bool], reads: &[bool]) -> HeldWrites<Socket> {
        let (writes, reads) = (
            writes.iter().copied().collect(),
            reads.iter().copied().collect(),
        );
        HeldWrites::new(
            Socket {
                buffers: LazyBuffers::new(64, 64 * 1024),
                writes,
                reads,
            },
            Arc::new(Deadlines::new(Arc::new(crate::system::OsSystem))),
        )
    }

    fn timeout(reason: Timeout) -> NextTimeout {
        NextTimeout {
            reason,
            ..NextTimeout::default()
        }
    }

    fn is_of_request(error: &Error) -> bool {
        matches!(error, Error::Other(inner) if inner.is::<WriteFailed>())
    }

    #[test]
    fn a_failed_write_of_the_request_is_told_from_one_of_tls() {
        // What TLS holds from its handshake leaves with the request.
        for (amount, writes) in [
            (100, &[false][..]),
            (MAX_HELD_BYTES + 1, &[false]),
            (MAX_HELD_BYTES, &[false]),
        ] {
            let mut transport = held_writes(writes, &[false]);
            if amount < MAX_HELD_BYTES {
                transport
                    .transmit_output(10, timeout(Timeout::Connect))
                    .unwrap();
            }
            transport.transmit_output(amount, timeout(REQUEST)).unwrap();
            let error = transport
                .await_input(timeout(Timeout::RecvResponse))
                .unwrap_err();
            assert!(is_of_request(&error), "{amount}");
        }
        // An alert while the response is awaited or read: the whole request has left.
        let mut transport = held_writes(&[true, false], &[true, false]);
        transport.transmit_output(100, timeout(REQUEST)).unwrap();
        assert!(
            transport
                .await_input(timeout(Timeout::RecvResponse))
                .unwrap()
        );
        transport
            .transmit_output(30, timeout(Timeout::RecvResponse))
            .unwrap();
        let error = transport
            .await_input(timeout(Timeout::RecvResponse))
            .unwrap_err();
        assert!(!is_of_request(&error));
    }
}
