//! Costs of calls, streams and signatures: allocations, writes, system calls, threads and memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod load;
mod signing;
mod streams;
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
mod system_calls;
mod warm_calls;

use sagemaker_invoke::{Client, Config, InvokeEndpoint, Timeouts};
use support::Peer;

/// Maximum allocations of a warm call, reallocations included.
const MAX_ALLOCATIONS: u64 = 56;

/// Number of calls before the counting begins.
const WARM_UP: usize = 20;

/// A response as SageMaker sends it.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    x-amzn-RequestId: 2d9b4c6e-8f10-4a3b-9c5d-7e6f8a9b0c1d\r\n\
    x-Amzn-Invoked-Production-Variant: AllTraffic\r\n\
    Date: Mon, 23 Nov 2026 10:00:00 GMT\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 16\r\n\r\n{\"score\":[0.25]}";

/// The response to a read that does not return exactly one complete request; it fails the call.
const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

const BODY: [u8; 100] = [b'7'; 100];

/// A peer that accepts a request only if a single read returns all of it.
fn peer() -> Peer {
    Peer::new(|mut connection| {
        let mut buffer = [0; 16 * 1024];
        while let Some(request) = connection.read_once(&mut buffer) {
            let is_complete = request.starts_with(b"POST ") && request.ends_with(&BODY);
            connection.send(if is_complete { RESPONSE } else { BAD_REQUEST });
        }
    })
}

fn client_of(peer: &Peer) -> Client {
    Client::new(Config {
        timeouts: Timeouts::default(),
        ..peer.config()
    })
    .unwrap()
}

fn call(client: &Client) {
    call_with(client, &BODY);
}

fn call_with(client: &Client, body: &[u8]) {
    let request = InvokeEndpoint {
        content_type: Some("application/json"),
        accept: Some("application/json"),
        ..InvokeEndpoint::new("churn-model", body)
    };
    assert!(!client.invoke(&request).unwrap().body.is_empty());
}

#[test]
fn a_warm_call_stays_within_the_allocation_limit() {
    let peer = peer();
    let client = client_of(&peer);
    (0..WARM_UP).for_each(|_| call(&client));
    let count = allocation_counter::measure(|| call(&client)).count_total;
    assert!(
        (1..=MAX_ALLOCATIONS).contains(&count),
        "{count} allocations"
    );
}

#[test]
fn head_and_small_body_are_sent_in_one_write() {
    let peer = peer();
    let client = client_of(&peer);
    (0..1_000).for_each(|_| call(&client));
}
