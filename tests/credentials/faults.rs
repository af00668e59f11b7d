//! Each source with invalid responses, lost connections and stalls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sagemaker_invoke::{CallOptions, Client, Config, Error, InvokeEndpoint};

use super::sources::sso_system;
use super::support::{ClosedPort, Connection, Peer, response};
use super::{FakeSystem, full_text, system};

/// Makes a system whose source calls this URL.
type MakeSystem = fn(&str) -> FakeSystem;

/// The name of a source in errors, and its system.
const SOURCES: [(&str, MakeSystem); 5] = [
    ("container", |url| {
        system(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)])
    }),
    ("instance metadata", |url| {
        let on = ("AWS_EC2_METADATA_DISABLED", "false");
        system(&[on, ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)])
    }),
    ("AssumeRole of", |url| {
        let config = "[default]\nrole_arn = arn:r\nsource_profile = default\n\
                      aws_access_key_id = AKIABASE\naws_secret_access_key = topsecretbase\n";
        system(&[("AWS_ENDPOINT_URL_STS", url)]).with_config(config)
    }),
    ("AssumeRoleWithWebIdentity of", |url| {
        let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
        system(&[
            ("AWS_ENDPOINT_URL_STS", url),
            token,
            ("AWS_ROLE_ARN", "arn:r"),
        ])
        .with_file("/token", "topsecrettoken")
    }),
    ("the SSO portal", |url| {
        sso_system(&[("AWS_ENDPOINT_URL_SSO", url)])
    }),
];

type Serve = fn(Connection);

/// Name of a fault, and what the peer does. No error may hold a text that begins with `topsecret`.
const FAULTS: [(&str, Serve); 9] = [
    ("closes", |mut connection| {
        connection.request();
        connection.close();
    }),
    ("resets", |mut connection| {
        connection.request();
        connection.reset();
    }),
    ("sends no HTTP", |mut connection| {
        connection.respond_to_all("topsecretgarbage\n\n");
    }),
    ("sends HTML", |mut connection| {
        connection.respond_to_all(response(200, &[], "<html>topsecretpage</html>\n"));
    }),
    ("sends an empty body", |mut connection| {
        connection.respond_to_all(response(200, &[], ""));
    }),
    ("sends other JSON", |mut connection| {
        connection.respond_to_all(response(
            200,
            &[],
            r#"{"AccessKeyId":"topsecretid","a":[1]}"#,
        ));
    }),
    ("announces a huge body", |mut connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx");
        connection.stall();
    }),
    ("sends a huge body", |mut connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        // A hundred times the limit of a response.
        for _ in 0..400 {
            connection.send([&b"10000\r\n"[..], &[b'x'; 65_536], b"\r\n"].concat());
        }
    }),
    ("responds with 500", |mut connection| {
        connection.respond_to_all(response(500, &[], "topsecretfailure"));
    }),
];

/// The error of a call that needs credentials, and its duration.
fn outcome(system: FakeSystem, timeout: Option<Duration>) -> (Error, Duration) {
    let base = super::support::config("http://127.0.0.1:1");
    let config = Config::from_system(Arc::new(system)).unwrap();
    let config = Config {
        endpoint: base.endpoint,
        proxy: base.proxy,
        ..config
    };
    let begun_at = Instant::now();
    let options = CallOptions {
        timeout,
        ..CallOptions::default()
    };
    let error = Client::new(config)
        .unwrap()
        .invoke_with(&InvokeEndpoint::new("e", b"b"), &options)
        .unwrap_err();
    (error, begun_at.elapsed())
}

#[test]
fn an_error_names_its_source_and_hides_the_response() {
    std::thread::scope(|scope| {
        for (source, make_system) in SOURCES {
            scope.spawn(move || {
                for (fault, serve) in FAULTS {
                    let peer = Peer::new(serve);
                    let (error, elapsed) = outcome(make_system(&peer.url()), None);
                    let text = full_text(&error);
                    assert!(
                        matches!(error, Error::Credentials(_)),
                        "{source} {fault}: {text}"
                    );
                    assert!(text.contains(source), "{source} {fault}: {text}");
                    assert!(!text.contains("topsecret"), "{source} {fault}: {text}");
                    assert!(
                        elapsed < Duration::from_secs(60),
                        "{source} {fault}: a guard against a hang"
                    );
                    assert!(peer.connections() >= 1, "{source} {fault}");
                }
            });
        }
    });
}

#[test]
fn a_stalled_source_ends_with_the_deadline_of_the_call() {
    let stalls: [(&str, Serve); 2] = [
        ("stalls", |mut connection| connection.stall()),
        ("sends slowly", |mut connection| {
            connection.request();
            connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
            // Longer than the call.
            for _ in 0..12 {
                connection.send("x");
                std::thread::sleep(Duration::from_millis(50));
            }
        }),
    ];
    for (source, make_system) in SOURCES {
        for (fault, serve) in stalls {
            let peer = Peer::new(serve);
            let (error, elapsed) =
                outcome(make_system(&peer.url()), Some(Duration::from_millis(400)));
            let text = full_text(&error);
            assert!(
                matches!(error, Error::Timeout(_)),
                "{source} {fault}: {text}"
            );
            assert!(
                text.contains("timed out preparing the request"),
                "{source} {fault}: {text}"
            );
            assert!(
                elapsed < Duration::from_secs(10),
                "{source} {fault}: a guard against a hang"
            );
        }
    }
}

#[test]
fn a_closed_port_is_an_error_and_for_instance_metadata_a_missing_source() {
    let closed = ClosedPort::new();
    for (source, make_system) in SOURCES {
        let (error, _) = outcome(make_system(&closed.url()), None);
        let text = error.to_string();
        assert!(
            text.contains(&format!("could not connect to {}", closed.address)),
            "{source}: {text}"
        );
        let is_list = text.starts_with("no source has credentials");
        assert_eq!(is_list, source == "instance metadata", "{text}");
    }
}
