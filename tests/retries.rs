//! What is sent again over a real connection, under a clock of the test's own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use sagemaker_invoke::host::Host;
use sagemaker_invoke::{CallOptions, Client, Config, InvokeEndpoint, Resend, RetryPolicy, Timeouts};
use support::{Peer, REGION, Received, SECRET_ACCESS_KEY, response, time_of, verify};

/// A clock that stands but for sleeps, and that may be off.
#[derive(Debug)]
struct TestHost {
    started_at: (Instant, SystemTime),
    slept: Mutex<Duration>,
    random: u64,
}

impl TestHost {
    fn new(random: u64) -> Arc<Self> {
        Arc::new(Self { started_at: (Instant::now(), SystemTime::now()), slept: Mutex::default(), random })
    }

    fn slow_by(duration: Duration) -> Arc<Self> {
        let started_at = (Instant::now(), SystemTime::now() - duration);
        Arc::new(Self { started_at, slept: Mutex::default(), random: 0 })
    }

    fn slept(&self) -> Duration {
        *self.slept.lock().unwrap()
    }
}

impl Host for TestHost {
    fn now(&self) -> SystemTime {
        self.started_at.1 + self.slept()
    }

    fn instant(&self) -> Instant {
        self.started_at.0 + self.slept()
    }

    fn sleep(&self, duration: Duration) {
        *self.slept.lock().unwrap() += duration;
    }

    fn random(&self) -> u64 {
        self.random
    }
}

/// Answers the first requests with these in turn, and all the rest with 200.
fn peer_with(answers: Vec<Vec<u8>>) -> Peer {
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    Peer::new(move |mut connection| {
        while connection.request().is_some() {
            let answer = answers.lock().unwrap().next().unwrap_or_else(|| response(200, &[], "answer"));
            connection.say(answer);
        }
    })
}

fn throttled() -> Vec<u8> {
    response(400, &[("x-amzn-errortype", "ThrottlingException")], r#"{"message":null}"#)
}

fn not_ready() -> Vec<u8> {
    response(429, &[("x-amzn-errortype", "ModelNotReadyException")], r#"{"Message":"loading"}"#)
}

fn request() -> InvokeEndpoint<'static> {
    InvokeEndpoint::new("e", b"body")
}

struct Run {
    result: Result<sagemaker_invoke::InvokeEndpointResponse, sagemaker_invoke::Error>,
    requests: Vec<Arc<Received>>,
    slept: Duration,
}

fn run(answers: Vec<Vec<u8>>, host: &Arc<TestHost>, retry: RetryPolicy) -> Run {
    let peer = peer_with(answers);
    let config = Config { host: Arc::<TestHost>::clone(host), retry, ..peer.config() };
    let result = Client::new(config).unwrap().invoke(&request());
    assert!(peer.connections() <= 1);
    Run { result, requests: peer.requests(), slept: host.slept() }
}

#[test]
fn throttling_is_waited_out_and_each_attempt_is_signed_afresh() {
    let host = TestHost::new(u64::MAX);
    let run = run(vec![throttled(), throttled()], &host, RetryPolicy::default());
    assert_eq!(run.result.unwrap().timings.attempts, 3);
    assert_eq!(run.slept, Duration::from_secs(1 + 2));
    assert_eq!(run.requests.len(), 3);
    let header =
        |name: &str| run.requests.iter().map(|it| it.header(name).unwrap().to_owned()).collect::<Vec<_>>();
    let dates = header("x-amz-date");
    let seconds_between = |first: usize, second: usize| {
        time_of(&dates[second]).unwrap().duration_since(time_of(&dates[first]).unwrap())
    };
    assert_eq!(seconds_between(0, 1).unwrap().as_secs(), 1);
    assert_eq!(seconds_between(1, 2).unwrap().as_secs(), 2);
    let ids = header("amz-sdk-invocation-id");
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[0].len() == 36);
    let attempts = header("amz-sdk-request");
    assert_eq!(attempts[0], "attempt=1; max=3");
    assert!(attempts[1].starts_with("ttl=2") && attempts[1].ends_with("Z; attempt=2; max=3"), "{attempts:?}");
    assert!(attempts[2].ends_with("; attempt=3; max=3"));
    for request in &run.requests {
        verify(request, SECRET_ACCESS_KEY, REGION).unwrap();
        assert!(!request.header("authorization").unwrap().contains("amz-sdk"));
    }
}

