//! Bytes that a service could send, and how the stream ends for each. The peer sends the same response to each reader.

use std::io::{BufRead, Read};
use std::sync::Arc;

use sagemaker_invoke::error::StreamErrorKind::*;
use sagemaker_invoke::{Client, Error, ResponseStream};

use super::support::event_stream::*;
use super::support::response;
use super::{Ended, Then, client, ended, open, peer_by_name, read_parts};

/// A response, and what a reader gets of it.
struct Row {
    name: &'static str,
    response: Vec<u8>,
    then: Then,
    bytes: &'static [u8],
    ended: Ended,
}

const A: &[u8] = b"data: a\n\n";
const B: &[u8] = b"data: b\n\n";
const AB: &[u8] = b"data: a\n\ndata: b\n\n";

/// A stream with one good part, these bytes, and a last chunk.
fn row(name: &'static str, after: impl AsRef<[u8]>, bytes: &'static [u8], ended: Ended) -> Row {
    let body = [&part(A), after.as_ref()].concat();
    let response = [STREAM_HEAD.as_bytes(), &chunk(body), LAST_CHUNK].concat();
    Row {
        name,
        response,
        then: Then::Keep,
        bytes,
        ended,
    }
}

/// A whole response, after which the peer does `then`.
fn raw(
    name: &'static str,
    pieces: &[&[u8]],
    then: Then,
    bytes: &'static [u8],
    ended: Ended,
) -> Row {
    Row {
        name,
        response: pieces.concat(),
        then,
        bytes,
        ended,
    }
}

fn good_rows() -> Vec<Row> {
    let ok = Ended::Complete;
    let head = STREAM_HEAD.as_bytes();
    let both = [part(A), part(B)].concat();
    let bare = frame(
        &[(":message-type", "event"), (":event-type", "PayloadPart")],
        B,
    );
    let plain_head = |extra: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n{extra}\r\n"
        )
    };
    let last = "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let with_length = plain_head(&format!("content-length: {}\r\n", both.len()));
    vec![
        row("frames-in-one-chunk", part(B), AB, ok),
        raw(
            "a-byte-per-chunk",
            &[head, &chunk_per_byte(&both), LAST_CHUNK],
            Then::Keep,
            AB,
            ok,
        ),
        row("empty-part", part(""), A, ok),
        raw("no-frame", &[head, LAST_CHUNK], Then::Keep, b"", ok),
        row("part-without-content-type", bare, AB, ok),
        row(
            "initial-response",
            [event("initial-response", "{}"), part(B)].concat(),
            AB,
            ok,
        ),
        row(
            "unknown-event",
            [event("Trace", "x"), part(B)].concat(),
            AB,
            ok,
        ),
        raw(
            "content-length",
            &[with_length.as_bytes(), &both],
            Then::Keep,
            AB,
            ok,
        ),
        raw(
            "until-close",
            &[plain_head("").as_bytes(), &both],
            Then::Close,
            AB,
            ok,
        ),
        raw(
            "closed-after-last-chunk",
            &[last.as_bytes(), &chunk(&both), LAST_CHUNK],
            Then::Close,
            AB,
            ok,
        ),
    ]
}

