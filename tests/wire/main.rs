//! Requests on the wire: members, headers, body and signature, TLS and proxies.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod members;
#[cfg(feature = "rustls")]
mod proxies;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
mod tls;

use std::sync::Arc;
use std::time::SystemTime;

use sagemaker_invoke::{Client, Config, Credentials, Endpoint, InvokeEndpoint};
use support::{ACCESS_KEY_ID, Peer, REGION, Received, SECRET_ACCESS_KEY, response, verify};

fn ok() -> Vec<u8> {
    response(200, &[], "answer")
}

/// Makes a call and returns the request received by the peer.
fn sent(config: Config, request: &InvokeEndpoint<'_>, peer: &Peer) -> Arc<Received> {
    Client::new(config).unwrap().invoke(request).unwrap();
    peer.requests().pop().unwrap()
}

/// The names of the headers in their order, with `content-length` moved to the end: ureq chooses its place.
fn content_length_last(request: &Received) -> Vec<&str> {
    let mut names = request.names();
    names.sort_by_key(|name| *name == "content-length");
    names
}

#[test]
fn a_request_without_optional_members_has_exactly_these_headers() {
    let peer = Peer::responding(ok());
    let request = sent(
        peer.config(),
        &InvokeEndpoint::new("my-endpoint", b"{}"),
        &peer,
    );
    assert_eq!(
        request.request_line,
        "POST /endpoints/my-endpoint/invocations HTTP/1.1"
    );
    let names = [
        "host",
        "x-amz-date",
        "authorization",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "user-agent",
        "content-length",
    ];
    assert_eq!(content_length_last(&request), names);
    assert_eq!(request.header("host").unwrap(), peer.address.to_string());
    assert_eq!(
        request.header("amz-sdk-request").unwrap(),
        "attempt=1; max=3"
    );
    assert_eq!(request.header("content-length").unwrap(), "2");
    assert_eq!(
        request.header("user-agent").unwrap(),
        concat!("sagemaker-invoke/", env!("CARGO_PKG_VERSION"))
    );
    verify(&request, SECRET_ACCESS_KEY, REGION).unwrap();
}

#[test]
fn the_name_of_the_application_is_in_the_user_agent() {
    let peer = Peer::responding(ok());
    let config = |name: &str| Config {
        app_name: Some(name.to_owned()),
        ..peer.config()
    };
    let request = sent(
        config("churn-report"),
        &InvokeEndpoint::new("e", b"{}"),
        &peer,
    );
    assert!(
        request
            .header("user-agent")
            .unwrap()
            .ends_with(" app/churn-report"),
        "{request:?}"
    );
    for wrong in [
        "",
        "two words",
        "a/b",
        "a\r\nb: c",
        "\u{e9}",
        &"a".repeat(51),
    ] {
        let error = Client::new(config(wrong)).unwrap_err();
        assert!(
            error.to_string().contains("app_name can only be 1 to 50"),
            "{error}"
        );
    }
}

#[test]
fn any_body_is_sent_unchanged() {
    let peer = Peer::responding(ok());
    let client = Client::new(peer.config()).unwrap();
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..6 * 1024 * 1024_u32)
        .map(|index| ((index * 31) >> 3).to_le_bytes()[0])
        .collect();
    for body in [&b""[..], b"\0", b"\r\n\r\n", &every_byte, &large] {
        client.invoke(&InvokeEndpoint::new("e", body)).unwrap();
        let request = peer.requests().pop().unwrap();
        assert!(request.body == body, "{} bytes", body.len());
        verify(&request, SECRET_ACCESS_KEY, REGION).unwrap();
    }
    assert_eq!(peer.connections(), 1);
}

fn append_zero(request: &mut Received, name: &str) {
    let headers = request.headers.iter_mut().filter(|header| header.0 == name);
    headers.for_each(|header| header.1.push('0'));
}

