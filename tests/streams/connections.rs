//! Streams on other threads, and what becomes of their connections.

use std::io::Read;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::error::StreamErrorKind;
use sagemaker_invoke::{Client, Config, InvokeEndpoint};

use super::support::event_stream::*;
use super::support::tls::Certificates;
use super::support::{Connection, FakeSystem, Peer, response};
use super::{Ended, Then, client, ended, open, peer_by_name, read_parts, serve_by_name};

/// The response to a request for the endpoint of this name.
fn respond(name: &str) -> (Vec<u8>, Then) {
    match name {
        "whole" => (stream_response(&[part("a"), part("b")]), Then::Keep),
        "exception" => (
            stream_response(&[part("a"), exception("NewError", "{}")]),
            Then::Keep,
        ),
        "silent" => (
            [STREAM_HEAD.as_bytes(), &chunk(part("a"))].concat(),
            Then::Stall,
        ),
        _ => (response(200, &[], "answer"), Then::Keep),
    }
}

fn peer() -> Peer {
    peer_by_name(respond)
}

fn call(client: &Client) {
    assert_eq!(
        client
            .invoke(&InvokeEndpoint::new("plain", b""))
            .unwrap()
            .body,
        b"answer"
    );
}

#[test]
fn a_stream_read_to_the_end_frees_its_connection() {
    let peer = peer();
    let client = client(peer.config());
    for _ in 0..10 {
        let (bytes, outcome) = read_parts(&mut open(&client, "whole").unwrap());
        assert_eq!(
            (bytes.as_slice(), ended(&outcome)),
            (&b"ab"[..], Ended::Complete)
        );
        call(&client);
    }
    assert_eq!(peer.connections(), 1);
}

/// The connection is free as soon as the end is known, not when the stream is dropped.
#[test]
fn a_stream_at_its_end_holds_no_connection() {
    let peer = peer();
    let client = client(peer.config());
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = open(&client, "whole").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        streams.push(stream);
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn finish_frees_the_connection() {
    let peer = peer();
    let client = client(peer.config());
    for _ in 0..10 {
        let mut stream = open(&client, "whole").unwrap();
        assert_eq!(stream.next_part().unwrap(), Some(&b"a"[..]));
        let summary = stream.finish().unwrap();
        assert_eq!((summary.parts, summary.bytes), (2, 2));
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn an_exception_frees_the_connection() {
    let peer = peer();
    let client = client(peer.config());
    for _ in 0..10 {
        let (bytes, outcome) = read_parts(&mut open(&client, "exception").unwrap());
        assert_eq!(
            (bytes.as_slice(), ended(&outcome)),
            (&b"a"[..], Ended::Failed(StreamErrorKind::Exception))
        );
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_stream_dropped_early_closes_its_connection() {
    let (sender, closed) = mpsc::channel();
    let peer = Peer::new(move |mut connection: Connection| {
        while let Some(request) = connection.request() {
            if request.path().contains("plain") {
                connection.send(response(200, &[], "answer"));
                continue;
            }
            let interim = if request.path().contains("hints") {
                "HTTP/1.1 103 Early Hints\r\n\r\n"
            } else {
                ""
            };
            connection.send(
                [
                    interim.as_bytes(),
                    STREAM_HEAD.as_bytes(),
                    &chunk(part("a")),
                ]
                .concat(),
            );
            connection.stall();
            sender.send(Instant::now()).unwrap();
        }
    });
    let client = client(peer.config());
    for (name, has_read) in [("e", false), ("e", true), ("hints", false), ("hints", true)] {
        let mut stream = open(&client, name).unwrap();
        if has_read {
            assert_eq!(stream.next_part().unwrap(), Some(&b"a"[..]));
        }
        let dropped_at = Instant::now();
        drop(stream);
        assert!(
            dropped_at.elapsed() < Duration::from_secs(1),
            "{:?}",
            dropped_at.elapsed()
        );
        closed.recv_timeout(Duration::from_secs(5)).unwrap();
        call(&client);
    }
}

#[test]
fn a_finished_stream_frees_its_connection_and_a_dropped_one_closes_it() {
    let certificates = Certificates::trusted();
    let (sender, sent) = mpsc::channel();
    let tls_sender = sender.clone();
    let plain = Peer::new(move |connection| send_and_report(connection, &sender));
    let tls = certificates.peer_with(move |connection| send_and_report(connection, &tls_sender));
    for (peer, config) in [(&plain, plain.config()), (&tls, certificates.config(&tls))] {
        let client = client(config);
        for parts in [0, 1, 2, 2, 1, 0] {
            let mut stream = open(&client, "e").unwrap();
            sent.recv_timeout(Duration::from_secs(5)).unwrap();
            (0..parts).for_each(|_| assert!(stream.next_part().unwrap().is_some()));
            stream.finish().unwrap();
        }
        assert_eq!(peer.connections(), 1);
        for connections in [1, 2] {
            let mut stream = open(&client, "e").unwrap();
            sent.recv_timeout(Duration::from_secs(5)).unwrap();
            assert!(stream.next_part().unwrap().is_some());
            drop(stream);
            assert_eq!(peer.connections(), connections);
        }
    }
}

/// Reports each time a whole stream has been sent. The last chunk is a separate write.
fn send_and_report(mut connection: Connection, sent: &mpsc::Sender<()>) {
    while connection.request().is_some() {
        connection.send([STREAM_HEAD.as_bytes(), &chunk(part("a")), &chunk(part("b"))].concat());
        connection.send(LAST_CHUNK);
        sent.send(()).unwrap();
    }
}

/// The look for the end of a stream does not shorten the reads of other threads.
#[test]
fn a_stream_dropped_early_disturbs_no_other_call() {
    let peer = Peer::new(|mut connection| {
        while let Some(request) = connection.request() {
            if request.path().contains("plain") {
                let answer = response(200, &[], [b'7'; 50]);
                let (head, body) = answer.split_at(answer.len() - 50);
                connection.send(head);
                for byte in body {
                    thread::sleep(Duration::from_millis(5));
                    connection.send([*byte]);
                }
                continue;
            }
            connection.send([STREAM_HEAD.as_bytes(), &chunk(part("a"))].concat());
        }
    });
    let client = client(peer.config());
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.invoke(&InvokeEndpoint::new("plain", b"")));
        while !calling.is_finished() {
            drop(open(&client, "endless").unwrap());
        }
        assert_eq!(calling.join().unwrap().unwrap().body, [b'7'; 50]);
    });
}

#[test]
fn a_stream_is_read_on_another_thread_beside_ten_calls() {
    let peer = Peer::new(|mut connection| {
        while let Some(request) = connection.request() {
            if request.path().contains("plain") {
                connection.send(response(200, &[], "answer"));
                continue;
            }
            connection.send(STREAM_HEAD);
            for number in 0..50_u8 {
                thread::sleep(Duration::from_millis(5));
                connection.send(chunk(part([number])));
            }
            connection.send(LAST_CHUNK);
        }
    });
    let client = client(peer.config());
    let mut stream = open(&client, "e").unwrap();
    let reader = thread::spawn(move || read_parts(&mut stream));
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || (0..10).for_each(|_| call(&client)))
        })
        .collect();
    callers
        .into_iter()
        .for_each(|caller| caller.join().unwrap());
    let (bytes, outcome) = reader.join().unwrap();
    assert_eq!(
        (bytes, ended(&outcome)),
        ((0..50).collect(), Ended::Complete)
    );
    assert!(peer.connections() <= 11);
}

