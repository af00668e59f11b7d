//! The credentials of one client: loaded once, renewed before they end by one thread at a time.
//!
//! ```text
//!            loaded           due                    ends
//!  ────────────┼───────────────┼───────────────────────┼──────────▶ time
//!   all wait   │  nobody asks  │ one renews, the rest  │ all wait
//!   for one    │               │ go on with the old    │ for one
//! ```
//!
//! No thread runs in the background: the one that renews is a caller's.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::chain::Loader;
use super::{Credentials, Provider, Search};
use crate::error::CredentialsError;
use crate::system::fraction;

/// Renewal begins so long before the end. EC2 has new credentials five minutes before the old ones end at the latest.
const RENEWAL_WINDOW: Duration = Duration::from_secs(5 * 60);
/// At most this part of a lifetime is the window, so that the shortest sessions of STS, 15 minutes, are used too.
const WINDOW_PART: u32 = 4;
/// Renewal begins up to so much of the window later, so that the clients of a fleet do not all ask at once.
const WINDOW_JITTER: f64 = 0.2;
/// After a renewal that failed or brought nothing newer, the next one waits so long.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);
/// Credentials that have no end are looked for anew after this, as in the AWS SDK for Rust: a file may have changed.
const RELOAD_AFTER: Duration = Duration::from_secs(15 * 60);
/// An early renewal takes at most so long, and at most a quarter of what its call has left: that call has
/// credentials already.
const EARLY_LIMIT: Duration = Duration::from_secs(5);
/// Credentials with less than this left are not used: the request has to arrive with them.
const LAST_USE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Cache {
    loader: Loader,
    /// Credentials that the program gave, which need no search and no lock.
    fixed: Option<Result<Arc<Credentials>, CredentialsError>>,
    state: Mutex<State>,
    loaded: Condvar,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    is_loading: bool,
    /// How many searches have ended.
    count: u64,
    /// Why the last of them failed.
    failure: Option<CredentialsError>,
}

#[derive(Debug)]
struct Kept {
    credentials: Arc<Credentials>,
    due_at: Option<SystemTime>,
    usable_until: Option<SystemTime>,
}

impl Kept {
    fn is_valid(&self, now: SystemTime) -> bool {
        self.usable_until.is_none_or(|usable_until| usable_until > now)
    }

    fn is_due(&self, now: SystemTime) -> bool {
        self.due_at.is_some_and(|due_at| due_at <= now)
    }
}

impl Cache {
    /// Touches nothing but memory.
    pub(crate) fn new(search: Search) -> Self {
        Self::with_loader(Loader::new(search))
    }

    pub(super) fn with_loader(loader: Loader) -> Self {
        let fixed = match &loader.provider {
            Provider::Static(credentials) => {
                let checked = credentials
                    .check()
                    .map_err(|problem| CredentialsError::new(problem).within("configuration"));
                Some(checked.map(|()| Arc::new(credentials.clone())))
            }
            _ => None,
        };
        Self { loader, fixed, state: Mutex::default(), loaded: Condvar::new() }
    }

    /// Credentials to sign with now. Waits only when there are none that are valid, and not beyond `deadline`.
    pub(crate) fn get(&self, deadline: Option<Instant>) -> Result<Arc<Credentials>, CredentialsError> {
        if let Some(fixed) = &self.fixed {
            return fixed.clone();
        }
        let mut state = self.lock();
        loop {
            let now = self.loader.system.now();
            match &state.kept {
                Some(kept) if kept.is_valid(now) => {
                    if state.is_loading || !kept.is_due(now) {
                        return Ok(Arc::clone(&kept.credentials));
                    }
                    let old = Arc::clone(&kept.credentials);
                    let renewed = self.load(state, self.early_deadline(deadline));
                    return Ok(renewed.unwrap_or(old));
                }
                _ if !state.is_loading => return self.load(state, deadline),
                _ => state = self.wait(state, deadline)?,
            }
        }
    }

