//! The exact bytes of a request, and who accepts them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sagemaker_invoke::host::Host;
use sagemaker_invoke::{Client, Config, Credentials, Endpoint, InvokeEndpoint};
use support::{ACCESS_KEY_ID, Peer, REGION, Received, SECRET_ACCESS_KEY, response, verify};

fn ok() -> Vec<u8> {
    response(200, &[], "answer")
}

fn sent(config: Config, request: &InvokeEndpoint<'_>, peer: &Peer) -> Arc<Received> {
    Client::new(config).unwrap().invoke(request).unwrap();
    peer.requests().pop().unwrap()
}

#[test]
fn a_bare_request_holds_these_lines_and_no_others() {
    let peer = Peer::answering(ok());
    let request = sent(peer.config(), &InvokeEndpoint::new("my-endpoint", b"{}"), &peer);
    assert_eq!(request.request_line, "POST /endpoints/my-endpoint/invocations HTTP/1.1");
    let names = [
        "host",
        "x-amz-date",
        "authorization",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "content-length",
        "user-agent",
    ];
    assert_eq!(request.names(), names);
    assert_eq!(request.header("host").unwrap(), peer.address.to_string());
    assert_eq!(request.header("amz-sdk-request").unwrap(), "attempt=1; max=3");
    assert_eq!(request.header("content-length").unwrap(), "2");
    assert_eq!(
        request.header("user-agent").unwrap(),
        concat!("sagemaker-invoke/", env!("CARGO_PKG_VERSION"))
    );
    verify(&request, SECRET_ACCESS_KEY, REGION).unwrap();
}

#[test]
fn the_body_arrives_untouched_whatever_it_is() {
    let peer = Peer::answering(ok());
    let client = Client::new(peer.config()).unwrap();
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..6 * 1024 * 1024_u32).map(|index| ((index * 31) >> 3).to_le_bytes()[0]).collect();
    for body in [&b""[..], b"\0", b"\r\n\r\n", &every_byte, &large] {
        client.invoke(&InvokeEndpoint::new("e", body)).unwrap();
        let request = peer.requests().pop().unwrap();
        assert!(request.body == body, "{} bytes", body.len());
        verify(&request, SECRET_ACCESS_KEY, REGION).unwrap();
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_verifier_refuses_what_was_changed_on_the_way() {
    let peer = Peer::answering(ok());
    let config = Config {
        credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).with_session_token("token").into(),
        ..peer.config()
    };
    let bare = InvokeEndpoint::new("e", b"body");
    let request = sent(config, &InvokeEndpoint { target_model: Some("a  b"), ..bare }, &peer);
    verify(&request, SECRET_ACCESS_KEY, REGION).unwrap();
    assert!(verify(&request, "another secret", REGION).is_err());
    assert!(verify(&request, SECRET_ACCESS_KEY, "eu-west-1").is_err());
    let lengthen = |it: &mut Received, name: &str| {
        it.headers.iter_mut().filter(|header| header.0 == name).for_each(|header| header.1.push('0'));
    };
    let changes: [&dyn Fn(&mut Received); 6] = [
        &|it| it.body[0] ^= 1,
        &|it| it.request_line = it.request_line.replace("/e/", "/f/"),
        &|it| lengthen(it, "host"),
        &|it| lengthen(it, "x-amz-security-token"),
        &|it| lengthen(it, "x-amzn-sagemaker-target-model"),
        &|it| it.headers.retain(|header| header.0 != "x-amz-date"),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut changed = Received::clone(&request);
        change(&mut changed);
        assert!(verify(&changed, SECRET_ACCESS_KEY, REGION).is_err(), "change {index}");
    }
}

#[test]
fn a_base_path_is_kept_and_signed() {
    let peer = Peer::answering(ok());
    let endpoint = Endpoint::Url(format!("{}/gate/way/", peer.url()));
    let request = sent(Config { endpoint, ..peer.config() }, &InvokeEndpoint::new("e", b""), &peer);
    assert_eq!(request.path(), "/gate/way/endpoints/e/invocations");
    verify(&request, SECRET_ACCESS_KEY, REGION).unwrap();
}

#[test]
fn a_container_gets_the_same_members_and_no_signature() {
    let peer = Peer::answering(response(200, &[("content-type", "text/csv")], "0.5"));
    let config = Config { endpoint: Endpoint::Container(peer.url()), region: None, ..peer.config() };
    let client = Client::new(config).unwrap();
    let request = InvokeEndpoint { accept: Some("text/csv"), ..InvokeEndpoint::new("e", b"1,2") };
    let answer = client.invoke(&request).unwrap();
    assert_eq!((answer.body.as_slice(), answer.content_type.as_deref()), (&b"0.5"[..], Some("text/csv")));
    let received = peer.requests().pop().unwrap();
    assert_eq!(received.request_line, "POST /invocations HTTP/1.1");
    assert_eq!(received.names(), ["accept", "host", "content-length", "user-agent"]);
}

#[test]
fn what_sign_gives_is_what_invoke_sends() {
    let peer = Peer::answering(ok());
    let client = Client::new(peer.config()).unwrap();
    let operation = InvokeEndpoint { content_type: Some("text/csv"), ..InvokeEndpoint::new("e", b"1,2") };
    let signed = client.sign(&operation).unwrap();
    client.invoke(&operation).unwrap();
    let received = peer.requests().pop().unwrap();
    assert_eq!(signed.url, format!("{}{}", peer.url(), received.path()));
    for (name, value) in &signed.headers {
        // The two were signed at different times, perhaps in different seconds.
        if !matches!(name.as_str(), "authorization" | "x-amz-date") {
            assert_eq!(received.header(name), Some(value.as_str()), "{name}");
        }
    }
    let by_hand = Received {
        request_line: format!("{} {} HTTP/1.1", signed.method, received.path()),
        headers: signed.headers.clone(),
        body: signed.body.to_vec(),
    };
    verify(&by_hand, SECRET_ACCESS_KEY, REGION).unwrap();
}

/// Answers every lookup with the loopback address and counts.
#[derive(Debug, Default)]
struct CountingHost(AtomicUsize);

impl Host for CountingHost {
    fn lookup(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    }
}

#[test]
fn a_thousand_warm_calls_start_no_thread_and_look_up_no_name() {
    let peer = Peer::answering(ok());
    let host = Arc::new(CountingHost::default());
    let endpoint = Endpoint::Url(format!("http://name.test:{}", peer.address.port()));
    let config = Config {
        endpoint,
        host: Arc::<CountingHost>::clone(&host),
        // Long past at every call, and still nothing is looked up while the connection lasts.
        address_ttl: std::time::Duration::ZERO,
        ..peer.config()
    };
    let client = Client::new(config).unwrap();
    client.invoke(&InvokeEndpoint::new("e", b"first")).unwrap();
    for _ in 0..1000 {
        client.invoke(&InvokeEndpoint::new("e", b"warm")).unwrap();
        assert_eq!(lookup_threads(), 0);
    }
    assert_eq!(host.0.load(Ordering::SeqCst), 1);
    assert_eq!(peer.connections(), 1);
    assert_eq!(peer.requests().len(), 1001);
}

/// The threads of this process that look a name up.
fn lookup_threads() -> usize {
    threads().iter().filter(|name| name.starts_with("sagemaker-invok")).count()
}

#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok()).collect()
}

#[cfg(not(target_os = "linux"))]
fn threads() -> Vec<String> {
    Vec::new()
}
