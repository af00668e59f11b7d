//! TCP connections. Unlike ureq's own, their writes end in time: a stalled one after the limit for progress, a slow one at
//! the deadline, whatever parts were written and however many signals arrived in between.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ureq::Error;
use ureq::unversioned::transport::time::{Duration as UreqDuration, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};

/// A stalled write is checked this many times within its limit. A socket does not tell when it took the last byte, and its
/// buffer grows a few times before a stall, so that a stall lasts up to a few checks longer than the limit.
const CHECKS_PER_LIMIT: u32 = 32;

/// Longest time between two checks of a stalled write.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The kernel's clock tick. A socket timeout of zero would mean "no timeout".
const MIN_SOCKET_TIMEOUT: Duration = Duration::from_millis(1);

/// An address gets this much time to accept, if the connect limit leaves it.
const MIN_TIME_PER_ADDRESS: Duration = Duration::from_millis(10);

/// Gives the current time. ureq's clock, because the program's own clock may stand still.
type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// A TCP connection.
pub(super) struct Tcp {
    /// Shared with ureq's shutdown handle, which holds it weakly.
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    clock: Clock,
    read_timeout: SocketTimeout,
    write_timeout: SocketTimeout,
}

/// A timeout as the socket has it, so that a system call is made for a change only.
#[derive(Clone, Copy)]
struct SocketTimeout {
    current: Option<Duration>,
    set: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
}

impl Tcp {
    /// Connects to the first address that accepts.
    pub(super) fn connect(
        addresses: &[SocketAddr],
        details: &ConnectionDetails<'_>,
    ) -> Result<Self, Error> {
        let stream = Arc::new(connect(addresses, details)?);
        stream.set_nodelay(true)?;
        let weak = Arc::downgrade(&stream);
        let handle: Weak<dyn ShutdownHandle> = weak;
        (details.register_shutdown)(handle)?;
        let config = details.config;
        Ok(Self {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            clock: Arc::clone(&details.current_time),
            read_timeout: SocketTimeout::new(TcpStream::set_read_timeout),
            write_timeout: SocketTimeout::new(TcpStream::set_write_timeout),
        })
    }
}

