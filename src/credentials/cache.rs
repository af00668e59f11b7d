//! The credentials of one client: loaded at the first call and refreshed before they expire.
//!
//! ```text
//!            loaded        refresh_at            usable_until
//!  ────────────┼───────────────┼───────────────────────┼──────────▶ time
//!   all wait   │   no search   │    one search, and    │ all wait
//!   for one    │               │     all go on with    │ for one
//!   search     │               │   the old credentials │ search
//! ```
//!
//! A search runs on its own thread, with its own time limit, and callers wait for it until their deadlines. So a short
//! deadline of one caller does not end the search of the others. All waiting callers share the outcome, which may be an
//! error. A search that begins with the environment and finds AWS_ACCESS_KEY_ID there needs no thread.
//!
//! No lock is held while the log, the [`System`](crate::system::System) or a provider runs, since each of them may call the
//! client. On the thread of the search such a call gets the old credentials while they are valid, and else an error: it
//! would wait for itself.

mod entry;
mod pending;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Instant, SystemTime};

use self::entry::Entry;
use self::pending::{PendingSearch, SearchEnd, SearchOutcome};
use super::chain::Loader;
use super::{Credentials, Provider, Search};
use crate::error::CredentialsError;
use crate::system::fraction;

const THREAD_NAME: &str = "sagemaker-invoke credentials";

#[derive(Debug)]
pub(crate) struct Cache {
    /// Credentials of the configuration, which need no search and no lock.
    fixed: Option<SearchOutcome>,
    shared: Arc<CacheState>,
}

/// Shared by the callers and the thread of a search.
#[derive(Debug)]
struct CacheState {
    loader: Loader,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entry: Option<Entry>,
    /// The running search.
    search: Option<Arc<PendingSearch>>,
}

/// The outcome of a search and its time.
struct SearchResult {
    outcome: SearchOutcome,
    now: SystemTime,
    /// From 0 to 1.
    jitter: f64,
}

/// The next step of a caller.
enum Step {
    Use(Arc<Credentials>),
    /// Use these, and start a search that no caller waits for.
    Refresh(Arc<Credentials>, Arc<PendingSearch>),
    /// Wait for a search of another caller.
    Join(Arc<PendingSearch>),
    Start(Arc<PendingSearch>),
}

impl Cache {
    /// Reads nothing and starts no thread.
    pub(crate) fn new(search: Search) -> Self {
        Self::with_loader(Loader::new(search))
    }

    pub(super) fn with_loader(loader: Loader) -> Self {
        let fixed = match &loader.provider {
            Provider::Static(credentials) => Some(checked(credentials)),
            _ => None,
        };
        Self {
            fixed,
            shared: Arc::new(CacheState {
                loader,
                state: Mutex::default(),
            }),
        }
    }

    /// Returns credentials to sign with now. Waits only if there are no valid ones, until `deadline`.
    pub(crate) fn get(&self, deadline: Option<Instant>) -> SearchOutcome {
        if let Some(fixed) = &self.fixed {
            return fixed.clone();
        }
        loop {
            let now = self.shared.loader.system.now();
            if let Some(credentials) = self.shared.lock().fresh(now) {
                return Ok(credentials);
            }
            let instant = self.shared.loader.system.instant();
            let step = self.shared.lock().step(now, instant);
            if let Some(outcome) = self.follow(step, deadline, instant) {
                return outcome;
            }
        }
    }

    /// Refreshes credentials refused by the service as expired. True if there are other credentials now, with which the
    /// request may succeed.
    ///
    /// `rejected` must be the value returned by [`get`](Self::get) and not a copy: its address shows whether a search
    /// has ended since then, and the caller shares the outcome of that search.
    pub(crate) fn refresh_after_rejection(
        &self,
        rejected: &Credentials,
        deadline: Option<Instant>,
    ) -> Result<bool, CredentialsError> {
        if self.fixed.is_some() {
            return Ok(false);
        }
        loop {
            let (now, instant) = (
                self.shared.loader.system.now(),
                self.shared.loader.system.instant(),
            );
            let step = self
                .shared
                .lock()
                .step_after_rejection(rejected, now, instant);
            if let Some(outcome) = self.follow(step, deadline, instant) {
                return outcome.map(|credentials| *credentials != *rejected);
            }
        }
    }

    /// `None` when the search of another caller panicked.
    fn follow(
        &self,
        step: Step,
        deadline: Option<Instant>,
        instant: Instant,
    ) -> Option<SearchOutcome> {
        match step {
            Step::Use(credentials) => Some(Ok(credentials)),
            Step::Refresh(credentials, search) => {
                if let Err(error) = self.shared.start(&search) {
                    log::warn!("credentials could not be refreshed: {error}");
                }
                Some(Ok(credentials))
            }
            Step::Join(search) => search.wait(deadline, instant),
            Step::Start(search) => {
                if let Err(error) = self.shared.start(&search) {
                    return Some(Err(error));
                }
                let outcome = search.wait(deadline, instant);
                if let Some(payload) = search.take_panic() {
                    panic::resume_unwind(payload);
                }
                outcome
            }
        }
    }
}

