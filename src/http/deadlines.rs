//! Deadlines of single threads. ureq's limits are the same for a complete request; a call and a stream part have their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

use ureq::Timeout;
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration;

use crate::system::System;

/// Maps each thread that has a deadline to it. ureq's pool hands out connections without telling them which call they
/// serve, and a body can move to another thread, so the thread is the key.
#[derive(Debug)]
pub(super) struct Deadlines {
    system: Arc<dyn System>,
    threads: Mutex<Vec<(ThreadId, Waiting)>>,
    /// The length of `threads`. While it is 0, no read or write takes the lock.
    count: AtomicUsize,
}

/// How long reads and writes of a thread may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Under ureq's limits, and until this instant at most.
    Until(Option<Instant>),
    /// Until this instant, whatever ureq's limit for one read is.
    OnlyUntil(Option<Instant>),
}

/// Restores the previous deadline of its thread when it is dropped, also by a panic in a log sink.
pub(super) struct Guard<'a> {
    deadlines: &'a Deadlines,
    previous: Option<Waiting>,
}

impl Deadlines {
    pub(super) fn new(system: Arc<dyn System>) -> Self {
        Self {
            system,
            threads: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Applies to this thread until the guard is dropped. A log sink may use the client within another exchange of the
    /// same thread, so an exchange without a deadline replaces the one that is set.
    pub(super) fn set(&self, waiting: Waiting) -> Option<Guard<'_>> {
        if waiting == Waiting::Until(None) && self.is_empty() {
            return None;
        }
        Some(Guard {
            deadlines: self,
            previous: self.replace(Some(waiting)),
        })
    }

    /// The timeout, limited by the deadline of this thread.
    pub(super) fn limit(&self, timeout: NextTimeout) -> NextTimeout {
        let (until, timeout) = match self.current() {
            None => return timeout,
            Some(Waiting::Until(until)) => (until, timeout),
            Some(Waiting::OnlyUntil(until)) => {
                let per_read = None;
                (
                    until,
                    NextTimeout {
                        per_read,
                        ..timeout
                    },
                )
            }
        };
        let Some(until) = until else { return timeout };
        let left = until.saturating_duration_since(self.system.instant());
        let left = Duration::Exact(left);
        if left >= timeout.after {
            return timeout;
        }
        NextTimeout {
            after: left,
            reason: Timeout::Global,
            ..timeout
        }
    }

    fn current(&self) -> Option<Waiting> {
        if self.is_empty() {
            return None;
        }
        let here = thread::current().id();
        let threads = self.threads();
        let entry = threads.iter().find(|(thread, _)| *thread == here);
        entry.map(|(_, waiting)| *waiting)
    }

    /// A thread sees its own change, and the other threads do not matter to it.
    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn replace(&self, waiting: Option<Waiting>) -> Option<Waiting> {
        let here = thread::current().id();
        let mut threads = self.threads();
        let place = threads.iter().position(|(thread, _)| *thread == here);
        let previous = place.map(|at| threads.swap_remove(at).1);
        threads.extend(waiting.map(|waiting| (here, waiting)));
        self.count.store(threads.len(), Ordering::Relaxed);
        previous
    }

    fn threads(&self) -> MutexGuard<'_, Vec<(ThreadId, Waiting)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.deadlines.replace(self.previous);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::system::OsSystem;

    const MINUTE: Duration = Duration::Exact(std::time::Duration::from_secs(60));

    fn deadlines() -> Deadlines {
        Deadlines::new(Arc::new(OsSystem))
    }

    fn in_a_minute() -> Option<Instant> {
        Some(Instant::now() + *MINUTE)
    }

    fn is_limited(deadlines: &Deadlines) -> bool {
        let limit = deadlines.limit(NextTimeout::default());
        limit.after <= MINUTE
    }

    #[test]
    fn a_deadline_applies_to_its_thread_until_the_guard_is_dropped() {
        let deadlines = deadlines();
        let guard = deadlines.set(Waiting::Until(in_a_minute()));
        assert!(is_limited(&deadlines));
        thread::scope(|scope| assert!(!scope.spawn(|| is_limited(&deadlines)).join().unwrap()));
        drop(guard);
        assert!(!is_limited(&deadlines) && deadlines.is_empty());
    }

    #[test]
    fn a_deadline_that_has_passed_leaves_no_time() {
        let deadlines = deadlines();
        let _guard = deadlines.set(Waiting::Until(Some(Instant::now())));
        assert!(deadlines.limit(NextTimeout::default()).after.is_zero());
    }

    #[test]
    fn a_part_is_not_limited_by_single_reads() {
        let deadlines = deadlines();
        let timeout = NextTimeout {
            per_read: Some(MINUTE),
            ..NextTimeout::default()
        };
        for (waiting, per_read) in [
            (Waiting::Until(in_a_minute()), Some(MINUTE)),
            (Waiting::OnlyUntil(in_a_minute()), None),
            (Waiting::OnlyUntil(None), None),
        ] {
            let _guard = deadlines.set(waiting);
            assert_eq!(deadlines.limit(timeout).per_read, per_read, "{waiting:?}");
        }
    }

    #[test]
    fn an_exchange_within_another_has_its_own_deadline() {
        let deadlines = deadlines();
        assert!(deadlines.set(Waiting::Until(None)).is_none());
        let _outer = deadlines.set(Waiting::Until(in_a_minute()));
        let inner = deadlines.set(Waiting::Until(None));
        assert!(!is_limited(&deadlines));
        drop(inner);
        assert!(is_limited(&deadlines));
    }

    #[test]
    fn a_panic_restores_the_deadline() {
        let deadlines = deadlines();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _guard = deadlines.set(Waiting::Until(in_a_minute()));
            panic!("in a log sink");
        }));
        assert!(result.is_err() && !is_limited(&deadlines));
    }
}
