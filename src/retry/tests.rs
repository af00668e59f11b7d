use serde_json::Value;

use super::*;
use crate::testing::Random;

fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        retry_after: None,
        elapsed: Duration::ZERO,
    }
}

fn any() -> RetryPolicy {
    RetryPolicy {
        resend: Resend::Any,
        ..RetryPolicy::default()
    }
}

/// Begins an attempt that fails, with random = 1; the wait in milliseconds.
fn wait(attempts: &mut Attempts<'_>, failure: Failure) -> Option<u128> {
    attempts.begin();
    attempts.after(failure, 1.0).map(|wait| wait.as_millis())
}

#[test]
fn waits_double_and_stop_at_the_last_attempt() {
    let bucket = TokenBucket::default();
    let policy = RetryPolicy {
        max_attempts: 12,
        ..any()
    };
    let mut attempts = Attempts::new(policy, &bucket);
    let waits: Vec<_> = (0..12)
        .map(|_| wait(&mut attempts, failure(FailureKind::MayHaveRun)))
        .collect();
    let expected = [
        50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 20_000, 20_000,
    ]
    .map(Some);
    assert_eq!(waits, [&expected[..], &[None]].concat());
    assert_eq!(bucket.tokens(), 500 - 11 * 14);
}

#[test]
fn jitter_takes_its_part_of_the_wait() {
    let bucket = TokenBucket::default();
    for (random, milliseconds) in [(0.0, 0), (0.5, 25), (1.0, 50)] {
        let mut attempts = Attempts::new(any(), &bucket);
        attempts.begin();
        assert_eq!(
            attempts.after(failure(FailureKind::MayHaveRun), random),
            Some(Duration::from_millis(milliseconds))
        );
    }
}

#[test]
fn throttling_waits_longer_costs_less_and_gives_back() {
    let bucket = TokenBucket::default();
    let mut attempts = Attempts::new(RetryPolicy::default(), &bucket);
    assert_eq!(
        wait(&mut attempts, failure(FailureKind::Throttled)),
        Some(1000)
    );
    assert_eq!(bucket.tokens(), 495);
    attempts.succeeded();
    assert_eq!(bucket.tokens(), 500);
}

#[test]
fn an_empty_bucket_ends_the_call_and_success_fills_it() {
    let bucket = TokenBucket::with_tokens(13);
    assert_eq!(
        wait(
            &mut Attempts::new(any(), &bucket),
            failure(FailureKind::MayHaveRun)
        ),
        None
    );
    Attempts::new(any(), &bucket).succeeded();
    assert_eq!(bucket.tokens(), 14);
    assert_eq!(
        wait(
            &mut Attempts::new(any(), &bucket),
            failure(FailureKind::MayHaveRun)
        ),
        Some(50)
    );
}

#[test]
fn a_requested_delay_is_kept_within_bounds() {
    for (delay, expected) in [(1500, 1500), (0, 50), (10_000, 5050)] {
        let bucket = TokenBucket::default();
        let retry_after = Some(Duration::from_millis(delay));
        let failure = Failure {
            retry_after,
            ..failure(FailureKind::MayHaveRun)
        };
        assert_eq!(
            wait(&mut Attempts::new(any(), &bucket), failure),
            Some(expected),
            "{delay}"
        );
    }
    let bucket = TokenBucket::default();
    let failure = Failure {
        retry_after: Some(Duration::ZERO),
        ..failure(FailureKind::Final)
    };
    assert_eq!(
        wait(&mut Attempts::new(any(), &bucket), failure),
        None,
        "a delay makes nothing retryable"
    );
}

/// The least policy under which a failure is sent again; `None` for never.
const LEAST_POLICIES: [(FailureKind, Option<Resend>); 6] = [
    (FailureKind::NotSent, Some(Resend::NotSent)),
    (FailureKind::Throttled, Some(Resend::Rejected)),
    (FailureKind::NotReady, Some(Resend::Rejected)),
    (FailureKind::Corrected, Some(Resend::Rejected)),
    (FailureKind::MayHaveRun, Some(Resend::Any)),
    (FailureKind::Final, None),
];

#[test]
fn each_policy_allows_what_it_says() {
    for (kind, least) in LEAST_POLICIES {
        for resend in [
            Resend::Never,
            Resend::NotSent,
            Resend::Rejected,
            Resend::Any,
        ] {
            let bucket = TokenBucket::default();
            let mut attempts = Attempts::new(
                RetryPolicy {
                    resend,
                    ..RetryPolicy::default()
                },
                &bucket,
            );
            let is_resent = wait(&mut attempts, failure(kind)).is_some();
            assert_eq!(
                is_resent,
                least.is_some_and(|least| resend >= least),
                "{kind:?} {resend:?}"
            );
        }
    }
}

#[test]
fn what_was_corrected_is_sent_again_once() {
    let bucket = TokenBucket::default();
    let mut attempts = Attempts::new(
        RetryPolicy {
            max_attempts: 9,
            ..RetryPolicy::default()
        },
        &bucket,
    );
    assert!(wait(&mut attempts, failure(FailureKind::Corrected)).is_some());
    assert!(wait(&mut attempts, failure(FailureKind::Corrected)).is_none());
}

