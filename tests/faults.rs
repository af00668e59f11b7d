//! Answers that are none, limits that run out, and a client that goes on after each.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::error::Error as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::error::{Phase, Sent, ServiceErrorKind};
use sagemaker_invoke::host::Host;
use sagemaker_invoke::{CallOptions, Client, Config, Endpoint, Error, InvokeEndpoint, Timeouts};
use support::{Peer, config, response};

/// What a limit of 200 ms may take on a busy machine.
const AT_MOST: Duration = Duration::from_secs(3);

fn request() -> InvokeEndpoint<'static> {
    InvokeEndpoint::new("e", b"body")
}

/// Calls a peer that answers the first exchange with these bytes and closes, and the next ones properly.
fn outcome_of(first_answer: impl Into<Vec<u8>>, change: impl FnOnce(Config) -> Config) -> Error {
    let first_answer = first_answer.into();
    let peer = Peer::new(move |mut connection| {
        if connection.number > 0 {
            return connection.always(response(200, &[], "next"));
        }
        connection.request();
        connection.say(&first_answer);
        connection.close();
    });
    let client = Client::new(change(peer.config())).unwrap();
    let error = client.invoke(&request()).unwrap_err();
    assert_eq!(client.invoke(&request()).unwrap().body, b"next");
    error
}

#[test]
fn what_is_not_http_is_told() {
    let endless_header = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000));
    let many_headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200));
    for answer in [
        "garbage\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        &endless_header,
        &many_headers,
    ] {
        let error = outcome_of(answer, |config| config);
        let head = answer.get(..20).unwrap_or(answer);
        assert!(matches!(error, Error::InvalidResponse(_)), "{head}: {error:?}");
        assert!(error.may_have_run() && error.source().is_some(), "{head}: {error:?}");
    }
}

#[test]
fn a_response_that_ends_early_is_told() {
    for answer in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n1234",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123",
    ] {
        let error = outcome_of(answer, |config| config);
        assert!(matches!(error, Error::Broken(_)) && error.may_have_run(), "{answer:?}: {error:?}");
        assert!(error.source().unwrap().to_string().contains("closed"), "{answer:?}: {error:?}");
    }
}

#[test]
fn a_longer_answer_than_announced_does_not_spill_into_the_next() {
    let peer =
        Peer::answering([response(200, &[], "short"), b"HTTP/1.1 200 OK\r\n\r\nspilled".to_vec()].concat());
    let client = Client::new(peer.config()).unwrap();
    for _ in 0..3 {
        assert_eq!(client.invoke(&request()).unwrap().body, b"short");
    }
    assert_eq!(peer.connections(), 3);
}

#[test]
fn odd_but_legal_answers_are_read() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde";
    let not_utf_8 =
        b"HTTP/1.1 200 OK\r\nx-amzn-requestid: \xff\xfe\r\ncontent-length: 5\r\n\r\nabcde".to_vec();
    for answer in [chunked.as_bytes().to_vec(), until_close.as_bytes().to_vec(), not_utf_8] {
        let peer = Peer::new(move |mut connection| {
            connection.request();
            connection.say(&answer);
            connection.close();
        });
        let client = Client::new(peer.config()).unwrap();
        let answer = client.invoke(&request()).unwrap();
        assert_eq!(answer.body, b"abcde");
        assert!(answer.request_id.is_none_or(|id| id == "\u{fffd}\u{fffd}"));
    }
}

#[test]
fn a_response_over_the_limit_is_refused_before_it_is_read() {
    let limit = |config| Config { max_response_bytes: 10, ..config };
    let announced = "HTTP/1.1 200 OK\r\nx-amzn-requestid: r\r\ncontent-length: 11\r\n\r\n";
    let error = outcome_of(announced, limit);
    assert!(error.may_have_run());
    assert_eq!((error.request_id(), error.status(), error.attempts()), (Some("r"), Some(200), 1));
    let text = "the response is larger than the limit of 10 bytes: it announced 11; the inference has run";
    assert_eq!(error.to_string(), text);
    let error = outcome_of(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n",
        limit,
    );
    assert!(matches!(&error, Error::ResponseTooLarge(it) if it.announced.is_none()), "{error:?}");
    let peer = Peer::answering(response(200, &[], "1234567890"));
    assert_eq!(Client::new(limit(peer.config())).unwrap().invoke(&request()).unwrap().body.len(), 10);
}

