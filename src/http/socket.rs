//! A TCP connection: connecting, reading and writing with time limits. A write that stalls ends early if the peer has
//! sent something.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};

use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{ConnectionDetails, NextTimeout};
use ureq::{Error, Timeout};

/// How long a write may stall before it looks whether the peer has sent something.
const STALL_LIMIT: Duration = Duration::from_millis(250);

pub(super) struct Socket {
    /// Shared with the agent, whose shutdown ends reads and writes of other threads.
    stream: Arc<TcpStream>,
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Socket {
    pub(super) fn connect(addresses: &[SocketAddr], details: &ConnectionDetails<'_>) -> Result<Self, Error> {
        let time_left = || left(details.timeout.after, details.now, (details.current_time)());
        let stream = connect_to_one(addresses, details.timeout.reason, time_left)?;
        stream.set_nodelay(details.config.no_delay())?;
        let stream = Arc::new(stream);
        let handle: Weak<TcpStream> = Arc::downgrade(&stream);
        (details.register_shutdown)(handle)?;
        let clock = Arc::clone(&details.current_time);
        Ok(Self { stream, clock, read_timeout: None, write_timeout: None })
    }

    /// Writes until all is written, or the write stalls and the peer has sent something. Returns the bytes written.
    pub(super) fn write(&mut self, bytes: &[u8], timeout: NextTimeout) -> Result<usize, Error> {
        let begun_at = (self.clock)();
        let mut progress_at = begun_at;
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let limit = write_limit(timeout, begun_at, progress_at, (self.clock)())?;
            match self.write_some(rest, limit.after) {
                Ok(0) => return Err(Error::Io(io::ErrorKind::WriteZero.into())),
                Ok(bytes) => {
                    written += bytes;
                    progress_at = (self.clock)();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // On Windows, how much a write has sent is unknown after its timeout.
                Err(error) if is_timeout(&error) && !cfg!(windows) => {
                    if self.has_input()? {
                        break;
                    }
                }
                Err(error) => return Err(error_of(error, limit.reason)),
            }
        }
        Ok(written)
    }

    fn write_some(&mut self, bytes: &[u8], limit: Duration) -> io::Result<usize> {
        let limit = if cfg!(windows) { limit } else { limit.min(STALL_LIMIT) };
        set_timeout(&mut self.write_timeout, limit, |limit| self.stream.set_write_timeout(limit))?;
        (&*self.stream).write(bytes)
    }

    /// Whether there is something to read; an error if the peer has closed.
    fn has_input(&self) -> Result<bool, Error> {
        match self.without_waiting(|stream| stream.peek(&mut [0])) {
            Ok(0) => Err(Error::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(true),
            Err(error) if is_timeout(&error) => Ok(false),
            Err(error) => Err(Error::Io(error)),
        }
    }

    /// Waits for bytes; with no time at all, reads what is there.
    pub(super) fn read(&mut self, buffer: &mut [u8], timeout: NextTimeout) -> Result<usize, Error> {
        let limit = timeout.for_read();
        let begun_at = (self.clock)();
        let mut time_left = limit.after;
        loop {
            let outcome = if time_left.is_zero() {
                self.without_waiting(|mut stream| stream.read(buffer))
            } else {
                set_timeout(&mut self.read_timeout, time_left, |limit| self.stream.set_read_timeout(limit))?;
                (&*self.stream).read(buffer)
            };
            match outcome {
                // Linux interrupts a read that has a timeout at any signal. Without a timeout, only a handler installed
                // without SA_RESTART does so, on purpose.
                Err(error) if error.kind() == io::ErrorKind::Interrupted && !time_left.is_not_happening() => {
                    time_left = left(limit.after, begun_at, (self.clock)());
                }
                outcome => return outcome.map_err(|error| error_of(error, limit.reason)),
            }
        }
    }

    fn without_waiting<T>(&self, run: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        self.stream.set_nonblocking(true)?;
        let outcome = run(&self.stream);
        self.stream.set_nonblocking(false)?;
        outcome
    }
}

/// Tries the addresses in order. Each may use half of the time that is left, the last one all of it.
fn connect_to_one(
    addresses: &[SocketAddr],
    reason: Timeout,
    time_left: impl Fn() -> Duration,
) -> Result<TcpStream, Error> {
    let mut error = Error::ConnectionFailed;
    for (index, address) in addresses.iter().enumerate() {
        let left = time_left();
        if left.is_zero() {
            return Err(Error::Timeout(reason));
        }
        let is_last = index + 1 == addresses.len();
        let outcome = match if is_last { left } else { left / 2 } {
            Duration::NotHappening => TcpStream::connect(address),
            Duration::Exact(limit) => TcpStream::connect_timeout(address, limit),
        };
        match outcome {
            Ok(stream) => return Ok(stream),
            Err(failure) => error = error_of(failure, Timeout::Connect),
        }
    }
    Err(error)
}

/// Makes the system call only if the timeout changes.
fn set_timeout(
    current: &mut Option<Duration>,
    limit: Duration,
    set: impl FnOnce(Option<std::time::Duration>) -> io::Result<()>,
) -> io::Result<()> {
    let new = if limit.is_not_happening() { None } else { Some(limit) };
    if new == *current {
        return Ok(());
    }
    match set(new.map(|limit| *limit)) {
        Ok(()) => *current = new,
        // macOS refuses it once the peer has closed, and what the peer has sent can still be read.
        Err(error) if cfg!(target_os = "macos") && error.kind() == io::ErrorKind::InvalidInput => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What is left of the limits: `after` from the start of the write, `per_write` from its last progress.
fn write_limit(
    timeout: NextTimeout,
    begun_at: Instant,
    progress_at: Instant,
    now: Instant,
) -> Result<NextTimeout, Error> {
    let after = left(timeout.after, begun_at, now);
    let per_write = timeout.per_write.map(|limit| left(limit, progress_at, now));
    let limit = NextTimeout { after, per_write, ..timeout }.for_write();
    if limit.after.is_zero() { Err(Error::Timeout(limit.reason)) } else { Ok(limit) }
}

fn left(limit: Duration, since: Instant, now: Instant) -> Duration {
    match (limit, since, now) {
        (Duration::Exact(limit), Instant::Exact(since), Instant::Exact(now)) => {
            Duration::Exact(limit.saturating_sub(now.saturating_duration_since(since)))
        }
        (limit, _, _) => limit,
    }
}

fn error_of(error: io::Error, reason: Timeout) -> Error {
    if is_timeout(&error) { Error::Timeout(reason) } else { Error::Io(error) }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn connect(addresses: &[SocketAddr]) -> Result<SocketAddr, Error> {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(2);
        let time_left = || end.saturating_duration_since(std::time::Instant::now()).into();
        Ok(connect_to_one(addresses, Timeout::Connect, time_left)?.peer_addr()?)
    }

    fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_address_that_refuses_or_is_silent_is_followed_by_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let silent = silent_listener();
        let silent_address = silent.local_addr().unwrap().as_socket().unwrap();
        let _queued = TcpStream::connect(silent_address).unwrap();
        assert_eq!(connect(&[refusing(), silent_address, address, refusing()]).unwrap(), address);
        let error = connect(&[refusing(), silent_address]).unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Connect)), "{error:?}");
    }

    /// Linux does not answer once one connection waits to be accepted.
    #[cfg(target_os = "linux")]
    fn silent_listener() -> socket2::Socket {
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        listener
    }

    #[test]
    fn without_a_connection_the_last_error_is_returned() {
        let error = connect(&[refusing(), refusing()]).unwrap_err();
        let is_refusal = matches!(&error, Error::Io(it) if it.kind() == io::ErrorKind::ConnectionRefused);
        assert!(is_refusal, "{error:?}");
        let error = connect_to_one(&[refusing()], Timeout::Global, || Duration::from_secs(0)).unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Global)), "{error:?}");
    }
}
