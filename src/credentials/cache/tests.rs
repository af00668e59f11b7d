use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::*;
use crate::config::Config;
use crate::system::System;
use crate::testing::FakeSystem;

const PATIENCE: Duration = Duration::from_secs(20);

/// A source whose every answer the test gives, and a clock that only the test moves.
struct Rig {
    cache: Arc<Cache>,
    system: Arc<FakeSystem>,
    searches: Arc<AtomicU64>,
    /// A search has begun.
    begun: Receiver<()>,
    /// What it finds: a lifetime, or an error.
    answers: Sender<Option<Duration>>,
}

impl Rig {
    fn new() -> Self {
        let system = Arc::new(FakeSystem::default().at(1_000_000));
        let searches = Arc::new(AtomicU64::new(0));
        let (begin, begun) = mpsc::channel();
        let (answers, next_answer) = mpsc::channel::<Option<Duration>>();
        let (count, clock, next_answer) =
            (Arc::clone(&searches), Arc::clone(&system), Mutex::new(next_answer));
        let source = Provider::custom(move || {
            let number = count.fetch_add(1, Ordering::SeqCst);
            // The test may not listen.
            let _ = begin.send(());
            let lifetime = next_answer.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            let ends_at = clock.now() + lifetime.ok_or("the test says no")?;
            Ok(Some(Credentials::new(format!("id{number}"), "secret").with_expiry(ends_at)))
        });
        let config =
            Config { credentials: source, system: Arc::<FakeSystem>::clone(&system), ..Config::default() };
        Self { cache: Arc::new(Cache::new(config.search())), system, searches, begun, answers }
    }

    fn will_answer(&self, lifetime: Option<u64>) {
        self.answers.send(lifetime.map(Duration::from_secs)).unwrap();
    }

    fn id(&self) -> String {
        self.cache.get(None).unwrap().access_key_id.clone()
    }

    fn pass(&self, seconds: u64) {
        self.system.sleep(Duration::from_secs(seconds));
    }

    fn searches(&self) -> u64 {
        self.searches.load(Ordering::SeqCst)
    }

