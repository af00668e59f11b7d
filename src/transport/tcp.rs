//! The socket: buffers that start small and grow, time limits that cost a system call only when they change, and a
//! peer's last words that are still read when it hangs up on us.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, ShutdownHandle, Transport};

use super::exchange;
use crate::host::{Host, System};

/// A buffer's first size: the head and body of most responses fit.
const FIRST_BUFFER_BYTES: usize = 8 * 1024;
/// A buffer's last size: more saves no time over loopback.
const LAST_BUFFER_BYTES: usize = 256 * 1024;

/// A connection's socket and buffers.
#[derive(Debug)]
pub(super) struct Tcp {
    stream: Arc<TcpStream>,
    buffers: GrowingBuffers,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// The write that failed. What is written after it is dropped, and it is reported once there is nothing left
    /// to read: a server that refuses a body says so and closes, and its answer is worth more than our broken pipe.
    failed_write: Option<io::Error>,
    /// An exchange has just ended on this connection, so that the pool need not probe it yet.
    is_fresh: bool,
}

impl Tcp {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream: Arc::new(stream),
            buffers: GrowingBuffers::default(),
            read_timeout: None,
            write_timeout: None,
            failed_write: None,
            is_fresh: false,
        }
    }

    pub(super) fn shutdown_handle(&self) -> std::sync::Weak<dyn ShutdownHandle> {
        let stream: Arc<dyn ShutdownHandle> = Arc::<TcpStream>::clone(&self.stream);
        Arc::downgrade(&stream)
    }

    fn write_all(&mut self, amount: usize) -> io::Result<()> {
        let mut written = 0;
        let mut since = exchange::io_begins_at();
        let mut now = since;
        while written < amount {
            let patience = exchange::patience(since, now)?.map(rounded);
            if patience != self.write_timeout {
                self.stream.set_write_timeout(patience)?;
                self.write_timeout = patience;
            }
            let rest = self.buffers.output.get(written..amount).unwrap_or_default();
            match (&*self.stream).write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    written += bytes;
                    if written < amount {
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

    fn read_some(&mut self) -> io::Result<usize> {
        let since = exchange::io_begins_at();
        let mut now = since;
        loop {
            let patience = exchange::patience(since, now)?.map(rounded);
            if patience != self.read_timeout {
                self.stream.set_read_timeout(patience)?;
                self.read_timeout = patience;
            }
            match (&*self.stream).read(self.buffers.input_append_buf()) {
                Err(error) if is_pause(&error) => now = System.instant(),
                other => return other,
            }
        }
    }

    /// Whether the peer has neither closed nor said anything since the last response.
    fn is_quiet(&self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let is_quiet = match self.stream.peek(&mut [0]) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(_) => false,
        };
        self.stream.set_nonblocking(false)?;
        Ok(is_quiet)
    }
}

/// The socket's own timer ran out or a signal came; what is left of our time limit is looked at next.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// A socket timer up to 1/16 shorter than `patience`, the same for all that are close to each other, so that a
/// warm call need not set it again. When it runs out early, the rest is waited for with a new one.
fn rounded(patience: Duration) -> Duration {
    let milliseconds = patience.as_millis();
    let dropped_bits = (128 - milliseconds.leading_zeros()).saturating_sub(5);
    let rounded = (milliseconds >> dropped_bits) << dropped_bits;
    match u64::try_from(rounded) {
        Ok(0) | Err(_) => patience.min(Duration::from_secs(60)),
        Ok(milliseconds) => Duration::from_millis(milliseconds),
    }
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.is_fresh = false;
        if self.failed_write.is_some() {
            return Ok(());
        }
        self.write_all(amount).or_else(|error| {
            exchange::write_failed();
            if error.kind() == io::ErrorKind::TimedOut {
                self.failed_write = Some(io::ErrorKind::TimedOut.into());
                return Err(error.into());
            }
            self.failed_write = Some(error);
            Ok(())
        })
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let outcome = self.read_some();
        if let (Ok(0) | Err(_), Some(failed_write)) = (&outcome, self.failed_write.take()) {
            return Err(failed_write.into());
        }
        let bytes = outcome?;
        self.buffers.input_appended(bytes);
        self.is_fresh = bytes > 0;
        Ok(bytes > 0)
    }

    /// Asked when a connection goes into the pool and when it comes out. What arrives while it lies there is seen
    /// when it comes out, so that going in costs no system call.
    fn is_open(&mut self) -> bool {
        // Bytes behind a response would be taken for the next one; ureq sees only those that TLS has let through.
        if self.failed_write.is_some() || !self.buffers.input().is_empty() {
            return false;
        }
        std::mem::take(&mut self.is_fresh) || self.is_quiet().unwrap_or(false)
    }
}

/// Buffers that double when a read fills them and hold a small request whole.
#[derive(Default)]
struct GrowingBuffers {
    input: Vec<u8>,
    consumed: usize,
    filled: usize,
    made_progress: bool,
    output: Vec<u8>,
}

impl Buffers for GrowingBuffers {
    fn output(&mut self) -> &mut [u8] {
        let wanted = exchange::request_bytes().clamp(FIRST_BUFFER_BYTES, LAST_BUFFER_BYTES);
        if self.output.len() < wanted {
            self.output.resize(wanted, 0);
        }
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.consumed..self.filled).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.consumed == self.filled {
            self.consumed = 0;
            self.filled = 0;
        }
        if self.filled == self.input.len() {
            self.make_room();
        }
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.made_progress = amount > 0;
        self.consumed = (self.consumed + amount).min(self.filled);
        // A read that filled the buffer says that there is more to come.
        let was_full = self.filled == self.input.len() && self.consumed == self.filled;
        if was_full && self.input.len() < LAST_BUFFER_BYTES {
            self.make_room();
        }
    }

    /// ureq uses the first only for chunked bodies, and ours have a length.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        (self.input.get_mut(self.filled..).unwrap_or_default(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.consumed < self.filled && self.made_progress
    }
}

impl GrowingBuffers {
    fn make_room(&mut self) {
        if self.consumed > 0 {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled -= self.consumed;
            self.consumed = 0;
        }
        let doubled = (self.input.len() * 2).max(FIRST_BUFFER_BYTES);
        if self.filled * 2 >= self.input.len() {
            self.input.resize(doubled, 0);
        }
    }
}

/// Shows lengths: the buffers hold bodies and signatures.
impl std::fmt::Debug for GrowingBuffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GrowingBuffers({} in, {} out)", self.input.len(), self.output.len())
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

    #[test]
    fn input_grows_and_keeps_what_is_unread() {
        let mut buffers = GrowingBuffers::default();
        let mut expected = Vec::new();
        for round in 0_u8..40 {
            let room = buffers.input_append_buf();
            assert!(!room.is_empty());
            room.fill(round);
            let amount = room.len();
            expected.extend(std::iter::repeat_n(round, amount));
            buffers.input_appended(amount);
            let used = amount / 2 + 1;
            assert_eq!(buffers.input(), expected);
            buffers.input_consume(used);
            expected.drain(..used);
            assert_eq!(buffers.input(), expected);
            if expected.len() > 1_000_000 {
                break;
            }
        }
    }
}
