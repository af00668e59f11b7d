//! Whom the client trusts, and what it says of those that it does not.
#![cfg(feature = "rustls")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use sagemaker_invoke::error::Phase;
use sagemaker_invoke::host::Host;
use sagemaker_invoke::{Client, Config, Endpoint, Error, InvokeEndpoint, Proxy};
use support::tls::{Certificates, url};
use support::{Peer, REGION, SECRET_ACCESS_KEY, config, response, verify};

fn refusal(config: Config) -> Error {
    let error = Client::new(config).unwrap().invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && !error.may_have_run(), "{error:?}");
    assert_eq!(error.fault().unwrap().phase, Phase::Handshake);
    assert!(error.to_string().contains("the TLS handshake failed"), "{error}");
    error
}

fn chain(error: &Error) -> String {
    let mut texts = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    texts.join(": ")
}

#[test]
fn a_trusted_server_gets_the_request_over_one_connection() {
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
    let mut without = certificates.config(&peer);
    without.ca_bundle_pem = None;
    let error = refusal(without);
    assert_eq!((peer.connections(), error.fault().unwrap().attempts), (1, 1), "it is not tried again");
    assert!(chain(&error).contains("UnknownIssuer"), "{}", chain(&error));
}

#[test]
fn a_wrong_name_and_an_old_certificate_are_refused() {
    let wrong_name = Certificates::new("example.com", |_| {});
    let peer = wrong_name.peer();
    let error = refusal(wrong_name.config(&peer));
    assert!(chain(&error).contains("name"), "{}", chain(&error));
    let old = Certificates::new("localhost", |leaf| leaf.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let peer = old.peer();
    let error = refusal(old.config(&peer));
    assert!(chain(&error).to_lowercase().contains("expired"), "{}", chain(&error));
}

#[test]
fn plain_http_where_tls_was_expected_is_told() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(10);
        connection.say("HTTP/1.1 400 Bad Request\r\n\r\n");
        connection.close();
    });
    let retry = sagemaker_invoke::RetryPolicy { max_attempts: 1, ..Default::default() };
    refusal(Config { retry, ..config(&url(&peer)) });
}

#[test]
fn what_stands_behind_an_answer_is_not_the_next_one() {
    let certificates = Certificates::trusted();
    let server = Arc::clone(&certificates.server);
    let peer = Peer::new(move |connection| {
        let Some(mut connection) = connection.over_tls(&server) else { return };
        connection.always([response(200, &[], "short"), response(200, &[], "spilled")].concat());
    });
    let client = Client::new(certificates.config(&peer)).unwrap();
    for _ in 0..3 {
        assert_eq!(client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap().body, b"short");
    }
    assert_eq!(peer.connections(), 3);
}

/// Variables and files of the test's own.
#[derive(Debug, Default)]
struct TestHost {
    variables: HashMap<&'static str, String>,
    files: HashMap<&'static str, String>,
}

