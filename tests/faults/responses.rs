//! Invalid, incomplete and too large responses, and lost connections. After each the client stays usable.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sagemaker_invoke::error::{Phase, Sent};
use sagemaker_invoke::{Client, Config, Error, InvokeEndpoint, RetryPolicy};

use super::request;
use super::support::{ClosedPort, FakeSystem, Peer, config, response};

/// The error of a call to a peer that sends these bytes and closes. Checks that the next call succeeds.
fn error_for(first_response: impl Into<Vec<u8>>, change: impl FnOnce(Config) -> Config) -> Error {
    let first_response = first_response.into();
    let peer = Peer::new(move |mut connection| {
        if connection.number > 0 {
            return connection.respond_to_all(response(200, &[], "next"));
        }
        connection.request();
        connection.send(&first_response);
        connection.close();
    });
    let client = Client::new(change(peer.config())).unwrap();
    let error = client.invoke(&request()).unwrap_err();
    assert_eq!(client.invoke(&request()).unwrap().body, b"next");
    error
}

#[test]
fn an_invalid_response_is_an_error() {
    let endless_header = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000));
    let many_headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200));
    for response_bytes in [
        "garbage\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        &endless_header,
        &many_headers,
    ] {
        let error = error_for(response_bytes, |config| config);
        let head = response_bytes.get(..20).unwrap_or(response_bytes);
        assert!(
            matches!(error, Error::InvalidResponse(_)),
            "{head}: {error:?}"
        );
        assert!(
            error.may_have_run() && error.source().is_some(),
            "{head}: {error:?}"
        );
    }
}

#[test]
fn an_incomplete_response_is_a_lost_connection() {
    for response_bytes in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n1234",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123",
    ] {
        let error = error_for(response_bytes, |config| config);
        assert!(
            matches!(error, Error::ConnectionLost(_)) && error.may_have_run(),
            "{response_bytes:?}: {error:?}"
        );
        assert!(
            error.source().unwrap().to_string().contains("closed"),
            "{response_bytes:?}: {error:?}"
        );
    }
}

/// An unknown coding would be read until the connection ends, and a cut body be a whole one.
#[test]
fn other_codings_than_chunked_are_refused() {
    for coding in [
        "chunked;q=1",
        "xchunked",
        "",
        "gzip, chunked",
        "identity",
        "chunked\r\ntransfer-encoding: chunked",
    ] {
        let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n");
        let error = error_for(format!("{head}40\r\n{{\"a\":"), |config| config);
        assert!(
            matches!(error, Error::InvalidResponse(_)),
            "{coding}: {error:?}"
        );
        assert!(error.may_have_run(), "{coding}");
    }
}

#[test]
fn bytes_after_a_response_are_not_the_next_response() {
    let peer = Peer::responding(
        [
            response(200, &[], "short"),
            b"HTTP/1.1 200 OK\r\n\r\nspilled".to_vec(),
        ]
        .concat(),
    );
    let client = Client::new(peer.config()).unwrap();
    for _ in 0..3 {
        assert_eq!(client.invoke(&request()).unwrap().body, b"short");
    }
    assert_eq!(peer.connections(), 3);
}

#[test]
fn unusual_valid_responses_are_read() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde";
    let not_utf_8 =
        b"HTTP/1.1 200 OK\r\nx-amzn-requestid: \xff\xfe\r\ncontent-length: 5\r\n\r\nabcde".to_vec();
    for response_bytes in [
        chunked.as_bytes().to_vec(),
        until_close.as_bytes().to_vec(),
        not_utf_8,
    ] {
        let peer = Peer::new(move |mut connection| {
            connection.request();
            connection.send(&response_bytes);
            connection.close();
        });
        let client = Client::new(peer.config()).unwrap();
        let received = client.invoke(&request()).unwrap();
        assert_eq!(received.body, b"abcde");
        assert!(received.request_id.is_none_or(|id| id == "\u{ff}\u{fe}"));
    }
}

