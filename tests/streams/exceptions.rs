//! What an error of a stream tells its caller.

use sagemaker_invoke::error::{StreamError, StreamErrorKind};
use sagemaker_invoke::{Config, Error};

use super::support::event_stream::{exception, frame, part, stream_response};
use super::support::{Peer, response};
use super::{client, open, read_parts};

/// The error of a stream with one part and this frame.
fn error_of(frame: Vec<u8>) -> StreamError {
    error_of_response(stream_response(&[part("12345"), frame]))
}

fn error_of_response(response: Vec<u8>) -> StreamError {
    let peer = Peer::responding(response);
    let mut stream = open(&client(peer.config()), "e").unwrap();
    match read_parts(&mut stream).1 {
        Err(Error::Stream(error)) => *error,
        other => panic!("{other:?}"),
    }
}

/// The name, code and message of an error.
fn details(error: &StreamError) -> (Option<&str>, Option<&str>, Option<&str>) {
    (
        error.name.as_deref(),
        error.code.as_deref(),
        error.message.as_deref(),
    )
}

#[test]
fn exceptions_keep_name_code_and_message() {
    let upper = r#"{"ErrorCode":"StreamBroken","Message":"the container stopped"}"#;
    let lower = r#"{"errorCode":"StreamBroken","message":"the container stopped"}"#;
    let (broken, stopped) = (Some("StreamBroken"), Some("the container stopped"));
    for (name, payload, code, message) in [
        ("ModelStreamError", upper, broken, stopped),
        ("modelStreamError", lower, broken, stopped),
        (
            "InternalStreamFailure",
            r#"{"Message":"m"}"#,
            None,
            Some("m"),
        ),
        ("NewError", upper, broken, stopped),
        ("NewError", "no JSON", None, Some("no JSON")),
        ("NewError", "", None, None),
        ("NewError", r#"["a list"]"#, None, Some(r#"["a list"]"#)),
        (
            "NewError",
            r#"{"error":"boom"}"#,
            None,
            Some(r#"{"error":"boom"}"#),
        ),
        ("NewError", r#"{"ErrorCode":"StreamBroken"}"#, broken, None),
        ("NewError", "{}", None, None),
    ] {
        let error = error_of(exception(name, payload));
        assert_eq!(details(&error), (Some(name), code, message));
        assert_eq!(
            (error.request_id.as_deref(), error.bytes_delivered),
            (Some("request-1"), 5)
        );
        assert_eq!(error.attempts, 1);
    }
}

#[test]
fn error_messages_keep_code_and_message() {
    let headers = [
        (":message-type", "error"),
        (":error-code", "InternalError"),
        (":error-message", "it failed"),
    ];
    let error = error_of(frame(&headers, ""));
    assert_eq!(
        details(&error),
        (None, Some("InternalError"), Some("it failed"))
    );
    assert_eq!(error.kind, StreamErrorKind::Exception);
    let error = error_of(frame(&headers[..1], "it failed"));
    assert_eq!(details(&error), (None, None, Some("it failed")));
}

#[test]
fn long_exceptions_are_bounded() {
    let error = error_of(exception("NewError", vec![b'x'; 1024 * 1024]));
    assert!(error.message.unwrap().len() <= 64 * 1024);
}

#[test]
fn other_responses_show_status_type_and_first_bytes() {
    let error = error_of_response(response(
        203,
        &[("content-type", "text/html")],
        "<html>\r\n<body>",
    ));
    assert_eq!(error.kind, StreamErrorKind::NotAnEventStream);
    let text = error.to_string();
    for expected in ["203", "text/html", "<html>", "<body>"] {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn errors_before_the_stream_are_those_of_the_service() {
    let body = r#"{"ErrorCode":"StreamBroken","Message":"m"}"#;
    for (status, code) in [
        (400, "ValidationError"),
        (424, "ModelError"),
        (500, "InternalStreamFailure"),
        (400, "ModelStreamError"),
    ] {
        let peer = Peer::responding(response(status, &[("x-amzn-errortype", code)], body));
        let error = open(&client(peer.config()), "e").unwrap_err();
        assert_eq!(
            (error.status(), error.code()),
            (Some(status), Some(code)),
            "{error:?}"
        );
        assert_eq!(peer.requests().len(), 1);
    }
}

#[test]
fn empty_parts_are_given_once() {
    let peer = Peer::responding(stream_response(&[part("a"), part(""), part("b")]));
    let mut stream = open(&client(peer.config()), "e").unwrap();
    for expected in [Some(&b"a"[..]), Some(b""), Some(b"b"), None] {
        assert_eq!(stream.next_part().unwrap(), expected);
    }
    let summary = stream.summary();
    assert_eq!((summary.parts, summary.bytes), (3, 2));
    assert_eq!(summary.elapsed, stream.summary().elapsed);
}

#[test]
fn frames_are_as_large_as_the_limit_allows() {
    const LARGE_BYTES: usize = 24 * 1024 * 1024 + 1;
    let peer = Peer::responding(stream_response(&[part(vec![7; LARGE_BYTES])]));
    let mut stream = open(&client(peer.config()), "e").unwrap();
    assert_eq!(stream.next_part().unwrap().unwrap().len(), LARGE_BYTES);
    assert_eq!(stream.next_part().unwrap(), None);

    let config = Config {
        max_response_bytes: 1024 * 1024,
        ..peer.config()
    };
    let mut stream = open(&client(config), "e").unwrap();
    let error = stream.next_part().unwrap_err();
    assert!(
        matches!(&error, Error::Stream(it) if it.kind == StreamErrorKind::TooLarge),
        "{error:?}"
    );
}

#[test]
fn streams_may_be_longer_than_the_limit_of_a_frame() {
    let parts = vec![part(vec![7; 600]); 100];
    let peer = Peer::responding(stream_response(&parts));
    let mut stream = open(
        &client(Config {
            max_response_bytes: 1024,
            ..peer.config()
        }),
        "e",
    )
    .unwrap();
    let (bytes, outcome) = read_parts(&mut stream);
    assert_eq!((bytes.len(), outcome.is_ok()), (60_000, true));
}

/// `[DONE]` is the last record of a container, not the end of the stream.
#[test]
fn an_exception_after_the_last_record_is_seen() {
    let late = [
        part("data: a\n\ndata: [DO"),
        part("NE]\n\n"),
        exception("InternalStreamFailure", "{}"),
    ];
    let peer = Peer::responding(stream_response(&late));
    let mut stream = open(&client(peer.config()), "e").unwrap();
    let records: Vec<_> = stream.records().collect();
    let [Ok(record), Err(Error::Stream(error))] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(
        (record.as_slice(), error.kind),
        (&b"a"[..], StreamErrorKind::InternalFailure)
    );
}

/// The rest of a line is no record when the stream is cut.
#[test]
fn half_a_record_is_not_given() {
    let cut = [part("data: a\n\ndata: {\"te"), part("b")[..30].to_vec()];
    let peer = Peer::responding(stream_response(&cut));
    let mut stream = open(&client(peer.config()), "e").unwrap();
    let records: Vec<_> = stream.records().collect();
    let [Ok(record), Err(Error::Stream(error))] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(
        (record.as_slice(), error.kind),
        (&b"a"[..], StreamErrorKind::Cut)
    );
}
