use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Barrier, OnceLock, Weak};

use super::*;
use crate::config::Config;
use crate::credentials::Provider;
use crate::credentials::cache::Cache;
use crate::credentials::cache::fake::{PATIENCE, Rig, cache};
use crate::system::System;
use crate::testing::FakeSystem;

#[test]
fn sixteen_threads_without_credentials_share_one_search() {
    let rig = Rig::new();
    let barrier = Arc::new(Barrier::new(17));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (cache, barrier) = (Arc::clone(&rig.cache), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                cache.get(None).unwrap().access_key_id.clone()
            })
        })
        .collect();
    barrier.wait();
    rig.await_search();
    rig.will_answer(Some(3600));
    assert!(
        threads
            .into_iter()
            .all(|thread| thread.join().unwrap() == "id0")
    );
    assert_eq!(rig.searches(), 1);
}

#[test]
fn a_failure_serves_all_who_waited_for_it() {
    let rig = Rig::new();
    let threads: Vec<_> = (0..8).map(|_| rig.get_on_a_thread(None)).collect();
    rig.cache.await_callers(8);
    rig.will_answer(None);
    for thread in threads {
        assert_eq!(
            thread.join().unwrap().unwrap_err().to_string(),
            "the custom provider failed"
        );
    }
    assert_eq!(rig.searches(), 1);
}

/// A provider whose answers are sent by the test, and its searches.
fn answered_provider(answers: Receiver<Option<Credentials>>) -> (Provider, Arc<AtomicU64>) {
    let searches = Arc::new(AtomicU64::new(0));
    let (count, answers) = (Arc::clone(&searches), Mutex::new(answers));
    let provider = Provider::custom(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(answers.lock().unwrap().recv_timeout(PATIENCE)?)
    });
    (provider, searches)
}

#[test]
fn that_there_are_none_serves_all_who_waited_for_it() {
    let (answer, answers) = mpsc::channel();
    let (provider, searches) = answered_provider(answers);
    let cache = Arc::new(cache(provider, &Arc::default()));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let cache = Arc::clone(&cache);
            thread::spawn(move || cache.get(None).unwrap_err().to_string())
        })
        .collect();
    cache.await_callers(8);
    answer.send(None).unwrap();
    for thread in threads {
        assert!(
            thread
                .join()
                .unwrap()
                .starts_with("no source has credentials")
        );
    }
    assert_eq!(searches.load(Ordering::SeqCst), 1);
}

#[test]
fn sixteen_rejections_at_a_time_share_one_search() {
    let (answer, answers) = mpsc::channel();
    let (provider, searches) = answered_provider(answers);
    let cache = Arc::new(cache(provider, &Arc::default()));
    answer.send(Some(Credentials::new("id", "secret"))).unwrap();
    let rejected = cache.get(None).unwrap();
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (cache, rejected) = (Arc::clone(&cache), Arc::clone(&rejected));
            thread::spawn(move || cache.refresh_after_rejection(&rejected, None).unwrap())
        })
        .collect();
    cache.await_callers(16);
    answer.send(Some(Credentials::new("id", "secret"))).unwrap();
    assert!(threads.into_iter().all(|thread| !thread.join().unwrap()));
    assert_eq!(searches.load(Ordering::SeqCst), 2);
}

#[test]
fn waiting_ends_at_the_deadline() {
    let rig = Rig::new();
    let waiting = rig.get_on_a_thread(None);
    rig.await_search();
    let deadline = rig.system.instant() + Duration::from_millis(50);
    let error = rig.cache.get(Some(deadline)).unwrap_err();
    assert!(error.is_out_of_time, "{error}");
    assert_eq!(
        error.to_string(),
        "the custom provider was not done after 50.0ms: the time of the call is over"
    );
    rig.will_answer(Some(3600));
    assert_eq!(waiting.join().unwrap().unwrap().access_key_id, "id0");
}