#[test]
fn the_last_error_tells_how_many_attempts_there_were() {
    let answers = vec![throttled(), throttled(), throttled(), throttled()];
    let run = run(answers, &TestHost::new(0), RetryPolicy::default());
    let error = run.result.unwrap_err();
    assert!(error.is_throttled() && !error.may_have_run());
    assert_eq!((error.attempts(), run.requests.len()), (3, 3));
    assert_eq!(error.to_string(), "ThrottlingException (HTTP 400, attempt 3)");
}

#[test]
fn a_failed_service_is_asked_again_only_with_leave() {
    for (resend, requests) in
        [(Resend::Never, 1), (Resend::NotSent, 1), (Resend::Rejected, 1), (Resend::Any, 2)]
    {
        let policy = RetryPolicy { resend, ..RetryPolicy::default() };
        let unavailable = response(503, &[("x-amzn-errortype", "ServiceUnavailable")], "{}");
        let run = run(vec![unavailable], &TestHost::new(0), policy);
        assert_eq!(run.requests.len(), requests, "{resend:?}");
        assert!(run.result.is_ok() == (resend == Resend::Any));
        assert!(run.result.map_or_else(|error| error.may_have_run(), |_| true));
    }
}

#[test]
fn an_attempt_that_may_have_run_outweighs_a_later_refusal() {
    let policy = RetryPolicy { resend: Resend::Any, max_attempts: 2, ..RetryPolicy::default() };
    let failed = response(500, &[("x-amzn-errortype", "InternalFailure")], "{}");
    let run = run(vec![failed, throttled()], &TestHost::new(0), policy);
    let error = run.result.unwrap_err();
    assert_eq!((error.attempts(), run.requests.len()), (2, 2));
    assert!(error.may_have_run() && error.code() == Some("InternalFailure"), "{error}");
}

#[test]
fn a_model_that_loads_is_waited_for() {
    let policy = RetryPolicy {
        resend: Resend::Never,
        wait_until_ready: Some(Duration::from_secs(300)),
        ..RetryPolicy::default()
    };
    let run_of = |count: usize| run(vec![not_ready(); count], &TestHost::new(u64::MAX), policy);
    let run = run_of(2);
    assert_eq!((run.requests.len(), run.slept), (3, Duration::from_millis(2500)));
    run.result.unwrap();
    let run = run_of(20);
    assert_eq!(run.requests.len(), 21);
    run.result.unwrap();
    let run = run_of(100);
    let error = run.result.unwrap_err();
    assert!(error.is_not_ready() && !error.may_have_run() && run.slept <= Duration::from_secs(300));
    assert!(run.slept > Duration::from_secs(280), "{:?}", run.slept);
}

#[test]
fn without_that_a_model_that_loads_is_a_refusal_like_any_other() {
    let run = run(vec![not_ready(); 3], &TestHost::new(u64::MAX), RetryPolicy::default());
    assert!(run.result.unwrap_err().is_not_ready());
    assert_eq!((run.requests.len(), run.slept), (3, Duration::from_secs(3)));
}

#[test]
fn the_services_wish_is_kept_within_bounds() {
    for (wish, seconds) in [("1500", 1.5), ("99999", 6.0), ("0", 1.0), ("-1", 1.0), ("tomorrow", 1.0)] {
        let headers = [("x-amzn-errortype", "ThrottlingException"), ("x-amz-retry-after", wish)];
        let run = run(vec![response(400, &headers, "{}")], &TestHost::new(u64::MAX), RetryPolicy::default());
        assert_eq!(run.slept.as_secs_f64(), seconds, "{wish}");
    }
}

