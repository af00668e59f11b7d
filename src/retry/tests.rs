use serde_json::Value;

use super::*;
use crate::error::ServiceError;
use crate::http::{Headers, HttpResponse};
use crate::timings::Timings;

fn refused(status: u16, code: Option<&str>, retry_after: Option<&str>) -> Error {
    let mut headers = Headers::default();
    code.iter().for_each(|code| headers.push("x-amzn-errortype", code.as_bytes()));
    retry_after.iter().for_each(|wish| headers.push("x-amz-retry-after", wish.as_bytes()));
    let response = HttpResponse { status, headers, body: vec![], timings: Timings::default() };
    Error::Service(Box::new(ServiceError::from_service(&response)))
}

fn failure(error: &Error) -> Failure<'_> {
    Failure { error, is_put_right: false, elapsed: Duration::ZERO }
}

fn any() -> RetryPolicy {
    RetryPolicy { resend: Resend::Any, ..RetryPolicy::default() }
}

/// Begins an attempt that ends with this error, under random = 1.
fn wait(attempts: &mut Attempts<'_>, error: &Error) -> Option<u128> {
    attempts.begin();
    attempts.after(failure(error), 1.0).map(|wait| wait.as_millis())
}

#[test]
fn waits_double_and_stop_at_the_last_attempt() {
    let bucket = TokenBucket::default();
    let policy = RetryPolicy { max_attempts: 12, ..any() };
    let mut attempts = Attempts::new(policy, &bucket);
    let error = refused(500, None, None);
    let waits: Vec<_> = (0..12).map(|_| wait(&mut attempts, &error)).collect();
    let expected = [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 20_000, 20_000].map(Some);
    assert_eq!(waits, [&expected[..], &[None]].concat());
    assert_eq!(bucket.tokens(), 500 - 11 * 14);
}

#[test]
fn jitter_takes_its_part_of_the_wait() {
    let bucket = TokenBucket::default();
    let error = refused(500, None, None);
    for (random, milliseconds) in [(0.0, 0), (0.5, 25), (1.0, 50)] {
        let mut attempts = Attempts::new(any(), &bucket);
        attempts.begin();
        assert_eq!(attempts.after(failure(&error), random), Some(Duration::from_millis(milliseconds)));
    }
}

#[test]
fn throttling_waits_longer_costs_less_and_gives_back() {
    let bucket = TokenBucket::default();
    let mut attempts = Attempts::new(RetryPolicy::default(), &bucket);
    assert_eq!(wait(&mut attempts, &refused(400, Some("ThrottlingException"), None)), Some(1000));
    assert_eq!(bucket.tokens(), 495);
    attempts.succeeded();
    assert_eq!(bucket.tokens(), 500);
}

#[test]
fn an_empty_bucket_ends_the_call_and_success_fills_it() {
    let bucket = TokenBucket::with_tokens(13);
    let error = refused(500, None, None);
    assert_eq!(wait(&mut Attempts::new(any(), &bucket), &error), None);
    Attempts::new(any(), &bucket).succeeded();
    assert_eq!(bucket.tokens(), 14);
    assert_eq!(wait(&mut Attempts::new(any(), &bucket), &error), Some(50));
}

#[test]
fn the_services_wish_is_granted_within_bounds() {
    for (wish, milliseconds) in [
        ("1500", 1500),
        ("0", 50),
        ("10000", 5050),
        ("-1", 50),
        ("1.5", 50),
        ("soon", 50),
        ("", 50),
        ("99999999999999999999", 50),
    ] {
        let bucket = TokenBucket::default();
        let mut attempts = Attempts::new(any(), &bucket);
        assert_eq!(wait(&mut attempts, &refused(500, None, Some(wish))), Some(milliseconds), "{wish}");
    }
    let bucket = TokenBucket::default();
    let mut attempts = Attempts::new(any(), &bucket);
    assert_eq!(wait(&mut attempts, &refused(404, None, Some("10"))), None, "a wish makes nothing retryable");
}

