//! A wrong clock of this machine or of a server: when the time is corrected, and when it is not.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sagemaker_invoke::{Client, Config, RetryPolicy};

use super::support::{FakeSystem, REGION, Received, SECRET_ACCESS_KEY, response, time_of, verify};
use super::{peer_with, request, run, system};

/// Like [`system`], with a time of day behind by this.
fn system_behind(behind: Duration) -> Arc<FakeSystem> {
    Arc::new(
        FakeSystem::on_loopback(&[])
            .with_stopped_clock()
            .with_clock_behind(behind)
            .with_random(0),
    )
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