/// The child of a fork has the socket too: what it reads would be missing in its parent.
#[test]
fn a_forked_child_does_not_read_the_stream() {
    let peer = peer();
    let system = Arc::new(FakeSystem::on_loopback(&[]));
    let client = client(Config {
        system: system.clone(),
        ..peer.config()
    });
    let mut stream = open(&client, "whole").unwrap();
    system.become_another_process();
    let (bytes, outcome) = read_parts(&mut stream);
    assert_eq!(
        (bytes.as_slice(), ended(&outcome)),
        (&b""[..], Ended::ConnectionLost)
    );
    let (bytes, outcome) = read_parts(&mut open(&client, "whole").unwrap());
    assert_eq!(
        (bytes.as_slice(), ended(&outcome)),
        (&b"ab"[..], Ended::Complete)
    );
}

/// A stream outlives the client that opened it.
#[test]
fn a_stream_outlives_its_client() {
    let peer = peer();
    let client = client(peer.config());
    let mut stream = open(&client, "whole").unwrap();
    drop(client);
    let (bytes, outcome) = read_parts(&mut stream);
    assert_eq!(
        (bytes.as_slice(), ended(&outcome)),
        (&b"ab"[..], Ended::Complete)
    );
}

/// `cargo test --test streams shutdown -- --nocapture` prints how long it took.
#[test]
fn shutdown_ends_streams_on_other_threads() {
    let peer = peer();
    let took = longest_shutdown(&client(peer.config()));
    println!("the last of 8 streams ended {took:?} after the shutdown");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn shutdown_ends_streams_over_tls() {
    let certificates = Certificates::trusted();
    let peer = certificates.peer_with(|connection| serve_by_name(connection, &respond));
    let took = longest_shutdown(&client(certificates.config(&peer)));
    println!("the last of 8 streams ended {took:?} after the shutdown");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Shuts the client down while eight threads wait for a part. Returns when the last of them saw it.
fn longest_shutdown(client: &Client) -> Duration {
    let (sender, begun) = mpsc::channel();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (client, sender) = (client.clone(), sender.clone());
            thread::spawn(move || {
                let mut stream = open(&client, "silent").unwrap();
                assert_eq!(stream.next_part().unwrap(), Some(&b"a"[..]));
                sender.send(()).unwrap();
                let error = stream.next_part().unwrap_err();
                (Instant::now(), error, stream)
            })
        })
        .collect();
    assert_eq!(begun.iter().take(readers.len()).count(), readers.len());
    // The readers are waiting for their next part by now.
    thread::sleep(Duration::from_millis(300));
    let shut_down_at = Instant::now();
    client.shutdown();
    let all_took = readers.into_iter().map(|reader| {
        let (ended_at, error, mut stream) = reader.join().unwrap();
        assert_eq!(Ended::of(&error), Ended::ShutDown);
        assert!(error.may_have_run());
        assert_eq!(Ended::of(&stream.next_part().unwrap_err()), Ended::ShutDown);
        ended_at.duration_since(shut_down_at)
    });
    all_took.max().unwrap()
}

#[test]
fn shutdown_ends_streams_that_are_not_being_read() {
    let peer = peer();
    let client = client(peer.config());
    let mut silent = open(&client, "silent").unwrap();
    let mut unread = open(&client, "whole").unwrap();
    let mut complete = open(&client, "whole").unwrap();
    assert_eq!(ended(&read_parts(&mut complete).1), Ended::Complete);
    client.shutdown();
    assert_eq!(ended(&read_parts(&mut silent).1), Ended::ShutDown);
    assert_eq!(ended(&read_parts(&mut unread).1), Ended::ShutDown);
    assert_eq!(ended(&read_parts(&mut complete).1), Ended::Complete);
    assert_eq!(
        Ended::of(&open(&client, "whole").unwrap_err()),
        Ended::ShutDown
    );
}