    /// Looks for others after the service said that these have expired. True when there are others now, so that a
    /// request signed with them may be answered.
    pub(crate) fn refresh_after_rejection(
        &self,
        rejected: &Credentials,
        deadline: Option<Instant>,
    ) -> Result<bool, CredentialsError> {
        if self.fixed.is_some() {
            return Ok(false);
        }
        let mut state = self.lock();
        while state.is_loading {
            state = self.wait(state, deadline)?;
        }
        match &state.kept {
            Some(kept) if *kept.credentials != *rejected => Ok(true),
            _ => Ok(*self.load(state, deadline)? != *rejected),
        }
    }

    /// Searches without the lock, as the one thread that does.
    fn load(
        &self,
        mut state: MutexGuard<'_, State>,
        deadline: Option<Instant>,
    ) -> Result<Arc<Credentials>, CredentialsError> {
        state.is_loading = true;
        state.failure = None;
        drop(state);
        let loading = Loading(self);
        let outcome = self.loader.load(deadline);
        let mut state = self.lock();
        state.failure = outcome.as_ref().err().cloned();
        let outcome = outcome.map(Arc::new);
        match &outcome {
            Ok(credentials) => state.kept = Some(self.kept(credentials, state.kept.as_ref())),
            Err(error) => {
                let next = self.loader.system.now().checked_add(RENEWAL_PAUSE);
                if let Some(kept) = &mut state.kept {
                    log::warn!("credentials could not be renewed: {error}");
                    kept.due_at = next;
                }
            }
        }
        drop(state);
        drop(loading);
        outcome
    }

    fn kept(&self, credentials: &Arc<Credentials>, before: Option<&Kept>) -> Kept {
        let now = self.loader.system.now();
        let is_newer = before.is_none_or(|before| before.credentials.expires_at != credentials.expires_at);
        let due_at = match credentials.expires_at {
            None => now.checked_add(RELOAD_AFTER),
            Some(expires_at) if !is_newer || expires_at <= now => now.checked_add(RENEWAL_PAUSE),
            Some(expires_at) => {
                let lifetime = expires_at.duration_since(now).unwrap_or_default();
                let window = RENEWAL_WINDOW.min(lifetime / WINDOW_PART);
                let jitter = window.mul_f64(WINDOW_JITTER * fraction(self.loader.system.random()));
                expires_at.checked_sub(window - jitter)
            }
        };
        // What has ended before it came has not: this machine's clock is off, and the service will tell.
        let usable_until = credentials.expires_at.and_then(|expires_at| {
            if expires_at > now { expires_at.checked_sub(LAST_USE) } else { now.checked_add(RENEWAL_PAUSE) }
        });
        Kept { credentials: Arc::clone(credentials), due_at, usable_until }
    }

    fn early_deadline(&self, deadline: Option<Instant>) -> Option<Instant> {
        let now = self.loader.system.instant();
        let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(now));
        now.checked_add(EARLY_LIMIT.min(left / 4))
    }

    /// Waits for the search that runs. Its failure is that of all who waited for it, unless only its own call had
    /// run out of time.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> Result<MutexGuard<'a, State>, CredentialsError> {
        let count = state.count;
        let is_running = |state: &mut State| state.count == count;
        let state = match deadline {
            None => self.loaded.wait_while(state, is_running).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(self.loader.system.instant());
                let waited = self.loaded.wait_timeout_while(state, left, is_running);
                let (state, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
                if outcome.timed_out() {
                    return Err(CredentialsError::out_of_time("waiting for another thread's credentials"));
                }
                state
            }
        };
        match &state.failure {
            Some(failure) if !failure.is_out_of_time => Err(failure.clone()),
            _ => Ok(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change of the state is whole, also when a panic ends a search.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the search when it goes out of scope, also when a source panics.
struct Loading<'a>(&'a Cache);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_loading = false;
        state.count += 1;
        drop(state);
        self.0.loaded.notify_all();
    }
}
