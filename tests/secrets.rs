//! No secret shows in any Debug, Display or log record, at trace level and in whatever spelling.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::error::Error as _;
use std::fmt::{Debug, Write as _};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use sagemaker_invoke::host::Host;
use sagemaker_invoke::{Client, Config, Credentials, Endpoint, Error, InvokeEndpoint, Proxy};
use support::{ACCESS_KEY_ID, Peer, REGION, config, response};

const SECRET_ACCESS_KEY: &str = "c2VjcmV0QWNjZXNz/S2V5+EXAMPLEKEY0123456789";
const SESSION_TOKEN: &str = "c2Vzc2lvblRva2Vu//EXAMPLETOKEN0123456789==";
const REQUEST_BODY: &str = "1.5,2.5,what-the-caller-asks";
const REQUEST_ATTRIBUTES: &str = "what-the-caller-adds";
const PROXY_PASSWORD: &str = "the-proxy-password";
/// `me:the-proxy-password` in Base64, as `Proxy-Authorization` carries it.
const PROXY_AUTHORIZATION: &str = "bWU6dGhlLXByb3h5LXBhc3N3b3Jk";
/// What comes back goes through ureq_proto, which writes all that it reads at trace level: the one known exception.
const RESPONSE_BODY: &str = "what-the-model-answers";
const RESPONSE_ATTRIBUTES: &str = "what-the-container-adds";

/// A log record.
struct Line {
    thread: ThreadId,
    target: String,
    level: Level,
    text: String,
}

struct Book(Mutex<Vec<Line>>);

static BOOK: Book = Book(Mutex::new(Vec::new()));

impl Log for Book {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Line {
            thread: std::thread::current().id(),
            target: record.target().to_owned(),
            level: record.level(),
            text: record.args().to_string(),
        });
    }

    fn flush(&self) {}
}

/// An environment with a session's credentials, and no names to look up.
#[derive(Debug)]
struct Sandbox;

impl Host for Sandbox {
    fn variable(&self, name: &str) -> Option<String> {
        let value = match name {
            "AWS_ACCESS_KEY_ID" => ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY" => SECRET_ACCESS_KEY,
            "AWS_SESSION_TOKEN" => SESSION_TOKEN,
            "AWS_REGION" => REGION,
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn lookup(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other("no such name"))
    }
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

/// All that the program shows, and the signatures that it sent.
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
        let mut source = error.source();
        while let Some(error) = source {
            writeln!(self.text, "{error} {error:?}").unwrap();
            source = error.source();
        }
    }

    /// A call that must fail.
    fn failure(&mut self, config: Config) -> Error {
        let error = match Client::new(config) {
            Ok(client) => client.invoke(&request()).unwrap_err(),
            Err(error) => error,
        };
        self.error(&error);
        error
    }

