//! Retries over real connections, with a fake clock.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use sagemaker_invoke::{
    CallOptions, Client, Config, InvokeEndpoint, Resend, RetryPolicy, Timeouts,
};
use support::{FakeSystem, Peer, REGION, Received, SECRET_ACCESS_KEY, response, time_of, verify};

/// A system whose clocks are advanced by sleeps only.
fn system(random: u64) -> Arc<FakeSystem> {
    Arc::new(
        FakeSystem::on_loopback(&[])
            .with_stopped_clock()
            .with_random(random),
    )
}

/// Like [`system`], with a time of day behind by this.
fn system_behind(behind: Duration) -> Arc<FakeSystem> {
    Arc::new(
        FakeSystem::on_loopback(&[])
            .with_stopped_clock()
            .with_clock_behind(behind)
            .with_random(0),
    )
}

/// Sends these responses to the first requests, and 200 to all later ones.
fn peer_with(responses: Vec<Vec<u8>>) -> Peer {
    let responses = Arc::new(Mutex::new(responses.into_iter()));
    Peer::new(move |mut connection| {
        while connection.request().is_some() {
            let response = responses
                .lock()
                .unwrap()
                .next()
                .unwrap_or_else(|| response(200, &[], "answer"));
            connection.send(response);
        }
    })
}

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

fn request() -> InvokeEndpoint<'static> {
    InvokeEndpoint::new("e", b"body")
}

struct Run {
    result: Result<sagemaker_invoke::InvokeEndpointResponse, sagemaker_invoke::Error>,
    requests: Vec<Arc<Received>>,
    slept: Duration,
}

impl Run {
    /// The values of this header, one for each request.
    fn header(&self, name: &str) -> Vec<&str> {
        self.requests
            .iter()
            .map(|request| request.header(name).unwrap())
            .collect()
    }
}

