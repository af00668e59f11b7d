//! Many threads on one client, and a peer that fails at random: no answer strays, nothing is left behind.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::{Client, Config, InvokeEndpoint, Resend, RetryPolicy, Timeouts};
use support::{Connection, Peer, response};

const THREADS: usize = 64;
const CALLS_PER_THREAD: usize = 1000;
const DEADLINE: Duration = Duration::from_secs(20);

/// splitmix64: small, and the same on every machine.
fn scrambled(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Echoes the body; one request of ten fails, in one of six ways.
fn serve(mut connection: Connection, count: &AtomicU64) {
    while let Some(body) = connection.unbooked_request() {
        let draw = scrambled(count.fetch_add(1, Ordering::SeqCst));
        match if draw.is_multiple_of(10) { draw / 10 % 6 } else { 6 } {
            0 => connection.say(response(500, &[], "{}")),
            1 => connection.say(response(400, &[("x-amzn-errortype", "ThrottlingException")], "{}")),
            2 => connection.say(response(424, &[("x-amzn-errortype", "ModelError")], "{}")),
            3 => return connection.reset(),
            4 => return connection.close(),
            5 => {
                connection.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
                return connection.close();
            }
            _ => connection.say(response(200, &[], body)),
        }
    }
}

#[test]
fn every_answer_belongs_to_its_request_and_nothing_is_left_behind() {
    let before = descriptors();
    let peer = Peer::new({
        let count = AtomicU64::new(0);
        move |connection| serve(connection, &count)
    });
    let config = Config {
        max_idle_connections: THREADS,
        timeouts: Timeouts { call: Some(DEADLINE), ..peer.config().timeouts },
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
            let (client, succeeded, failed) = (client.clone(), Arc::clone(&succeeded), Arc::clone(&failed));
            thread::spawn(move || call_often(number, &client, &succeeded, &failed))
        })
        .collect();
    let memory: Vec<(usize, usize)> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    let total = THREADS * CALLS_PER_THREAD;
    let (succeeded, failed) = (succeeded.load(Ordering::SeqCst), failed.load(Ordering::SeqCst));
    assert_eq!(succeeded + failed, total);
    // Nine requests of ten succeed, and of the rest the throttled ones do when they are sent again.
    assert!(succeeded > total * 88 / 100 && succeeded < total * 97 / 100, "{succeeded} of {total}");
    assert!(peer.most_open_connections() <= THREADS, "{}", peer.most_open_connections());
    assert_flat(&memory);
    drop(client);
    assert_eq!(own_threads(), Vec::<String>::new());
    drop(peer);
    assert_eq!(descriptors(), before);
}

/// Calls in a row; resident kilobytes after the first tenth and after the last.
fn call_often(
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
            Ok(answer) => {
                assert_eq!(answer.body, body.as_bytes());
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

/// Client and peer share the process, so the growth of both is in it; 64 connections' buffers are 64 x 16 KiB.
fn assert_flat(memory: &[(usize, usize)]) {
    let first = memory.iter().map(|it| it.0).max().unwrap();
    let last = memory.iter().map(|it| it.1).max().unwrap();
    assert!(last < first + 16 * 1024, "resident {first} kB after a tenth, {last} kB at the end");
}

fn resident_kilobytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("VmRSS: 0 kB");
    line.split_whitespace().collect::<Vec<_>>()[1].parse().unwrap()
}

/// What this process has open; 0 where the system does not tell.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// The threads that the crate started and that are still there.
fn own_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("sagemaker-invok")).collect()
}