    fn await_search(&self) {
        self.begun.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_day_of_an_hourly_source_is_26_searches() {
    let rig = Rig::new();
    // The window is five minutes; half of its jitter of a fifth makes four and a half.
    (0..26).for_each(|_| rig.will_answer(Some(3600)));
    for _ in 0..24 * 60 {
        let left = rig.cache.get(None).unwrap().expires_at.unwrap().duration_since(rig.system.now()).unwrap();
        assert!(left >= Duration::from_secs(240), "{left:?}");
        rig.pass(60);
    }
    assert_eq!(rig.searches(), 26);
}

#[test]
fn short_lives_are_used_to_three_quarters() {
    let rig = Rig::new();
    (0..2).for_each(|_| rig.will_answer(Some(100)));
    assert_eq!(rig.id(), "id0");
    rig.pass(75);
    assert_eq!(rig.id(), "id0");
    rig.pass(5);
    assert_eq!(rig.id(), "id1");
}

#[test]
fn sixteen_threads_that_have_none_share_one_search() {
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
    let ids: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(ids.iter().all(|id| id == "id0"), "{ids:?}");
    assert_eq!(rig.searches(), 1);
}

#[test]
fn while_one_thread_renews_the_others_go_on_with_what_is_valid() {
    let rig = Rig::new();
    rig.will_answer(Some(3600));
    assert_eq!(rig.id(), "id0");
    rig.await_search();
    rig.pass(3400);
    let renewing = {
        let cache = Arc::clone(&rig.cache);
        thread::spawn(move || cache.get(None).unwrap().access_key_id.clone())
    };
    rig.await_search();
    // The search runs and has no answer: whoever waited for it would wait for ever.
    let others: Vec<_> = (0..16)
        .map(|_| {
            let cache = Arc::clone(&rig.cache);
            thread::spawn(move || (0..1000).all(|_| cache.get(None).unwrap().access_key_id == "id0"))
        })
        .collect();
    assert!(others.into_iter().all(|thread| thread.join().unwrap()));
    rig.will_answer(Some(3600));
    assert_eq!(renewing.join().unwrap(), "id1");
    assert_eq!((rig.id(), rig.searches()), ("id1".to_owned(), 2));
}

#[test]
fn sixteen_threads_over_a_source_that_expires_lose_no_update() {
    let system = Arc::new(FakeSystem::default().at(1_000_000));
    let is_searching = Arc::new(AtomicBool::new(false));
    let (clock, busy) = (Arc::clone(&system), Arc::clone(&is_searching));
    let latest = Arc::new(AtomicU64::new(0));
    let newest = Arc::clone(&latest);
    let source = Provider::custom(move || {
        assert!(!busy.swap(true, Ordering::SeqCst), "two searches at a time");
        thread::yield_now();
        let number = newest.load(Ordering::SeqCst) + 1;
        let ends_at = clock.now() + Duration::from_secs(60);
        newest.store(number, Ordering::SeqCst);
        busy.store(false, Ordering::SeqCst);
        Ok(Some(Credentials::new(number.to_string(), "secret").with_expiry(ends_at)))
    });
    let config =
        Config { credentials: source, system: Arc::<FakeSystem>::clone(&system), ..Config::default() };
    let cache = Arc::new(Cache::new(config.search()));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (cache, system) = (Arc::clone(&cache), Arc::clone(&system));
            thread::spawn(move || {
                let mut last = 0;
                for _ in 0..2000 {
                    let number: u64 = cache.get(None).unwrap().access_key_id.parse().unwrap();
                    assert!(number >= last, "{number} came after {last}");
                    last = number;
                    system.sleep(Duration::from_millis(10));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // 320 s pass; each search is good for 45 s to 55 s.
    let searches = latest.load(Ordering::SeqCst);
    assert!((6..=8).contains(&searches), "{searches}");
    assert_eq!(cache.get(None).unwrap().access_key_id, searches.to_string());
}

#[test]
fn an_early_renewal_that_fails_keeps_what_is_valid_and_pauses() {
    let rig = Rig::new();
    [Some(3600), None, Some(3600)].into_iter().for_each(|answer| rig.will_answer(answer));
    assert_eq!(rig.id(), "id0");
    rig.pass(3400);
    assert_eq!((rig.id(), rig.searches()), ("id0".to_owned(), 2));
    rig.pass(59);
    assert_eq!((rig.id(), rig.searches()), ("id0".to_owned(), 2));
    rig.pass(1);
    assert_eq!((rig.id(), rig.searches()), ("id2".to_owned(), 3));
}

/// Four threads ask a source that fails; how many searches that takes.
fn searches_that_fail() -> u64 {
    let rig = Rig::new();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let cache = Arc::clone(&rig.cache);
            thread::spawn(move || cache.get(None).unwrap_err().to_string())
        })
        .collect();
    rig.await_search();
    // Time for the others to begin to wait; those that come too late search for themselves.
    thread::sleep(Duration::from_millis(10));
    (0..4).for_each(|_| rig.will_answer(None));
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "the custom provider failed");
    }
    rig.searches()
}

#[test]
fn a_failure_is_that_of_all_who_waited_for_it() {
    // Nobody can see from outside that a thread waits, so one of many tries has to show it.
    assert!((0..100).any(|_| searches_that_fail() == 1));
}

#[test]
fn a_failure_is_not_kept() {
    let rig = Rig::new();
    [None, Some(3600)].into_iter().for_each(|answer| rig.will_answer(answer));
    assert!(rig.cache.get(None).is_err());
    assert_eq!(rig.id(), "id1");
}

#[test]
fn who_waited_for_a_search_that_panicked_searches_anew() {
    for _ in 0..20 {
        let (begin, begun) = mpsc::channel();
        let count = AtomicU64::new(0);
        let source = Provider::custom(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => Err("an older failure".into()),
            1 => {
                begin.send(()).unwrap();
                thread::sleep(Duration::from_millis(10));
                panic!("the source panics")
            }
            _ => Ok(Some(Credentials::new("id", "secret"))),
        });
        let cache = Arc::new(Cache::new(Config { credentials: source, ..Config::default() }.search()));
        assert!(cache.get(None).is_err());
        let panicking = Arc::clone(&cache);
        let panicking = thread::spawn(move || drop(panicking.get(None)));
        begun.recv_timeout(PATIENCE).unwrap();
        assert_eq!(cache.get(None).unwrap().access_key_id, "id");
        assert!(panicking.join().is_err());
    }
}