/// A refusal for a signature's time, with the service's own clock in it.
fn skewed(code: &str) -> Vec<u8> {
    let date = http_date(SystemTime::now());
    response(403, &[("x-amzn-errortype", code), ("date", &date)], r#"{"message":"Signature expired"}"#)
}

fn http_date(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let amz_date = sagemaker_invoke::sigv4::AmzDate::from_unix_seconds(seconds).unwrap().to_string();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let field = |from: usize, to: usize| amz_date.get(from..to).unwrap();
    let (day, month) = (field(6, 8), months[field(4, 6).parse::<usize>().unwrap() - 1]);
    let weekday = days[usize::try_from(seconds / 86_400 % 7).unwrap()];
    let (year, time) = (field(0, 4), [field(9, 11), field(11, 13), field(13, 15)].join(":"));
    format!("{weekday}, {day} {month} {year} {time} GMT")
}

#[test]
fn a_clock_that_is_off_is_corrected_and_the_request_sent_once_more() {
    let host = TestHost::slow_by(Duration::from_secs(3600));
    let run = run(vec![skewed("InvalidSignatureException")], &host, RetryPolicy::default());
    assert_eq!(run.result.unwrap().timings.attempts, 2);
    assert!(verify(&run.requests[0], SECRET_ACCESS_KEY, REGION).unwrap_err().contains("expired"));
    verify(&run.requests[1], SECRET_ACCESS_KEY, REGION).unwrap();
}

#[test]
fn a_refusal_that_goes_on_is_final_and_so_is_one_with_correction_off() {
    let host = TestHost::slow_by(Duration::from_secs(3600));
    let answers = vec![skewed("InvalidSignatureException"), skewed("InvalidSignatureException")];
    let run_on = run(answers.clone(), &host, RetryPolicy::default());
    assert_eq!((run_on.result.unwrap_err().attempts(), run_on.requests.len()), (2, 2));
    let off = RetryPolicy { correct_clock: false, ..RetryPolicy::default() };
    let run_off = run(answers, &host, off);
    assert_eq!((run_off.result.unwrap_err().attempts(), run_off.requests.len()), (1, 1));
}

#[test]
fn sign_takes_the_corrected_time_unless_that_is_off() {
    for (correct_clock, is_right) in [(true, true), (false, false)] {
        let peer = peer_with(vec![skewed("InvalidSignatureException")]);
        let retry = RetryPolicy { correct_clock, ..RetryPolicy::default() };
        let host = TestHost::slow_by(Duration::from_secs(3600));
        let client = Client::new(Config { host, retry, ..peer.config() }).unwrap();
        assert_eq!(client.invoke(&request()).is_ok(), is_right);
        let request = request();
        let signed = client.sign(&request).unwrap();
        let date = signed.headers.iter().find(|(name, _)| name == "x-amz-date").unwrap().1.clone();
        let distance = SystemTime::now().duration_since(time_of(&date).unwrap()).unwrap_or_default();
        assert_eq!(distance < Duration::from_secs(60), is_right, "{distance:?}");
    }
}

#[test]
fn a_right_clock_is_not_blamed() {
    let run = run(vec![skewed("AccessDeniedException")], &TestHost::new(0), RetryPolicy::default());
    assert_eq!((run.result.unwrap_err().attempts(), run.requests.len()), (1, 1));
}

#[test]
fn no_wait_outlasts_the_calls_deadline() {
    let peer = peer_with(vec![throttled(); 9]);
    let host = TestHost::new(u64::MAX);
    let timeouts = Timeouts { call: Some(Duration::from_millis(2500)), ..peer.config().timeouts };
    let retry = RetryPolicy { max_attempts: 9, ..RetryPolicy::default() };
    let config = Config { host: Arc::<TestHost>::clone(&host), timeouts, retry, ..peer.config() };
    let error = Client::new(config).unwrap().invoke(&request()).unwrap_err();
    // 1 s, and then 2 s would end after 2.5 s.
    assert_eq!((host.slept(), error.attempts()), (Duration::from_secs(1), 2));
    assert!(error.is_throttled());
}

#[test]
fn a_calls_own_policy_stands_in_for_the_clients() {
    let peer = peer_with(vec![throttled()]);
    let client = Client::new(peer.config()).unwrap();
    let retry = Some(RetryPolicy { resend: Resend::Never, ..RetryPolicy::default() });
    let error = client.invoke_with(&request(), &CallOptions { retry, ..CallOptions::default() }).unwrap_err();
    assert_eq!((error.attempts(), peer.requests().len()), (1, 1));
}

#[test]
fn timings_tell_where_the_time_went() {
    let peer = Peer::new(|mut connection| {
        while connection.request().is_some() {
            std::thread::sleep(Duration::from_millis(50));
            connection.say("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nans");
            std::thread::sleep(Duration::from_millis(50));
            connection.say("wer");
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
        assert!(timings.total >= steps && timings.attempts == 1, "{timings:?}");
        assert_eq!(timings.bytes_received, 6);
        assert!(timings.bytes_sent > 300, "{timings:?}");
    }
}
