//! Streams of a container on this machine: its bytes come without frames.

use std::io::Read;

use sagemaker_invoke::error::StreamErrorKind;
use sagemaker_invoke::{Config, Endpoint, Error, InvokeEndpointWithResponseStream};

use super::support::event_stream::{LAST_CHUNK, chunk, chunk_per_byte};
use super::support::{Peer, response};
use super::{Ended, client, ended, read_parts, request};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    transfer-encoding: chunked\r\n\r\n";
const EVENTS: &str = ": keep-alive\n\nevent: token\nid: 7\ndata: {\"text\":\"\u{fc}\"}\n\ndata:b\r\n\r\ndata: [DONE]\n\n";

fn config(peer: &Peer) -> Config {
    Config {
        endpoint: Endpoint::Container(peer.url()),
        region: None,
        ..peer.config()
    }
}

/// The body with a byte per chunk.
fn events_response() -> Vec<u8> {
    [HEAD, &chunk_per_byte(EVENTS.as_bytes()), LAST_CHUNK].concat()
}

#[test]
fn containers_are_called_with_their_own_headers() {
    let peer = Peer::responding(events_response());
    let request = InvokeEndpointWithResponseStream {
        accept: Some("text/event-stream"),
        content_type: Some("application/json"),
        ..request("e")
    };
    let response = client(config(&peer)).invoke(&request).unwrap();
    assert_eq!(
        response.content_type.as_deref(),
        Some("text/event-stream; charset=utf-8")
    );
    let received = &peer.requests()[0];
    assert_eq!(received.request_line, "POST /invocations HTTP/1.1");
    assert_eq!(received.header("accept"), Some("text/event-stream"));
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("x-amzn-sagemaker-accept"), None);
    assert_eq!(received.header("authorization"), None);
    assert_eq!(received.body, b"input");
}

#[test]
fn endpoints_get_accept_under_the_name_of_sagemaker() {
    let peer = Peer::responding(response(200, &[], ""));
    let request = InvokeEndpointWithResponseStream {
        accept: Some("text/event-stream"),
        ..request("e")
    };
    client(peer.config()).invoke(&request).unwrap();
    let received = &peer.requests()[0];
    assert_eq!(
        received.request_line,
        "POST /endpoints/e/invocations-response-stream HTTP/1.1"
    );
    assert_eq!(
        received.header("x-amzn-sagemaker-accept"),
        Some("text/event-stream")
    );
    assert_eq!(received.header("accept"), None);
}

#[test]
fn every_reader_works_without_frames() {
    let peer = Peer::responding(events_response());
    let client = client(config(&peer));
    let open = || client.invoke(&request("e")).unwrap().body;

    let records: Vec<_> = open().records().map(Result::unwrap).collect();
    assert_eq!(records, ["{\"text\":\"\u{fc}\"}".as_bytes(), b"b"]);
    let mut text = String::new();
    open().read_to_string(&mut text).unwrap();
    assert_eq!(text, EVENTS);
    let (bytes, outcome) = read_parts(&mut open());
    assert_eq!(
        (bytes.as_slice(), ended(&outcome)),
        (EVENTS.as_bytes(), Ended::Complete)
    );

    let mut stream = open();
    let event = stream.next_event().unwrap().unwrap();
    assert_eq!((event.event.as_str(), event.id.as_str()), ("token", "7"));
    let summary = stream.finish().unwrap();
    assert_eq!(usize::try_from(summary.bytes).unwrap(), EVENTS.len());
    assert_eq!(peer.connections(), 1);
}

#[test]
fn lines_of_json_are_records() {
    let lines = "{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}";
    let peer = Peer::responding([HEAD, &chunk(lines), LAST_CHUNK].concat());
    let mut stream = client(config(&peer)).invoke(&request("e")).unwrap().body;
    let records: Vec<_> = stream.records().map(Result::unwrap).collect();
    assert_eq!(records, [b"{\"a\":1}", b"{\"b\":2}", b"{\"c\":3}"]);
}

#[test]
fn a_lost_connection_is_not_the_end() {
    let peer = Peer::new(|mut connection| {
        connection.request();
        connection.send([HEAD, &chunk("data: a\n\ndata: half")].concat());
        connection.close();
    });
    let mut stream = client(config(&peer)).invoke(&request("e")).unwrap().body;
    let records: Vec<_> = stream.records().collect();
    let [Ok(record), Err(error)] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(
        (record.as_slice(), Ended::of(error)),
        (&b"a"[..], Ended::ConnectionLost)
    );
}

#[test]
fn a_record_over_the_limit_ends_the_stream() {
    let peer = Peer::responding(
        [
            HEAD,
            &chunk(format!("data: {}\n\ndata: b\n\n", "a".repeat(200))),
            LAST_CHUNK,
        ]
        .concat(),
    );
    let config = Config {
        max_response_bytes: 100,
        ..config(&peer)
    };
    let mut stream = client(config).invoke(&request("e")).unwrap().body;
    for _ in 0..3 {
        let error = stream.next_record().unwrap_err();
        assert!(
            matches!(&error, Error::Stream(it) if it.kind == StreamErrorKind::TooLarge),
            "{error:?}"
        );
    }
    assert!(stream.read(&mut [0; 8]).is_err());
}

#[test]
fn refusals_of_a_container_are_model_errors() {
    let peer = Peer::responding(response(503, &[], "busy"));
    let error = client(config(&peer)).invoke(&request("e")).unwrap_err();
    assert_eq!(
        error.model_error().unwrap().original_status_code,
        Some(503),
        "{error:?}"
    );
}