#[test]
fn a_server_that_refuses_a_body_half_way_is_heard() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        connection.say(response(413, &[], "HTTP content length exceeded 5246976 bytes."));
        // The bytes that lie unread turn the close into a reset.
        thread::sleep(Duration::from_millis(100));
        connection.close();
    });
    let client = Client::new(peer.config()).unwrap();
    let body = vec![0; 24 * 1024 * 1024];
    let error = client.invoke(&InvokeEndpoint::new("e", &body)).unwrap_err();
    assert!(
        matches!(&error, Error::Service(it) if it.kind == ServiceErrorKind::PayloadTooLarge),
        "{error:?}"
    );
    assert!(!error.may_have_run() && error.to_string().contains("25 MB"), "{error}");
}

#[test]
fn a_reset_under_a_large_body_hints_at_the_payload_limit() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        connection.reset();
    });
    let retry = sagemaker_invoke::RetryPolicy { max_attempts: 1, ..Default::default() };
    let client = Client::new(Config { retry, ..peer.config() }).unwrap();
    let body = vec![0; 24 * 1024 * 1024];
    let error = client.invoke(&InvokeEndpoint::new("e", &body)).unwrap_err();
    let fault = error.fault().unwrap();
    assert_eq!((fault.phase, fault.sent), (Phase::Send, Sent::PartOfBody));
    assert!(error.to_string().contains("payload limit"), "{error}");
}

#[test]
fn a_closed_port_and_an_unknown_name_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let retry = sagemaker_invoke::RetryPolicy { max_attempts: 2, ..Default::default() };
    let client = Client::new(Config { retry, ..config(&format!("http://{address}")) }).unwrap();
    let error = client.invoke(&request()).unwrap_err();
    assert!(
        matches!(error, Error::Connect(_)) && !error.may_have_run() && error.attempts() == 2,
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        format!("could not connect to {address}: connecting failed in attempt 2; the inference has not run")
    );
    assert!(error.source().unwrap().to_string().contains("refused"));

    let host = Arc::new(Lookup(|_| Err(io::Error::other("no such name"))));
    let client = Client::new(Config { host, retry, ..config("http://nowhere.test") }).unwrap();
    let error = client.invoke(&request()).unwrap_err();
    assert_eq!(error.fault().unwrap().phase, Phase::Lookup);
    assert_eq!(error.source().unwrap().to_string(), "no such name");
}

/// A host whose lookups are a function of their number.
struct Lookup(fn(usize) -> io::Result<Vec<SocketAddr>>);

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lookup")
    }
}

impl Host for Lookup {
    fn lookup(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        self.0(COUNT.fetch_add(1, Ordering::SeqCst))
    }
}

#[test]
fn every_limit_holds_and_names_its_phase() {
    let short = Duration::from_millis(200);
    let stalled = Peer::new(|mut connection| connection.stall());
    let with = |timeouts| {
        let base = Timeouts { connect: AT_MOST, send: AT_MOST, response: AT_MOST, read: AT_MOST, call: None };
        let client =
            Client::new(Config { timeouts: Timeouts { ..change(base, timeouts) }, ..stalled.config() });
        let began = Instant::now();
        let error = client.unwrap().invoke(&request()).unwrap_err();
        assert!(began.elapsed() < AT_MOST, "{error}");
        assert!(began.elapsed() >= short, "{error}");
        assert!(matches!(error, Error::Timeout(_)) && error.may_have_run(), "{error:?}");
        error.fault().unwrap().phase
    };
    assert_eq!(with(("response", short)), Phase::Wait);
    assert_eq!(with(("call", short)), Phase::Wait);
}

fn change(timeouts: Timeouts, (name, limit): (&str, Duration)) -> Timeouts {
    match name {
        "response" => Timeouts { response: limit, ..timeouts },
        "call" => Timeouts { call: Some(limit), ..timeouts },
        other => panic!("{other}"),
    }
}

#[test]
fn a_lookup_that_hangs_is_given_up_under_the_connect_limit() {
    let host = Arc::new(Lookup(|_| {
        thread::sleep(Duration::from_secs(1));
        Err(io::ErrorKind::NotFound.into())
    }));
    let base = config("http://slow.test");
    let timeouts = Timeouts { connect: Duration::from_millis(100), ..base.timeouts };
    let retry = sagemaker_invoke::RetryPolicy { max_attempts: 1, ..Default::default() };
    let client = Client::new(Config { host, timeouts, retry, ..base }).unwrap();
    let began = Instant::now();
    let error = client.invoke(&request()).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(matches!(&error, Error::Timeout(fault) if fault.phase == Phase::Lookup), "{error:?}");
    assert!(!error.may_have_run());
}

