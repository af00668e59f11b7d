use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::fake::{Rig, cache, settled_id};
use super::*;
use crate::config::Config;
use crate::system::System;
use crate::testing::{FakeSystem, capture_log, captured_log};

#[test]
fn an_hourly_provider_is_searched_26_times_a_day() {
    let rig = Rig::new();
    // The window is five minutes; half of its jitter of a fifth makes four and a half.
    (0..26).for_each(|_| rig.will_answer(Some(3600)));
    for _ in 0..24 * 60 {
        let left = rig
            .cache
            .get(None)
            .unwrap()
            .expires_at
            .unwrap()
            .duration_since(rig.system.now())
            .unwrap();
        assert!(left >= Duration::from_secs(240), "{left:?}");
        rig.cache.settle();
        rig.pass(60);
    }
    assert_eq!(rig.searches(), 26);
}

#[test]
fn short_lifetimes_are_used_to_three_quarters() {
    let rig = Rig::new();
    (0..2).for_each(|_| rig.will_answer(Some(100)));
    assert_eq!(rig.id(), "id0");
    rig.pass(75);
    assert_eq!(rig.settled_id(), "id0");
    rig.pass(5);
    assert_eq!(rig.settled_id(), "id1");
}

#[test]
fn during_a_refresh_every_caller_gets_the_old_credentials_at_once() {
    let rig = Rig::new();
    rig.will_answer(Some(3600));
    assert_eq!(rig.id(), "id0");
    rig.await_search();
    rig.pass(3400);
    // The search does not end, so that a caller that waited for it would not return.
    let threads: Vec<_> = (0..17)
        .map(|_| {
            let cache = Arc::clone(&rig.cache);
            thread::spawn(move || {
                (0..1000).all(|_| cache.get(None).unwrap().access_key_id == "id0")
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    rig.await_search();
    rig.will_answer(Some(3600));
    rig.cache.settle();
    assert_eq!((rig.id(), rig.searches()), ("id1".to_owned(), 2));
}

#[test]
fn sixteen_threads_over_short_lived_credentials_lose_no_update() {
    let system = Arc::new(FakeSystem::default().at(1_000_000));
    let is_searching = Arc::new(AtomicBool::new(false));
    let (clock, busy) = (Arc::clone(&system), Arc::clone(&is_searching));
    let latest = Arc::new(AtomicU64::new(0));
    let newest = Arc::clone(&latest);
    let provider = Provider::custom(move || {
        assert!(!busy.swap(true, Ordering::SeqCst), "two searches at a time");
        thread::yield_now();
        let number = newest.load(Ordering::SeqCst) + 1;
        let expires_at = clock.now() + Duration::from_secs(60);
        newest.store(number, Ordering::SeqCst);
        busy.store(false, Ordering::SeqCst);
        Ok(Some(
            Credentials::new(number.to_string(), "secret").with_expiry(expires_at),
        ))
    });
    let cache = Arc::new(cache(provider, &system));
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
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    cache.settle();
    // 320 s pass; each search is good for 45 s to 55 s.
    let searches = latest.load(Ordering::SeqCst);
    assert!((6..=8).contains(&searches), "{searches}");
    assert_eq!(cache.get(None).unwrap().access_key_id, searches.to_string());
}

#[test]
fn a_refresh_that_fails_keeps_valid_credentials_and_pauses() {
    let rig = Rig::new();
    [Some(3600), None, Some(3600)]
        .into_iter()
        .for_each(|answer| rig.will_answer(answer));
    assert_eq!(rig.id(), "id0");
    rig.pass(3400);
    assert_eq!((rig.settled_id(), rig.searches()), ("id0".to_owned(), 2));
    rig.pass(59);
    assert_eq!((rig.settled_id(), rig.searches()), ("id0".to_owned(), 2));
    rig.pass(1);
    assert_eq!((rig.settled_id(), rig.searches()), ("id2".to_owned(), 3));
}

#[test]
fn a_failure_is_not_kept() {
    let rig = Rig::new();
    [None, Some(3600)]
        .into_iter()
        .for_each(|answer| rig.will_answer(answer));
    assert!(rig.cache.get(None).is_err());
    assert_eq!(rig.id(), "id1");
}

#[test]
fn static_credentials_are_never_refreshed() {
    let credentials = Credentials::new("id", "secret").with_expiry(SystemTime::UNIX_EPOCH);
    let config = Config {
        credentials: credentials.clone().into(),
        ..Config::default()
    };
    let cache = Cache::new(config.search());
    assert_eq!(*cache.get(None).unwrap(), credentials);
    assert!(!cache.refresh_after_rejection(&credentials, None).unwrap());
    let bad = Config {
        credentials: Credentials::new("id", "").into(),
        ..Config::default()
    };
    assert_eq!(
        Cache::new(bad.search()).get(None).unwrap_err().to_string(),
        "configuration: the secret access key is empty"
    );
}

#[test]
fn credentials_that_are_expired_on_arrival_are_not_searched_at_every_call() {
    let rig = Rig::new();
    rig.will_answer(Some(0));
    (0..3).for_each(|_| assert_eq!(rig.settled_id(), "id0"));
    rig.will_answer(Some(0));
    rig.pass(61);
    assert_eq!((rig.settled_id(), rig.searches()), ("id1".to_owned(), 2));
}

#[test]
fn credentials_without_an_expiry_are_loaded_again_after_15_minutes() {
    let file = "/h/.aws/credentials";
    let system = Arc::new(FakeSystem::new(&[("HOME", "/h")]).with_file(file, keys("one")));
    let cache = cache(Provider::DefaultChain, &system);
    assert_eq!(settled_id(&cache), "one");
    system
        .files
        .lock()
        .unwrap()
        .insert(file.into(), keys("two").into());
    assert_eq!(settled_id(&cache), "one");
    system.sleep(Duration::from_secs(15 * 60));
    assert_eq!(settled_id(&cache), "two");
    // A broken file does not remove the cached credentials.
    system
        .files
        .lock()
        .unwrap()
        .insert(file.into(), b"broken".to_vec());
    system.sleep(Duration::from_secs(15 * 60));
    assert_eq!(settled_id(&cache), "two");
}

fn keys(id: &str) -> String {
    format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = secret\n")
}

#[test]
fn a_rejection_starts_one_search_for_all_that_were_rejected() {
    let rig = Rig::new();
    rig.will_answer(Some(3600));
    let rejected = rig.cache.get(None).unwrap();
    rig.will_answer(Some(3600));
    assert!(rig.cache.refresh_after_rejection(&rejected, None).unwrap());
    assert!(rig.cache.refresh_after_rejection(&rejected, None).unwrap());
    assert_eq!((rig.id(), rig.searches()), ("id1".to_owned(), 2));
    // A failure is returned, and the rejected credentials stay in the cache.
    rig.will_answer(None);
    let rejected = rig.cache.get(None).unwrap();
    assert!(rig.cache.refresh_after_rejection(&rejected, None).is_err());
    assert_eq!(rig.id(), "id1");
}

/// A provider of the same credentials at each search; it fails at the searches from `fails_from` on.
fn same_credentials(fails_from: u64) -> (Provider, Arc<AtomicU64>) {
    let searches = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&searches);
    let provider = Provider::custom(move || {
        if count.fetch_add(1, Ordering::SeqCst) >= fails_from {
            return Err("the test has none".into());
        }
        Ok(Some(Credentials::new("id", "secret")))
    });
    (provider, searches)
}

#[test]
fn rejections_that_arrive_one_after_the_other_share_one_search() {
    for fails_from in [u64::MAX, 1] {
        let (provider, searches) = same_credentials(fails_from);
        let cache = cache(provider, &Arc::default());
        let rejected = cache.get(None).unwrap();
        for _ in 0..16 {
            assert!(
                !cache
                    .refresh_after_rejection(&rejected, None)
                    .unwrap_or(false)
            );
        }
        assert_eq!(searches.load(Ordering::SeqCst), 2, "{fails_from}");
        // The rejection of a call that began after that search starts another.
        let rejected = cache.get(None).unwrap();
        assert!(
            !cache
                .refresh_after_rejection(&rejected, None)
                .unwrap_or(false)
        );
        assert_eq!(searches.load(Ordering::SeqCst), 3, "{fails_from}");
    }
}

#[test]
fn a_secret_key_in_the_place_of_the_key_id_is_not_logged() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    for (id, expected) in [
        ("AKIDEXAMPLE", "credentials AKIDEXAMPLE come"),
        (secret, "credentials .. come"),
    ] {
        let variables = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
        capture_log();
        cache(
            Provider::DefaultChain,
            &Arc::new(FakeSystem::new(&variables)),
        )
        .get(None)
        .unwrap();
        let log = captured_log();
        assert!(log.contains(expected) && !log.contains(secret), "{log}");
    }
}

#[test]
fn a_search_that_ends_with_the_environment_starts_no_thread() {
    let id = ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let both = [id, ("AWS_SECRET_ACCESS_KEY", "secret")];
    for (provider, variables, is_here) in [
        (Provider::DefaultChain, &both[..], true),
        (Provider::Environment, &both[..], true),
        // An error, and no wait either.
        (Provider::DefaultChain, &[id][..], true),
        (Provider::Environment, &[][..], false),
        (
            Provider::Chain(vec![Provider::Environment]),
            &both[..],
            false,
        ),
    ] {
        let context = format!("{provider:?} {variables:?}");
        let cache = cache(provider, &Arc::new(FakeSystem::new(variables)));
        // The captured log is that of this thread.
        capture_log();
        let outcome = cache.get(None);
        assert_eq!(outcome.is_ok(), variables.len() == 2, "{context}");
        assert_eq!(captured_log().contains("credentials"), is_here, "{context}");
    }
}