#[test]
fn a_short_deadline_does_not_cut_the_search_of_others() {
    let rig = Rig::new();
    let short = rig.get_on_a_thread(Some(Duration::from_millis(20)));
    rig.await_search();
    let waiting: Vec<_> = (0..16).map(|_| rig.get_on_a_thread(None)).collect();
    assert!(short.join().unwrap().unwrap_err().is_out_of_time);
    rig.cache.await_callers(16);
    // By the clock of the sources, too, the time of the short call is over.
    rig.pass(1);
    rig.will_answer(Some(3600));
    for thread in waiting {
        assert_eq!(thread.join().unwrap().unwrap().access_key_id, "id0");
    }
    assert_eq!(rig.searches(), 1);
}

#[test]
fn a_provider_gets_the_limit_of_the_search_and_not_that_of_the_call() {
    struct Deadlines(Mutex<Option<Option<Instant>>>);
    impl crate::credentials::ProvideCredentials for Arc<Deadlines> {
        fn provide(
            &self,
            deadline: Option<Instant>,
        ) -> Result<Option<Credentials>, Box<dyn std::error::Error + Send + Sync>> {
            *self.0.lock().unwrap() = Some(deadline);
            Ok(Some(Credentials::new("id", "secret")))
        }
    }
    let system = Arc::new(FakeSystem::default());
    let deadlines = Arc::new(Deadlines(Mutex::default()));
    let cache = cache(Provider::custom(Arc::clone(&deadlines)), &system);
    let now = system.instant();
    cache.get(Some(now + Duration::from_secs(10))).unwrap();
    assert_eq!(*deadlines.0.lock().unwrap(), Some(Some(now + SEARCH_LIMIT)));
}

#[test]
fn a_search_over_its_limit_is_an_error_and_not_started_twice() {
    let rig = Rig::new();
    let first = rig.get_on_a_thread(Some(Duration::ZERO));
    rig.await_search();
    assert!(first.join().unwrap().unwrap_err().is_out_of_time);
    rig.pass(66);
    let error = rig.cache.get(None).unwrap_err();
    assert!(!error.is_out_of_time);
    assert_eq!(
        error.to_string(),
        "the custom provider was not done after 66.0s and still runs"
    );
    rig.will_answer(Some(3600));
    rig.cache.settle();
    assert_eq!((rig.id(), rig.searches()), ("id0".to_owned(), 1));
}

/// A cache whose provider calls its own cache at each search, and what that call returned.
fn reentrant_cache(system: &Arc<FakeSystem>) -> (Arc<Cache>, Receiver<SearchOutcome>) {
    let (own, called) = (Arc::new(OnceLock::<Weak<Cache>>::new()), mpsc::channel());
    let (inner, clock, sender) = (Arc::clone(&own), Arc::clone(system), called.0);
    let provider = Provider::custom(move || {
        let cache = inner.get().unwrap().upgrade().unwrap();
        sender.send(cache.get(None))?;
        let expires_at = clock.now() + Duration::from_secs(3600);
        Ok(Some(
            Credentials::new("id", "secret").with_expiry(expires_at),
        ))
    });
    let cache = Arc::new(cache(provider, system));
    own.set(Arc::downgrade(&cache)).unwrap();
    (cache, called.1)
}

#[test]
fn a_provider_that_calls_its_own_client_gets_an_error_or_the_valid_credentials() {
    let system = Arc::new(FakeSystem::default().at(1_000_000));
    let (cache, returned) = reentrant_cache(&system);
    assert_eq!(cache.get(None).unwrap().access_key_id, "id");
    let error = returned.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the search for credentials needs its own result"),
        "{error}"
    );
    system.sleep(Duration::from_secs(3400));
    cache.get(None).unwrap();
    assert_eq!(
        returned
            .recv_timeout(PATIENCE)
            .unwrap()
            .unwrap()
            .access_key_id,
        "id"
    );
}

