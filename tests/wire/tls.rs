//! TLS: trusted and refused certificates, connections that fail in the handshake, and their reuse.

use std::sync::Arc;
use std::time::Duration;

use sagemaker_invoke::error::Phase;
use sagemaker_invoke::{Client, Config, Error, InvokeEndpoint, RetryPolicy};

use super::support::tls::{Certificates, url};
use super::support::{
    ACCESS_KEY_ID, FakeSystem, Peer, REGION, SECRET_ACCESS_KEY, config, response, sources,
};

/// The error of a call whose handshake fails.
fn handshake_error(config: Config) -> Error {
    let error = Client::new(config)
        .unwrap()
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap_err();
    assert!(
        matches!(error, Error::Connect(_)) && !error.may_have_run(),
        "{error:?}"
    );
    assert_eq!(error.transport().unwrap().phase, Phase::Handshake);
    assert!(
        error.to_string().contains("negotiating TLS failed"),
        "{error}"
    );
    error
}

/// The texts of the error's sources.
pub(super) fn source_texts(error: &Error) -> String {
    let texts: Vec<String> = sources(error).map(ToString::to_string).collect();
    texts.join(": ")
}

#[test]
fn requests_to_a_trusted_server_share_a_connection() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer();
    let client = Client::new(certificates.config(&peer)).unwrap();
    let large = vec![b'x'; 3_000_000];
    for body in [&b"small"[..], b"", &large, b"small"] {
        assert!(client.invoke(&InvokeEndpoint::new("e", body)).unwrap().body == body);
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn an_unknown_authority_is_refused() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer();
    let error = handshake_error(Config {
        ca_bundle_pem: None,
        ..certificates.config(&peer)
    });
    assert_eq!(
        (peer.connections(), error.transport().unwrap().attempts),
        (1, 1),
        "a refused certificate is not retried"
    );
    assert!(
        source_texts(&error).contains("UnknownIssuer"),
        "{}",
        source_texts(&error)
    );
}

#[test]
fn a_wrong_name_and_an_expired_certificate_are_refused() {
    let wrong_name = Certificates::new("example.com", |_| {});
    let peer = wrong_name.peer();
    let error = handshake_error(wrong_name.config(&peer));
    assert!(
        source_texts(&error).contains("name"),
        "{}",
        source_texts(&error)
    );
    let expired = Certificates::new("localhost", |leaf| {
        leaf.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let peer = expired.peer();
    let error = handshake_error(expired.config(&peer));
    assert!(
        source_texts(&error).to_lowercase().contains("expired"),
        "{}",
        source_texts(&error)
    );
}

#[test]
fn a_server_without_tls_is_a_handshake_error() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(10);
        connection.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        connection.close();
    });
    let retry = RetryPolicy {
        max_attempts: 1,
        ..Default::default()
    };
    handshake_error(Config {
        retry,
        ..config(&url(&peer))
    });
}

#[test]
fn bytes_after_a_response_are_not_the_next_response() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer_with(|mut connection| {
        connection
            .respond_to_all([response(200, &[], "short"), response(200, &[], "spilled")].concat());
    });
    let client = Client::new(certificates.config(&peer)).unwrap();
    for _ in 0..3 {
        assert_eq!(
            client
                .invoke(&InvokeEndpoint::new("e", b"body"))
                .unwrap()
                .body,
            b"short"
        );
    }
    assert_eq!(peer.connections(), 3);
}

/// The server sends the TLS alert close_notify, and keeps the TCP connection open.
#[test]
fn a_connection_after_close_notify_is_not_reused() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer_with(|mut connection| {
        connection.request();
        connection.send(response(200, &[], "answer"));
        connection.send_close_notify();
        connection.stall();
    });
    let client = Client::new(certificates.config(&peer)).unwrap();
    for _ in 0..3 {
        assert_eq!(
            client
                .invoke(&InvokeEndpoint::new("e", b"body"))
                .unwrap()
                .body,
            b"answer"
        );
        // Wait until the client's side has received the alert.
        std::thread::sleep(Duration::from_millis(30));
    }
    assert_eq!((peer.connections(), peer.requests().len()), (3, 3));
}

/// A complete environment for calls to this peer, with more variables.
pub(super) fn system_for(peer: &Peer, more: &[(&str, &str)]) -> FakeSystem {
    let url = url(peer);
    let mut variables = vec![
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", &url),
    ];
    variables.extend(more);
    FakeSystem::on_loopback(&variables)
}

#[test]
fn the_ca_bundle_of_the_environment_is_trusted() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer();
    let variable = ("AWS_CA_BUNDLE", "/bundle.pem");
    let without_file = Client::from_system(Arc::new(system_for(&peer, &[variable])));
    assert_eq!(
        without_file.unwrap_err().to_string(),
        "AWS_CA_BUNDLE is \"/bundle.pem\": the file cannot be read"
    );
    assert_eq!(peer.connections(), 0);
    let system = system_for(&peer, &[variable])
        .with_file("/bundle.pem", certificates.authority_pem.as_str());
    let client = Client::new(Config::from_system(Arc::new(system)).unwrap()).unwrap();
    assert_eq!(
        client
            .invoke(&InvokeEndpoint::new("e", b"body"))
            .unwrap()
            .body,
        b"body"
    );
}

#[test]
fn a_write_error_after_the_request_does_not_change_may_have_run() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer_with(|mut connection| {
        let received = connection.request();
        // A failing gateway: plain bytes instead of TLS, and a reset that the client's TLS alert runs into.
        connection.wire = Box::new(connection.stream.try_clone().unwrap());
        connection.send("HTTP/1.1 502 Bad Gateway\r\n\r\n");
        connection.reset();
        assert!(received.is_some());
    });
    for _ in 0..20 {
        let client = Client::new(certificates.config(&peer)).unwrap();
        let before = peer.connections();
        let error = client
            .invoke(&InvokeEndpoint::new("e", b"body"))
            .unwrap_err();
        assert!(error.may_have_run() && error.attempts() == 1, "{error:?}");
        assert_eq!(peer.connections() - before, 1);
    }
}