#[test]
fn waiting_for_a_model_uses_neither_attempts_nor_tokens() {
    let bucket = TokenBucket::default();
    let limit = Duration::from_secs(60);
    let policy = RetryPolicy {
        resend: Resend::Never,
        wait_until_ready: Some(limit),
        ..RetryPolicy::default()
    };
    let mut attempts = Attempts::new(policy, &bucket);
    let mut elapsed = Duration::ZERO;
    let mut waits = Vec::new();
    while let Some(wait) = wait(
        &mut attempts,
        Failure {
            elapsed,
            ..failure(FailureKind::NotReady)
        },
    ) {
        waits.push(wait);
        elapsed += Duration::from_millis(u64::try_from(wait).unwrap());
    }
    assert_eq!(
        waits,
        [1000, 1500, 2250, 3375, 5062, 7593, 10_000, 10_000, 10_000]
    );
    assert!(elapsed <= limit);
    assert_eq!(bucket.tokens(), 500);
}

#[test]
fn a_model_that_loads_may_say_how_long() {
    let bucket = TokenBucket::default();
    let limit = Duration::from_secs(7);
    let policy = RetryPolicy {
        wait_until_ready: Some(limit),
        ..RetryPolicy::default()
    };
    for (delay, expected) in [(10, 1000), (2500, 2500), (60_000, 6000)] {
        let retry_after = Some(Duration::from_millis(delay));
        let failure = Failure {
            retry_after,
            ..failure(FailureKind::NotReady)
        };
        assert_eq!(
            wait(&mut Attempts::new(policy, &bucket), failure),
            Some(expected),
            "{delay}"
        );
        let late = Failure {
            elapsed: limit - Duration::from_millis(999),
            ..failure
        };
        assert_eq!(Attempts::new(policy, &bucket).after(late, 1.0), None);
    }
}

/// The oracle is a naive implementation of the specification.
#[test]
fn any_run_of_outcomes_equals_the_naive_model() {
    let mut random = Random(7);
    let kinds = [
        FailureKind::MayHaveRun,
        FailureKind::Throttled,
        FailureKind::Final,
    ];
    let bucket = TokenBucket::with_tokens(100);
    let mut model_tokens = 100_i64;
    for _ in 0..5_000 {
        let max_attempts = u32::try_from(random.below(6)).unwrap();
        let mut attempts = Attempts::new(
            RetryPolicy {
                max_attempts,
                ..any()
            },
            &bucket,
        );
        let mut last_cost = None;
        for retry in 0.. {
            attempts.begin();
            let outcome = random.below(4);
            let Some(kind) = kinds.get(outcome) else {
                attempts.succeeded();
                model_tokens = (model_tokens + last_cost.unwrap_or(1)).min(500);
                break;
            };
            let jitter = f64::from(u32::try_from(random.below(101)).unwrap()) / 100.0;
            let (base, cost) = if outcome == 1 {
                (1000.0, 5)
            } else {
                (50.0, 14)
            };
            let may = outcome != 2 && retry + 1 < max_attempts && model_tokens >= cost;
            let longest = f64::min(base * 2_f64.powi(i32::try_from(retry).unwrap()), 20_000.0);
            let expected = if may { Some(jitter * longest) } else { None };
            let wait = attempts.after(failure(*kind), jitter);
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
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/vectors/retry/standard-2.1.json"
    );
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = document["tests"].as_array().unwrap();
    assert_eq!(cases.len(), 19);
    for case in cases {
        let given = &case["given"];
        let tokens = given["initial_retry_tokens"].as_u64().unwrap_or(500);
        let bucket = TokenBucket::with_tokens(u32::try_from(tokens).unwrap());
        let policy = RetryPolicy {
            max_attempts: u32::try_from(given["max_attempts"].as_u64().unwrap_or(3)).unwrap(),
            max_backoff: Duration::from_secs_f64(
                given["max_backoff_time"].as_f64().unwrap_or(20.0),
            ),
            ..any()
        };
        let long_polling = given["long_polling"].as_bool().unwrap_or(false);
        match case["threads"].as_array() {
            None => run(
                &case["responses"],
                &mut Attempts::new(policy, &bucket),
                long_polling,
            ),
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

/// The steps of the threads in the one order allowed by the expected quotas.
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

/// The specification's classes of the statuses and codes in its own cases.
fn kind_of(status: u16, code: Option<&str>) -> FailureKind {
    match (status, code) {
        (_, Some("Throttling" | "ThrottlingException" | "SlowDown")) => FailureKind::Throttled,
        (500 | 502 | 503 | 504, _) => FailureKind::MayHaveRun,
        _ => FailureKind::Final,
    }
}

fn step(step: &Value, attempts: &mut Attempts<'_>, long_polling: bool) {
    let (response, expected) = (&step["response"], &step["expected"]);
    let status = u16::try_from(response["status_code"].as_u64().unwrap()).unwrap();
    attempts.begin();
    let wait = if status == 200 {
        attempts.succeeded();
        None
    } else {
        let retry_after = response["headers"]["x-amz-retry-after"]
            .as_str()
            .and_then(|text| text.parse().ok());
        let kind = kind_of(status, response["error_code"].as_str());
        attempts.after(
            Failure {
                retry_after: retry_after.map(Duration::from_millis),
                ..failure(kind)
            },
            1.0,
        )
    };
    assert_eq!(
        wait.is_some(),
        expected["outcome"] == "retry_request",
        "{step}"
    );
    // An operation that polls for long sleeps even when the bucket is empty; this service has none.
    if (!long_polling || wait.is_some())
        && let Some(delay) = expected["delay"].as_f64()
    {
        assert_eq!(
            wait.unwrap().as_millis(),
            Duration::from_secs_f64(delay).as_millis(),
            "{step}"
        );
    }
    if let Some(quota) = expected["retry_quota"].as_u64() {
        assert_eq!(u64::from(attempts.bucket.tokens()), quota, "{step}");
    }
}