/// Each address but the last gets half of the time that is left, so that a silent address leaves time for the others.
fn connect(addresses: &[SocketAddr], details: &ConnectionDetails<'_>) -> Result<TcpStream, Error> {
    let begun_at = (details.current_time)();
    let limit = exact(details.timeout.after);
    let timed_out = || Error::Timeout(details.timeout.reason);
    let mut failed = Error::ConnectionFailed;
    for (number, address) in (1..).zip(addresses) {
        let Some(limit) = limit else {
            match TcpStream::connect(address) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = Error::Io(error),
            }
            continue;
        };
        let left = limit.saturating_sub(elapsed(begun_at, (details.current_time)()));
        if left.is_zero() {
            return Err(timed_out());
        }
        let share = if number == addresses.len() {
            left
        } else {
            left.min(MIN_TIME_PER_ADDRESS.max(left / 2))
        };
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return Ok(stream),
            Err(error) if is_timeout(&error) => failed = timed_out(),
            Err(error) => failed = Error::Io(error),
        }
    }
    Err(failed)
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    /// `timeout.after` limits the write as a unit, `timeout.per_write` the time without progress.
    #[expect(
        clippy::expect_used,
        reason = "ureq fills no more than the buffer that it was given"
    )]
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let limit = exact(timeout.after);
        let stall_limit = timeout.per_write.and_then(exact);
        let interval = check_interval(stall_limit);
        let begun_at = (self.clock)();
        let mut now = begun_at;
        let mut progress_at = begun_at;
        let mut written = 0;
        while written < amount {
            let left = limit.map(|it| it.saturating_sub(elapsed(begun_at, now)));
            let stall_left = stall_limit.map(|it| it.saturating_sub(elapsed(progress_at, now)));
            let left = [left, stall_left].into_iter().flatten().min();
            if left == Some(Duration::ZERO) {
                return Err(Error::Timeout(timeout.reason));
            }
            let wait = left.map(|left| left.min(interval));
            self.write_timeout.set(&self.stream, wait)?;
            let output = self.buffers.output().get(written..amount);
            let rest = output.expect("ureq fills no more than the buffer that it was given");
            let outcome = (&*self.stream).write(rest);
            now = (self.clock)();
            match outcome {
                Ok(0) => return Err(Error::Io(io::ErrorKind::WriteZero.into())),
                Ok(bytes) => {
                    written += bytes;
                    progress_at = now;
                }
                Err(error) if is_interim(&error) => {}
                Err(error) if is_timeout(&error) => return Err(Error::Timeout(timeout.reason)),
                Err(error) => return Err(Error::Io(error)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let limit = exact(timeout.after);
        let begun_at = (self.clock)();
        let mut left = limit;
        loop {
            if left == Some(Duration::ZERO) {
                return Err(Error::Timeout(timeout.reason));
            }
            self.read_timeout.set(&self.stream, left)?;
            match (&*self.stream).read(self.buffers.input_append_buf()) {
                Ok(bytes) => {
                    self.buffers.input_appended(bytes);
                    return Ok(bytes > 0);
                }
                // A signal does not start the limit anew.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    let elapsed = elapsed(begun_at, (self.clock)());
                    left = limit.map(|limit| limit.saturating_sub(elapsed));
                }
                Err(error) if is_timeout(&error) => return Err(Error::Timeout(timeout.reason)),
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }

    /// Whether the peer has neither closed nor sent anything.
    fn is_open(&mut self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let outcome = (&*self.stream).read(&mut [0]);
        let is_quiet = outcome.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        is_quiet && self.stream.set_nonblocking(false).is_ok()
    }
}

impl SocketTimeout {
    fn new(set: fn(&TcpStream, Option<Duration>) -> io::Result<()>) -> Self {
        Self { current: None, set }
    }

    fn set(&mut self, stream: &TcpStream, timeout: Option<Duration>) -> Result<(), Error> {
        let timeout = timeout.map(|it| it.max(MIN_SOCKET_TIMEOUT));
        if timeout == self.current {
            return Ok(());
        }
        match (self.set)(stream, timeout) {
            Ok(()) => self.current = timeout,
            // macOS, once the peer has closed. Its response may still be there, and the next read or write tells.
            Err(error)
                if cfg!(target_os = "macos") && error.kind() == io::ErrorKind::InvalidInput => {}
            Err(error) => return Err(Error::Io(error)),
        }
        Ok(())
    }
}

/// A write with a socket timeout returns a partial count only after the full timeout, and that counts as progress. The
/// timeout is therefore a small part of the limit.
fn check_interval(stall_limit: Option<Duration>) -> Duration {
    match stall_limit {
        // Windows gives no partial counts, and a connection cannot be used after a timeout.
        _ if cfg!(windows) => Duration::MAX,
        Some(limit) => (limit / CHECKS_PER_LIMIT).min(MAX_CHECK_INTERVAL),
        None => MAX_CHECK_INTERVAL,
    }
}

fn exact(duration: UreqDuration) -> Option<Duration> {
    match duration {
        UreqDuration::Exact(duration) => Some(duration),
        UreqDuration::NotHappening => None,
    }
}

fn elapsed(since: Instant, now: Instant) -> Duration {
    match (since, now) {
        (Instant::Exact(since), Instant::Exact(now)) => now.saturating_duration_since(since),
        _ => Duration::ZERO,
    }
}

/// Nothing was written, and time may be left: after a check interval, or a signal.
fn is_interim(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// A socket timeout is `WouldBlock` on Unix.
fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tcp({:?})", self.stream.peer_addr().ok())
    }
}
