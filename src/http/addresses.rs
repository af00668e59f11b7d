//! Host names to addresses: looked up when a connection is made, cached for a limited time, and dropped when connecting
//! to them fails.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::{Error, Timeout};

use super::exchange_error::ForbiddenAddress;
use crate::system::System;

type Key = (String, u16);

/// Looks up names through the [`System`].
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    system: Arc<dyn System>,
    /// How long addresses are used for new connections.
    ttl: Duration,
    is_allowed: fn(IpAddr) -> bool,
    lookups: Arc<Mutex<HashMap<Key, Arc<Lookup>>>>,
}

/// One lookup of a name, shared by all that wait for it.
#[derive(Debug, Default)]
struct Lookup {
    outcome: Mutex<Option<LookupOutcome>>,
    is_done: Condvar,
}

#[derive(Clone, Debug)]
struct LookupOutcome {
    addresses: Result<Arc<[SocketAddr]>, Arc<io::Error>>,
    at: Instant,
}

impl Resolver {
    pub(crate) fn new(system: Arc<dyn System>, ttl: Duration) -> Self {
        Self {
            system,
            ttl,
            is_allowed: |_| true,
            lookups: Arc::default(),
        }
    }

    /// Refuses every name with an address that is not allowed, at the lookup of the connection itself: a check before
    /// it could see other addresses than the connection.
    pub(crate) fn allowing(self, is_allowed: fn(IpAddr) -> bool) -> Self {
        Self { is_allowed, ..self }
    }

    /// The addresses of a name, or the address that the name is. Waits for the system's resolver until `limit`.
    pub(super) fn addresses(
        &self,
        name: &str,
        port: u16,
        limit: Duration,
    ) -> Result<Arc<[SocketAddr]>, Error> {
        let addresses = match name.parse::<IpAddr>() {
            Ok(address) => Arc::new([SocketAddr::new(address, port)]),
            Err(_) => self.look_up(name, port, limit)?,
        };
        if addresses
            .iter()
            .all(|address| (self.is_allowed)(address.ip()))
        {
            Ok(addresses)
        } else {
            Err(Error::Other(Box::new(ForbiddenAddress)))
        }
    }

    /// Drops addresses that could not be connected to.
    pub(super) fn forget(&self, name: &str, port: u16) {
        lock(&self.lookups).remove(&(name.to_owned(), port));
    }

    fn look_up(&self, name: &str, port: u16, limit: Duration) -> Result<Arc<[SocketAddr]>, Error> {
        let outcome = self
            .lookup(name, port)?
            .wait(limit)
            .ok_or(Error::Timeout(Timeout::Resolve))?;
        outcome
            .addresses
            .map_err(|error| Error::Other(Box::new(error)))
    }

    /// The cached lookup, the one that is running, or a new one.
    fn lookup(&self, name: &str, port: u16) -> io::Result<Arc<Lookup>> {
        let key = (name.to_owned(), port);
        // Not under the lock: the program's own clock may call the client.
        let now = self.system.instant();
        let mut lookups = lock(&self.lookups);
        if let Some(lookup) = lookups.get(&key)
            && !lookup.is_expired(now, self.ttl)
        {
            return Ok(Arc::clone(lookup));
        }
        let lookup = Arc::new(Lookup::default());
        self.start(key.clone(), Arc::clone(&lookup))?;
        lookups.insert(key, Arc::clone(&lookup));
        Ok(lookup)
    }

    /// The system's resolver has no time limit, so it runs on a thread. One thread per name: all that need the name
    /// while it runs wait for the same outcome.
    fn start(&self, key: Key, lookup: Arc<Lookup>) -> io::Result<()> {
        let resolver = self.clone();
        thread::Builder::new()
            .name("sagemaker-invoke lookup".to_owned())
            .spawn(move || {
                let found = resolver.system.lookup(&key.0, key.1).and_then(|addresses| {
                    if addresses.is_empty() {
                        return Err(io::Error::new(
                            io::ErrorKind::NotFound,
                            "the name has no address",
                        ));
                    }
                    Ok(Arc::from(addresses))
                });
                if found.is_err() {
                    // Not cached: the next connection tries again.
                    lock(&resolver.lookups).remove(&key);
                }
                lookup.finish(LookupOutcome {
                    addresses: found.map_err(Arc::new),
                    at: resolver.system.instant(),
                });
            })?;
        Ok(())
    }
}

