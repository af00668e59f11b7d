//! Reads that do not wait: ureq's reader takes no time limit for one read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration;
use ureq::{Error, Timeout};

/// Reads of the socket by a thread that does not wait. One brings what has arrived, if that is not much.
const LOOKS: u32 = 2;

/// The shortest wait that a socket knows, a tick of the system's clock: no time at all is a timeout before it looks.
const ONE_TICK: Duration = Duration::from_millis(1);

/// The threads that read what has arrived and do not wait for more.
#[derive(Debug, Default)]
pub(super) struct Impatience {
    /// Each with the reads that are left to it.
    threads: Mutex<Vec<(ThreadId, u32)>>,
    /// Their number, which spares the reads of all others the lock.
    count: AtomicUsize,
}

/// Ends what began with it, after a panic of the log as well.
pub(super) struct Guard {
    impatience: Arc<Impatience>,
    looks_before: Option<u32>,
}

impl Impatience {
    /// This thread does not wait from now on.
    pub(super) fn begin(self: &Arc<Self>) -> Guard {
        self.with(Some(LOOKS))
    }

    /// This thread waits again: the log may use the client while the thread that writes to it does not wait.
    pub(super) fn pause(self: &Arc<Self>) -> Option<Guard> {
        if self.is_nowhere() { None } else { Some(self.with(None)) }
    }

    /// The limit of the next read.
    pub(super) fn limit(&self, timeout: NextTimeout) -> Result<NextTimeout, Error> {
        if self.is_nowhere() {
            return Ok(timeout);
        }
        let here = thread::current().id();
        match self.threads().iter_mut().find(|(thread, _)| *thread == here) {
            None => Ok(timeout),
            Some((_, 0)) => Err(Error::Timeout(Timeout::PerRead)),
            Some((_, looks)) => {
                *looks -= 1;
                Ok(NextTimeout { after: ONE_TICK, ..timeout })
            }
        }
    }

    /// A thread sees its own change, and the others do not matter to it.
    fn is_nowhere(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn with(self: &Arc<Self>, looks: Option<u32>) -> Guard {
        Guard { impatience: Arc::clone(self), looks_before: self.set(looks) }
    }

    fn set(&self, looks: Option<u32>) -> Option<u32> {
        let here = thread::current().id();
        let mut threads = self.threads();
        let before = threads.iter().position(|(thread, _)| *thread == here);
        let looks_before = before.map(|at| threads.swap_remove(at).1);
        threads.extend(looks.map(|looks| (here, looks)));
        self.count.store(threads.len(), Ordering::Relaxed);
        looks_before
    }

    fn threads(&self) -> MutexGuard<'_, Vec<(ThreadId, u32)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.impatience.set(self.looks_before);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn waits(impatience: &Impatience) -> bool {
        impatience.limit(NextTimeout::default()).is_ok_and(|limit| limit.after.is_not_happening())
    }

    #[test]
    fn a_thread_looks_twice_until_its_guard_is_gone() {
        let impatience = Arc::<Impatience>::default();
        let guard = impatience.begin();
        for _ in 0..LOOKS {
            assert_eq!(impatience.limit(NextTimeout::default()).unwrap().after, ONE_TICK);
        }
        assert!(impatience.limit(NextTimeout::default()).is_err());
        thread::scope(|scope| assert!(scope.spawn(|| waits(&impatience)).join().unwrap()));
        drop(guard);
        assert!(waits(&impatience) && impatience.is_nowhere());
    }

    #[test]
    fn a_pause_ends_as_it_began() {
        let impatience = Arc::<Impatience>::default();
        assert!(impatience.pause().is_none());
        let _guard = impatience.begin();
        let pause = impatience.pause();
        assert!(waits(&impatience));
        // A stream that is dropped in the log.
        drop(impatience.begin());
        assert!(waits(&impatience));
        drop(pause);
        assert!(!waits(&impatience));
    }

    #[test]
    fn a_panic_ends_it() {
        let impatience = Arc::<Impatience>::default();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _guard = impatience.begin();
            panic!("of the log");
        }));
        assert!(result.is_err() && waits(&impatience));
    }
}
