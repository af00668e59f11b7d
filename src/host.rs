//! The one room that touches environment, files, clock, sleep, name lookup, randomness and processes.
//!
//! Everything else asks a [`Host`], so that a test, or a program that embeds the client in a sandbox, can give
//! its own: a fixed environment, an empty disk, a clock that runs a day in a millisecond.

#[cfg(test)]
pub(crate) mod fake;
mod file;
mod process;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

pub use self::process::Finished;

/// What the client asks of the world around it. Each method's default is the real thing.
pub trait Host: fmt::Debug + Send + Sync {
    /// An environment variable; bytes that are not UTF-8 are replaced by U+FFFD.
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A whole file.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    /// Replaces a file, whole or not at all; the new one can be read by its owner only. Used for the cached token of
    /// an SSO session that was renewed.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        file::replace(path, content, self.random())
    }

    /// Runs a command line in the system's shell, `sh -c` or `cmd /C`, for a profile's `credential_process`. Its
    /// input is empty, and it is killed when it is not done within `limit`.
    ///
    /// # Errors
    ///
    /// What the operating system says; [`io::ErrorKind::TimedOut`] when the limit ran out.
    fn run(&self, command_line: &str, limit: Duration) -> io::Result<Finished> {
        process::run(command_line, limit)
    }

    /// The time of day, for signatures and expiry.
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// The clock that never goes back, for deadlines.
    fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Waits.
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    /// 64 random bits, for jitter and request ids; not for keys.
    fn random(&self) -> u64 {
        // The standard library seeds each RandomState anew; a hash of nothing hands the seed's bits over.
        RandomState::new().hash_one(0_u8)
    }

    /// The addresses of a host name; may block as long as the system's resolver does.
    ///
    /// # Errors
    ///
    /// What the system's resolver says.
    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// Random bits as a number from 0 to 1, both included.
pub(crate) fn fraction(random: u64) -> f64 {
    f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

/// The machine that the program runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Host for System {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_differs_from_call_to_call() {
        let mut drawn: Vec<u64> = (0..100).map(|_| System.random()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 100);
    }
}
