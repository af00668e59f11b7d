//! How long one read waits where that differs from ureq's configuration, which is the same for all reads of a request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration;
use ureq::{Error, Timeout};

/// Reads of the socket while a thread looks for the end of a stream. One brings all that has arrived, unless it is much.
const LOOKS: u32 = 2;

/// The shortest wait of a socket, a tick of the kernel's clock. Given no time at all, ureq does not read.
const ONE_TICK: Duration = Duration::from_millis(1);

/// The threads whose reads do not have the limits of ureq's configuration.
#[derive(Debug, Default)]
pub(super) struct Readers {
    threads: Mutex<Vec<(ThreadId, Mode)>>,
    /// The length of `threads`. As long as it is 0, no read takes the lock.
    count: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The next reads, this many of them, take what has arrived and do not wait for more. Further reads fail.
    Look(u32),
    /// Reads wait for the head of a stream under the limit of the response alone. ureq has `Limits::poll` as its limit of
    /// a read, which is only an interval.
    Head,
}

/// Gives its thread back the mode from before when it is dropped, also by a panic in a log sink.
pub(super) struct Guard {
    readers: Arc<Readers>,
    before: Option<Mode>,
}

impl Readers {
    /// From now on, the reads of this thread do not wait.
    pub(super) fn look(self: &Arc<Self>) -> Guard {
        self.with(Some(Mode::Look(LOOKS)))
    }

    pub(super) fn await_head(self: &Arc<Self>) -> Guard {
        self.with(Some(Mode::Head))
    }

    /// From now on, the reads of this thread have ureq's limits: while it looks, a log sink may use the client on it.
    pub(super) fn wait(self: &Arc<Self>) -> Option<Guard> {
        if self.has_none() {
            None
        } else {
            Some(self.with(None))
        }
    }

    /// The limit of the next read.
    pub(super) fn limit(&self, timeout: NextTimeout) -> Result<NextTimeout, Error> {
        if self.has_none() {
            return Ok(timeout);
        }
        let here = thread::current().id();
        match self
            .threads()
            .iter_mut()
            .find(|(thread, _)| *thread == here)
        {
            None => Ok(timeout),
            Some((_, Mode::Head)) => Ok(NextTimeout {
                per_read: None,
                ..timeout
            }),
            Some((_, Mode::Look(0))) => Err(Error::Timeout(Timeout::PerRead)),
            Some((_, Mode::Look(left))) => {
                *left -= 1;
                Ok(NextTimeout {
                    after: ONE_TICK,
                    ..timeout
                })
            }
        }
    }

    /// A thread sees its own change, and the others do not matter to it.
    fn has_none(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn with(self: &Arc<Self>, mode: Option<Mode>) -> Guard {
        Guard {
            readers: Arc::clone(self),
            before: self.set(mode),
        }
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
        readers
            .limit(NextTimeout::default())
            .is_ok_and(|limit| limit.after.is_not_happening())
    }

    #[test]
    fn a_thread_looks_twice_until_its_guard_is_gone() {
        let readers = Arc::<Readers>::default();
        let guard = readers.look();
        for _ in 0..LOOKS {
            assert_eq!(
                readers.limit(NextTimeout::default()).unwrap().after,
                ONE_TICK
            );
        }
        assert!(readers.limit(NextTimeout::default()).is_err());
        thread::scope(|scope| assert!(scope.spawn(|| waits(&readers)).join().unwrap()));
        drop(guard);
        assert!(waits(&readers) && readers.has_none());
    }

    #[test]
    fn a_thread_that_awaits_a_head_has_the_other_limits_only() {
        let readers = Arc::<Readers>::default();
        let limits = NextTimeout {
            after: ONE_TICK,
            per_read: Some(ONE_TICK),
            ..NextTimeout::default()
        };
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