fn checked(credentials: &Credentials) -> SearchOutcome {
    match credentials.check() {
        Ok(()) => Ok(Arc::new(credentials.clone())),
        Err(problem) => Err(CredentialsError::new(problem).within("configuration")),
    }
}

impl State {
    /// The credentials if they are valid and need no refresh, or are being refreshed.
    fn fresh(&self, now: SystemTime) -> Option<Arc<Credentials>> {
        let entry = self.entry.as_ref()?;
        let is_fresh = entry.is_valid(now) && (self.search.is_some() || !entry.is_due(now));
        if is_fresh {
            Some(Arc::clone(&entry.credentials))
        } else {
            None
        }
    }

    fn step(&mut self, now: SystemTime, instant: Instant) -> Step {
        if let Some(credentials) = self.fresh(now) {
            return Step::Use(credentials);
        }
        let valid = self.entry.as_ref().filter(|entry| entry.is_valid(now));
        match valid.map(|entry| Arc::clone(&entry.credentials)) {
            Some(credentials) => Step::Refresh(credentials, self.new_search(now, instant)),
            None => self.join_or_start(now, instant),
        }
    }

    fn step_after_rejection(
        &mut self,
        rejected: &Credentials,
        now: SystemTime,
        instant: Instant,
    ) -> Step {
        match &self.entry {
            Some(entry) if *entry.credentials != *rejected || entry.supersedes(rejected) => {
                Step::Use(Arc::clone(&entry.credentials))
            }
            _ => self.join_or_start(now, instant),
        }
    }

    fn join_or_start(&mut self, now: SystemTime, instant: Instant) -> Step {
        match &self.search {
            Some(search) => Step::Join(Arc::clone(search)),
            None => Step::Start(self.new_search(now, instant)),
        }
    }

    fn new_search(&mut self, now: SystemTime, instant: Instant) -> Arc<PendingSearch> {
        let search = Arc::new(PendingSearch::new(instant, now));
        self.search = Some(Arc::clone(&search));
        search
    }

    fn finish_search(&mut self, found: &SearchResult) {
        match &found.outcome {
            Ok(credentials) => {
                self.search = None;
                let before = self.entry.take();
                self.entry = Some(Entry::new(
                    Arc::clone(credentials),
                    before,
                    found.now,
                    found.jitter,
                ));
            }
            Err(_) => self.fail_search(found.now),
        }
    }

    fn fail_search(&mut self, now: SystemTime) {
        self.search = None;
        if let Some(entry) = &mut self.entry {
            entry.keep_after_failure(now);
        }
    }
}

impl CacheState {
    /// Looks at the environment here, where nothing can wait, and searches further on a new thread.
    fn start(self: &Arc<Self>, search: &Arc<PendingSearch>) -> Result<(), CredentialsError> {
        if self.run(search, || {
            self.loader.load_from_environment(&search.progress)
        }) {
            return Ok(());
        }
        search.leave_thread();
        let (shared, running) = (Arc::clone(self), Arc::clone(search));
        let thread = thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || {
                shared.run(&running, || {
                    Some(shared.loader.load(running.started_at, &running.progress))
                });
            });
        let Err(error) = thread else { return Ok(()) };
        let error = CredentialsError::new("no thread could be started to load credentials")
            .with_source(error);
        self.lock().fail_search(search.start_time);
        search.end(SearchEnd::With(Err(error.clone())));
        Err(error)
    }

    /// Runs the search, or a part of it, on this thread, and returns whether it has ended. Failures are logged before the
    /// search ends: otherwise a log sink that calls the client would start the next search, whose failure
    /// would start another, without end.
    fn run(
        &self,
        search: &PendingSearch,
        load: impl FnOnce() -> Option<Result<Credentials, CredentialsError>>,
    ) -> bool {
        search.run_here();
        // A panic leaves no state half changed: none is touched before the search ends.
        match panic::catch_unwind(AssertUnwindSafe(|| {
            load().map(|outcome| self.found(outcome))
        })) {
            Ok(None) => return false,
            Ok(Some(found)) => {
                self.lock().finish_search(&found);
                search.end(SearchEnd::With(found.outcome));
            }
            Err(payload) => {
                // The log itself may be what panicked, and the search must end.
                let _ = panic::catch_unwind(|| log::warn!("the search for credentials panicked"));
                self.lock().fail_search(search.start_time);
                search.end(SearchEnd::Panicked(Some(payload)));
            }
        }
        true
    }

    fn found(&self, outcome: Result<Credentials, CredentialsError>) -> SearchResult {
        let outcome = outcome.map(Arc::new);
        if let Err(error) = &outcome {
            self.log_failure(error);
        }
        let (now, random) = (self.loader.system.now(), self.loader.system.random());
        SearchResult {
            outcome,
            now,
            jitter: fraction(random),
        }
    }

    fn log_failure(&self, error: &CredentialsError) {
        let has_credentials = self.lock().entry.is_some();
        if has_credentials {
            log::warn!("credentials could not be refreshed: {error}");
        } else {
            log::debug!("credentials could not be loaded: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that may panic runs under the lock, so the state is never half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