/// One call with this policy to a peer with these responses. All attempts must share one connection.
fn run(responses: Vec<Vec<u8>>, system: &Arc<FakeSystem>, retry: RetryPolicy) -> Run {
    let peer = peer_with(responses);
    let config = Config {
        system: Arc::<FakeSystem>::clone(system),
        retry,
        ..peer.config()
    };
    let result = Client::new(config).unwrap().invoke(&request());
    assert!(peer.connections() <= 1);
    Run {
        result,
        requests: peer.requests(),
        slept: system.slept(),
    }
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

/// A refusal with this code, and with the current time in the header `date`.
fn refused_now(code: &str) -> Vec<u8> {
    let date = http_date(SystemTime::now());
    response(
        403,
        &[("x-amzn-errortype", code), ("date", &date)],
        r#"{"message":"Signature expired"}"#,
    )
}

/// The format of the header `date`: IMF-fixdate of RFC 9110.
fn http_date(time: SystemTime) -> String {
    let format =
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT";
    let format = time::format_description::parse_borrowed::<2>(format).unwrap();
    time::OffsetDateTime::from(time).format(&format).unwrap()
}

#[test]
fn a_wrong_clock_is_corrected_and_the_request_retried() {
    let system = system_behind(Duration::from_secs(3600));
    let run = run(
        vec![refused_now("InvalidSignatureException")],
        &system,
        RetryPolicy::default(),
    );
    assert_eq!(run.result.unwrap().timings.attempts, 2);
    assert!(
        verify(&run.requests[0], SECRET_ACCESS_KEY, REGION)
            .unwrap_err()
            .contains("expired")
    );
    verify(&run.requests[1], SECRET_ACCESS_KEY, REGION).unwrap();
}

#[test]
fn a_second_clock_error_is_final_and_so_is_the_first_without_correction() {
    let system = system_behind(Duration::from_secs(3600));
    let responses = vec![
        refused_now("InvalidSignatureException"),
        refused_now("InvalidSignatureException"),
    ];
    let corrected = run(responses.clone(), &system, RetryPolicy::default());
    assert_eq!(
        (
            corrected.result.unwrap_err().attempts(),
            corrected.requests.len()
        ),
        (2, 2)
    );
    let without_correction = RetryPolicy {
        correct_clock: false,
        ..RetryPolicy::default()
    };
    let uncorrected = run(responses, &system, without_correction);
    assert_eq!(
        (
            uncorrected.result.unwrap_err().attempts(),
            uncorrected.requests.len()
        ),
        (1, 1)
    );
}

fn is_signed_for_now(request: &Received) -> bool {
    let (time, now) = (
        time_of(request.header("x-amz-date").unwrap()).unwrap(),
        SystemTime::now(),
    );
    now.duration_since(time)
        .unwrap_or_else(|early| early.duration())
        < Duration::from_secs(60)
}

/// A success with a wrong Date, then a refusal without one: the next request is signed with our own time.
#[test]
fn a_correction_that_a_refusal_does_not_confirm_is_dropped() {
    for ahead in [true, false] {
        let hour = Duration::from_secs(3600);
        let wrong = if ahead {
            SystemTime::now() + hour
        } else {
            SystemTime::now() - hour
        };
        let wrong = response(200, &[("date", &http_date(wrong))], "first");
        let refused = response(
            403,
            &[("x-amzn-errortype", "InvalidSignatureException")],
            "{}",
        );
        let peer = peer_with(vec![wrong, refused]);
        let client = Client::new(Config {
            system: system(0),
            ..peer.config()
        })
        .unwrap();
        for attempts in [1, 2, 1] {
            assert_eq!(
                client.invoke(&request()).unwrap().timings.attempts,
                attempts
            );
        }
        let is_right: Vec<bool> = peer
            .requests()
            .iter()
            .map(|it| is_signed_for_now(it))
            .collect();
        assert_eq!(is_right, [true, false, true, true], "{ahead}");
    }
}

/// A refusal whose Date confirms the correction is final.
#[test]
fn a_correction_that_a_refusal_confirms_stays() {
    let date = http_date(SystemTime::now() + Duration::from_secs(3600));
    let headers = [
        ("x-amzn-errortype", "InvalidSignatureException"),
        ("date", date.as_str()),
    ];
    let peer = peer_with(vec![
        response(200, &[("date", &date)], "first"),
        response(403, &headers, "{}"),
    ]);
    let client = Client::new(Config {
        system: system(0),
        ..peer.config()
    })
    .unwrap();
    client.invoke(&request()).unwrap();
    assert_eq!(client.invoke(&request()).unwrap_err().attempts(), 1);
}

#[test]
fn sign_uses_the_corrected_time_unless_correction_is_off() {
    for (correct_clock, is_corrected) in [(true, true), (false, false)] {
        let peer = peer_with(vec![refused_now("InvalidSignatureException")]);
        let retry = RetryPolicy {
            correct_clock,
            ..RetryPolicy::default()
        };
        let system = system_behind(Duration::from_secs(3600));
        let client = Client::new(Config {
            system,
            retry,
            ..peer.config()
        })
        .unwrap();
        assert_eq!(client.invoke(&request()).is_ok(), is_corrected);
        let request = request();
        let signed = client.sign(&request).unwrap();
        let date = signed
            .headers
            .iter()
            .find(|(name, _)| name == "x-amz-date")
            .unwrap()
            .1
            .clone();
        let distance = SystemTime::now()
            .duration_since(time_of(&date).unwrap())
            .unwrap_or_default();
        assert_eq!(
            distance < Duration::from_secs(60),
            is_corrected,
            "{distance:?}"
        );
    }
}

#[test]
fn other_refusals_are_not_clock_errors() {
    let run = run(
        vec![refused_now("AccessDeniedException")],
        &system(0),
        RetryPolicy::default(),
    );
    assert_eq!(
        (run.result.unwrap_err().attempts(), run.requests.len()),
        (1, 1)
    );
}

/// The Date is wrong and the code can mean a wrong clock, but the status does not say that nothing ran.
#[test]
fn an_error_that_may_have_run_is_not_corrected() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let in_header = response(
        424,
        &[("x-amzn-errortype", "AccessDeniedException"), date],
        "{}",
    );
    let in_body = response(500, &[date], r#"{"code":"AccessDeniedException"}"#);
    for refused in [in_header, in_body] {
        let run = run(vec![refused], &system(0), RetryPolicy::default());
        assert_eq!(run.requests.len(), 1, "{:?}", run.result);
        assert!(run.result.unwrap_err().may_have_run());
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