fn exception_rows() -> Vec<Row> {
    let failed = Ended::Failed;
    let timeout = r#"{"ErrorCode":"ModelInvocationTimeExceeded","Message":"m"}"#;
    let first = stream_response(&[exception("InternalStreamFailure", "{}"), part(A)]);
    let error = frame(
        &[
            (":message-type", "error"),
            (":error-code", "c"),
            (":error-message", "m"),
        ],
        "",
    );
    vec![
        row(
            "time-exceeded",
            exception("ModelStreamError", timeout),
            A,
            failed(ModelTimeExceeded),
        ),
        row(
            "broken",
            exception("ModelStreamError", r#"{"ErrorCode":"StreamBroken"}"#),
            A,
            failed(StreamBroken),
        ),
        row(
            "internal",
            exception("InternalStreamFailure", "{}"),
            A,
            failed(InternalFailure),
        ),
        raw(
            "exception-first",
            &[&first],
            Then::Keep,
            b"",
            failed(InternalFailure),
        ),
        row(
            "unknown-exception",
            exception("NewError", "{}"),
            A,
            failed(Exception),
        ),
        row(
            "exception-is-no-json",
            exception("ModelStreamError", "text"),
            A,
            failed(Exception),
        ),
        row(
            "exception-is-empty",
            exception("ModelStreamError", ""),
            A,
            failed(Exception),
        ),
        row(
            "lower-case",
            exception("modelStreamError", r#"{"errorCode":"StreamBroken"}"#),
            A,
            failed(StreamBroken),
        ),
        row(
            "part-after-exception",
            [exception("NewError", ""), part(B)].concat(),
            A,
            failed(Exception),
        ),
        row("error-message", error, A, failed(Exception)),
    ]
}

fn broken_frame_rows() -> Vec<Row> {
    let failed = Ended::Failed;
    let event_type = (":event-type", "PayloadPart");
    let twice = [(":message-type", "event"), event_type, event_type];
    let followed = |frame: Vec<u8>| [frame, part(B)].concat();
    let first = stream_response(&[flipped(part(A), 9)]);
    let unknown_first = stream_response(&[
        event("Trace", ""),
        b"<html>35 bytes of text</html>".to_vec(),
    ]);
    vec![
        row(
            "no-message-type",
            followed(frame(&[event_type], B)),
            A,
            failed(InvalidFrame),
        ),
        row(
            "no-event-type",
            followed(frame(&[(":message-type", "event")], B)),
            A,
            failed(InvalidFrame),
        ),
        row(
            "duplicate-header",
            followed(frame(&twice, B)),
            A,
            failed(InvalidFrame),
        ),
        row(
            "message-checksum",
            followed(flipped(part(B), 40)),
            A,
            failed(Checksum),
        ),
        row(
            "prelude-checksum",
            followed(flipped(part(B), 9)),
            A,
            failed(Checksum),
        ),
        row("length-changed", flipped(part(B), 1), A, failed(Checksum)),
        raw(
            "prelude-checksum-first",
            &[&first],
            Then::Keep,
            b"",
            failed(Checksum),
        ),
        raw(
            "text-after-unknown-event",
            &[&unknown_first],
            Then::Keep,
            b"",
            failed(Checksum),
        ),
        row(
            "text-after-frames",
            "<html>35 bytes of text from a proxy",
            A,
            failed(Checksum),
        ),
        row("cut-after-3", &part(B)[..3], A, failed(Cut)),
        row("cut-after-8", &part(B)[..8], A, failed(Cut)),
        row("cut-after-12", &part(B)[..12], A, failed(Cut)),
        row("cut-after-40", &part(B)[..40], A, failed(Cut)),
        row(
            "cut-before-the-last-byte",
            &part(B)[..part(B).len() - 1],
            A,
            failed(Cut),
        ),
        row(
            "trailing-bytes",
            [&part(B), &b"\0\0\0"[..]].concat(),
            AB,
            failed(Cut),
        ),
        row(
            "trailing-text",
            [&part(B), &b"end"[..]].concat(),
            AB,
            failed(Cut),
        ),
    ]
}

fn lost_rows() -> Vec<Row> {
    let (head, lost) = (STREAM_HEAD.as_bytes(), Ended::ConnectionLost);
    let (whole, half) = (chunk(part(A)), chunk(&part(B)[..50]));
    let until_close =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\r\n";
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    vec![
        raw(
            "closed-between-frames",
            &[head, &whole],
            Then::Close,
            A,
            lost,
        ),
        raw(
            "closed-in-a-frame",
            &[head, &whole, &half],
            Then::Close,
            A,
            lost,
        ),
        raw(
            "closed-in-a-chunk",
            &[head, &whole, &half[..20]],
            Then::Close,
            A,
            lost,
        ),
        raw(
            "closed-in-the-last-chunk",
            &[head, &whole, b"0"],
            Then::Close,
            A,
            lost,
        ),
        raw(
            "reset-between-frames",
            &[head, &whole],
            Then::Reset,
            A,
            lost,
        ),
        raw(
            "reset-in-a-frame",
            &[head, &whole, &half],
            Then::Reset,
            A,
            lost,
        ),
        raw(
            "reset-until-close",
            &[until_close, &part(A)],
            Then::Reset,
            A,
            lost,
        ),
        raw(
            "closed-before-length",
            &[short, &part(A)],
            Then::Close,
            A,
            lost,
        ),
        raw(
            "cut-until-close",
            &[until_close, &part(A), &part(B)[..50]],
            Then::Close,
            A,
            Ended::Failed(Cut),
        ),
    ]
}

fn other_rows() -> Vec<Row> {
    let json = response(
        200,
        &[("content-type", "application/json")],
        r#"{"outputs":["a"]}"#,
    );
    let short = response(200, &[("content-type", "text/plain")], "ok");
    let sse = [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        &chunk(AB)[..],
        LAST_CHUNK,
    ];
    let ended = Ended::Failed(NotAnEventStream);
    vec![
        raw(
            "empty",
            &[&response(200, &[("content-type", "application/json")], "")],
            Then::Keep,
            b"",
            ended,
        ),
        raw(
            "empty-without-type",
            &[&response(200, &[], "")],
            Then::Keep,
            b"",
            ended,
        ),
        raw("json", &[&json], Then::Keep, b"", ended),
        raw("short-text", &[&short], Then::Keep, b"", ended),
        raw("server-sent-events", &sse, Then::Keep, b"", ended),
    ]
}

/// Inverts the byte at this place.
fn flipped(mut frame: Vec<u8>, place: usize) -> Vec<u8> {
    frame[place] ^= 0xff;
    frame
}

#[test]
fn good_streams_end_well() {
    check_all(good_rows());
}

#[test]
fn exceptions_end_the_stream() {
    check_all(exception_rows());
}

#[test]
fn broken_frames_end_the_stream() {
    check_all(broken_frame_rows());
}

#[test]
fn lost_connections_end_the_stream() {
    check_all(lost_rows());
}

#[test]
fn other_responses_are_no_streams() {
    check_all(other_rows());
}

/// Reads each row in each way, with one client.
fn check_all(rows: Vec<Row>) {
    let rows = Arc::new(rows);
    let served = Arc::clone(&rows);
    let peer = peer_by_name(move |name| {
        let row = served.iter().find(|row| row.name == name).unwrap();
        (row.response.clone(), row.then)
    });
    let client = client(peer.config());
    for row in &*rows {
        check_parts(row, &client);
        check_read(row, &client);
        check_buffered(row, &client);
        check_records(row, &client);
        if let Some(stream) = open_or_lost(row, &client) {
            let outcome = stream.finish().map(drop);
            assert_eq!(ended(&outcome), row.ended, "{}", row.name);
        }
    }
}

/// A reset may overtake bytes sent before it.
fn check_bytes(row: &Row, bytes: &[u8]) {
    let is_expected = bytes == row.bytes || row.then == Then::Reset && row.bytes.starts_with(bytes);
    assert!(
        is_expected,
        "{}: {:?}",
        row.name,
        String::from_utf8_lossy(bytes)
    );
}

fn check_parts(row: &Row, client: &Client) {
    let Some(mut stream) = open_or_lost(row, client) else {
        return;
    };
    for round in 0..3 {
        let (bytes, outcome) = read_parts(&mut stream);
        assert_eq!(ended(&outcome), row.ended, "{} {outcome:?}", row.name);
        match round {
            0 => check_bytes(row, &bytes),
            _ => assert!(bytes.is_empty()),
        }
        if let Err(error) = outcome {
            assert!(error.may_have_run(), "{}", row.name);
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }
    assert!(stream.summary().bytes <= row.bytes.len().try_into().unwrap());
}

/// A reset may overtake the head, too.
fn open_or_lost(row: &Row, client: &Client) -> Option<ResponseStream> {
    match open(client, row.name) {
        Ok(stream) => Some(stream),
        Err(error) if row.then == Then::Reset => {
            assert_eq!(Ended::of(&error), Ended::ConnectionLost);
            None
        }
        Err(error) => panic!("{}: {error:?}", row.name),
    }
}

fn check_read(row: &Row, client: &Client) {
    let Some(mut stream) = open_or_lost(row, client) else {
        return;
    };
    let mut bytes = Vec::new();
    for _ in 0..3 {
        let outcome = stream
            .read_to_end(&mut bytes)
            .map(drop)
            .map_err(|error| error.downcast().unwrap());
        assert_eq!(ended(&outcome), row.ended, "{} {outcome:?}", row.name);
        check_bytes(row, &bytes);
        if outcome.is_ok() {
            assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
        }
    }
}

fn check_buffered(row: &Row, client: &Client) {
    let Some(mut stream) = open_or_lost(row, client) else {
        return;
    };
    let mut bytes = Vec::new();
    let outcome = loop {
        match stream.fill_buf() {
            Ok([]) => break Ok(()),
            Ok([byte, ..]) => bytes.push(*byte),
            Err(error) => break Err(error.downcast::<Error>().unwrap()),
        }
        stream.consume(1);
    };
    assert_eq!(ended(&outcome), row.ended, "{}", row.name);
    check_bytes(row, &bytes);
    assert_eq!(stream.fill_buf().is_err(), outcome.is_err());
}

/// The records come first, then the error once, then nothing.
fn check_records(row: &Row, client: &Client) {
    let Some(mut stream) = open_or_lost(row, client) else {
        return;
    };
    let mut records = stream.records();
    let mut seen = Vec::new();
    let mut outcome = Ok(());
    for record in records.by_ref() {
        assert!(outcome.is_ok(), "{}: a record after the error", row.name);
        match record {
            Ok(record) => seen.extend([b"data: ", &record[..], b"\n\n"].concat()),
            Err(error) => outcome = Err(error),
        }
    }
    assert!(records.next().is_none());
    assert_eq!(ended(&outcome), row.ended, "{}", row.name);
    check_bytes(row, &seen);
    assert_eq!(
        stream.next_record().is_err(),
        outcome.is_err(),
        "{}",
        row.name
    );
}