#[test]
fn a_calls_own_limit_is_kept_beside_the_clients() {
    let stalled = Peer::new(|mut connection| connection.stall());
    let client = Client::new(stalled.config()).unwrap();
    let options = CallOptions { timeout: Some(Duration::from_millis(100)), ..CallOptions::default() };
    let began = Instant::now();
    let error = client.invoke_with(&request(), &options).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)) && began.elapsed() < AT_MOST, "{error:?}");
    assert!(error.fault().unwrap().elapsed >= Duration::from_millis(100));
    let none_left = CallOptions { timeout: Some(Duration::ZERO), ..CallOptions::default() };
    let error = client.invoke_with(&request(), &none_left).unwrap_err();
    assert!(
        matches!(&error, Error::Timeout(it) if it.phase == Phase::Prepare && it.attempts == 0),
        "{error:?}"
    );
}

#[test]
fn a_response_that_drips_is_cut_by_the_call_limit_only() {
    let peer = Peer::new(|mut connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
        for _ in 0..100 {
            connection.say("x");
            thread::sleep(Duration::from_millis(10));
        }
        connection.stall();
    });
    let timeouts = Timeouts { read: Duration::from_millis(500), ..peer.config().timeouts };
    let client = Client::new(Config { timeouts, ..peer.config() }).unwrap();
    assert_eq!(client.invoke(&request()).unwrap().body.len(), 100);
    let options = CallOptions { timeout: Some(Duration::from_millis(200)), ..CallOptions::default() };
    let error = client.invoke_with(&request(), &options).unwrap_err();
    assert!(matches!(&error, Error::Timeout(fault) if fault.phase >= Phase::Wait), "{error:?}");
}

#[test]
fn a_connection_that_the_server_closed_is_not_used_again() {
    let peer = Peer::new(|mut connection| {
        connection.request();
        connection.say(response(200, &[], "answer"));
        connection.close();
    });
    let client = Client::new(peer.config()).unwrap();
    for _ in 0..5 {
        client.invoke(&request()).unwrap();
        // The close travels over loopback; without the wait the race is on, which is another test's matter.
        thread::sleep(Duration::from_millis(30));
    }
    assert_eq!((peer.connections(), peer.requests().len()), (5, 5));
}

#[test]
fn shutdown_ends_calls_in_flight_and_refuses_new_ones() {
    let stalled = Peer::new(|mut connection| connection.stall());
    let client = Client::new(stalled.config()).unwrap();
    let other_peer = Peer::answering(response(200, &[], "other"));
    let other = Client::new(other_peer.config()).unwrap();
    other.invoke(&request()).unwrap();
    let caller = thread::spawn({
        let client = client.clone();
        move || client.invoke(&request()).unwrap_err()
    });
    while stalled.connections() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(50));
    let began = Instant::now();
    client.shutdown();
    let error = caller.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(matches!(error, Error::ShutDown(_)) && error.may_have_run(), "{error:?}");
    let error = client.invoke(&request()).unwrap_err();
    assert!(
        matches!(error, Error::ShutDown(_)) && !error.may_have_run() && error.attempts() == 0,
        "{error:?}"
    );
    assert_eq!(other.invoke(&request()).unwrap().body, b"other");
    assert_eq!(other_peer.connections(), 1);
}

#[test]
fn impossible_settings_are_refused_at_once() {
    let base = || config("http://127.0.0.1:1");
    let zero = Timeouts { read: Duration::ZERO, ..base().timeouts };
    for bad in [
        Config { timeouts: zero, ..base() },
        Config { region: None, ..base() },
        Config { endpoint: Endpoint::Url("nonsense".to_owned()), ..base() },
        Config { proxy: sagemaker_invoke::Proxy::Url("nonsense://".to_owned()), ..base() },
        Config { proxy: sagemaker_invoke::Proxy::Url("socks5://localhost".to_owned()), ..base() },
        Config { ca_bundle_pem: Some(b"not a certificate".to_vec()), ..base() },
    ] {
        let error = Client::new(bad).unwrap_err();
        assert!(matches!(error, Error::Config(_)) && !error.may_have_run(), "{error:?}");
    }
}

#[test]
fn a_reset_is_not_the_end_of_a_body() {
    let peer = Peer::new(|mut connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\npart");
        thread::sleep(Duration::from_millis(100));
        connection.reset();
    });
    let error = Client::new(peer.config()).unwrap().invoke(&request()).unwrap_err();
    assert!(matches!(&error, Error::Broken(fault) if fault.phase == Phase::Read), "{error:?}");
    assert!(error.may_have_run());
}

#[test]
fn an_impossible_length_is_an_error_even_without_a_limit() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n";
    let error = outcome_of(answer, |config| Config { max_response_bytes: u64::MAX, ..config });
    assert!(matches!(error, Error::ResponseTooLarge(_)), "{error:?}");
}