impl Host for TestHost {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = path.to_str().and_then(|path| self.files.get(path));
        file.map(|text| text.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn host_for(peer: &Peer, more: &[(&'static str, String)]) -> TestHost {
    let mut variables = HashMap::from([
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", support::ACCESS_KEY_ID.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
        ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url(peer)),
    ]);
    variables.extend(more.iter().cloned());
    TestHost { variables, files: HashMap::new() }
}

#[test]
fn the_bundle_of_the_environment_is_trusted() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer();
    let mut host = host_for(&peer, &[("AWS_CA_BUNDLE", "/bundle.pem".to_owned())]);
    let error =
        Config::from_host(Arc::new(TestHost { files: HashMap::new(), variables: host.variables.clone() }));
    assert!(error.unwrap_err().to_string().contains("/bundle.pem"));
    host.files.insert("/bundle.pem", certificates.authority_pem.clone());
    let client = Client::new(Config::from_host(Arc::new(host)).unwrap()).unwrap();
    assert_eq!(client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap().body, b"body");
}

/// A proxy that tunnels to whatever it is asked for and counts; or refuses.
fn proxy(is_refusing: bool) -> Peer {
    Peer::new(move |mut connection| {
        let Some(request) = connection.request() else { return };
        if is_refusing {
            return connection.say("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        }
        let target = request.path().replace("localhost", "127.0.0.1");
        let target = std::net::TcpStream::connect(target).unwrap();
        connection.say("HTTP/1.1 200 OK\r\n\r\n");
        let (mut to, mut from) = (target.try_clone().unwrap(), connection.stream.try_clone().unwrap());
        let upstream = std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
        let _ = io::copy(&mut &target, &mut connection.stream);
        let _ = connection.stream.shutdown(std::net::Shutdown::Both);
        upstream.join().unwrap();
    })
}

#[test]
fn a_proxy_tunnels_and_no_proxy_goes_past_it() {
    let certificates = Certificates::trusted();
    let (peer, proxy) = (certificates.peer(), proxy(false));
    let tunnels = |host: TestHost| {
        let before = proxy.requests().len();
        let mut config = Config::from_host(Arc::new(host)).unwrap();
        config.ca_bundle_pem = Some(certificates.authority_pem.clone().into_bytes());
        let client = Client::new(config).unwrap();
        for _ in 0..2 {
            let response = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
            assert_eq!(response.body, b"body");
        }
        proxy.requests().len() - before
    };
    let through = ("HTTPS_PROXY", proxy.url());
    assert_eq!(tunnels(host_for(&peer, std::slice::from_ref(&through))), 1);
    let request = proxy.requests().pop().unwrap();
    assert_eq!(request.request_line, format!("CONNECT localhost:{} HTTP/1.1", peer.address.port()));
    assert!(request.header("authorization").is_none());
    assert_eq!(
        tunnels(host_for(&peer, &[through.clone(), ("NO_PROXY", "example.com, localhost".to_owned())])),
        0
    );
    assert_eq!(tunnels(host_for(&peer, &[through.clone(), ("NO_PROXY", "example.com".to_owned())])), 1);
    assert_eq!(tunnels(host_for(&peer, &[])), 0);
}

#[test]
fn a_proxy_that_is_set_tunnels_plain_http_too_and_off_means_off() {
    let (peer, proxy) = (Peer::answering(response(200, &[], "answer")), proxy(false));
    let client = Client::new(Config { proxy: Proxy::Url(proxy.url()), ..peer.config() }).unwrap();
    let answer = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
    assert_eq!((answer.body.as_slice(), proxy.requests().len()), (&b"answer"[..], 1));
    verify(&peer.requests().pop().unwrap(), SECRET_ACCESS_KEY, REGION).unwrap();
    let mut off = Config::from_host(Arc::new(host_for(&peer, &[("ALL_PROXY", proxy.url())]))).unwrap();
    (off.proxy, off.endpoint) = (Proxy::Off, Endpoint::Url(peer.url()));
    Client::new(off).unwrap().invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn a_proxy_that_refuses_is_told_and_its_password_is_not() {
    let (peer, proxy) = (Peer::answering(response(200, &[], "answer")), proxy(true));
    let url = format!("http://me:hidden@{}", proxy.address);
    let client = Client::new(Config { proxy: Proxy::Url(url), ..peer.config() }).unwrap();
    let error = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && !error.may_have_run(), "{error:?}");
    assert!(chain(&error).contains("407"), "{}", chain(&error));
    assert!(!format!("{error:?} {client:?}").contains("hidden"));
    assert_eq!(proxy.connections(), 1, "a password that was refused is not tried again");
    assert!(proxy.requests().pop().unwrap().header("proxy-authorization").unwrap().starts_with("Basic "));
}

#[test]
fn a_proxy_whose_head_has_no_end_is_given_up() {
    let proxy = Peer::new(|mut connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\nx: ");
        for _ in 0..64 {
            connection.say(vec![b'x'; 64 * 1024]);
        }
        connection.stall();
    });
    let retry = sagemaker_invoke::RetryPolicy { max_attempts: 1, ..Default::default() };
    let base = config("https://localhost:1");
    let client = Client::new(Config { proxy: Proxy::Url(proxy.url()), retry, ..base }).unwrap();
    let error = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && !error.may_have_run(), "{error:?}");
    assert!(chain(&error).contains("no end"), "{}", chain(&error));
}

#[test]
fn what_tls_fails_to_write_after_the_request_does_not_unsend_it() {
    let certificates = Certificates::trusted();
    let server = Arc::clone(&certificates.server);
    let peer = Peer::new(move |connection| {
        let mut connection = connection.over_tls(&server).unwrap();
        let received = connection.request();
        // A gateway gives up: plain bytes where TLS was, and a reset that the client's alert runs into.
        connection.wire = Box::new(connection.stream.try_clone().unwrap());
        connection.say("HTTP/1.1 502 Bad Gateway\r\n\r\n");
        connection.reset();
        assert!(received.is_some());
    });
    for _ in 0..20 {
        let client = Client::new(certificates.config(&peer)).unwrap();
        let before = peer.connections();
        let error = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
        assert!(error.may_have_run() && error.attempts() == 1, "{error:?}");
        assert_eq!(peer.connections() - before, 1);
    }
}

#[test]
fn a_handshake_and_a_proxy_that_stall_are_given_up_under_the_connect_limit() {
    let stalled = Peer::new(|mut connection| connection.stall());
    let connect = std::time::Duration::from_millis(200);
    let retry = sagemaker_invoke::RetryPolicy { max_attempts: 1, ..Default::default() };
    for (proxy, phase) in [(Proxy::Off, Phase::Handshake), (Proxy::Url(stalled.url()), Phase::Connect)] {
        let base = config(&url(&stalled));
        let timeouts = sagemaker_invoke::Timeouts { connect, ..base.timeouts };
        let client = Client::new(Config { proxy, timeouts, retry, ..base }).unwrap();
        let began = std::time::Instant::now();
        let error = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
        assert!(began.elapsed() >= connect && began.elapsed() < connect * 10, "{error}");
        assert!(matches!(&error, Error::Timeout(fault) if fault.phase == phase), "{error:?}");
        assert!(!error.may_have_run());
    }
}
