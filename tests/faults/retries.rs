//! Retries over real connections, with a fake clock.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sagemaker_invoke::{CallOptions, Client, Config, Resend, RetryPolicy, Timeouts};

use super::support::{FakeSystem, Peer, REGION, SECRET_ACCESS_KEY, response, time_of, verify};
use super::{peer_with, request, run, system};

fn throttled() -> Vec<u8> {
    response(
        400,
        &[("x-amzn-errortype", "ThrottlingException")],
        r#"{"message":null}"#,
    )
}

fn not_ready() -> Vec<u8> {
    response(
        429,
        &[("x-amzn-errortype", "ModelNotReadyException")],
        r#"{"Message":"loading"}"#,
    )
}

#[test]
fn a_throttled_request_is_retried_with_a_new_signature() {
    let system = system(u64::MAX);
    let run = run(
        vec![throttled(), throttled()],
        &system,
        RetryPolicy::default(),
    );
    assert_eq!(run.result.as_ref().unwrap().timings.attempts, 3);
    assert_eq!(run.slept, Duration::from_secs(1 + 2));
    assert_eq!(run.requests.len(), 3);
    let times: Vec<SystemTime> = run
        .header("x-amz-date")
        .into_iter()
        .map(|date| time_of(date).unwrap())
        .collect();
    assert_eq!(times[1].duration_since(times[0]).unwrap().as_secs(), 1);
    assert_eq!(times[2].duration_since(times[1]).unwrap().as_secs(), 2);
    let ids = run.header("amz-sdk-invocation-id");
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[0].len() == 36);
    let attempts = run.header("amz-sdk-request");
    assert_eq!(attempts[0], "attempt=1; max=3");
    assert!(
        attempts[1].starts_with("ttl=2") && attempts[1].ends_with("Z; attempt=2; max=3"),
        "{attempts:?}"
    );
    assert!(attempts[2].ends_with("; attempt=3; max=3"));
    for request in &run.requests {
        verify(request, SECRET_ACCESS_KEY, REGION).unwrap();
        assert!(!request.header("authorization").unwrap().contains("amz-sdk"));
    }
}

#[test]
fn the_last_error_has_the_number_of_attempts() {
    let responses = vec![throttled(), throttled(), throttled(), throttled()];
    let run = run(responses, &system(0), RetryPolicy::default());
    let error = run.result.unwrap_err();
    assert!(error.is_throttled() && !error.may_have_run());
    assert_eq!((error.attempts(), run.requests.len()), (3, 3));
    assert_eq!(
        error.to_string(),
        "ThrottlingException (HTTP 400, attempt 3)"
    );
}

#[test]
fn a_server_error_is_retried_only_by_policy_any() {
    for (resend, requests) in [
        (Resend::Never, 1),
        (Resend::NotSent, 1),
        (Resend::Rejected, 1),
        (Resend::Any, 2),
    ] {
        let policy = RetryPolicy {
            resend,
            ..RetryPolicy::default()
        };
        let unavailable = response(503, &[("x-amzn-errortype", "ServiceUnavailable")], "{}");
        let run = run(vec![unavailable], &system(0), policy);
        assert_eq!(run.requests.len(), requests, "{resend:?}");
        assert!(run.result.is_ok() == (resend == Resend::Any));
        assert!(
            run.result
                .map_or_else(|error| error.may_have_run(), |_| true)
        );
    }
}

#[test]
fn an_earlier_error_that_may_have_run_is_returned() {
    let policy = RetryPolicy {
        resend: Resend::Any,
        max_attempts: 2,
        ..RetryPolicy::default()
    };
    let failed = response(500, &[("x-amzn-errortype", "InternalFailure")], "{}");
    let run = run(vec![failed, throttled()], &system(0), policy);
    let error = run.result.unwrap_err();
    assert_eq!((error.attempts(), run.requests.len()), (2, 2));
    assert!(
        error.may_have_run() && error.code() == Some("InternalFailure"),
        "{error}"
    );
}

#[test]
fn the_client_waits_until_the_model_is_ready() {
    let policy = RetryPolicy {
        resend: Resend::Never,
        wait_until_ready: Some(Duration::from_secs(300)),
        ..RetryPolicy::default()
    };
    let soon = run(vec![not_ready(); 2], &system(u64::MAX), policy);
    assert_eq!(
        (soon.requests.len(), soon.slept),
        (3, Duration::from_millis(2500))
    );
    soon.result.unwrap();
    let late = run(vec![not_ready(); 20], &system(u64::MAX), policy);
    assert_eq!(late.requests.len(), 21);
    late.result.unwrap();
    let never = run(vec![not_ready(); 100], &system(u64::MAX), policy);
    let error = never.result.unwrap_err();
    assert!(
        error.is_not_ready() && !error.may_have_run() && never.slept <= Duration::from_secs(300)
    );
    assert!(never.slept > Duration::from_secs(280), "{:?}", never.slept);
}

