//! No secret is in any Debug, Display or log record, at any level and in any encoding.

use std::fmt::{Debug, Write as _};
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use log::{Level, LevelFilter};
use sagemaker_invoke::{Client, Config, Credentials, Endpoint, Error, InvokeEndpoint, Proxy};

use super::support::log::{Line, capture, take};
use super::support::{
    ACCESS_KEY_ID, FakeSystem, Peer, REGION, config, in_own_process, response, sources,
};

const SECRET_ACCESS_KEY: &str = "c2VjcmV0QWNjZXNz/S2V5+EXAMPLEKEY0123456789";
const SESSION_TOKEN: &str = "c2Vzc2lvblRva2Vu//EXAMPLETOKEN0123456789==";
const REQUEST_BODY: &str = "1.5,2.5,the-request-body";
const REQUEST_ATTRIBUTES: &str = "the-request-attributes";
const PROXY_PASSWORD: &str = "the-proxy-password";
/// `me:the-proxy-password` in Base64, as `Proxy-Authorization` carries it.
const PROXY_AUTHORIZATION: &str = "bWU6dGhlLXByb3h5LXBhc3N3b3Jk";
// ureq_proto logs the heads of requests and whole responses at trace level. This exception is documented.
const RESPONSE_BODY: &str = "the-response-body";
const RESPONSE_ATTRIBUTES: &str = "the-response-attributes";

/// The credentials of a session in the environment, and lookups that fail.
fn system_without_names() -> Arc<FakeSystem> {
    let variables = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_SESSION_TOKEN", SESSION_TOKEN),
        ("AWS_REGION", REGION),
    ];
    Arc::new(
        FakeSystem::on_loopback(&variables)
            .with_lookup(|_, _| Err(io::Error::other("no such name"))),
    )
}

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).with_session_token(SESSION_TOKEN)
}

fn request() -> InvokeEndpoint<'static> {
    InvokeEndpoint {
        custom_attributes: Some(REQUEST_ATTRIBUTES),
        ..InvokeEndpoint::new("churn-model", REQUEST_BODY.as_bytes())
    }
}

/// The texts that a program can print, and the signatures sent.
#[derive(Default)]
struct Shown {
    text: String,
    signatures: Vec<String>,
}

impl Shown {
    fn debug(&mut self, value: &dyn Debug) {
        writeln!(self.text, "{value:?} {value:#?}").unwrap();
    }

    fn error(&mut self, error: &Error) {
        self.debug(error);
        writeln!(self.text, "{error}").unwrap();
        for source in sources(error) {
            writeln!(self.text, "{source} {source:?}").unwrap();
        }
    }

    /// Makes a call, which must fail, and adds its error.
    fn failure(&mut self, config: Config) -> Error {
        let error = match Client::new(config) {
            Ok(client) => client.invoke(&request()).unwrap_err(),
            Err(error) => error,
        };
        self.error(&error);
        error
    }

    fn signatures_of(&mut self, peer: &Peer) {
        for received in peer.requests() {
            assert_eq!(received.header("x-amz-security-token"), Some(SESSION_TOKEN));
            self.signature(received.header("authorization"));
        }
    }

    fn signature(&mut self, authorization: Option<&str>) {
        let (_, signature) = authorization.unwrap().split_once("Signature=").unwrap();
        self.signatures.push(signature.to_owned());
    }
}

fn config_of(peer: &Peer) -> Config {
    Config {
        credentials: credentials().into(),
        ..peer.config()
    }
}

fn config_without_names(url: &str) -> Config {
    Config {
        system: system_without_names(),
        credentials: credentials().into(),
        ..config(url)
    }
}

fn successes(shown: &mut Shown) {
    let headers = [
        ("content-type", "text/csv"),
        ("x-amzn-sagemaker-custom-attributes", RESPONSE_ATTRIBUTES),
    ];
    let peer = Peer::responding(response(200, &headers, RESPONSE_BODY));
    let from_environment = Config {
        system: system_without_names(),
        credentials: Default::default(),
        ..peer.config()
    };
    for config in [config_of(&peer), from_environment] {
        shown.debug(&config);
        shown.debug(&credentials());
        let client = Client::new(config).unwrap();
        let request = request();
        let signed = client.sign(&request).unwrap();
        shown.signature(signed.header("authorization"));
        shown.debug(&client);
        shown.debug(&request);
        shown.debug(&signed);
        shown.text.push_str(&signed.curl());
        for _ in 0..2 {
            let response = client.invoke(&request).unwrap();
            assert_eq!(response.body, RESPONSE_BODY.as_bytes());
            shown.debug(&response);
        }
    }
    shown.signatures_of(&peer);
}

