//! The only module to touch the environment, files, the clock, sleep, randomness, name lookup and processes.
//!
//! Everything else goes through a [`System`], so that a test, or a program that embeds the client in a sandbox, can
//! replace it: a fixed environment, an empty disk, a clock that runs through a day in a millisecond.

mod file;
mod pipe;
mod process;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

pub use self::process::ProcessOutput;

/// Access to the machine. [`OsSystem`] is the real one.
///
/// No method has a default, so that a wrapper forwards each one on purpose. A new method is a minor release of this
/// crate.
///
/// To skip retry delays in a test, replace [`Config::system`](crate::Config::system):
///
/// ```
/// use std::{io, net::SocketAddr, path::Path, time::{Duration, Instant, SystemTime}};
/// use sagemaker_invoke::system::{OsSystem, ProcessOutput, System};
///
/// #[derive(Debug)]
/// struct Sleepless;
///
/// impl System for Sleepless {
///     fn sleep(&self, _: Duration) {}
///     fn variable(&self, name: &str) -> Option<String> { OsSystem.variable(name) }
///     fn read_file(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> { OsSystem.read_file(path, max_bytes) }
///     fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> { OsSystem.replace_file(path, content) }
///     fn run(&self, command: &str, limit: Duration, on_stderr: &mut dyn FnMut(&[u8])) -> io::Result<ProcessOutput> {
///         OsSystem.run(command, limit, on_stderr)
///     }
///     fn now(&self) -> SystemTime { OsSystem.now() }
///     fn instant(&self) -> Instant { OsSystem.instant() }
///     fn random(&self) -> u64 { OsSystem.random() }
///     fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> { OsSystem.lookup(host, port) }
///     fn process_id(&self) -> u32 { OsSystem.process_id() }
/// }
/// ```
pub trait System: fmt::Debug + Send + Sync {
    /// An environment variable; invalid UTF-8 is replaced by U+FFFD. Must not wait: calls read variables on their own
    /// threads.
    fn variable(&self, name: &str) -> Option<String>;

    /// The content of a regular file of at most `max_bytes`; symbolic links are followed.
    ///
    /// # Errors
    ///
    /// Those of the operating system; [`io::ErrorKind::InvalidInput`] for anything but a regular file, and
    /// [`io::ErrorKind::FileTooLarge`] for one over the limit.
    fn read_file(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>>;

    /// Replaces a file atomically; only its owner can read the new one. Symbolic links are followed and stay links. Used
    /// for the cached token of a refreshed SSO session.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Runs a command line in the system's shell, `sh -c` or `cmd /C`, for a profile's `credential_process`. Its
    /// standard input is empty, and it is killed when it takes longer than `limit`. [`OsSystem`] also kills the processes
    /// that it has started, unless this program has a controlling terminal: there it may ask for a password.
    ///
    /// `on_stderr` gets each piece of the standard error as soon as the process writes it. A call that ends while the
    /// process runs shows what it has written so far.
    ///
    /// # Errors
    ///
    /// Those of the operating system; [`io::ErrorKind::TimedOut`] when the limit has passed.
    fn run(
        &self,
        command_line: &str,
        limit: Duration,
        on_stderr: &mut dyn FnMut(&[u8]),
    ) -> io::Result<ProcessOutput>;

    /// The time of day, for signatures and expiry.
    fn now(&self) -> SystemTime;

    /// The monotonic clock, for deadlines.
    fn instant(&self) -> Instant;

    /// Waits.
    fn sleep(&self, duration: Duration);

    /// 64 random bits, for jitter and request ids; not for keys. A forked child may repeat those of its parent.
    fn random(&self) -> u64;

    /// The addresses of a host name. May block as long as the system's resolver does.
    ///
    /// # Errors
    ///
    /// Those of the system's resolver.
    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// The id of this process. It changes when the process forks, and the child must not use the connections of its
    /// parent.
    fn process_id(&self) -> u32;
}

/// The machine that the program runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsSystem;

impl System for OsSystem {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn read_file(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        file::read(path, max_bytes)
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        file::replace(path, content, self.random() ^ u64::from(self.process_id()))
    }

    fn run(
        &self,
        command_line: &str,
        limit: Duration,
        on_stderr: &mut dyn FnMut(&[u8]),
    ) -> io::Result<ProcessOutput> {
        process::run(command_line, limit, on_stderr)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn random(&self) -> u64 {
        // Each RandomState is seeded by the standard library; the hash of a constant gives the bits of its seed.
        RandomState::new().hash_one(0_u8)
    }

    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    fn process_id(&self) -> u32 {
        std::process::id()
    }
}

/// The value of an environment variable that is a setting: trimmed, and `None` if it is blank, as in the AWS SDKs.
pub(crate) fn setting_variable(system: &dyn System, name: &str) -> Option<String> {
    let value = system.variable(name)?;
    let value = value.trim();
    if value.is_empty() {
        None
    } else {
        Some(value.to_owned())
    }
}

/// Random bits as a number from 0 to 1, both included.
pub(crate) fn fraction(random: u64) -> f64 {
    let high_half: u32 = (random >> 32).try_into().unwrap_or(u32::MAX);
    f64::from(high_half) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_differs_from_call_to_call() {
        let mut drawn: Vec<u64> = (0..100).map(|_| OsSystem.random()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 100);
    }

    #[test]
    fn a_fraction_is_between_0_and_1() {
        assert_eq!((fraction(0), fraction(u64::MAX)), (0.0, 1.0));
    }
}
