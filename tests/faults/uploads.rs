//! Time limits of uploads that stall or that are slow.

use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::{Client, Config, Error, InvokeEndpoint, RetryPolicy, Timeouts};

use super::support::{Connection, Peer, response};

/// Larger than the socket buffers of both ends.
const BODY_BYTES: usize = 12 * 1024 * 1024;

/// Extra time for a busy machine.
const SLACK: Duration = Duration::from_millis(250);

/// Uploads the body once, and returns the outcome and the duration.
fn upload(peer: &Peer, send: Duration, call: Duration) -> (Result<(), Error>, Duration) {
    let timeouts = Timeouts {
        send: Some(send),
        call: Some(call),
        ..Timeouts::default()
    };
    let retry = RetryPolicy {
        max_attempts: 1,
        ..RetryPolicy::default()
    };
    let client = Client::new(Config {
        timeouts,
        retry,
        ..peer.config()
    })
    .unwrap();
    let body = vec![0; BODY_BYTES];
    let began = Instant::now();
    let result = client.invoke(&InvokeEndpoint::new("e", &body));
    (result.map(drop), began.elapsed())
}

fn wait_for_end(connection: &Connection) {
    while !connection.peer_is_dropped() {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_stalled_upload_ends_after_the_send_limit_and_a_quarter() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        wait_for_end(&connection);
    });
    let send = Duration::from_secs(1);
    let (result, duration) = upload(&peer, send, Duration::from_secs(60));
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Timeout(_)) && !error.may_have_run(),
        "{error:?}"
    );
    assert!(duration >= send, "{duration:?}");
    assert!(duration <= send + send / 4 + SLACK, "{duration:?}");
}

#[test]
fn the_call_limit_ends_a_trickling_upload() {
    let peer = Peer::new(|mut connection| {
        connection.read_bytes(100_000);
        while !connection.peer_is_dropped() {
            connection.read_bytes(1);
            thread::sleep(Duration::from_millis(50));
        }
    });
    let call = Duration::from_secs(2);
    let (result, duration) = upload(&peer, Duration::from_secs(30), call);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    assert!(duration >= call && duration <= call + SLACK, "{duration:?}");
}

/// The slow phase is several times as long as the limit.
#[test]
fn a_slow_and_steady_upload_succeeds() {
    let peer = Peer::new(|mut connection| {
        let began = Instant::now();
        let mut buffer = vec![0; 64 * 1024];
        let mut read = 0;
        while read < BODY_BYTES {
            let Some(bytes) = connection.read_once(&mut buffer) else {
                return;
            };
            read += bytes.len();
            if began.elapsed() < Duration::from_secs(4) {
                thread::sleep(Duration::from_millis(50));
            }
        }
        connection.send(response(200, &[], "answer"));
        wait_for_end(&connection);
    });
    let (result, duration) = upload(&peer, Duration::from_secs(1), Duration::from_secs(60));
    result.unwrap();
    assert!(duration >= Duration::from_secs(4), "{duration:?}");
}
