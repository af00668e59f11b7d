//! One table of hostile responses, with every service that gives credentials as a row. The error body repeats the complete
//! request in several encodings; none of its secrets may show in Display, Debug, a source or a log record.
//!
//! A new service gets a row. IMDS and containers have no proxy, so 407 is a plain status for them.

use sagemaker_invoke::Error;
use sha1::{Digest, Sha1};

use super::support::{Peer, Received, response};
use super::{FakeSystem, error_of, full_text, system};

/// Every secret that a request of the rows carries begins so.
const MARK: &str = "topsecret";

struct Row {
    name: &'static str,
    /// The system of a program that uses the service at this URL.
    system: fn(url: &str) -> FakeSystem,
    /// What the service gives before it turns hostile: `None` to be hostile at once.
    benign: fn(&Received) -> Option<Vec<u8>>,
}

const ROWS: [Row; 6] = [
    Row {
        name: "STS web identity",
        system: web_identity,
        benign: |_| None,
    },
    Row {
        name: "STS assume role",
        system: assume_role,
        benign: |_| None,
    },
    Row {
        name: "SSO portal",
        system: |url| sso(url, "2099-01-01T00:00:00Z"),
        benign: |_| None,
    },
    Row {
        name: "OIDC",
        system: |url| sso(url, "2020-01-01T00:00:00Z"),
        benign: |_| None,
    },
    Row {
        name: "container credentials",
        system: container,
        benign: |_| None,
    },
    Row {
        name: "IMDS",
        system: imds,
        benign: |request| {
            let token = "topsecret+metadata/token==";
            let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];
            let is_token = request.path() == "/latest/api/token";
            is_token.then(|| response(200, &ttl, token))
        },
    },
];

fn web_identity(url: &str) -> FakeSystem {
    let variables = [
        ("AWS_ENDPOINT_URL_STS", url),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/a-role"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
    ];
    system(&variables).with_file("/token", "topsecret.web+identity/token==")
}

fn assume_role(url: &str) -> FakeSystem {
    let profile = "[default]\nrole_arn = arn:aws:iam::123456789012:role/a-role\nsource_profile = base\n\
                   [base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = topsecretkey\n\
                   aws_session_token = topsecret/session+token==\n";
    system(&[("HOME", "/home"), ("AWS_ENDPOINT_URL_STS", url)])
        .with_file("/home/.aws/credentials", profile)
}

fn sso(url: &str, expires_at: &str) -> FakeSystem {
    let config = "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = reader\n\
                  [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.example/start\n";
    let token = serde_json::json!({
        "accessToken": "topsecret_access.token",
        "expiresAt": expires_at,
        "clientId": "client-1",
        "clientSecret": "topsecret.client+secret",
        "refreshToken": "topsecret/refresh=token",
        "registrationExpiresAt": "2099-01-01T00:00:00Z",
    });
    let file = format!(
        "/home/.aws/sso/cache/{}.json",
        hex::encode(Sha1::digest("corp"))
    );
    let variables = [
        ("HOME", "/home"),
        ("AWS_ENDPOINT_URL_SSO", url),
        ("AWS_ENDPOINT_URL_SSO_OIDC", url),
    ];
    system(&variables)
        .with_file("/home/.aws/config", config)
        .with_file(&file, token.to_string())
}

fn container(url: &str) -> FakeSystem {
    let url = format!("{url}/credentials?key=topsecret-query");
    system(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "Basic topsecret/pod+token==",
        ),
    ])
}

fn imds(url: &str) -> FakeSystem {
    system(&[
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url),
    ])
}

/// The complete request as text.
fn echo(request: &Received) -> String {
    let headers = request.headers.iter();
    let headers: String = headers
        .map(|(name, value)| format!("{name}: {value} "))
        .collect();
    let body = String::from_utf8_lossy(&request.body);
    format!("{} {headers}{body}", request.request_line)
}

