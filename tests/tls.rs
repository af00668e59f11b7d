//! TLS: trusted and refused certificates, proxies, and connections that fail in the handshake.
#![cfg(feature = "rustls")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sagemaker_invoke::error::Phase;
use sagemaker_invoke::{
    Client, Config, Endpoint, Error, InvokeEndpoint, Proxy, RetryPolicy, Timeouts,
};
use support::tls::{Certificates, url};
use support::{FakeSystem, Peer, REGION, SECRET_ACCESS_KEY, config, response, sources, verify};

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
fn source_texts(error: &Error) -> String {
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
        leaf.not_after = rcgen::date_time_ymd(2020, 1, 1)
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
    let server = Arc::clone(&certificates.server);
    let peer = Peer::new(move |connection| {
        let Some(mut connection) = connection.accept_tls(&server) else {
            return;
        };
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
    let server = Arc::clone(&certificates.server);
    let peer = Peer::new(move |connection| {
        let Some(mut connection) = connection.accept_tls(&server) else {
            return;
        };
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
fn system_for(peer: &Peer, more: &[(&str, &str)]) -> FakeSystem {
    let url = url(peer);
    let mut variables = vec![
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", support::ACCESS_KEY_ID),
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

/// A proxy that opens tunnels, or refuses with 407.
fn proxy(is_refusing: bool) -> Peer {
    Peer::new(move |mut connection| {
        let Some(request) = connection.request() else {
            return;
        };
        if is_refusing {
            return connection.send("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        }
        let target = request.path().replace("localhost", "127.0.0.1");
        let target = std::net::TcpStream::connect(target).unwrap();
        connection.send("HTTP/1.1 200 OK\r\n\r\n");
        let (mut to, mut from) = (
            target.try_clone().unwrap(),
            connection.stream.try_clone().unwrap(),
        );
        let upstream = std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
        let _ = io::copy(&mut &target, &mut connection.stream);
        let _ = connection.stream.shutdown(std::net::Shutdown::Both);
        upstream.join().unwrap();
    })
}

/// Makes two calls with this system and returns the number of tunnels opened by the proxy.
fn tunnels(system: FakeSystem, certificates: &Certificates, proxy: &Peer) -> usize {
    let before = proxy.requests().len();
    let ca_bundle_pem = Some(certificates.authority_pem.clone().into_bytes());
    let config = Config::from_system(Arc::new(system)).unwrap();
    let client = Client::new(Config {
        ca_bundle_pem,
        ..config
    })
    .unwrap();
    for _ in 0..2 {
        let response = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
        assert_eq!(response.body, b"body");
    }
    proxy.requests().len() - before
}

#[test]
fn the_proxy_of_the_environment_is_used_except_for_no_proxy() {
    let certificates = Certificates::trusted();
    let (peer, proxy) = (certificates.peer(), proxy(false));
    let proxy_url = proxy.url();
    let through = ("HTTPS_PROXY", proxy_url.as_str());
    assert_eq!(
        tunnels(system_for(&peer, &[through]), &certificates, &proxy),
        1
    );
    let request = proxy.requests().pop().unwrap();
    assert_eq!(
        request.request_line,
        format!("CONNECT localhost:{} HTTP/1.1", peer.address.port())
    );
    assert!(request.header("authorization").is_none());
    let excluded = system_for(&peer, &[through, ("NO_PROXY", "example.com, localhost")]);
    assert_eq!(tunnels(excluded, &certificates, &proxy), 0);
    let not_excluded = system_for(&peer, &[through, ("NO_PROXY", "example.com")]);
    assert_eq!(tunnels(not_excluded, &certificates, &proxy), 1);
    assert_eq!(tunnels(system_for(&peer, &[]), &certificates, &proxy), 0);
}

#[test]
fn a_configured_proxy_tunnels_plain_http_and_off_ignores_the_environment() {
    let (peer, proxy) = (Peer::responding(response(200, &[], "answer")), proxy(false));
    let client = Client::new(Config {
        proxy: Proxy::Url(proxy.url()),
        ..peer.config()
    })
    .unwrap();
    let received = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
    assert_eq!(
        (received.body.as_slice(), proxy.requests().len()),
        (&b"answer"[..], 1)
    );
    verify(&peer.requests().pop().unwrap(), SECRET_ACCESS_KEY, REGION).unwrap();
    let mut off =
        Config::from_system(Arc::new(system_for(&peer, &[("ALL_PROXY", &proxy.url())]))).unwrap();
    (off.proxy, off.endpoint) = (Proxy::Off, Endpoint::Url(peer.url()));
    Client::new(off)
        .unwrap()
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap();
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn a_proxy_error_has_the_status_and_not_the_password() {
    let (peer, proxy) = (Peer::responding(response(200, &[], "answer")), proxy(true));
    let url = format!("http://me:hidden@{}", proxy.address);
    let client = Client::new(Config {
        proxy: Proxy::Url(url),
        ..peer.config()
    })
    .unwrap();
    let error = client
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap_err();
    assert!(
        matches!(error, Error::Connect(_)) && !error.may_have_run(),
        "{error:?}"
    );
    assert!(
        source_texts(&error).contains("407"),
        "{}",
        source_texts(&error)
    );
    assert!(!format!("{error:?} {client:?}").contains("hidden"));
    assert_eq!(proxy.connections(), 1, "a refused password is not retried");
    assert!(
        proxy
            .requests()
            .pop()
            .unwrap()
            .header("proxy-authorization")
            .unwrap()
            .starts_with("Basic ")
    );
}

#[test]
fn the_head_of_a_proxy_response_is_limited() {
    let proxy = Peer::new(|mut connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\nx: ");
        for _ in 0..64 {
            connection.send(vec![b'x'; 64 * 1024]);
        }
        connection.stall();
    });
    let retry = RetryPolicy {
        max_attempts: 1,
        ..Default::default()
    };
    let base = config("https://localhost:1");
    let client = Client::new(Config {
        proxy: Proxy::Url(proxy.url()),
        retry,
        ..base
    })
    .unwrap();
    let error = client
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap_err();
    assert!(
        matches!(error, Error::Connect(_)) && !error.may_have_run(),
        "{error:?}"
    );
    // ureq stops reading when the head fills its buffer.
    assert!(
        source_texts(&error).contains("did not respond"),
        "{}",
        source_texts(&error)
    );
}

#[test]
fn a_write_error_after_the_request_does_not_change_may_have_run() {
    let certificates = Certificates::trusted();
    let server = Arc::clone(&certificates.server);
    let peer = Peer::new(move |connection| {
        let mut connection = connection.accept_tls(&server).unwrap();
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

#[test]
fn the_connect_limit_includes_the_handshake_and_the_proxy() {
    let stalled = Peer::new(|mut connection| connection.stall());
    let connect = std::time::Duration::from_millis(200);
    let retry = RetryPolicy {
        max_attempts: 1,
        ..Default::default()
    };
    for (proxy, phase) in [
        (Proxy::Off, Phase::Handshake),
        (Proxy::Url(stalled.url()), Phase::Connect),
    ] {
        let base = config(&url(&stalled));
        let timeouts = Timeouts {
            connect: Some(connect),
            ..base.timeouts
        };
        let client = Client::new(Config {
            proxy,
            timeouts,
            retry,
            ..base
        })
        .unwrap();
        let began = std::time::Instant::now();
        let error = client
            .invoke(&InvokeEndpoint::new("e", b"body"))
            .unwrap_err();
        assert!(
            began.elapsed() >= connect && began.elapsed() < connect * 10,
            "{error}"
        );
        assert!(
            matches!(&error, Error::Timeout(it) if it.phase == phase),
            "{error:?}"
        );
        assert!(!error.may_have_run());
    }
}