#[test]
fn a_response_over_the_limit_is_refused() {
    fn limit(config: Config) -> Config {
        Config {
            max_response_bytes: 10,
            ..config
        }
    }
    let announced = "HTTP/1.1 200 OK\r\nx-amzn-requestid: r\r\ncontent-length: 11\r\n\r\n";
    let error = error_for(announced, limit);
    assert!(error.may_have_run());
    assert_eq!(
        (error.request_id(), error.status(), error.attempts()),
        (Some("r"), Some(200), 1)
    );
    let text =
        "the response is larger than the limit of 10 bytes: it announced 11; the inference has run";
    assert_eq!(error.to_string(), text);
    let error = error_for(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n",
        limit,
    );
    assert!(
        matches!(&error, Error::ResponseTooLarge(it) if it.announced.is_none()),
        "{error:?}"
    );
    let peer = Peer::responding(response(200, &[], "1234567890"));
    assert_eq!(
        Client::new(limit(peer.config()))
            .unwrap()
            .invoke(&request())
            .unwrap()
            .body
            .len(),
        10
    );
}

#[test]
fn a_reset_during_a_large_body_mentions_the_payload_limit() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        connection.reset();
    });
    let retry = RetryPolicy {
        max_attempts: 1,
        ..Default::default()
    };
    let client = Client::new(Config {
        retry,
        ..peer.config()
    })
    .unwrap();
    let body = vec![0; 24 * 1024 * 1024];
    let error = client.invoke(&InvokeEndpoint::new("e", &body)).unwrap_err();
    let failed = error.transport().unwrap();
    assert_eq!((failed.phase, failed.sent), (Phase::Send, Sent::Partly));
    assert!(error.to_string().contains("payload limit"), "{error}");
}

#[test]
fn a_closed_port_and_an_unknown_name_are_connect_errors() {
    let closed = ClosedPort::new();
    let address = closed.address;
    let retry = RetryPolicy {
        max_attempts: 2,
        ..Default::default()
    };
    let client = Client::new(Config {
        retry,
        ..config(&closed.url())
    })
    .unwrap();
    let error = client.invoke(&request()).unwrap_err();
    assert!(
        matches!(error, Error::Connect(_)) && !error.may_have_run() && error.attempts() == 2,
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        format!(
            "could not connect to {address}: connecting failed in attempt 2; the inference has not run"
        )
    );
    assert!(error.source().unwrap().to_string().contains("refused"));

    let system =
        FakeSystem::on_loopback(&[]).with_lookup(|_, _| Err(io::Error::other("no such name")));
    let client = Client::new(Config {
        system: Arc::new(system),
        retry,
        ..config("http://nowhere.test")
    })
    .unwrap();
    let error = client.invoke(&request()).unwrap_err();
    assert_eq!(error.transport().unwrap().phase, Phase::Lookup);
    assert_eq!(error.source().unwrap().to_string(), "no such name");
}

#[test]
fn a_closed_connection_is_not_reused() {
    let peer = Peer::new(|mut connection| {
        connection.request();
        connection.send(response(200, &[], "answer"));
        connection.close();
    });
    let client = Client::new(peer.config()).unwrap();
    for _ in 0..5 {
        client.invoke(&request()).unwrap();
        // Wait until the client's side has received the close.
        thread::sleep(Duration::from_millis(30));
    }
    assert_eq!((peer.connections(), peer.requests().len()), (5, 5));
}

#[test]
fn a_reset_does_not_end_a_body_of_unknown_length() {
    let peer = Peer::new(|mut connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\npart");
        thread::sleep(Duration::from_millis(100));
        connection.reset();
    });
    let error = Client::new(peer.config())
        .unwrap()
        .invoke(&request())
        .unwrap_err();
    assert!(
        matches!(&error, Error::ConnectionLost(it) if it.phase == Phase::Read),
        "{error:?}"
    );
    assert!(error.may_have_run());
}

#[test]
fn a_huge_content_length_allocates_no_memory() {
    let response_bytes = "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n";
    let error = error_for(response_bytes, |config| Config {
        max_response_bytes: u64::MAX,
        ..config
    });
    // The buffer grows with the received bytes, so the call fails because they end early.
    assert!(
        matches!(&error, Error::ConnectionLost(it) if it.phase == Phase::Read),
        "{error:?}"
    );
}