#[test]
fn each_level_allows_what_it_says() {
    let errors = [
        (refused(400, Some("ThrottlingException"), None), Resend::Rejected),
        (refused(429, Some("ModelNotReadyException"), None), Resend::Rejected),
        (refused(500, None, None), Resend::Any),
        (refused(502, None, None), Resend::Any),
        (refused(503, Some("ServiceUnavailable"), None), Resend::Any),
        (refused(504, None, None), Resend::Any),
    ];
    let levels = [Resend::Never, Resend::NotSent, Resend::Rejected, Resend::Any];
    for (error, least) in &errors {
        for resend in levels {
            let bucket = TokenBucket::default();
            let mut attempts = Attempts::new(RetryPolicy { resend, ..RetryPolicy::default() }, &bucket);
            assert_eq!(wait(&mut attempts, error).is_some(), resend >= *least, "{error} {resend:?}");
        }
    }
    for final_error in [
        refused(400, Some("ValidationError"), None),
        refused(403, Some("AccessDeniedException"), None),
        refused(424, Some("ModelError"), None),
        refused(530, Some("InternalDependencyException"), None),
        refused(413, None, None),
        refused(501, None, None),
    ] {
        let bucket = TokenBucket::default();
        assert_eq!(wait(&mut Attempts::new(any(), &bucket), &final_error), None, "{final_error}");
    }
}

#[test]
fn what_was_put_right_is_sent_again_once() {
    let bucket = TokenBucket::default();
    let mut attempts = Attempts::new(RetryPolicy { max_attempts: 9, ..RetryPolicy::default() }, &bucket);
    let error = refused(403, Some("ExpiredTokenException"), None);
    let put_right = Failure { is_put_right: true, ..failure(&error) };
    attempts.begin();
    assert!(attempts.after(put_right, 1.0).is_some());
    attempts.begin();
    assert!(attempts.after(put_right, 1.0).is_none());
}

#[test]
fn waiting_for_a_model_counts_against_nothing_else() {
    let bucket = TokenBucket::default();
    let limit = Duration::from_secs(60);
    let policy =
        RetryPolicy { resend: Resend::Never, wait_until_ready: Some(limit), ..RetryPolicy::default() };
    let mut attempts = Attempts::new(policy, &bucket);
    let error = refused(429, Some("ModelNotReadyException"), None);
    let mut elapsed = Duration::ZERO;
    let mut waits = Vec::new();
    loop {
        attempts.begin();
        let Some(wait) = attempts.after(Failure { elapsed, ..failure(&error) }, 1.0) else { break };
        waits.push(wait.as_millis());
        elapsed += wait;
    }
    assert_eq!(waits, [1000, 1500, 2250, 3375, 5062, 7593, 10_000, 10_000, 10_000]);
    assert!(elapsed <= limit);
    assert_eq!(bucket.tokens(), 500);
}

#[test]
fn a_model_that_loads_may_say_how_long() {
    let bucket = TokenBucket::default();
    let limit = Duration::from_secs(7);
    let policy = RetryPolicy { wait_until_ready: Some(limit), ..RetryPolicy::default() };
    for (wish, expected) in [("10", 1000), ("2500", 2500), ("60000", 6000), ("soon", 1000)] {
        let error = refused(429, Some("ModelNotReadyException"), Some(wish));
        assert_eq!(wait(&mut Attempts::new(policy, &bucket), &error), Some(expected), "{wish}");
        let late = Failure { elapsed: limit - Duration::from_millis(999), ..failure(&error) };
        assert_eq!(Attempts::new(policy, &bucket).after(late, 1.0), None);
    }
}

