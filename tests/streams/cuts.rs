//! One frame, cut after each of its bytes: over HTTP and TLS, on a fresh and a reused connection, with a clean last chunk
//! and with a closed connection. None may look like a stream that ended well.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sagemaker_invoke::error::StreamErrorKind;
use sagemaker_invoke::{Client, Config, InvokeEndpoint};

use super::support::event_stream::{LAST_CHUNK, STREAM_HEAD, chunk, part};
use super::support::tls::Certificates;
use super::support::{Connection, Peer, response};
use super::{Ended, Then, client, ended, open, read_parts, request, serve_by_name};

/// How the response ends after the cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    LastChunk,
    Closed,
    InsideChunk,
}

const ENDS: [End; 3] = [End::LastChunk, End::Closed, End::InsideChunk];
const PAYLOAD: &[u8] = b"hello";

#[derive(Clone, Copy, Debug)]
struct Cut {
    bytes: usize,
    end: End,
}

impl Cut {
    fn name(self) -> String {
        let end = ENDS.iter().position(|end| *end == self.end).unwrap();
        format!("{end}-{}", self.bytes)
    }

    /// The cut with this name.
    fn parse(name: &str) -> Option<Self> {
        let (end, bytes) = name.split_once('-')?;
        Some(Self {
            end: ENDS[end.parse::<usize>().ok()?],
            bytes: bytes.parse().ok()?,
        })
    }

    fn response(self, frame: &[u8]) -> (Vec<u8>, Then) {
        let body = match self.end {
            // An empty chunk would be the last one.
            _ if self.bytes == 0 => Vec::new(),
            End::InsideChunk => [
                format!("{:x}\r\n", frame.len()).as_bytes(),
                &frame[..self.bytes],
            ]
            .concat(),
            _ => chunk(&frame[..self.bytes]),
        };
        let is_closed = self.end != End::LastChunk;
        let last: &[u8] = if is_closed { b"" } else { LAST_CHUNK };
        let then = if is_closed { Then::Close } else { Then::Keep };
        ([STREAM_HEAD.as_bytes(), &body, last].concat(), then)
    }

    /// A whole frame, or none, ends well with the last chunk.
    fn ended(self, frame: &[u8]) -> Ended {
        match self.end {
            End::LastChunk if self.bytes == 0 || self.bytes == frame.len() => Ended::Complete,
            End::LastChunk => Ended::Failed(StreamErrorKind::Cut),
            _ => Ended::ConnectionLost,
        }
    }
}

#[test]
fn no_cut_is_silent_over_http() {
    let peer = Peer::new(serve);
    check_all(&peer.config());
}

#[test]
fn no_cut_is_silent_over_tls() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer_with(serve);
    check_all(&certificates.config(&peer));
}

/// TLS has its own end; without it any party on the way could cut a body that ends with its connection.
#[test]
fn a_close_without_the_end_of_tls_is_no_end() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer_with(|mut connection| {
        connection.request();
        connection.send([b"HTTP/1.1 200 OK\r\n\r\n", &part(PAYLOAD)[..]].concat());
        connection.close();
    });
    let mut stream = open(&client(certificates.config(&peer)), "e").unwrap();
    let (bytes, outcome) = read_parts(&mut stream);
    assert_eq!(
        (bytes.as_slice(), ended(&outcome)),
        (PAYLOAD, Ended::ConnectionLost)
    );
}

fn serve(connection: Connection) {
    let frame = part(PAYLOAD);
    serve_by_name(connection, &|name| match Cut::parse(name) {
        Some(cut) => cut.response(&frame),
        None => (response(200, &[], "ready"), Then::Keep),
    });
}

/// Checks every cut, four at a time.
fn check_all(config: &Config) {
    let frame = part(PAYLOAD);
    let cuts: Vec<Cut> = ENDS
        .iter()
        .flat_map(|&end| (0..=frame.len()).map(move |bytes| Cut { bytes, end }))
        .collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // One connection at a time, so a call after a warm-up uses its connection.
                let fresh = client(Config {
                    max_idle_connections: 0,
                    ..config.clone()
                });
                let reusing = client(config.clone());
                while let Some(cut) = cuts.get(next.fetch_add(1, Ordering::SeqCst)) {
                    check(*cut, &frame, &fresh, false);
                    reusing.invoke(&InvokeEndpoint::new("warm", b"")).unwrap();
                    check(*cut, &frame, &reusing, true);
                }
            });
        }
    });
}

fn check(cut: Cut, frame: &[u8], client: &Client, is_reused: bool) {
    let mut response = client.invoke(&request(&cut.name())).unwrap();
    assert_eq!(response.timings.connection_reused, is_reused, "{cut:?}");
    let (bytes, outcome) = read_parts(&mut response.body);
    assert_eq!(ended(&outcome), cut.ended(frame), "{cut:?} {outcome:?}");
    assert_eq!(
        bytes,
        if cut.bytes == frame.len() {
            PAYLOAD
        } else {
            b""
        },
        "{cut:?}"
    );
    let again = response
        .body
        .next_part()
        .map(|part| assert!(part.is_none()));
    assert_eq!(ended(&again), cut.ended(frame), "{cut:?}");
}
