use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::super::body::BodyError;
use super::*;
use crate::system::OsSystem;

/// A peer that reads one request at a time and answers with `respond`, until the client closes.
fn peer(respond: fn(usize, &mut TcpStream)) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for (number, mut stream) in listener.incoming().flatten().enumerate() {
            thread::spawn(move || {
                stream
                    .set_read_timeout(Some(Duration::from_secs(10)))
                    .unwrap();
                while read_head(&mut stream) {
                    respond(number, &mut stream);
                }
            });
        }
    });
    Origin {
        tls: false,
        authority,
    }
}

/// Reads up to the empty line; `false` at the end of the connection. The requests of these tests have no body.
fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

const LIMIT: Option<Duration> = Some(Duration::from_secs(5));
const LIMITS: Limits = Limits {
    connect: LIMIT,
    send: LIMIT,
    response: LIMIT,
    read: LIMIT,
    streamed: false,
};

fn transport(origin: &Origin) -> Transport {
    let system: Arc<dyn System> = Arc::new(OsSystem);
    let settings = TransportSettings {
        limits: LIMITS,
        max_idle_connections: 8,
        max_idle_age: Duration::from_secs(10),
        proxy: &Proxy::Off,
        ca_bundle_pem: None,
        resolver: Resolver::new(Arc::clone(&system), Duration::from_secs(10)),
        system,
    };
    Transport::new(origin, &settings).unwrap()
}

fn send(transport: &Transport) -> (ResponseHead, Body) {
    let headers = vec![("host", transport.state.authority.as_str())];
    transport
        .send(
            &Request {
                method: "POST",
                path: "/",
                headers,
                body: &[],
            },
            &LIMITS,
            None,
        )
        .unwrap()
}

fn answer(number: usize, stream: &mut TcpStream) {
    let body = number.to_string().repeat(100_000);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    // A client that has dropped the body closes the connection.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()));
}

#[test]
fn a_connection_is_reused_after_its_body_was_read_to_the_end() {
    let transport = transport(&peer(answer));
    for expected in [false, true, true] {
        let (head, mut body) = send(&transport);
        assert_eq!(head.timings.connection_reused, expected);
        assert_eq!(body.read_whole(1_000_000).unwrap(), b"0".repeat(100_000));
    }
}

#[test]
fn a_body_can_be_read_on_another_thread_beside_other_calls() {
    let transport = transport(&peer(answer));
    let (_, mut first) = send(&transport);
    thread::scope(|scope| {
        let reader = scope.spawn(move || first.read_whole(1_000_000).unwrap());
        for _ in 0..10 {
            assert!(send(&transport).1.read_whole(1_000_000).is_ok());
        }
        assert_eq!(reader.join().unwrap(), b"0".repeat(100_000));
    });
}

#[test]
fn two_bodies_can_be_read_in_turns_on_one_thread() {
    let transport = transport(&peer(answer));
    let bodies = [send(&transport).1, send(&transport).1];
    let mut contents = [Vec::new(), Vec::new()];
    let mut readers = bodies.map(Some);
    while readers.iter().any(Option::is_some) {
        for (reader, content) in readers.iter_mut().zip(&mut contents) {
            let mut piece = [0; 1000];
            match reader
                .as_mut()
                .map(|body| body.read_before(&mut piece, None).unwrap())
            {
                Some(0) => *reader = None,
                Some(bytes) => content.extend_from_slice(&piece[..bytes]),
                None => {}
            }
        }
    }
    assert_eq!(contents, [b"0".repeat(100_000), b"1".repeat(100_000)]);
}

#[test]
fn a_body_that_is_dropped_half_way_closes_its_connection_only() {
    let transport = transport(&peer(answer));
    let (_, mut body) = send(&transport);
    body.read_before(&mut [0; 10], None).unwrap();
    drop(body);
    let (head, mut body) = send(&transport);
    assert!(!head.timings.connection_reused);
    assert_eq!(body.read_whole(1_000_000).unwrap(), b"1".repeat(100_000));
}

#[test]
fn an_error_of_a_body_stays() {
    let transport = transport(&peer(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }));
    let (_, mut body) = send(&transport);
    let mut piece = [0; 10];
    assert_eq!(body.read_before(&mut piece, None).unwrap(), 4);
    for _ in 0..2 {
        assert!(body.read_before(&mut piece, None).is_err());
    }
}

#[test]
fn interim_responses_are_skipped() {
    let transport = transport(&peer(|_, stream| {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
        stream.write_all(interim.repeat(3).as_bytes()).unwrap();
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .unwrap();
    }));
    assert_eq!(send(&transport).0.status, 204);
}

#[test]
fn reads_are_limited_behind_interim_responses() {
    let transport = transport(&peer(|_, stream| {
        let head = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
        // In one piece, and nothing more.
        stream.write_all(format!("{head}half").as_bytes()).unwrap();
    }));
    let limits = Limits {
        read: Some(Duration::from_millis(100)),
        ..LIMITS
    };
    let request = Request {
        method: "POST",
        path: "/",
        headers: vec![("host", "h")],
        body: &[],
    };
    let (_, mut body) = transport.send(&request, &limits, None).unwrap();
    match body.read_whole(1_000_000) {
        Err(BodyError::Transport(error)) => assert!(error.is_timeout(), "{error:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_after_a_shutdown_is_refused() {
    let transport = transport(&peer(answer));
    transport.shut_down();
    let request = Request {
        method: "POST",
        path: "/",
        headers: vec![("host", "h")],
        body: &[],
    };
    let error = transport.send(&request, &LIMITS, None).unwrap_err();
    assert!(
        matches!(error.cause, Cause::ShutDown) && error.sent == Sent::Nothing,
        "{error:?}"
    );
}