/// A naive reading of the specification, beside which the real one must stand for any run of outcomes.
#[test]
fn any_run_of_outcomes_equals_the_naive_model() {
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let errors = [refused(500, None, None), refused(400, Some("Throttling"), None), refused(404, None, None)];
    let bucket = TokenBucket::with_tokens(100);
    let mut model_tokens = 100_i64;
    for _ in 0..5_000 {
        let max_attempts = u32::try_from(random(6)).unwrap();
        let mut attempts = Attempts::new(RetryPolicy { max_attempts, ..any() }, &bucket);
        let mut last_cost = None;
        for retry in 0.. {
            attempts.begin();
            let outcome = usize::try_from(random(4)).unwrap();
            let Some(error) = errors.get(outcome) else {
                attempts.succeeded();
                model_tokens = (model_tokens + last_cost.unwrap_or(1)).min(500);
                break;
            };
            let jitter = f64::from(u32::try_from(random(101)).unwrap()) / 100.0;
            let (base, cost) = if outcome == 1 { (1000.0, 5) } else { (50.0, 14) };
            let may = outcome != 2 && retry + 1 < max_attempts && model_tokens >= cost;
            let expected =
                may.then(|| jitter * f64::min(base * 2_f64.powi(i32::try_from(retry).unwrap()), 20_000.0));
            let wait = attempts.after(failure(error), jitter);
            match (wait, expected) {
                (Some(wait), Some(expected)) => {
                    assert!((wait.as_secs_f64() * 1000.0 - expected).abs() < 0.001);
                }
                (wait, expected) => assert_eq!((wait, expected), (None, None)),
            }
            if wait.is_none() {
                break;
            }
            model_tokens -= cost;
            last_cost = Some(cost);
        }
        assert_eq!(i64::from(bucket.tokens()), model_tokens);
    }
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_cases() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/retry/standard-2.1.json");
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = document["tests"].as_array().unwrap();
    assert_eq!(cases.len(), 19);
    for case in cases {
        let given = &case["given"];
        let tokens = given["initial_retry_tokens"].as_u64().unwrap_or(500);
        let bucket = TokenBucket::with_tokens(u32::try_from(tokens).unwrap());
        let policy = RetryPolicy {
            max_attempts: u32::try_from(given["max_attempts"].as_u64().unwrap_or(3)).unwrap(),
            max_backoff: Duration::from_secs_f64(given["max_backoff_time"].as_f64().unwrap_or(20.0)),
            ..any()
        };
        let long_polling = given["long_polling"].as_bool().unwrap_or(false);
        match case["threads"].as_array() {
            None => run(&case["responses"], &mut Attempts::new(policy, &bucket), long_polling),
            Some(threads) => run_threads(threads, policy, &bucket),
        }
    }
}

/// An operation ends with a success; what follows is the next one on the same client.
fn run(responses: &Value, attempts: &mut Attempts<'_>, long_polling: bool) {
    for response in responses.as_array().unwrap() {
        step(response, attempts, long_polling);
        if response["expected"]["outcome"] == "success" {
            *attempts = Attempts::new(attempts.policy, attempts.bucket);
        }
    }
}

/// The steps of the threads in the one order that the expected quotas allow.
fn run_threads(threads: &[Value], policy: RetryPolicy, bucket: &TokenBucket) {
    let steps = |thread: usize| threads[thread].as_array().unwrap();
    let (mut first, mut second) = (Attempts::new(policy, bucket), Attempts::new(policy, bucket));
    step(&steps(0)[0], &mut first, false);
    step(&steps(0)[1], &mut first, false);
    step(&steps(1)[0], &mut second, false);
    step(&steps(1)[1], &mut second, false);
    step(&steps(0)[2], &mut first, false);
    assert_eq!(bucket.tokens(), 486);
}

fn step(step: &Value, attempts: &mut Attempts<'_>, long_polling: bool) {
    let (response, expected) = (&step["response"], &step["expected"]);
    let status = u16::try_from(response["status_code"].as_u64().unwrap()).unwrap();
    attempts.begin();
    let wait = if status == 200 {
        attempts.succeeded();
        None
    } else {
        let retry_after = response["headers"]["x-amz-retry-after"].as_str();
        attempts.after(failure(&refused(status, response["error_code"].as_str(), retry_after)), 1.0)
    };
    assert_eq!(wait.is_some(), expected["outcome"] == "retry_request", "{step}");
    // An operation that polls for long sleeps even when the bucket is empty; this service has none.
    if (!long_polling || wait.is_some())
        && let Some(delay) = expected["delay"].as_f64()
    {
        assert_eq!(wait.unwrap().as_millis(), Duration::from_secs_f64(delay).as_millis(), "{step}");
    }
    if let Some(quota) = expected["retry_quota"].as_u64() {
        assert_eq!(u64::from(attempts.bucket.tokens()), quota, "{step}");
    }
}
