//! The socket as it is written to, by its connection and by a large request itself.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::unversioned::transport::ShutdownHandle;

use super::exchange;
use crate::host::{Host, System};

/// A socket and what is known of its writing side.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    writing: Mutex<Writing>,
}

#[derive(Debug, Default)]
struct Writing {
    timeout: Option<Duration>,
    /// The write that failed. What is written after it is dropped, and it is reported once there is nothing left
    /// to read: a server that refuses a body says so and closes, and its answer is worth more than our broken pipe.
    failed: Option<io::Error>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, writing: Mutex::default() }
    }

    /// Writes all and tells `progress` of each part; an error only if the time is over.
    pub(super) fn write_all(&self, bytes: &[u8], progress: impl FnMut(usize)) -> io::Result<()> {
        let mut writing = self.writing();
        if writing.failed.is_some() {
            return Ok(());
        }
        let Err(error) = self.write_parts(bytes, &mut writing.timeout, progress) else { return Ok(()) };
        exchange::write_failed();
        if error.kind() == io::ErrorKind::TimedOut {
            writing.failed = Some(io::ErrorKind::TimedOut.into());
            return Err(error);
        }
        writing.failed = Some(error);
        Ok(())
    }

    fn write_parts(
        &self,
        mut bytes: &[u8],
        timeout: &mut Option<Duration>,
        mut progress: impl FnMut(usize),
    ) -> io::Result<()> {
        let mut since = exchange::io_begins_at();
        let mut now = since;
        while !bytes.is_empty() {
            let patience = exchange::patience(since, now)?.map(rounded);
            if patience != *timeout {
                self.stream.set_write_timeout(patience)?;
                *timeout = patience;
            }
            match (&self.stream).write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    progress(written);
                    bytes = bytes.get(written..).unwrap_or_default();
                    if !bytes.is_empty() {
                        now = System.instant();
                        since = now;
                    }
                }
                Err(error) if is_pause(&error) => now = System.instant(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn take_failed_write(&self) -> Option<io::Error> {
        self.writing().failed.take()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.writing().failed.is_some()
    }

    /// Whether the peer has neither closed nor said anything since the last response.
    pub(super) fn is_quiet(&self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let is_quiet = match self.stream.peek(&mut [0]) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(_) => false,
        };
        self.stream.set_nonblocking(false)?;
        Ok(is_quiet)
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ShutdownHandle for Socket {
    fn shutdown(&self) {
        ShutdownHandle::shutdown(&self.stream);
    }
}

/// The socket's own timer ran out or a signal came; what is left of our time limit is looked at next.
pub(super) fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// A socket timer up to 1/16 shorter than `patience`, the same for all that are close to each other, so that a
/// warm call need not set it again. When it runs out early, the rest is waited for with a new one.
pub(super) fn rounded(patience: Duration) -> Duration {
    let milliseconds = patience.as_millis();
    let dropped_bits = (128 - milliseconds.leading_zeros()).saturating_sub(5);
    let rounded = (milliseconds >> dropped_bits) << dropped_bits;
    match u64::try_from(rounded) {
        Ok(0) | Err(_) => patience.min(Duration::from_secs(60)),
        Ok(milliseconds) => Duration::from_millis(milliseconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_close_below_and_steady() {
        for milliseconds in [1, 15, 16, 31, 33, 100, 999, 5_000, 29_999, 70_000, 3_600_000] {
            let patience = Duration::from_millis(milliseconds);
            let timer = rounded(patience);
            assert!(timer <= patience && timer * 16 >= patience * 15, "{patience:?} {timer:?}");
        }
        assert_eq!(rounded(Duration::from_micros(69_999_990)), rounded(Duration::from_micros(69_995_001)));
        assert_eq!(rounded(Duration::from_micros(300)), Duration::from_micros(300));
        assert!(!rounded(Duration::MAX).is_zero());
    }
}
