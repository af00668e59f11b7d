//! A running search and the callers waiting for it.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant, SystemTime};

use crate::aws::Credentials;
use crate::credentials::chain::SEARCH_LIMIT;
use crate::credentials::progress::Progress;
use crate::error::CredentialsError;

/// How long callers wait beyond the limit of the search, for the error of a source that keeps the limit.
const GRACE: Duration = Duration::from_secs(5);

const REENTRANT: &str = "the search for credentials needs its own result: a provider, the System or the log called the \
                         client on the thread of the search";

/// The result of a search, for all callers waiting for it.
pub(super) type SearchOutcome = Result<Arc<Credentials>, CredentialsError>;

#[derive(Debug)]
pub(super) struct PendingSearch {
    pub(super) progress: Progress,
    pub(super) started_at: Instant,
    /// The time of day at the start.
    pub(super) start_time: SystemTime,
    /// The thread running the search.
    thread: Mutex<Option<ThreadId>>,
    end: Mutex<Option<SearchEnd>>,
    ended: Condvar,
}

/// How a search ended.
#[derive(Debug)]
pub(super) enum SearchEnd {
    With(SearchOutcome),
    /// The payload, until the caller that started the search takes it.
    Panicked(Option<Box<dyn Any + Send>>),
}

impl PendingSearch {
    pub(super) fn new(started_at: Instant, start_time: SystemTime) -> Self {
        Self {
            progress: Progress::default(),
            started_at,
            start_time,
            thread: Mutex::default(),
            end: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// Called by the thread of the search before it runs foreign code.
    pub(super) fn run_here(&self) {
        *self.thread() = Some(thread::current().id());
    }

    /// Called before the search moves to another thread.
    pub(super) fn leave_thread(&self) {
        *self.thread() = None;
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the search and wakes all waiting callers.
    pub(super) fn end(&self, end: SearchEnd) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        self.ended.notify_all();
    }

    /// Waits for the end of the search; `None` if it panicked.
    ///
    /// It is an error if the deadline passes, if the search takes longer than its limit, and on the thread of the search,
    /// which would wait for itself.
    pub(super) fn wait(&self, deadline: Option<Instant>, now: Instant) -> Option<SearchOutcome> {
        if self.is_running_here() {
            return Some(Err(CredentialsError::new(REENTRANT)));
        }
        let time_left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        let limit =
            (SEARCH_LIMIT + GRACE).saturating_sub(now.saturating_duration_since(self.started_at));
        let waited = self.ended.wait_timeout_while(
            self.end.lock().unwrap_or_else(PoisonError::into_inner),
            time_left.map_or(limit, |left| left.min(limit)),
            |end| end.is_none(),
        );
        match &*waited.unwrap_or_else(PoisonError::into_inner).0 {
            Some(SearchEnd::With(outcome)) => return Some(outcome.clone()),
            Some(SearchEnd::Panicked(_)) => return None,
            None => {}
        }
        Some(Err(match time_left {
            Some(time_left) if time_left <= limit => self.out_of_time(time_left),
            _ => self.overdue(now),
        }))
    }

    fn is_running_here(&self) -> bool {
        let has_ended = self
            .end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        !has_ended && *self.thread() == Some(thread::current().id())
    }

    /// The payload of a panic, once.
    pub(super) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        match &mut *self.end.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(SearchEnd::Panicked(payload)) => payload.take(),
            _ => None,
        }
    }

    /// The error of a call whose deadline has passed.
    fn out_of_time(&self, waited: Duration) -> CredentialsError {
        let step = self.progress.step();
        let error =
            CredentialsError::out_of_time(&format!("{step} was not done after {waited:.1?}"));
        match self.progress.program_wrote() {
            Some(text) => {
                error.followed_by(&format!("; the program still runs, and wrote: {text}"))
            }
            None => error,
        }
    }

    /// The error for a source that does not keep the limit of the search.
    fn overdue(&self, now: Instant) -> CredentialsError {
        let step = self.progress.step();
        let running = now
            .saturating_duration_since(self.started_at)
            .max(SEARCH_LIMIT + GRACE);
        CredentialsError::new(format!(
            "{step} was not done after {running:.1?} and still runs"
        ))
    }
}
