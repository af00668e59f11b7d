//! How long a thread waits in one read, where ureq's limits, which are those of a whole request, do not say it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration;
use ureq::{Error, Timeout};

/// Reads of the socket by a thread that looks. One brings what has arrived, if that is not much.
const LOOKS: u32 = 2;

/// The shortest wait that a socket knows, a tick of the system's clock: no time at all is a timeout before it looks.
const ONE_TICK: Duration = Duration::from_millis(1);

/// The threads that read in another way than ureq's limits say.
#[derive(Debug, Default)]
pub(super) struct Readers {
    threads: Mutex<Vec<(ThreadId, Mode)>>,
    /// Their number, which spares the reads of all others the lock.
    count: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Reads what has arrived and does not wait for more, so many times.
    Look(u32),
    /// Waits for the head of a stream, however it comes: the interval in which its body looks at the clock is no limit.
    Head,
}

/// Ends what began with it, after a panic of the log as well.
pub(super) struct Guard {
    readers: Arc<Readers>,
    before: Option<Mode>,
}

impl Readers {
    /// This thread does not wait from now on.
    pub(super) fn look(self: &Arc<Self>) -> Guard {
        self.with(Some(Mode::Look(LOOKS)))
    }

    pub(super) fn await_head(self: &Arc<Self>) -> Guard {
        self.with(Some(Mode::Head))
    }

    /// This thread waits as ureq's limits say: the log may use the client while the thread that writes to it does not.
    pub(super) fn wait(self: &Arc<Self>) -> Option<Guard> {
        if self.has_none() { None } else { Some(self.with(None)) }
    }

    /// The limit of the next read.
    pub(super) fn limit(&self, timeout: NextTimeout) -> Result<NextTimeout, Error> {
        if self.has_none() {
            return Ok(timeout);
        }
        let here = thread::current().id();
        match self.threads().iter_mut().find(|(thread, _)| *thread == here) {
            None => Ok(timeout),
            Some((_, Mode::Head)) => Ok(NextTimeout { per_read: None, ..timeout }),
            Some((_, Mode::Look(0))) => Err(Error::Timeout(Timeout::PerRead)),
            Some((_, Mode::Look(left))) => {
                *left -= 1;
                Ok(NextTimeout { after: ONE_TICK, ..timeout })
            }
        }
    }

    /// A thread sees its own change, and the others do not matter to it.
    fn has_none(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn with(self: &Arc<Self>, mode: Option<Mode>) -> Guard {
        Guard { readers: Arc::clone(self), before: self.set(mode) }
    }

    fn set(&self, mode: Option<Mode>) -> Option<Mode> {
        let here = thread::current().id();
        let mut threads = self.threads();
        let place = threads.iter().position(|(thread, _)| *thread == here);
        let before = place.map(|at| threads.swap_remove(at).1);
        threads.extend(mode.map(|mode| (here, mode)));
        self.count.store(threads.len(), Ordering::Relaxed);
        before
    }

    fn threads(&self) -> MutexGuard<'_, Vec<(ThreadId, Mode)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.readers.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn waits(readers: &Readers) -> bool {
        readers.limit(NextTimeout::default()).is_ok_and(|limit| limit.after.is_not_happening())
    }

    #[test]
    fn a_thread_looks_twice_until_its_guard_is_gone() {
        let readers = Arc::<Readers>::default();
        let guard = readers.look();
        for _ in 0..LOOKS {
            assert_eq!(readers.limit(NextTimeout::default()).unwrap().after, ONE_TICK);
        }
        assert!(readers.limit(NextTimeout::default()).is_err());
        thread::scope(|scope| assert!(scope.spawn(|| waits(&readers)).join().unwrap()));
        drop(guard);
        assert!(waits(&readers) && readers.has_none());
    }

    #[test]
    fn a_thread_that_awaits_a_head_has_the_other_limits_only() {
        let readers = Arc::<Readers>::default();
        let limits = NextTimeout { after: ONE_TICK, per_read: Some(ONE_TICK), ..NextTimeout::default() };
        let _guard = readers.await_head();
        let limit = readers.limit(limits).unwrap();
        assert_eq!((limit.after, limit.per_read), (ONE_TICK, None));
    }

    #[test]
    fn an_exchange_in_between_ends_as_it_began() {
        let readers = Arc::<Readers>::default();
        assert!(readers.wait().is_none());
        let _guard = readers.look();
        let waiting = readers.wait();
        assert!(waits(&readers));
        // A stream that is dropped in the log.
        drop(readers.look());
        assert!(waits(&readers));
        drop(waiting);
        assert!(!waits(&readers));
    }

    #[test]
    fn a_panic_ends_it() {
        let readers = Arc::<Readers>::default();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _guard = readers.look();
            panic!("of the log");
        }));
        assert!(result.is_err() && waits(&readers));
    }
}
