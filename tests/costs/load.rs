//! Many threads share one client while the peer fails at random. Each response must belong to its request, and threads,
//! descriptors and memory must not leak. In a process of its own, because these belong to the process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::{Client, Config, InvokeEndpoint, Resend, RetryPolicy, Timeouts};

use super::support::random::Random;
use super::support::{
    Connection, Peer, descriptors, in_own_process, own_threads, resident_kilobytes, response,
};

const THREADS: usize = 64;
const CALLS_PER_THREAD: usize = 1000;
const DEADLINE: Duration = Duration::from_secs(20);

/// Echoes the body. One request of ten fails, in one of six ways.
fn serve(mut connection: Connection, random: &Mutex<Random>) {
    while let Some(body) = connection.unrecorded_request_body() {
        let draw = random.lock().unwrap().next();
        match if draw.is_multiple_of(10) {
            draw / 10 % 6
        } else {
            6
        } {
            0 => connection.send(response(500, &[], "{}")),
            1 => connection.send(response(
                400,
                &[("x-amzn-errortype", "ThrottlingException")],
                "{}",
            )),
            2 => connection.send(response(424, &[("x-amzn-errortype", "ModelError")], "{}")),
            3 => return connection.reset(),
            4 => return connection.close(),
            5 => {
                connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
                return connection.close();
            }
            _ => connection.send(response(200, &[], body)),
        }
    }
}

#[test]
fn every_response_belongs_to_its_request_and_nothing_leaks() {
    in_own_process(
        "load::every_response_belongs_to_its_request_and_nothing_leaks",
        make_all_calls,
    );
}

fn make_all_calls() {
    let before = descriptors();
    let peer = Peer::new({
        let random = Mutex::new(Random(0));
        move |connection| serve(connection, &random)
    });
    let config = Config {
        max_idle_connections: THREADS,
        timeouts: Timeouts {
            call: Some(DEADLINE),
            ..peer.config().timeouts
        },
        retry: RetryPolicy {
            resend: Resend::Rejected,
            max_backoff: Duration::from_millis(5),
            ..Default::default()
        },
        ..peer.config()
    };
    let client = Client::new(config).unwrap();
    let (succeeded, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..THREADS)
        .map(|number| {
            let (client, succeeded, failed) =
                (client.clone(), Arc::clone(&succeeded), Arc::clone(&failed));
            thread::spawn(move || make_calls(number, &client, &succeeded, &failed))
        })
        .collect();
    let memory: Vec<(usize, usize)> = callers
        .into_iter()
        .map(|caller| caller.join().unwrap())
        .collect();
    let total = THREADS * CALLS_PER_THREAD;
    let (succeeded, failed) = (
        succeeded.load(Ordering::SeqCst),
        failed.load(Ordering::SeqCst),
    );
    assert_eq!(succeeded + failed, total);
    // Nine requests of ten succeed, and most of the throttled ones succeed on a retry.
    assert!(
        succeeded > total * 88 / 100 && succeeded < total * 97 / 100,
        "{succeeded} of {total}"
    );
    assert!(
        peer.max_open_connections() <= THREADS,
        "{}",
        peer.max_open_connections()
    );
    assert_no_growth(&memory);
    drop(client);
    assert_eq!(own_threads(), Vec::<String>::new());
    drop(peer);
    assert_eq!(descriptors(), before);
}

/// Makes the calls of a thread. Returns the resident kilobytes after the first tenth of the calls and at the end.
fn make_calls(
    number: usize,
    client: &Client,
    succeeded: &AtomicUsize,
    failed: &AtomicUsize,
) -> (usize, usize) {
    let mut after_first_tenth = 0;
    for index in 0..CALLS_PER_THREAD {
        let body = format!("{number}:{index}");
        let began = Instant::now();
        match client.invoke(&InvokeEndpoint::new("e", body.as_bytes())) {
            Ok(response) => {
                assert_eq!(response.body, body.as_bytes());
                succeeded.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                assert!(error.attempts() > 0, "{error}");
                failed.fetch_add(1, Ordering::SeqCst);
            }
        }
        assert!(began.elapsed() < DEADLINE + Duration::from_secs(1));
        if index == CALLS_PER_THREAD / 10 {
            after_first_tenth = resident_kilobytes();
        }
    }
    (after_first_tenth, resident_kilobytes())
}

/// Memory must not grow by more than 16 MiB, which includes the peer: the test is one process.
fn assert_no_growth(memory: &[(usize, usize)]) {
    let first = memory.iter().map(|it| it.0).max().unwrap();
    let last = memory.iter().map(|it| it.1).max().unwrap();
    assert!(
        last < first + 16 * 1024,
        "{first} kB after a tenth of the calls, {last} kB at the end"
    );
}
