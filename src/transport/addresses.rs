//! Host names to addresses: looked up only when a connection is made, kept for a bounded time, dropped when
//! connecting to them fails.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::exchange;
use crate::host::{Host, System};

/// What a host name and a port stood for, and since when.
type Known = HashMap<(String, u16), (Arc<[SocketAddr]>, Instant)>;

#[derive(Debug)]
pub(super) struct Addresses {
    host: Arc<dyn Host>,
    ttl: Duration,
    known: Mutex<Known>,
}

impl Addresses {
    pub(super) fn new(host: Arc<dyn Host>, ttl: Duration) -> Self {
        Self { host, ttl, known: Mutex::default() }
    }

    /// The addresses of a host, without brackets if it is an IPv6 address.
    pub(super) fn of(&self, name: &str, port: u16) -> io::Result<Arc<[SocketAddr]>> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(address, port)]));
        }
        let key = (name.to_owned(), port);
        if let Some((addresses, since)) = self.known().get(&key)
            && self.host.instant().duration_since(*since) < self.ttl
        {
            return Ok(Arc::clone(addresses));
        }
        let addresses: Arc<[SocketAddr]> = self.look_up(name, port)?.into();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.known().insert(key, (Arc::clone(&addresses), self.host.instant()));
        Ok(addresses)
    }

    /// Forgets addresses that nobody answers at.
    pub(super) fn forget(&self, name: &str, port: u16) {
        self.known().remove(&(name.to_owned(), port));
    }

    /// The system's resolver has no time limit, so a thread asks it; one that is too late is left to end by itself.
    fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (host, owned_name) = (Arc::clone(&self.host), name.to_owned());
        thread::Builder::new().name("sagemaker-invoke lookup".to_owned()).spawn(move || {
            // Nobody listens any more when the call has timed out.
            let _ = sender.send(host.lookup(&owned_name, port));
        })?;
        let now = System.instant();
        let Some(patience) = exchange::patience(now, now)? else {
            return receiver.recv().unwrap_or_else(|_| Err(io::Error::other("the name lookup ended early")));
        };
        match receiver.recv_timeout(patience) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => Err(exchange::timed_out()),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the name lookup ended early")),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A map has no half-done state that a panic elsewhere could leave behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::transport::Limits;

    #[derive(Debug, Default)]
    struct Counting {
        lookups: AtomicUsize,
        seconds: AtomicUsize,
    }

    impl Host for Counting {
        fn lookup(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            self.lookups.fetch_add(1, Ordering::SeqCst);
            match name {
                "slow" => loop {
                    thread::park();
                },
                "none" => Ok(vec![]),
                _ => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
            }
        }

        fn instant(&self) -> Instant {
            static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
            let start = *START.get_or_init(Instant::now);
            start + Duration::from_secs(self.seconds.load(Ordering::SeqCst).try_into().unwrap())
        }
    }

    fn counting() -> (Arc<Counting>, Addresses) {
        let host = Arc::new(Counting::default());
        let addresses = Addresses::new(Arc::<Counting>::clone(&host), Duration::from_secs(60));
        (host, addresses)
    }

    #[test]
    fn addresses_are_kept_for_their_time_and_dropped_on_demand() {
        let (host, addresses) = counting();
        let lookups_after = |seconds: usize| {
            host.seconds.store(seconds, Ordering::SeqCst);
            addresses.of("name", 80).unwrap();
            host.lookups.load(Ordering::SeqCst)
        };
        assert_eq!([lookups_after(0), lookups_after(59), lookups_after(60), lookups_after(61)], [1, 1, 2, 2]);
        addresses.forget("name", 80);
        assert_eq!(lookups_after(61), 3);
    }

    #[test]
    fn an_address_needs_no_lookup() {
        let (host, addresses) = counting();
        assert_eq!(addresses.of("::1", 8080).unwrap()[0], "[::1]:8080".parse().unwrap());
        assert_eq!(host.lookups.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn no_address_and_no_answer_are_errors() {
        let (_, addresses) = counting();
        assert_eq!(addresses.of("none", 80).unwrap_err().kind(), io::ErrorKind::NotFound);
        let limit = Duration::from_millis(50);
        let outer =
            exchange::begin(1, 0, Limits { connect: limit, send: limit, response: limit, read: limit }, None);
        assert_eq!(addresses.of("slow", 80).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(exchange::end(outer).timed_out);
    }
}
