//! A cache with a provider and a clock controlled by the test.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{Cache, SearchOutcome};
use crate::config::Config;
use crate::credentials::{Credentials, Provider};
use crate::system::System;
use crate::testing::FakeSystem;

/// Longest wait of a test for an event.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

impl Cache {
    /// Runs a search on this thread, for tests that capture the log of their thread.
    pub(in crate::credentials) fn search_on_this_thread(&self) -> SearchOutcome {
        let system = &self.shared.loader.system;
        let search = self
            .shared
            .lock()
            .new_search(system.now(), system.instant());
        let found = self
            .shared
            .found(self.shared.loader.load(search.started_at, &search.progress));
        self.shared.lock().finish_search(&found);
        found.outcome
    }

    /// Waits for the end of the running search.
    pub(in crate::credentials) fn settle(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.shared.lock().search.is_some() {
            assert!(Instant::now() < deadline, "the search does not end");
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// Waits until this number of callers has joined the running search.
    pub(in crate::credentials) fn await_callers(&self, callers: usize) {
        let deadline = Instant::now() + PATIENCE;
        // The state has one reference and the thread of the search another.
        while self
            .shared
            .lock()
            .search
            .as_ref()
            .is_none_or(|search| Arc::strong_count(search) != callers + 2)
        {
            assert!(Instant::now() < deadline, "the callers do not come");
            thread::sleep(Duration::from_micros(50));
        }
    }
}

pub(super) struct Rig {
    pub(super) cache: Arc<Cache>,
    pub(super) system: Arc<FakeSystem>,
    searches: Arc<AtomicU64>,
    /// A message at the start of each search.
    begun: Receiver<()>,
    /// The lifetime found by the next search; `None` is an error.
    answers: Sender<Option<Duration>>,
}

impl Rig {
    pub(super) fn new() -> Self {
        let system = Arc::new(FakeSystem::default().at(1_000_000));
        let searches = Arc::new(AtomicU64::new(0));
        let (begin, begun) = mpsc::channel();
        let (answers, next_answer) = mpsc::channel::<Option<Duration>>();
        let (count, clock, next_answer) = (
            Arc::clone(&searches),
            Arc::clone(&system),
            Mutex::new(next_answer),
        );
        let provider = Provider::custom(move || {
            let number = count.fetch_add(1, Ordering::SeqCst);
            // A test that does not wait for searches drops the receiver.
            let _ = begin.send(());
            let lifetime = next_answer.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            let expires_at = clock.now() + lifetime.ok_or("the test has none")?;
            Ok(Some(
                Credentials::new(format!("id{number}"), "secret").with_expiry(expires_at),
            ))
        });
        let cache = Arc::new(cache(provider, &system));
        Self {
            cache,
            system,
            searches,
            begun,
            answers,
        }
    }

    pub(super) fn will_answer(&self, lifetime: Option<u64>) {
        self.answers
            .send(lifetime.map(Duration::from_secs))
            .unwrap();
    }

    pub(super) fn id(&self) -> String {
        self.cache.get(None).unwrap().access_key_id.clone()
    }

    pub(super) fn settled_id(&self) -> String {
        settled_id(&self.cache)
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.system.sleep(Duration::from_secs(seconds));
    }

    pub(super) fn searches(&self) -> u64 {
        self.searches.load(Ordering::SeqCst)
    }

    pub(super) fn await_search(&self) {
        self.begun.recv_timeout(PATIENCE).unwrap();
    }

    /// Starts a call of [`Cache::get`] on another thread.
    pub(super) fn get_on_a_thread(
        &self,
        timeout: Option<Duration>,
    ) -> thread::JoinHandle<SearchOutcome> {
        let cache = Arc::clone(&self.cache);
        let deadline = timeout.map(|timeout| self.system.instant() + timeout);
        thread::spawn(move || cache.get(deadline))
    }
}

/// The id after the refresh started by a call.
pub(super) fn settled_id(cache: &Cache) -> String {
    cache.get(None).unwrap();
    cache.settle();
    cache.get(None).unwrap().access_key_id.clone()
}

pub(super) fn cache(provider: Provider, system: &Arc<FakeSystem>) -> Cache {
    let system = Arc::<FakeSystem>::clone(system);
    Cache::new(
        Config {
            credentials: provider,
            system,
            ..Config::default()
        }
        .search(),
    )
}
