//! Many threads read streams of one client while one stream of ten is broken on purpose.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::error::StreamErrorKind::{Checksum, Cut, InternalFailure};
use sagemaker_invoke::{Client, Config};

use super::support::event_stream::{LAST_CHUNK, STREAM_HEAD, chunk, exception, part};
use super::{Ended, Then, client, ended, open, peer_by_name, read_parts};

const THREADS: usize = 64;
const STREAMS_PER_THREAD: usize = 100;
const PARTS: usize = 8;

/// How the stream with this number ends. Of ten streams one is broken, in one of six ways.
fn ended_of(number: usize) -> Ended {
    if !number.is_multiple_of(10) {
        return Ended::Complete;
    }
    match number / 10 % 6 {
        0 => Ended::Failed(Cut),
        1 => Ended::Failed(Checksum),
        2 => Ended::Failed(InternalFailure),
        _ => Ended::ConnectionLost,
    }
}

/// The bytes of part `index` of a stream: no two parts of the test are equal.
fn payload(number: usize, index: usize) -> String {
    format!("<{number}:{index}>").repeat(20)
}

fn content(number: usize) -> String {
    (0..PARTS).map(|index| payload(number, index)).collect()
}

/// A broken stream loses its second half.
fn respond(number: usize) -> (Vec<u8>, Then) {
    let good = if ended_of(number) == Ended::Complete {
        PARTS
    } else {
        PARTS / 2
    };
    let mut chunks: Vec<u8> = (0..good)
        .flat_map(|index| chunk(part(payload(number, index))))
        .collect();
    let mut next = part(payload(number, good));
    let then = match ended_of(number) {
        Ended::Complete => Then::Keep,
        Ended::Failed(Cut) => {
            chunks.extend(chunk(&next[..50]));
            Then::Keep
        }
        Ended::Failed(Checksum) => {
            next[200] ^= 1;
            chunks.extend(chunk(next));
            Then::Keep
        }
        Ended::Failed(_) => {
            chunks.extend(chunk(exception("InternalStreamFailure", "{}")));
            Then::Keep
        }
        _ if number / 10 % 6 == 3 => Then::Reset,
        _ if number / 10 % 6 == 4 => Then::Close,
        _ => {
            chunks.extend(&chunk(next)[..50]);
            Then::Close
        }
    };
    let last = if then == Then::Keep { LAST_CHUNK } else { b"" };
    ([STREAM_HEAD.as_bytes(), &chunks, last].concat(), then)
}

#[test]
fn every_stream_ends_with_its_own_bytes_or_its_error() {
    let began = Instant::now();
    let peer = peer_by_name(|number| respond(number.parse().unwrap()));
    let client = client(Config {
        max_idle_connections: THREADS,
        ..peer.config()
    });
    let broken = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (client, broken) = (&client, &broken);
            scope.spawn(move || {
                for index in 0..STREAMS_PER_THREAD {
                    read_one(client, thread * STREAMS_PER_THREAD + index, broken);
                }
            });
        }
    });
    let broken = broken.load(Ordering::SeqCst);
    assert_eq!(broken, THREADS * STREAMS_PER_THREAD / 10);
    println!(
        "{} connections, {broken} streams broken, {:.1?}",
        peer.connections(),
        began.elapsed()
    );
    assert!(
        peer.connections() <= THREADS + broken,
        "{}",
        peer.connections()
    );
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
}

fn read_one(client: &Client, number: usize, broken: &AtomicUsize) {
    let expected = ended_of(number);
    if expected != Ended::Complete {
        broken.fetch_add(1, Ordering::SeqCst);
    }
    let mut stream = match open(client, &number.to_string()) {
        Ok(stream) => stream,
        // The reset may overtake the head.
        Err(error) => return assert_eq!(Ended::of(&error), expected, "{number} {error:?}"),
    };
    let (bytes, outcome) = read_parts(&mut stream);
    assert_eq!(ended(&outcome), expected, "{number} {outcome:?}");
    let content = content(number);
    let half: usize = (0..PARTS / 2)
        .map(|index| payload(number, index).len())
        .sum();
    match expected {
        Ended::Complete => assert_eq!(bytes, content.as_bytes(), "{number}"),
        // A reset may overtake the bytes before it.
        Ended::ConnectionLost => {
            assert!(content.as_bytes()[..half].starts_with(&bytes), "{number}");
        }
        _ => assert_eq!(bytes, &content.as_bytes()[..half], "{number}"),
    }
}
