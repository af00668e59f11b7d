//! Time limits of a stream: `stream` for the head and each part, `call` for the whole.

use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::error::{Phase, StreamErrorKind};
use sagemaker_invoke::{Config, Error, ResponseStream, Timeouts};

use super::support::event_stream::{LAST_CHUNK, STREAM_HEAD, chunk, event, exception, part};
use super::support::{Connection, Peer};
use super::{Ended, client, ended, open, read_parts};

/// `Timeouts::stream` of the tests that exceed it.
const LIMIT: Duration = Duration::from_millis(300);
/// Far more than a limit and what a busy machine adds; far less than the default limits.
const AT_MOST: Duration = Duration::from_secs(3);

fn config(peer: &Peer, timeouts: impl FnOnce(Timeouts) -> Timeouts) -> Config {
    let config = peer.config();
    Config {
        timeouts: timeouts(config.timeouts),
        ..config
    }
}

/// A peer that answers one request with the head and these parts, and then calls `next`.
fn peer_after(
    parts: &'static [&'static str],
    next: impl Fn(&mut Connection) + Send + Sync + 'static,
) -> Peer {
    Peer::new(move |mut connection| {
        if connection.request().is_some() {
            connection.send(STREAM_HEAD);
            parts
                .iter()
                .for_each(|payload| connection.send(chunk(part(payload))));
            next(&mut connection);
        }
    })
}

/// Sends these bytes again and again, until the client closes the connection or 10 s are over.
fn repeat(connection: &mut Connection, bytes: &[u8], pause: Duration) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) && !connection.peer_is_dropped() {
        connection.send(bytes);
        thread::sleep(pause);
    }
}

/// Reads a stream that must time out, and returns the bytes before.
fn timed_out(mut stream: ResponseStream, limit: Duration) -> Vec<u8> {
    let began = Instant::now();
    let (bytes, outcome) = read_parts(&mut stream);
    check_timeout(&outcome.unwrap_err(), began, limit, Phase::Read);
    let again = stream.next_part().unwrap_err();
    assert_eq!(Ended::of(&again), Ended::TimedOut);
    bytes
}

fn check_timeout(error: &Error, began: Instant, limit: Duration, phase: Phase) {
    let took = began.elapsed();
    assert_eq!(Ended::of(error), Ended::TimedOut, "{error:?}");
    assert!(took >= limit * 9 / 10 && took < AT_MOST, "{took:?}");
    assert!(error.may_have_run());
    let failed = error.transport().unwrap();
    assert_eq!((failed.phase, failed.attempts), (phase, 1), "{error}");
    assert!(
        failed.elapsed >= limit * 9 / 10 && failed.elapsed < AT_MOST,
        "{error}"
    );
}

/// The pause is longer than the interval in which a body looks at the clock.
#[test]
fn a_head_may_come_in_pieces() {
    let peer = Peer::new(|mut connection| {
        if connection.request().is_some() {
            let (first, rest) = STREAM_HEAD.split_at(40);
            connection.send(first);
            thread::sleep(LIMIT / 2);
            connection.send([rest.as_bytes(), &chunk(part("a")), LAST_CHUNK].concat());
        }
    });
    let client = client(config(&peer, |it| Timeouts {
        stream: Some(LIMIT),
        ..it
    }));
    let (bytes, outcome) = read_parts(&mut open(&client, "e").unwrap());
    assert_eq!(
        (bytes.as_slice(), ended(&outcome)),
        (&b"a"[..], Ended::Complete)
    );
}

#[test]
fn a_head_that_stops_times_out() {
    let peer = Peer::new(|mut connection| {
        if connection.request().is_some() {
            connection.send(STREAM_HEAD.split_at(40).0);
            connection.stall();
        }
    });
    let client = client(config(&peer, |it| Timeouts {
        stream: Some(LIMIT),
        ..it
    }));
    let began = Instant::now();
    check_timeout(&open(&client, "e").unwrap_err(), began, LIMIT, Phase::Wait);
}

#[test]
fn a_head_that_does_not_come_times_out() {
    let peer = Peer::new(|mut connection| {
        connection.request();
        connection.stall();
    });
    let client = client(config(&peer, |it| Timeouts {
        stream: Some(LIMIT),
        ..it
    }));
    let began = Instant::now();
    check_timeout(&open(&client, "e").unwrap_err(), began, LIMIT, Phase::Wait);
}

#[test]
fn a_part_that_does_not_come_times_out() {
    for parts in [&[][..], &["a"], &["a", "b"]] {
        let peer = peer_after(parts, Connection::stall);
        let client = client(config(&peer, |it| Timeouts {
            stream: Some(LIMIT),
            ..it
        }));
        let bytes = timed_out(open(&client, "e").unwrap(), LIMIT);
        assert_eq!(bytes, parts.concat().as_bytes());
    }
}