    fn signatures_at(&mut self, peer: &Peer) {
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

fn of_peer(peer: &Peer) -> Config {
    Config { credentials: credentials().into(), ..peer.config() }
}

fn successes(shown: &mut Shown) {
    let headers = [("content-type", "text/csv"), ("x-amzn-sagemaker-custom-attributes", RESPONSE_ATTRIBUTES)];
    let peer = Peer::answering(response(200, &headers, RESPONSE_BODY));
    let from_environment =
        Config { host: Arc::new(Sandbox), credentials: Default::default(), ..peer.config() };
    for config in [of_peer(&peer), from_environment] {
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
    shown.signatures_at(&peer);
}

fn refusals_before_sending(shown: &mut Shown) {
    let peer = Peer::answering(response(200, &[], ""));
    let with = |credentials: Credentials| Config { credentials: credentials.into(), ..peer.config() };
    let line_break = |text: &str| format!("{text}\n");
    let bad_id = Credentials::new("two words", SECRET_ACCESS_KEY);
    let bad_token =
        Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).with_session_token(line_break(SESSION_TOKEN));
    for config in [with(bad_id), with(bad_token)] {
        assert!(matches!(shown.failure(config), Error::Credentials(_)));
    }
    let url = format!("https://me:{PROXY_PASSWORD}@example.com");
    let endpoint = Endpoint::Url(url);
    assert!(matches!(shown.failure(Config { endpoint, ..of_peer(&peer) }), Error::Config(_)));
    let proxy = Proxy::Url(format!("socks5://me:{PROXY_PASSWORD}@127.0.0.1:1"));
    assert!(matches!(shown.failure(Config { proxy, ..of_peer(&peer) }), Error::Config(_)));

    let attributes = line_break(REQUEST_ATTRIBUTES);
    let request = InvokeEndpoint { custom_attributes: Some(&attributes), ..request() };
    shown.error(&Client::new(of_peer(&peer)).unwrap().invoke(&request).unwrap_err());
    assert_eq!(peer.connections(), 0);
}

fn failures_to_connect(shown: &mut Shown) {
    let with_sandbox =
        |config| Config { host: Arc::new(Sandbox), credentials: credentials().into(), ..config };
    for url in ["http://127.0.0.1:1", "http://name.invalid"] {
        assert!(matches!(shown.failure(with_sandbox(config(url))), Error::Connect(_)), "{url}");
    }
    if !cfg!(feature = "rustls") {
        return;
    }
    let not_tls = Peer::new(|mut connection| connection.say("what is this"));
    let https = not_tls.url().replace("http:", "https:");
    assert!(matches!(shown.failure(with_sandbox(config(&https))), Error::Connect(_)));

    let proxy_peer = Peer::answering(response(407, &[], ""));
    let proxy = Proxy::Url(format!("http://me:{PROXY_PASSWORD}@{}", proxy_peer.address));
    let through_proxy = Config { proxy, ..with_sandbox(config("https://127.0.0.1:1")) };
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
    let mut impatient = of_peer(&silent);
    impatient.timeouts.response = Duration::from_millis(100);
    assert!(matches!(shown.failure(impatient), Error::Timeout(_)));
    let rude = Peer::new(|mut connection| {
        connection.request();
        connection.stream.shutdown(Shutdown::Both).unwrap();
    });
    assert!(matches!(shown.failure(of_peer(&rude)), Error::Broken(_)));
    let babbling = Peer::answering("what is this\r\n\r\n");
    assert!(matches!(shown.failure(of_peer(&babbling)), Error::InvalidResponse(_)));
    let verbose = Peer::answering(response(200, &[], RESPONSE_BODY));
    let narrow = Config { max_response_bytes: 3, ..of_peer(&verbose) };
    assert!(matches!(shown.failure(narrow), Error::ResponseTooLarge(_)));
    let kinds = [
        (400, "ThrottlingException", r#"{"message":null}"#),
        (403, "ExpiredTokenException", r#"{"message":"expired"}"#),
        (424, "ModelError", r#"{"Message":"m","OriginalMessage":"o","OriginalStatusCode":500}"#),
        (502, "", "<html></html>"),
    ];
    for (status, code, body) in kinds {
        let peer = Peer::answering(response(status, &[("x-amzn-errortype", code)], body));
        assert!(matches!(shown.failure(of_peer(&peer)), Error::Service(_)));
        shown.signatures_at(&peer);
    }
    [silent, rude, babbling, verbose].iter().for_each(|peer| shown.signatures_at(peer));
}

/// The bytes of a row in which ureq_proto writes what it reads: 16 of them in hex, then as text.
fn row(line: &Line) -> Option<Vec<u8>> {
    let digits = line.text.get(..40).filter(|_| line.target.starts_with("ureq_proto"))?;
    hex::decode(digits.replace([' ', '-'], "")).ok()
}

/// All rows, put together again for each thread.
fn dumped(lines: &[Line]) -> Vec<u8> {
    let mut threads: Vec<(ThreadId, Vec<u8>)> = Vec::new();
    for (line, bytes) in lines.iter().filter_map(|line| Some((line, row(line)?))) {
        match threads.iter_mut().find(|(thread, _)| *thread == line.thread) {
            Some((_, dump)) => dump.extend(bytes),
            None => threads.push((line.thread, bytes)),
        }
    }
    threads.into_iter().flat_map(|(_, dump)| dump).collect()
}

/// The secret as it is, in both kinds of hex, and as Rust shows a slice of bytes.
fn spellings(secret: &str) -> [String; 4] {
    let numbers = format!("{:?}", secret.as_bytes());
    let numbers = numbers.trim_matches(['[', ']']).to_owned();
    [secret.to_owned(), hex::encode(secret), hex::encode_upper(secret), numbers]
}

fn holds(text: &str, secret: &str) -> bool {
    let without_spaces = text.replace(char::is_whitespace, "");
    spellings(secret).iter().any(|it| text.contains(it) || without_spaces.contains(&it.replace(' ', "")))
}

#[test]
fn no_secret_shows_anywhere() {
    log::set_logger(&BOOK).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let mut shown = Shown::default();
    successes(&mut shown);
    refusals_before_sending(&mut shown);
    failures_to_connect(&mut shown);
    failures_of_the_exchange(&mut shown);

    let lines = std::mem::take(&mut *BOOK.0.lock().unwrap());
    let log: String =
        lines.iter().map(|line| format!("{} {} {}\n", line.level, line.target, line.text)).collect();
    let dump = String::from_utf8_lossy(&dumped(&lines)).into_owned();
    assert!(shown.signatures.len() >= 12 && shown.signatures.iter().all(|it| it.len() == 64));
    let mut secrets: Vec<&str> = shown.signatures.iter().map(String::as_str).collect();
    secrets.extend([SECRET_ACCESS_KEY, SESSION_TOKEN, REQUEST_BODY, REQUEST_ATTRIBUTES]);
    secrets.extend([PROXY_PASSWORD, PROXY_AUTHORIZATION]);
    for secret in secrets {
        for (place, text) in [("shown", &shown.text), ("log", &log), ("dump", &dump)] {
            assert!(!holds(text, secret), "{secret} is in the {place}:\n{text}");
        }
    }
    // The exception: it must go on to be one, or the documentation is out of date.
    for answer in [RESPONSE_BODY, RESPONSE_ATTRIBUTES] {
        assert!(dump.contains(answer), "{dump}");
        assert!(!holds(&shown.text, answer) && !holds(&log, answer), "{answer}\n{log}");
    }
    assert!(lines.iter().filter(|line| row(line).is_some()).all(|line| line.level == Level::Trace));
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let secret = "a secret of more than sixteen bytes";
    for text in [
        format!("before {secret} after"),
        format!("before {} after", hex::encode(secret)),
        format!("{:?}", secret.as_bytes()),
        format!("{:#?}", secret.as_bytes().to_vec()).replace(",\n]", "\n]"),
    ] {
        assert!(holds(&text, secret), "{text}");
    }
    let line = |bytes: &[u8]| {
        let digits: Vec<String> = bytes.chunks(2).map(|pair| format!("{:-<4} ", hex::encode(pair))).collect();
        let text = format!("{:-<40} ................", digits.concat());
        let (thread, target) = (std::thread::current().id(), "ureq_proto::util".to_owned());
        Line { thread, target, level: Level::Trace, text }
    };
    let lines: Vec<Line> = secret.as_bytes().chunks(16).map(line).collect();
    assert_eq!(dumped(&lines), secret.as_bytes());
}