#[test]
fn waiting_ends_at_the_deadline() {
    let rig = Rig::new();
    let searching = {
        let cache = Arc::clone(&rig.cache);
        thread::spawn(move || cache.get(None).unwrap().access_key_id.clone())
    };
    rig.await_search();
    let deadline = rig.system.instant() + Duration::from_millis(50);
    let error = rig.cache.get(Some(deadline)).unwrap_err();
    assert!(error.is_out_of_time, "{error}");
    rig.will_answer(Some(3600));
    assert_eq!(searching.join().unwrap(), "id0");
}

#[test]
fn a_rejection_forces_one_search_for_all_that_were_rejected() {
    let rig = Rig::new();
    rig.will_answer(Some(3600));
    let rejected = rig.cache.get(None).unwrap();
    rig.will_answer(Some(3600));
    assert!(rig.cache.refresh_after_rejection(&rejected, None).unwrap());
    assert!(rig.cache.refresh_after_rejection(&rejected, None).unwrap());
    assert_eq!((rig.id(), rig.searches()), ("id1".to_owned(), 2));
    // A failure is told, and what was rejected stays until something else comes.
    rig.will_answer(None);
    let rejected = rig.cache.get(None).unwrap();
    assert!(rig.cache.refresh_after_rejection(&rejected, None).is_err());
    assert_eq!(rig.id(), "id1");
}

#[test]
fn static_credentials_are_never_looked_for_again() {
    let credentials = Credentials::new("id", "secret").with_expiry(SystemTime::UNIX_EPOCH);
    let config = Config { credentials: credentials.clone().into(), ..Config::default() };
    let cache = Cache::new(config.search());
    assert_eq!(*cache.get(None).unwrap(), credentials);
    assert!(!cache.refresh_after_rejection(&credentials, None).unwrap());
    let bad = Config { credentials: Credentials::new("id", "").into(), ..Config::default() };
    assert_eq!(
        Cache::new(bad.search()).get(None).unwrap_err().to_string(),
        "configuration: the secret access key is empty"
    );
}

#[test]
fn credentials_that_ended_before_they_came_are_not_looked_for_at_every_call() {
    let rig = Rig::new();
    rig.will_answer(Some(0));
    (0..3).for_each(|_| assert_eq!(rig.id(), "id0"));
    rig.will_answer(Some(0));
    rig.pass(61);
    assert_eq!((rig.id(), rig.searches()), ("id1".to_owned(), 2));
}

#[test]
fn credentials_without_an_end_are_looked_for_anew_after_a_quarter_of_an_hour() {
    let file = "/h/.aws/credentials";
    let keys = |id: &str| format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = secret\n");
    let system = Arc::new(FakeSystem::new(&[("HOME", "/h")]).with_file(file, keys("one")));
    let config = Config { system: Arc::<FakeSystem>::clone(&system), ..Config::default() };
    let cache = Cache::new(config.search());
    let id = || cache.get(None).unwrap().access_key_id.clone();
    assert_eq!(id(), "one");
    system.files.lock().unwrap().insert(file.into(), keys("two").into());
    assert_eq!(id(), "one");
    system.sleep(Duration::from_secs(15 * 60));
    assert_eq!(id(), "two");
    // A file that was broken meanwhile does not take away what is good.
    system.files.lock().unwrap().insert(file.into(), b"broken".to_vec());
    system.sleep(Duration::from_secs(15 * 60));
    assert_eq!(id(), "two");
}

#[test]
fn an_early_renewal_leaves_most_of_the_calls_time_to_the_call() {
    let rig = Rig::new();
    let now = rig.system.instant();
    let limit =
        |seconds: u64| rig.cache.early_deadline(Some(now + Duration::from_secs(seconds))).unwrap() - now;
    assert_eq!((limit(4), limit(3600)), (Duration::from_secs(1), EARLY_LIMIT));
    assert_eq!(rig.cache.early_deadline(None), Some(now + EARLY_LIMIT));
}
