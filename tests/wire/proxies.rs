//! Proxies: from the environment and the configuration, tunnels, and proxies that refuse or do not respond.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sagemaker_invoke::error::Phase;
use sagemaker_invoke::{
    Client, Config, Endpoint, Error, InvokeEndpoint, Proxy, RetryPolicy, Timeouts,
};

use super::support::tls::{Certificates, url};
use super::support::{FakeSystem, Peer, REGION, SECRET_ACCESS_KEY, config, response, verify};
use super::tls::{source_texts, system_for};

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
fn the_connect_limit_includes_the_handshake_and_the_proxy() {
    let stalled = Peer::new(|mut connection| connection.stall());
    let connect = Duration::from_millis(200);
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
        let began = Instant::now();
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