#[test]
fn callers_that_waited_for_a_search_that_panicked_search_again() {
    for _ in 0..20 {
        let (begin, begun) = mpsc::channel();
        let count = AtomicU64::new(0);
        let provider = Provider::custom(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => Err("an older failure".into()),
            1 => {
                begin.send(()).unwrap();
                thread::sleep(Duration::from_millis(10));
                panic!("the provider panics")
            }
            _ => Ok(Some(Credentials::new("id", "secret"))),
        });
        let cache = Arc::new(Cache::new(
            Config {
                credentials: provider,
                ..Config::default()
            }
            .search(),
        ));
        assert!(cache.get(None).is_err());
        let panicking = Arc::clone(&cache);
        let panicking = thread::spawn(move || drop(panicking.get(None)));
        begun.recv_timeout(PATIENCE).unwrap();
        assert_eq!(cache.get(None).unwrap().access_key_id, "id");
        assert!(panicking.join().is_err());
    }
}

#[test]
fn a_refresh_that_panics_is_no_callers_panic_and_pauses() {
    let system = Arc::new(FakeSystem::default().at(1_000_000));
    let (clock, searches) = (Arc::clone(&system), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&searches);
    let provider = Provider::custom(move || {
        assert_eq!(
            count.fetch_add(1, Ordering::SeqCst),
            0,
            "the provider panics"
        );
        let expires_at = clock.now() + Duration::from_secs(3600);
        Ok(Some(
            Credentials::new("id", "secret").with_expiry(expires_at),
        ))
    });
    let cache = cache(provider, &system);
    cache.get(None).unwrap();
    system.sleep(Duration::from_secs(3400));
    for _ in 0..3 {
        assert_eq!(cache.get(None).unwrap().access_key_id, "id");
        cache.settle();
    }
    assert_eq!(searches.load(Ordering::SeqCst), 2);
}

/// A system with keys, which can be watched, and a cache that uses it.
fn system_with_keys() -> (Arc<FakeSystem>, Arc<Cache>) {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let system = Arc::new(FakeSystem::new(&variables));
    let config = Config {
        system: Arc::<FakeSystem>::clone(&system),
        ..Config::default()
    };
    let cache = Arc::new(Cache::new(config.search()));
    (system, cache)
}

#[test]
fn no_lock_is_held_while_the_system_is_called() {
    let (system, cache) = system_with_keys();
    let (shared, counts) = (
        Arc::downgrade(&cache.shared),
        Arc::new([AtomicU64::new(0), AtomicU64::new(0)]),
    );
    let counted = Arc::clone(&counts);
    system.watch(move |_| {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        // Another thread may hold it for a moment.
        let is_free = (0..10_000).any(|_| {
            thread::yield_now();
            shared.state.try_lock().is_ok()
        });
        counted[usize::from(is_free)].fetch_add(1, Ordering::SeqCst);
    });
    let credentials = cache.get(None).unwrap();
    cache.get(None).unwrap();
    system.sleep(Duration::from_secs(15 * 60));
    cache.get(None).unwrap();
    cache.settle();
    assert!(!cache.refresh_after_rejection(&credentials, None).unwrap());
    let [held, free] = [0, 1].map(|index: usize| counts[index].load(Ordering::SeqCst));
    assert!(held == 0 && free > 15, "{held} {free}");
}

/// The system panics in the look at the environment, on the thread of the caller.
#[test]
fn a_panic_of_the_system_is_its_callers_and_the_next_one_searches_again() {
    let (system, cache) = system_with_keys();
    let is_first = AtomicBool::new(true);
    system.watch(move |method| {
        assert!(
            method != "variable" || !is_first.swap(false, Ordering::SeqCst),
            "the system panics"
        );
    });
    assert!(panic::catch_unwind(AssertUnwindSafe(|| cache.get(None))).is_err());
    assert_eq!(
        cache
            .get(Some(system.instant() + PATIENCE))
            .unwrap()
            .access_key_id,
        "id"
    );
}

#[test]
fn a_system_that_calls_the_client_gets_an_error() {
    let (system, cache) = system_with_keys();
    let (own, is_first) = (Arc::downgrade(&cache), AtomicBool::new(true));
    let (sender, returned) = mpsc::channel();
    system.watch(move |method| {
        if method == "variable" && is_first.swap(false, Ordering::SeqCst) {
            sender.send(own.upgrade().unwrap().get(None)).unwrap();
        }
    });
    assert_eq!(cache.get(None).unwrap().access_key_id, "id");
    let error = returned.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the search for credentials needs its own result"),
        "{error}"
    );
}