impl Lookup {
    fn is_expired(&self, now: Instant, ttl: Duration) -> bool {
        lock(&self.outcome)
            .as_ref()
            .is_some_and(|outcome| now.duration_since(outcome.at) >= ttl)
    }

    fn finish(&self, outcome: LookupOutcome) {
        *lock(&self.outcome) = Some(outcome);
        self.is_done.notify_all();
    }

    /// `None` when the limit passes first.
    fn wait(&self, limit: Duration) -> Option<LookupOutcome> {
        let waited = self
            .is_done
            .wait_timeout_while(lock(&self.outcome), limit, |outcome| outcome.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is a single assignment, so a panic leaves nothing half-done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::testing::FakeSystem;

    const FOREVER: Duration = Duration::MAX;

    fn resolver(system: &Arc<FakeSystem>) -> Resolver {
        Resolver::new(Arc::<FakeSystem>::clone(system), Duration::from_secs(60))
    }

    fn with_names() -> Arc<FakeSystem> {
        Arc::new(FakeSystem::default().with_lookup(found))
    }

    fn found(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let address = match name {
            "name" => Ipv4Addr::LOCALHOST,
            "elsewhere" => Ipv4Addr::new(192, 0, 2, 1),
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(vec![(address, port).into()])
    }

    #[test]
    fn addresses_are_cached_until_they_expire_or_are_forgotten() {
        let system = with_names();
        let resolver = resolver(&system);
        let lookups_after = |seconds| {
            system.sleep(Duration::from_secs(seconds));
            resolver.addresses("name", 80, FOREVER).unwrap();
            system.lookups()
        };
        assert_eq!(
            [
                lookups_after(0),
                lookups_after(59),
                lookups_after(1),
                lookups_after(1)
            ],
            [1, 1, 2, 2]
        );
        resolver.forget("name", 80);
        assert_eq!(lookups_after(0), 3);
    }

    #[test]
    fn an_address_needs_no_lookup() {
        let system = with_names();
        let found = resolver(&system).addresses("::1", 8080, FOREVER).unwrap();
        assert_eq!(
            (found[0], system.lookups()),
            ("[::1]:8080".parse().unwrap(), 0)
        );
    }

    #[test]
    fn a_failed_lookup_is_an_error_and_is_not_cached() {
        let system = with_names();
        let resolver = resolver(&system);
        for count in [1, 2] {
            let error = resolver.addresses("unknown", 80, FOREVER).unwrap_err();
            let Error::Other(error) = error else {
                panic!("{error}")
            };
            assert_eq!(
                error.downcast::<Arc<io::Error>>().unwrap().kind(),
                io::ErrorKind::NotFound
            );
            assert_eq!(system.lookups(), count);
        }
    }

    #[test]
    fn all_that_wait_for_a_name_share_one_lookup() {
        let is_hanging = Arc::new(AtomicBool::new(true));
        let system = FakeSystem::default()
            .with_lookup(found)
            .with_hanging_lookup(&is_hanging);
        let system = Arc::new(system);
        let resolver = resolver(&system);
        let limit = Duration::from_millis(50);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let error = resolver.addresses("name", 80, limit).unwrap_err();
                    assert!(matches!(error, Error::Timeout(_)));
                });
            }
        });
        assert!(matches!(
            resolver.addresses("name", 80, limit),
            Err(Error::Timeout(_))
        ));
        assert_eq!(system.lookups(), 1);
        is_hanging.store(false, Ordering::SeqCst);
        assert!(resolver.addresses("name", 80, FOREVER).is_ok());
        assert_eq!(system.lookups(), 1);
    }

    #[test]
    fn a_name_with_a_forbidden_address_is_refused() {
        let system = with_names();
        let resolver = resolver(&system).allowing(|address| address.is_loopback());
        assert!(resolver.addresses("name", 1, FOREVER).is_ok());
        for name in ["elsewhere", "192.0.2.1"] {
            let error = resolver.addresses(name, 1, FOREVER).unwrap_err();
            assert!(
                matches!(error, Error::Other(it) if it.is::<ForbiddenAddress>()),
                "{name}"
            );
        }
    }
}
