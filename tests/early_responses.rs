//! Responses that come before the request is sent completely.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::error::ServiceErrorKind;
use sagemaker_invoke::{Client, Config, Error, InvokeEndpoint, Timeouts};
use support::{Connection, Peer, response};

/// Larger than the socket buffers of both ends.
const LARGE_BODY_BYTES: usize = 24 * 1024 * 1024;

/// The error of a call with a large body, whose own limits are of no help.
fn error_for(config: Config) -> Error {
    let long = Some(Duration::from_secs(60));
    error_with(config, Timeouts { send: long, response: long, read: long, ..Timeouts::default() })
}

fn error_with(config: Config, timeouts: Timeouts) -> Error {
    let client = Client::new(Config { timeouts, ..config }).unwrap();
    let body = vec![0; LARGE_BODY_BYTES];
    let began = Instant::now();
    let error = client.invoke(&InvokeEndpoint::new("e", &body)).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20), "{error:?}");
    error
}

/// Sends a response, reads no more of the body, and keeps the connection open.
fn respond_and_stall(mut connection: Connection, status: u16) {
    connection.read_bytes(100_000);
    connection.send(response(status, &[], "not read"));
    stop_reading(&connection);
}

/// Keeps the connection open until the test is over.
fn stop_reading(connection: &Connection) {
    while !connection.peer_is_dropped() {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[cfg_attr(windows, ignore = "the client waits until the limit")]
fn the_response_to_a_stalled_body_is_read() {
    for status in [400, 413, 501] {
        let peer = Peer::new(move |connection| respond_and_stall(connection, status));
        let error = error_for(peer.config());
        assert_eq!(error.status(), Some(status), "{error:?}");
        assert_eq!(peer.connections(), 1);
    }
}

#[cfg(feature = "rustls")]
#[test]
#[cfg_attr(windows, ignore = "the client waits until the limit")]
fn the_response_to_a_stalled_body_is_read_over_tls() {
    let certificates = support::tls::Certificates::trusted();
    let server = std::sync::Arc::clone(&certificates.server);
    let peer = Peer::new(move |connection| {
        if let Some(connection) = connection.accept_tls(&server) {
            respond_and_stall(connection, 413);
        }
    });
    let error = error_for(certificates.config(&peer));
    assert_eq!(error.status(), Some(413), "{error:?}");
    assert_eq!(peer.connections(), 1);
}

/// Its body may come in parts, with pauses.
#[test]
#[cfg_attr(windows, ignore = "the client waits until the limit")]
fn the_response_to_a_stalled_body_has_its_own_limits() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\ncontent-length: 6\r\n\r\n");
        for part in ["not ", "it"] {
            thread::sleep(Duration::from_millis(1_500));
            connection.send(part);
        }
        stop_reading(&connection);
    });
    let timeouts = Timeouts { send: Some(Duration::from_secs(1)), ..Timeouts::default() };
    let error = error_with(peer.config(), timeouts);
    assert!(matches!(&error, Error::Service(it) if it.status == 413 && it.body == "not it"), "{error:?}");
}

/// Stalls for longer than the client waits before it looks for a response.
fn stall_for_a_while(mut connection: Connection, interim: &str) {
    connection.send(interim);
    connection.read_bytes(1);
    thread::sleep(Duration::from_secs(1));
    let body = connection.unrecorded_request_body().unwrap();
    connection.send(response(200, &[], body.len().to_string()));
}

fn check_that_all_is_sent(config: Config) {
    let client = Client::new(config).unwrap();
    let output = client.invoke(&InvokeEndpoint::new("e", &vec![0; LARGE_BODY_BYTES])).unwrap();
    assert_eq!(output.body, LARGE_BODY_BYTES.to_string().as_bytes());
}

#[test]
fn an_interim_response_does_not_end_a_stalled_body() {
    for interim in ["", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let peer = Peer::new(move |connection| stall_for_a_while(connection, interim));
        check_that_all_is_sent(peer.config());
    }
}

/// A server of TLS 1.3 sends session tickets after the handshake, and the client reads them with the response.
#[cfg(feature = "rustls")]
#[test]
fn session_tickets_do_not_end_a_stalled_body() {
    let certificates = support::tls::Certificates::trusted();
    let server = std::sync::Arc::clone(&certificates.server);
    let peer = Peer::new(move |connection| {
        if let Some(connection) = connection.accept_tls(&server) {
            stall_for_a_while(connection, "");
        }
    });
    check_that_all_is_sent(certificates.config(&peer));
}

/// Without a response, a stalled body ends with the limit.
#[test]
fn a_stalled_body_times_out() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        stop_reading(&connection);
    });
    let timeouts = Timeouts { send: Some(Duration::from_millis(300)), ..peer.config().timeouts };
    let client = Client::new(Config { timeouts, ..peer.config() }).unwrap();
    let body = vec![0; LARGE_BODY_BYTES];
    let error = client.invoke(&InvokeEndpoint::new("e", &body)).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)) && !error.may_have_run(), "{error:?}");
}

#[test]
fn an_error_response_before_the_end_of_the_body_is_read() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        connection.send(response(413, &[], "HTTP content length exceeded 5246976 bytes."));
        // A close with unread bytes is a reset.
        thread::sleep(Duration::from_millis(100));
        connection.close();
    });
    let error = error_for(peer.config());
    assert!(
        matches!(&error, Error::Service(it) if it.kind == ServiceErrorKind::PayloadTooLarge),
        "{error:?}"
    );
    assert!(!error.may_have_run() && error.to_string().contains("25 MB"), "{error}");
}