#[test]
fn a_part_that_is_never_whole_times_out() {
    let peer = peer_after(&["a"], |connection| {
        for byte in part(vec![7; 500]) {
            if connection.peer_is_dropped() {
                return;
            }
            connection.send(chunk([byte]));
            thread::sleep(LIMIT / 15);
        }
    });
    let client = client(config(&peer, |it| Timeouts {
        stream: Some(LIMIT),
        ..it
    }));
    assert_eq!(timed_out(open(&client, "e").unwrap(), LIMIT), b"a");
}

#[test]
fn frames_without_content_do_not_extend_the_limit() {
    let ignored = chunk(event("Trace", ""));
    let peer = peer_after(&["a"], move |connection| {
        repeat(connection, &ignored, LIMIT / 15);
    });
    let client = client(config(&peer, |it| Timeouts {
        stream: Some(LIMIT),
        ..it
    }));
    assert_eq!(timed_out(open(&client, "e").unwrap(), LIMIT), b"a");
}

#[test]
fn each_part_has_the_whole_limit() {
    let peer = peer_after(&[], |connection| {
        for _ in 0..5 {
            thread::sleep(Duration::from_millis(500));
            connection.send(chunk(part("a")));
        }
        connection.send(LAST_CHUNK);
    });
    let client = client(config(&peer, |it| Timeouts {
        stream: Some(Duration::from_millis(1500)),
        ..it
    }));
    let began = Instant::now();
    let (bytes, outcome) = read_parts(&mut open(&client, "e").unwrap());
    assert_eq!(
        (bytes.as_slice(), ended(&outcome)),
        (&b"aaaaa"[..], Ended::Complete)
    );
    assert!(began.elapsed() > Duration::from_millis(2000));
}

/// The caller may take longer for a part than the peer has for the next one.
#[test]
fn the_limit_begins_when_a_part_is_wanted() {
    let peer = peer_after(&["a"], |connection| {
        thread::sleep(LIMIT * 2);
        connection.send(chunk(part("b")));
        connection.send(LAST_CHUNK);
    });
    let client = client(config(&peer, |it| Timeouts {
        stream: Some(LIMIT),
        ..it
    }));
    let mut stream = open(&client, "e").unwrap();
    assert_eq!(stream.next_part().unwrap(), Some(&b"a"[..]));
    thread::sleep(LIMIT * 3);
    assert_eq!(stream.next_part().unwrap(), Some(&b"b"[..]));
    assert_eq!(stream.next_part().unwrap(), None);
}

#[test]
fn the_limits_of_other_operations_do_not_apply() {
    let gap = Duration::from_millis(400);
    let peer = Peer::new(move |mut connection| {
        connection.request();
        thread::sleep(gap);
        for bytes in [
            STREAM_HEAD.into(),
            chunk(part("a")),
            chunk(part("b")),
            LAST_CHUNK.to_vec(),
        ] {
            connection.send(bytes);
            thread::sleep(gap);
        }
    });
    let short = Some(Duration::from_millis(50));
    for stream in [Some(Duration::from_secs(5)), None] {
        let client = client(config(&peer, |it| Timeouts {
            response: short,
            read: short,
            stream,
            ..it
        }));
        let (bytes, outcome) = read_parts(&mut open(&client, "e").unwrap());
        assert_eq!(
            (bytes.as_slice(), ended(&outcome)),
            (&b"ab"[..], Ended::Complete),
            "{outcome:?}"
        );
    }
}

#[test]
fn the_deadline_of_the_call_bounds_the_reading() {
    let limit = Duration::from_millis(600);
    let endless = peer_after(&[], |connection| {
        repeat(connection, &chunk(part("a")), Duration::from_millis(20));
    });
    let busy = peer_after(&[], |connection| {
        repeat(connection, &chunk(part("a")), Duration::ZERO);
    });
    let silent = peer_after(&["a"], Connection::stall);
    for peer in [endless, busy, silent] {
        for stream in [Some(Duration::from_secs(60)), None] {
            let client = client(config(&peer, |it| Timeouts {
                call: Some(limit),
                stream,
                ..it
            }));
            let bytes = timed_out(open(&client, "e").unwrap(), limit / 2);
            assert!(bytes.starts_with(b"a"));
        }
    }
}

#[test]
fn an_exception_does_not_wait_long_for_the_end() {
    let endless = peer_after(&["a"], |connection| {
        connection.send(chunk(exception("InternalStreamFailure", "{}")));
        repeat(connection, &chunk(part("b")), Duration::from_millis(20));
    });
    let silent = peer_after(&["a"], |connection| {
        connection.send(chunk(exception("InternalStreamFailure", "{}")));
        connection.stall();
    });
    for peer in [endless, silent] {
        let mut stream = open(&client(peer.config()), "e").unwrap();
        let began = Instant::now();
        let (bytes, outcome) = read_parts(&mut stream);
        assert_eq!(bytes, b"a");
        assert_eq!(
            ended(&outcome),
            Ended::Failed(StreamErrorKind::InternalFailure)
        );
        assert!(began.elapsed() < AT_MOST, "{:?}", began.elapsed());
    }
}