fn percent(text: &str) -> String {
    let bytes = text.bytes();
    let encoded = bytes.map(|byte| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn xml(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    text.replace('"', "&quot;")
        .replace('+', "&#43;")
        .replace('=', "&#x3d;")
}

/// The forms of an error body that repeats the text.
fn bodies(text: &str) -> Vec<String> {
    let json = |text: &str| {
        let text = serde_json::Value::from(text).to_string();
        text.replace('+', "\\u002B").replace('/', "\\/")
    };
    let raw = text.replace('"', "'");
    vec![
        format!(r#"{{"code":"Denied","message":"{raw}"}}"#),
        format!(r#"{{"__type":"Denied","Message":{}}}"#, json(text)),
        format!(
            r#"{{"error":{},"message":"{}"}}"#,
            json(text),
            percent(text)
        ),
        format!(
            "<E><Error><Code>Denied</Code><Message>{}</Message></Error></E>",
            xml(text)
        ),
        format!(r#"{{"Code":{},"Message":{}}}"#, json(text), json(text)),
        text.to_owned(),
    ]
}

/// The error of a search whose service responds so.
fn error_for(row: &Row, respond: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Error {
    let benign = row.benign;
    let peer = Peer::responding_with(move |request, _| {
        benign(request).unwrap_or_else(|| respond(request))
    });
    let error = error_of((row.system)(&peer.url()));
    let carries_secret = peer.requests().iter().any(|it| {
        let text = echo(it);
        text.contains(MARK) || text.contains("Signature=")
    });
    assert!(carries_secret, "{}: no request has a secret", row.name);
    error
}

fn assert_hidden(text: &str, context: &str) {
    let lower = text.to_ascii_lowercase();
    assert!(!lower.contains(MARK), "{context}: {text}");
    // A signature has 64 digits.
    let digits = |run: &str| run.len() >= 64 && run.bytes().all(|it| it.is_ascii_hexdigit());
    let words = lower.split(|it: char| !it.is_ascii_alphanumeric());
    assert!(!words.into_iter().any(digits), "{context}: {text}");
}

#[test]
fn no_service_can_show_the_secrets_of_its_request() {
    for row in &ROWS {
        for status in [200, 400, 403] {
            for form in 0..bodies("").len() {
                let error = error_for(row, move |request| {
                    response(status, &[], &bodies(&echo(request))[form])
                });
                let context = format!("{} {status} form {form}", row.name);
                assert_hidden(&full_text(&error), &context);
                assert!(
                    error.to_string().lines().all(|line| line.len() < 2_000),
                    "{context}"
                );
            }
        }
    }
}

#[test]
fn codes_and_messages_of_services_are_bounded_and_on_one_line() {
    let long = "x".repeat(60_000);
    for row in &ROWS {
        for (code, message) in [
            (long.clone(), "m".to_owned()),
            ("c".to_owned(), long.clone()),
            ("a\u{1b}[2Jb".to_owned(), "a\u{202e}\u{7}\nb".to_owned()),
        ] {
            let json = serde_json::json!({ "code": code, "error": code, "message": message });
            let xml =
                format!("<E><Error><Code>{code}</Code><Message>{message}</Message></Error></E>");
            for body in [json.to_string(), xml] {
                let error = error_for(row, move |_| response(400, &[], &body));
                let text = error.to_string();
                assert!(
                    text.lines().all(|line| line.len() < 2_000),
                    "{}: {text}",
                    row.name
                );
                let is_shown = |it: char| it == '\n' || !it.is_control() && it != '\u{202e}';
                assert!(text.chars().all(is_shown), "{}: {text:?}", row.name);
                assert!(
                    format!("{error:?}").len() < 6_000,
                    "{}: {error:?}",
                    row.name
                );
            }
        }
    }
}

#[test]
fn a_rejected_request_is_not_repeated() {
    for row in &ROWS {
        for status in [400, 407] {
            let benign = row.benign;
            let peer = Peer::responding_with(move |request, _| {
                benign(request).unwrap_or_else(|| response(status, &[], "{}"))
            });
            error_of((row.system)(&peer.url()));
            let rejected = peer
                .requests()
                .iter()
                .filter(|it| benign(it).is_none())
                .count();
            assert_eq!(rejected, 1, "{} {status}", row.name);
        }
    }
}