fn errors_before_sending(shown: &mut Shown) {
    let peer = Peer::responding(response(200, &[], ""));
    let bad_id = Credentials::new("two words", SECRET_ACCESS_KEY);
    let bad_token = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
        .with_session_token(format!("{SESSION_TOKEN}\n"));
    for credentials in [bad_id, bad_token] {
        let config = Config {
            credentials: credentials.into(),
            ..peer.config()
        };
        assert!(matches!(shown.failure(config), Error::Credentials(_)));
    }
    let url = format!("https://me:{PROXY_PASSWORD}@example.com");
    let endpoint = Endpoint::Url(url);
    assert!(matches!(
        shown.failure(Config {
            endpoint,
            ..config_of(&peer)
        }),
        Error::Config(_)
    ));
    let proxy = Proxy::Url(format!("socks5://me:{PROXY_PASSWORD}@127.0.0.1:1"));
    assert!(matches!(
        shown.failure(Config {
            proxy,
            ..config_of(&peer)
        }),
        Error::Config(_)
    ));

    let attributes = format!("{REQUEST_ATTRIBUTES}\n");
    let request = InvokeEndpoint {
        custom_attributes: Some(&attributes),
        ..request()
    };
    shown.error(
        &Client::new(config_of(&peer))
            .unwrap()
            .invoke(&request)
            .unwrap_err(),
    );
    assert_eq!(peer.connections(), 0);
}

fn failures_to_connect(shown: &mut Shown) {
    for url in ["http://127.0.0.1:1", "http://name.invalid"] {
        assert!(
            matches!(shown.failure(config_without_names(url)), Error::Connect(_)),
            "{url}"
        );
    }
    if !cfg!(feature = "rustls") {
        return;
    }
    let not_tls = Peer::new(|mut connection| connection.send("not a response"));
    let https = not_tls.url().replace("http:", "https:");
    assert!(matches!(
        shown.failure(config_without_names(&https)),
        Error::Connect(_)
    ));

    let proxy_peer = Peer::responding(response(407, &[], ""));
    let proxy = Proxy::Url(format!("http://me:{PROXY_PASSWORD}@{}", proxy_peer.address));
    let through_proxy = Config {
        proxy,
        ..config_without_names("https://127.0.0.1:1")
    };
    shown.debug(&through_proxy);
    assert!(matches!(shown.failure(through_proxy), Error::Connect(_)));
    assert_eq!(
        proxy_peer.requests()[0].header("proxy-authorization"),
        Some(&*format!("Basic {PROXY_AUTHORIZATION}"))
    );
}