#[test]
fn without_wait_until_ready_a_model_that_is_not_ready_is_a_rejection() {
    let run = run(
        vec![not_ready(); 3],
        &system(u64::MAX),
        RetryPolicy::default(),
    );
    assert!(run.result.unwrap_err().is_not_ready());
    assert_eq!((run.requests.len(), run.slept), (3, Duration::from_secs(3)));
}

#[test]
fn the_retry_after_header_is_applied_within_bounds() {
    for (retry_after, seconds) in [
        ("1500", 1.5),
        ("99999", 6.0),
        ("0", 1.0),
        ("-1", 1.0),
        ("tomorrow", 1.0),
    ] {
        let headers = [
            ("x-amzn-errortype", "ThrottlingException"),
            ("x-amz-retry-after", retry_after),
        ];
        let run = run(
            vec![response(400, &headers, "{}")],
            &system(u64::MAX),
            RetryPolicy::default(),
        );
        assert_eq!(run.slept.as_secs_f64(), seconds, "{retry_after}");
    }
}

#[test]
fn no_retry_begins_after_the_deadline() {
    let peer = peer_with(vec![throttled(); 9]);
    let system = system(u64::MAX);
    let timeouts = Timeouts {
        call: Some(Duration::from_millis(2500)),
        ..peer.config().timeouts
    };
    let retry = RetryPolicy {
        max_attempts: 9,
        ..RetryPolicy::default()
    };
    let config = Config {
        system: Arc::<FakeSystem>::clone(&system),
        timeouts,
        retry,
        ..peer.config()
    };
    let error = Client::new(config).unwrap().invoke(&request()).unwrap_err();
    // The waits are 1 s and 2 s; the second would end after the deadline of 2.5 s.
    assert_eq!(
        (system.slept(), error.attempts()),
        (Duration::from_secs(1), 2)
    );
    assert!(error.is_throttled());
}

#[test]
fn the_policy_of_call_options_replaces_the_clients() {
    let peer = peer_with(vec![throttled()]);
    let client = Client::new(peer.config()).unwrap();
    let retry = Some(RetryPolicy {
        resend: Resend::Never,
        ..RetryPolicy::default()
    });
    let error = client
        .invoke_with(
            &request(),
            &CallOptions {
                retry,
                ..CallOptions::default()
            },
        )
        .unwrap_err();
    assert_eq!((error.attempts(), peer.requests().len()), (1, 1));
}

#[test]
fn timings_cover_the_steps_of_a_call() {
    let peer = Peer::new(|mut connection| {
        while connection.request().is_some() {
            std::thread::sleep(Duration::from_millis(50));
            connection.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nans");
            std::thread::sleep(Duration::from_millis(50));
            connection.send("wer");
        }
    });
    let client = Client::new(peer.config()).unwrap();
    let first = client.invoke(&request()).unwrap().timings;
    let second = client.invoke(&request()).unwrap().timings;
    assert!(!first.connection_reused && second.connection_reused);
    for timings in [first, second] {
        assert!(
            timings.wait >= Duration::from_millis(50) && timings.read >= Duration::from_millis(49),
            "{timings:?}"
        );
        let steps = timings.credentials
            + timings.signing
            + timings.connect
            + timings.send
            + timings.wait
            + timings.read;
        assert!(
            timings.total >= steps && timings.attempts == 1,
            "{timings:?}"
        );
        assert_eq!(timings.bytes_received, 6);
        assert!(timings.bytes_sent > 300, "{timings:?}");
    }
}

#[test]
fn the_client_waits_until_a_component_is_scaled_from_zero() {
    let message = r#"{"Message":"Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress"}"#;
    let scaled_to_zero = || response(400, &[("x-amzn-errortype", "ValidationError")], message);
    let policy = RetryPolicy {
        resend: Resend::Never,
        wait_until_ready: Some(Duration::from_secs(300)),
        ..RetryPolicy::default()
    };
    let soon = run(vec![scaled_to_zero(); 2], &system(u64::MAX), policy);
    assert_eq!(soon.requests.len(), 3);
    soon.result.unwrap();
    let never = run(vec![scaled_to_zero(); 100], &system(u64::MAX), policy);
    let error = never.result.unwrap_err();
    assert!(error.is_not_ready() && !error.may_have_run(), "{error:?}");
    assert_eq!(
        (error.status(), error.code()),
        (Some(400), Some("ValidationError"))
    );
    // A container behind a gateway can write this into a body, after it ran the model.
    let unproven = run(vec![response(400, &[], message)], &system(u64::MAX), policy);
    let error = unproven.result.unwrap_err();
    assert!(!error.is_not_ready() && error.may_have_run(), "{error:?}");
}
