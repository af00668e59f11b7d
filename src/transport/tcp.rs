//! A connection: buffers that start small and grow, and a peer's last words that are still read when it hangs up.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::exchange;
use super::socket::{Socket, is_pause, rounded};
use crate::host::{Host, System};

/// A buffer's first size: the head and body of most responses fit.
const FIRST_BUFFER_BYTES: usize = 8 * 1024;
/// An input buffer's last size: more saves no time over loopback, and no head that ureq takes is as long.
const LAST_INPUT_BYTES: usize = 256 * 1024;
/// Records of TLS of a long request leave together when they are this many bytes: about four. More saves no time over
/// loopback, and less does: ureq hands them on one by one.
const HELD_BYTES: usize = 64 * 1024;
/// The longest record of TLS. Source: RFC 5246, sections 6.2.1 and 6.2.3; those of RFC 8446 are shorter.
const RECORD_BYTES: usize = 5 + (1 << 14) + 2048;
/// An output buffer's last size. Without TLS, a longer request leaves past it.
const LAST_OUTPUT_BYTES: usize = HELD_BYTES + RECORD_BYTES;

/// A connection's socket and buffers.
#[derive(Debug)]
pub(super) struct Tcp {
    socket: Arc<Socket>,
    buffers: GrowingBuffers,
    read_timeout: Option<Duration>,
    /// An exchange has just ended on this connection, so that the pool need not probe it yet.
    is_fresh: bool,
}

impl Tcp {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        Self { socket, buffers: GrowingBuffers::default(), read_timeout: None, is_fresh: false }
    }

    fn read_some(&mut self) -> io::Result<usize> {
        let since = exchange::io_begins_at();
        let mut now = since;
        loop {
            let patience = exchange::patience(since, now)?.map(rounded);
            if patience != self.read_timeout {
                self.socket.stream.set_read_timeout(patience)?;
                self.read_timeout = patience;
            }
            let room = self.buffers.input_append_buf();
            if room.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a head of the peer's has no end"));
            }
            match (&self.socket.stream).read(room) {
                Err(error) if is_pause(&error) => now = System.instant(),
                other => return other,
            }
        }
    }
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.is_fresh = false;
        let bytes = self.buffers.take_output(amount)?;
        Ok(self.socket.write_all(bytes, |_| ())?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let outcome = self.read_some();
        if let Ok(0) | Err(_) = outcome
            && let Some(failed_write) = self.socket.take_failed_write()
        {
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
        if self.socket.has_failed() || !self.buffers.input().is_empty() {
            return false;
        }
        std::mem::take(&mut self.is_fresh) || self.socket.is_quiet().unwrap_or(false)
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
    /// Of the output, from its beginning: what waits for more of the same request.
    held: usize,
}

impl Buffers for GrowingBuffers {
    fn output(&mut self) -> &mut [u8] {
        let wanted = exchange::request_bytes().clamp(FIRST_BUFFER_BYTES, LAST_OUTPUT_BYTES);
        if self.output.len() < wanted {
            self.output.resize(wanted, 0);
        }
        self.output.get_mut(self.held..).unwrap_or_default()
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.consumed..self.filled).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.filled == self.input.len() {
            self.make_room();
        } else if self.consumed == self.filled {
            self.consumed = 0;
            self.filled = 0;
        }
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.made_progress = amount > 0;
        self.consumed = (self.consumed + amount).min(self.filled);
    }

    /// ureq uses the first only for chunked bodies, and ours have a length.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        let output = self.output.get_mut(self.held..).unwrap_or_default();
        (self.input.get_mut(self.filled..).unwrap_or_default(), output)
    }

    fn can_use_input(&self) -> bool {
        self.consumed < self.filled && self.made_progress
    }
}

impl GrowingBuffers {
    /// What is to be written now that `amount` was added to the output; nothing while it can wait for more.
    fn take_output(&mut self, amount: usize) -> io::Result<&[u8]> {
        let bytes = self.held + amount;
        if exchange::has_more() && bytes < HELD_BYTES {
            self.held = bytes;
            return Ok(&[]);
        }
        self.held = 0;
        self.output.get(..bytes).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// The last read filled the buffer, which says that there is more to come. If little of it is left unread, what
    /// was read makes room enough; if all is read, the next read may as well be longer.
    fn make_room(&mut self) {
        self.input.copy_within(self.consumed..self.filled, 0);
        self.filled -= self.consumed;
        self.consumed = 0;
        let doubled = (self.input.len() * 2).max(FIRST_BUFFER_BYTES);
        let wants_more = self.filled == 0 || self.filled * 2 >= self.input.len();
        if wants_more && doubled <= LAST_INPUT_BYTES {
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
    fn input_grows_and_keeps_what_is_unread() {
        let mut buffers = GrowingBuffers::default();
        let mut expected = Vec::new();
        for round in 0_u8..40 {
            let room = buffers.input_append_buf();
            room.fill(round);
            let amount = room.len();
            expected.extend(std::iter::repeat_n(round, amount));
            buffers.input_appended(amount);
            assert_eq!(buffers.input(), expected);
            let used = amount / 2 + 1;
            buffers.input_consume(used);
            expected.drain(..used.min(expected.len()));
            assert_eq!(buffers.input(), expected);
        }
        assert_eq!(buffers.input.len(), LAST_INPUT_BYTES);
        buffers.input_consume(LAST_INPUT_BYTES);
        assert_eq!(buffers.input_append_buf().len(), LAST_INPUT_BYTES);
    }

    #[test]
    fn input_grows_while_reads_fill_it_and_no_longer() {
        let mut buffers = GrowingBuffers::default();
        for bytes in [8, 16, 32, 64, 128, 256, 256].map(|kibibytes| kibibytes * 1024) {
            assert_eq!(buffers.input_append_buf().len(), bytes);
            buffers.input_appended(bytes);
            buffers.input_consume(bytes);
        }
        let mut buffers = GrowingBuffers::default();
        for _ in 0..10 {
            let bytes = buffers.input_append_buf().len() - 1;
            buffers.input_appended(bytes);
            buffers.input_consume(bytes);
        }
        assert_eq!(buffers.input_append_buf().len(), FIRST_BUFFER_BYTES);
    }

    #[test]
    fn input_that_nobody_takes_ends_at_the_last_size() {
        let mut buffers = GrowingBuffers::default();
        let mut filled = 0;
        while let amount @ 1.. = buffers.input_append_buf().len() {
            buffers.input_appended(amount);
            filled += amount;
        }
        assert_eq!(filled, LAST_INPUT_BYTES);
    }
}