fn failures_of_the_exchange(shown: &mut Shown) {
    let silent = Peer::new(|mut connection| {
        connection.request();
        connection.stall();
    });
    let mut config = config_of(&silent);
    config.timeouts.response = Some(Duration::from_millis(100));
    assert!(matches!(shown.failure(config), Error::Timeout(_)));
    let closing = Peer::new(|mut connection| {
        connection.request();
        connection.stream.shutdown(Shutdown::Both).unwrap();
    });
    assert!(matches!(
        shown.failure(config_of(&closing)),
        Error::ConnectionLost(_)
    ));
    let not_http = Peer::responding("not a response\r\n\r\n");
    assert!(matches!(
        shown.failure(config_of(&not_http)),
        Error::InvalidResponse(_)
    ));
    let large = Peer::responding(response(200, &[], RESPONSE_BODY));
    let limited = Config {
        max_response_bytes: 3,
        ..config_of(&large)
    };
    assert!(matches!(shown.failure(limited), Error::ResponseTooLarge(_)));
    let kinds = [
        (400, "ThrottlingException", r#"{"message":null}"#),
        (403, "ExpiredTokenException", r#"{"message":"expired"}"#),
        (
            424,
            "ModelError",
            r#"{"Message":"m","OriginalMessage":"o","OriginalStatusCode":500}"#,
        ),
        (502, "", "<html></html>"),
    ];
    for (status, code, body) in kinds {
        let peer = Peer::responding(response(status, &[("x-amzn-errortype", code)], body));
        assert!(matches!(shown.failure(config_of(&peer)), Error::Service(_)));
        shown.signatures_of(&peer);
    }
    [silent, closing, not_http, large]
        .iter()
        .for_each(|peer| shown.signatures_of(peer));
}

/// The 16 bytes of a row of ureq_proto's hex dumps. A row has them in hex first and then as text.
fn dump_row(line: &Line) -> Option<Vec<u8>> {
    let digits = line
        .text
        .get(..40)
        .filter(|_| line.target.starts_with("ureq_proto"))?;
    hex::decode(digits.replace([' ', '-'], "")).ok()
}

/// The bytes of all rows, in order for each thread.
fn dumped_bytes(lines: &[Line]) -> Vec<u8> {
    let mut threads: Vec<(ThreadId, Vec<u8>)> = Vec::new();
    for (line, bytes) in lines
        .iter()
        .filter_map(|line| Some((line, dump_row(line)?)))
    {
        match threads
            .iter_mut()
            .find(|(thread, _)| *thread == line.thread)
        {
            Some((_, dump)) => dump.extend(bytes),
            None => threads.push((line.thread, bytes)),
        }
    }
    threads.into_iter().flat_map(|(_, dump)| dump).collect()
}

/// The secret itself, in lower and upper case hex, and as the Debug text of a byte slice.
fn encodings(secret: &str) -> [String; 4] {
    let numbers = format!("{:?}", secret.as_bytes());
    let numbers = numbers.trim_matches(['[', ']']).to_owned();
    [
        secret.to_owned(),
        hex::encode(secret),
        hex::encode_upper(secret),
        numbers,
    ]
}

fn holds(text: &str, secret: &str) -> bool {
    let without_spaces = text.replace(char::is_whitespace, "");
    encodings(secret)
        .iter()
        .any(|it| text.contains(it) || without_spaces.contains(&it.replace(' ', "")))
}

#[test]
fn no_output_holds_a_secret() {
    in_own_process("secrets::no_output_holds_a_secret", check_all_output);
}

fn check_all_output() {
    capture(LevelFilter::Trace);
    let mut shown = Shown::default();
    successes(&mut shown);
    errors_before_sending(&mut shown);
    failures_to_connect(&mut shown);
    failures_of_the_exchange(&mut shown);

    let lines = take();
    let log: String = lines
        .iter()
        .map(|line| format!("{} {} {}\n", line.level, line.target, line.text))
        .collect();
    let dump = String::from_utf8_lossy(&dumped_bytes(&lines)).into_owned();
    assert!(shown.signatures.len() >= 12 && shown.signatures.iter().all(|it| it.len() == 64));
    let mut secrets: Vec<&str> = shown.signatures.iter().map(String::as_str).collect();
    secrets.extend([
        SECRET_ACCESS_KEY,
        SESSION_TOKEN,
        REQUEST_BODY,
        REQUEST_ATTRIBUTES,
    ]);
    secrets.extend([PROXY_PASSWORD, PROXY_AUTHORIZATION]);
    for secret in &secrets {
        for (place, text) in [("shown", &shown.text), ("log", &log)] {
            assert!(!holds(text, secret), "{secret} is in the {place}:\n{text}");
        }
    }
    for never_logged in [
        SECRET_ACCESS_KEY,
        REQUEST_BODY,
        PROXY_PASSWORD,
        PROXY_AUTHORIZATION,
    ] {
        assert!(
            !holds(&dump, never_logged),
            "{never_logged} is in the dump:\n{dump}"
        );
    }
    // The documented exception. If it ends, the documentation must change.
    for shown_at_trace in [
        SESSION_TOKEN,
        REQUEST_ATTRIBUTES,
        RESPONSE_BODY,
        RESPONSE_ATTRIBUTES,
    ] {
        assert!(dump.contains(shown_at_trace), "{dump}");
        assert!(
            !holds(&shown.text, shown_at_trace) && !holds(&log, shown_at_trace),
            "{shown_at_trace}\n{log}"
        );
    }
    assert!(
        lines
            .iter()
            .filter(|line| dump_row(line).is_some())
            .all(|line| line.level == Level::Trace)
    );
}

/// A row of ureq_proto's hex dumps.
fn dump_line(bytes: &[u8]) -> Line {
    let digits: Vec<String> = bytes
        .chunks(2)
        .map(|pair| format!("{:-<4} ", hex::encode(pair)))
        .collect();
    Line {
        thread: std::thread::current().id(),
        target: "ureq_proto::util".to_owned(),
        level: Level::Trace,
        text: format!("{:-<40} ................", digits.concat()),
    }
}

#[test]
fn the_search_finds_every_encoding() {
    let secret = "a secret of more than sixteen bytes";
    for text in [
        format!("before {secret} after"),
        format!("before {} after", hex::encode(secret)),
        format!("{:?}", secret.as_bytes()),
        format!("{:#?}", secret.as_bytes().to_vec()).replace(",\n]", "\n]"),
    ] {
        assert!(holds(&text, secret), "{text}");
    }
    let lines: Vec<Line> = secret.as_bytes().chunks(16).map(dump_line).collect();
    assert_eq!(dumped_bytes(&lines), secret.as_bytes());
}
