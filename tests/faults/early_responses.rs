//! Responses that come before the request is sent completely.

use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::error::ServiceErrorKind;
use sagemaker_invoke::{Client, Config, Error, InvokeEndpoint, Timeouts};

use super::support::{Connection, Peer, response};

/// Larger than the socket buffers of both ends.
const LARGE_BODY_BYTES: usize = 24 * 1024 * 1024;

/// The error of a call with a large body. When a write has stalled for the limit `send`, the response is looked for.
fn error_for(config: Config) -> Error {
    let (short, long) = (
        Some(Duration::from_millis(500)),
        Some(Duration::from_secs(60)),
    );
    let timeouts = Timeouts {
        send: short,
        response: long,
        read: long,
        ..config.timeouts
    };
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
fn the_response_to_a_stalled_body_is_read_over_tls() {
    let certificates = super::support::tls::Certificates::trusted();
    let peer = certificates.peer_with(|connection| respond_and_stall(connection, 413));
    let error = error_for(certificates.config(&peer));
    assert_eq!(error.status(), Some(413), "{error:?}");
    assert_eq!(peer.connections(), 1);
}

/// Without a response, a stalled body ends with the limit.
#[test]
fn a_stalled_body_times_out() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        stop_reading(&connection);
    });
    let timeouts = Timeouts {
        send: Some(Duration::from_millis(300)),
        ..peer.config().timeouts
    };
    let client = Client::new(Config {
        timeouts,
        ..peer.config()
    })
    .unwrap();
    let body = vec![0; LARGE_BODY_BYTES];
    let error = client.invoke(&InvokeEndpoint::new("e", &body)).unwrap_err();
    assert!(
        matches!(error, Error::Timeout(_)) && !error.may_have_run(),
        "{error:?}"
    );
}

#[test]
fn an_error_response_before_the_end_of_the_body_is_read() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        connection.send(response(
            413,
            &[],
            "HTTP content length exceeded 5246976 bytes.",
        ));
        // A close with unread bytes is a reset.
        thread::sleep(Duration::from_millis(100));
        connection.close();
    });
    let error = error_for(peer.config());
    assert!(
        matches!(&error, Error::Service(it) if it.kind == ServiceErrorKind::PayloadTooLarge),
        "{error:?}"
    );
    assert!(
        !error.may_have_run() && error.to_string().contains("25 MB"),
        "{error}"
    );
}

#[test]
fn a_shutdown_during_a_write_counts_a_response_that_has_begun() {
    for (response, may_have_run) in [
        ("HTTP/1.1 500 Status\r\ncontent-length: 9\r\n\r\nhalf", true),
        ("", false),
    ] {
        let peer = Peer::new(move |mut connection| {
            connection.read_bytes(100_000);
            connection.send(response);
            stop_reading(&connection);
        });
        let client = Client::new(peer.config()).unwrap();
        let caller = thread::spawn({
            let client = client.clone();
            move || {
                let body = vec![0; LARGE_BODY_BYTES];
                client.invoke(&InvokeEndpoint::new("e", &body)).unwrap_err()
            }
        });
        while peer.connections() == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        // The write stalls, and the response has arrived.
        thread::sleep(Duration::from_millis(500));
        client.shutdown();
        let error = caller.join().unwrap();
        assert!(matches!(error, Error::ShutDown(_)), "{error:?}");
        assert_eq!(error.may_have_run(), may_have_run, "{error:?}");
        assert_eq!(peer.connections(), 1);
    }
}
