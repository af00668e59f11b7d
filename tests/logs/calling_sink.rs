//! A log sink that uses the client whose lines it receives, as one that ships logs to an endpoint does.

use std::cell::Cell;
use std::sync::OnceLock;

use log::{LevelFilter, Log, Metadata, Record};
use sagemaker_invoke::{Client, InvokeEndpoint, InvokeEndpointWithResponseStream};

use super::support::event_stream::{part, stream_response};
use super::support::{Peer, in_own_process, response};

static CLIENT: OnceLock<Client> = OnceLock::new();

std::thread_local! {
    /// Whether the sink is within its own calls, and how often it has made them.
    static CALLS: Cell<(bool, u32)> = const { Cell::new((false, 0)) };
}

struct Sink;

impl Log for Sink {
    /// All lines but those of ureq and rustls, some of which are written while ureq holds the lock of its pool.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.target().starts_with("ureq") && !metadata.target().starts_with("rustls")
    }

    /// Calls an endpoint and drops a stream for each line, but not for the lines of these calls.
    fn log(&self, record: &Record<'_>) {
        let (is_inside, calls) = CALLS.get();
        if is_inside || !self.enabled(record.metadata()) {
            return;
        }
        CALLS.set((true, calls + 1));
        let client = CLIENT.get().unwrap();
        assert_eq!(
            client
                .invoke(&InvokeEndpoint::new("log", b"line"))
                .unwrap()
                .body,
            b"whole"
        );
        let stream = client
            .invoke(&InvokeEndpointWithResponseStream::new("stream", b""))
            .unwrap();
        drop(stream);
        CALLS.set((false, calls + 1));
    }

    fn flush(&self) {}
}

fn respond(path: &str) -> Vec<u8> {
    if path.contains("stream") {
        stream_response(&[part("a"), part("b")])
    } else {
        response(200, &[], "whole")
    }
}

#[test]
fn the_sink_calls_the_client_within_its_calls() {
    in_own_process(
        "calling_sink::the_sink_calls_the_client_within_its_calls",
        log_to_the_sink,
    );
}

fn log_to_the_sink() {
    let peer = Peer::new(|mut connection| {
        while let Some(request) = connection.request() {
            connection.send(respond(request.path()));
            if request.path().contains("talkative") {
                // Found on the idle connection under the lock of ureq's pool.
                connection.send("HTTP/1.1 408 Request Timeout\r\n\r\n");
            }
        }
    });
    assert!(CLIENT.set(Client::new(peer.config()).unwrap()).is_ok());
    log::set_logger(&Sink).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let client = CLIENT.get().unwrap();
    for _ in 0..3 {
        let response = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
        assert_eq!(response.body, b"whole");
        let mut stream = client
            .invoke(&InvokeEndpointWithResponseStream::new("stream", b"body"))
            .unwrap();
        assert_eq!(stream.body.next_part().unwrap(), Some(&b"a"[..]));
        drop(stream);
        client
            .invoke(&InvokeEndpoint::new("talkative", b"body"))
            .unwrap();
    }
    assert!(CALLS.get().1 >= 9, "{:?}", CALLS.get());
}