#[test]
fn a_changed_request_has_no_valid_signature() {
    let peer = Peer::responding(ok());
    let config = Config {
        credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
            .with_session_token("token")
            .into(),
        ..peer.config()
    };
    let bare = InvokeEndpoint::new("e", b"body");
    let request = sent(
        config,
        &InvokeEndpoint {
            target_model: Some("a  b"),
            ..bare
        },
        &peer,
    );
    verify(&request, SECRET_ACCESS_KEY, REGION).unwrap();
    assert!(verify(&request, "another secret", REGION).is_err());
    assert!(verify(&request, SECRET_ACCESS_KEY, "eu-west-1").is_err());
    let changes: [fn(&mut Received); 6] = [
        |it| it.body[0] ^= 1,
        |it| it.request_line = it.request_line.replace("/e/", "/f/"),
        |it| append_zero(it, "host"),
        |it| append_zero(it, "x-amz-security-token"),
        |it| append_zero(it, "x-amzn-sagemaker-target-model"),
        |it| it.headers.retain(|header| header.0 != "x-amz-date"),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut changed = Received::clone(&request);
        change(&mut changed);
        assert!(
            verify(&changed, SECRET_ACCESS_KEY, REGION).is_err(),
            "change {index}"
        );
    }
}

#[test]
fn a_base_path_is_sent_and_signed() {
    let peer = Peer::responding(ok());
    let endpoint = Endpoint::Url(format!("{}/gate/way/", peer.url()));
    let request = sent(
        Config {
            endpoint,
            ..peer.config()
        },
        &InvokeEndpoint::new("e", b""),
        &peer,
    );
    assert_eq!(request.path(), "/gate/way/endpoints/e/invocations");
    verify(&request, SECRET_ACCESS_KEY, REGION).unwrap();
}

#[test]
fn a_request_to_a_container_has_no_signature() {
    let peer = Peer::responding(response(200, &[("content-type", "text/csv")], "0.5"));
    let config = Config {
        endpoint: Endpoint::Container(peer.url()),
        region: None,
        ..peer.config()
    };
    let client = Client::new(config).unwrap();
    let request = InvokeEndpoint {
        accept: Some("text/csv"),
        ..InvokeEndpoint::new("e", b"1,2")
    };
    let received = client.invoke(&request).unwrap();
    assert_eq!(
        (received.body.as_slice(), received.content_type.as_deref()),
        (&b"0.5"[..], Some("text/csv"))
    );
    let received = peer.requests().pop().unwrap();
    assert_eq!(received.request_line, "POST /invocations HTTP/1.1");
    assert_eq!(
        content_length_last(&received),
        ["accept", "host", "user-agent", "content-length"]
    );
}

#[test]
fn sign_returns_the_request_that_invoke_sends() {
    let peer = Peer::responding(ok());
    let client = Client::new(peer.config()).unwrap();
    let operation = InvokeEndpoint {
        content_type: Some("text/csv"),
        ..InvokeEndpoint::new("e", b"1,2")
    };
    let signed = client.sign(&operation).unwrap();
    let valid_for = signed
        .expires_at
        .unwrap()
        .duration_since(SystemTime::now())
        .unwrap();
    assert!((200..=300).contains(&valid_for.as_secs()), "{valid_for:?}");
    client.invoke(&operation).unwrap();
    let received = peer.requests().pop().unwrap();
    assert_eq!(signed.url, format!("{}{}", peer.url(), received.path()));
    let mut names: Vec<&str> = signed
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.push("content-length");
    assert_eq!(content_length_last(&received), names);
    for (name, value) in &signed.headers {
        // Each call has a new invocation id, and the second of signing may differ.
        if !matches!(
            name.as_str(),
            "authorization" | "x-amz-date" | "amz-sdk-invocation-id"
        ) {
            assert_eq!(received.header(name), Some(value.as_str()), "{name}");
        }
    }
    let rebuilt = Received {
        request_line: format!("{} {} HTTP/1.1", signed.method, received.path()),
        headers: signed.headers.clone(),
        body: signed.body.to_vec(),
    };
    verify(&rebuilt, SECRET_ACCESS_KEY, REGION).unwrap();
}
