//! Limits on the allocations, writes and system calls of a warm call.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use sagemaker_invoke::{Client, Config, InvokeEndpoint, Timeouts};
use support::config;

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

/// The last byte of a large body; it occurs in no head.
#[cfg(target_os = "linux")]
const LAST_BYTE: u8 = b'!';

/// A peer that accepts a request only if a single read returns all of it, and that does not allocate per request.
/// Runs until the process ends.
fn peer() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            stream.set_nodelay(true).unwrap();
            let mut request = [0; 16 * 1024];
            while let Ok(bytes @ 1..) = stream.read(&mut request) {
                let request = &request[..bytes];
                let is_whole = request.starts_with(b"POST ") && request.ends_with(&BODY);
                stream
                    .write_all(if is_whole { RESPONSE } else { BAD_REQUEST })
                    .unwrap();
            }
        }
    });
    address
}

/// A peer for bodies of any size ending with [`LAST_BYTE`]. Runs until the process ends.
#[cfg(target_os = "linux")]
fn large_body_peer() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            let mut piece = vec![0; 256 * 1024];
            while let Ok(bytes @ 1..) = stream.read(&mut piece) {
                if piece[bytes - 1] == LAST_BYTE {
                    stream.write_all(RESPONSE).unwrap();
                }
            }
        }
    });
    address
}

fn client_of(address: &str) -> Client {
    Client::new(Config {
        timeouts: Timeouts::default(),
        ..config(&format!("http://{address}"))
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
    let client = client_of(&peer().to_string());
    (0..WARM_UP).for_each(|_| call(&client));
    let count = allocation_counter::measure(|| call(&client)).count_total;
    assert!(
        (1..=MAX_ALLOCATIONS).contains(&count),
        "{count} allocations"
    );
}

#[test]
fn head_and_small_body_are_sent_in_one_write() {
    let client = client_of(&peer().to_string());
    (0..1_000).for_each(|_| call(&client));
}

/// The system calls of a warm call, counted by tracing a child process that makes the calls.
#[cfg(target_os = "linux")]
#[expect(clippy::panic, reason = "a test fails by panicking")]
mod system_calls {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;

    use nix::sys::ptrace::{self, Options};
    use nix::sys::signal::{Signal, raise};
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    use nix::unistd::{Pid, gettid};

    use super::support::tls::{Certificates, url};
    use super::support::{Peer, response};
    use super::*;

    /// Variables of the child process: the URL of the peer, and a certificate authority for TLS.
    const PEER_VARIABLE: &str = "CALL_COSTS_PEER";
    const AUTHORITY_VARIABLE: &str = "CALL_COSTS_AUTHORITY";

    const CALLS: usize = 1_000;
    const LARGE_CALLS: usize = 20;
    const LARGE_BYTES: usize = 5_000_000;

    /// Sending, receiving, the process id, and three to check that an idle connection is still open.
    const PER_CALL: usize = 6;

    /// Some calls set a socket timeout again.
    const MAX_EXTRA: usize = 50;

    #[test]
    fn a_warm_call_makes_few_system_calls() {
        if let Ok(url) = std::env::var(PEER_VARIABLE) {
            return make_calls(&url, CALLS, &BODY);
        }
        let count = count(
            "a_warm_call_makes_few_system_calls",
            &format!("http://{}", peer()),
            "",
        );
        assert!(
            (2 * CALLS..=PER_CALL * CALLS + MAX_EXTRA).contains(&count),
            "{count} in {CALLS} calls"
        );
    }

    /// A write holds the content of ureq's output buffer, 32 KiB.
    #[test]
    fn a_large_body_is_sent_in_large_writes() {
        if let Ok(url) = std::env::var(PEER_VARIABLE) {
            let mut body = vec![b'7'; LARGE_BYTES];
            body.push(LAST_BYTE);
            return make_calls(&url, LARGE_CALLS, &body);
        }
        let url = format!("http://{}", large_body_peer());
        let count = count("a_large_body_is_sent_in_large_writes", &url, "");
        let writes = LARGE_BYTES / (32 * 1024);
        let most = (writes + 2 * PER_CALL) * LARGE_CALLS;
        assert!(
            (writes * LARGE_CALLS..=most).contains(&count),
            "{count} in {LARGE_CALLS} calls"
        );
    }

    /// A TLS record holds 16 KiB.
    #[test]
    #[cfg_attr(not(feature = "rustls"), ignore = "needs the feature rustls")]
    fn a_large_body_over_tls_is_sent_in_one_write_per_record() {
        if let Ok(url) = std::env::var(PEER_VARIABLE) {
            return make_calls(&url, LARGE_CALLS, &vec![b'7'; LARGE_BYTES]);
        }
        let certificates = Certificates::trusted();
        let server = Arc::clone(&certificates.server);
        let peer = Peer::new(move |connection| {
            connection
                .accept_tls(&server)
                .iter_mut()
                .for_each(|connection| connection.respond_to_all(RESPONSE));
        });
        let authority = &certificates.authority_pem;
        let count = count(
            "a_large_body_over_tls_is_sent_in_one_write_per_record",
            &url(&peer),
            authority,
        );
        let writes = LARGE_BYTES / (16 * 1024);
        let most = (writes + 2 * PER_CALL) * LARGE_CALLS;
        assert!(
            (writes * LARGE_CALLS..=most).contains(&count),
            "{count} in {LARGE_CALLS} calls"
        );
    }

    /// A read returns at most the size of ureq's input buffer, 65 KiB.
    #[test]
    fn a_large_response_takes_few_reads() {
        if let Ok(url) = std::env::var(PEER_VARIABLE) {
            return make_calls(&url, LARGE_CALLS, &BODY);
        }
        let peer = Peer::responding(response(200, &[], vec![b'7'; LARGE_BYTES]));
        let count = count("a_large_response_takes_few_reads", &peer.url(), "");
        let reads = LARGE_BYTES / (65 * 1024);
        let most = (4 * reads + PER_CALL) * LARGE_CALLS;
        assert!(
            (reads * LARGE_CALLS..=most).contains(&count),
            "{count} in {LARGE_CALLS} calls"
        );
    }

    /// Counts the system calls of the calls made by the named test in a child process.
    fn count(test: &str, url: &str, authority: &str) -> usize {
        let mut child = child(test, url, authority);
        let counts = trace(&mut child);
        assert!(child.wait().unwrap().success());
        let [_, of_a_mark, of_the_calls, ..] = counts[..] else {
            panic!("{counts:?}")
        };
        of_the_calls - of_a_mark
    }

    /// Runs in the child: prints its thread id, waits for the tracer, and marks the counted range with signals, which
    /// the tracer suppresses.
    #[expect(clippy::print_stdout, reason = "the tracer reads it")]
    fn make_calls(url: &str, calls: usize, body: &[u8]) {
        let authority = std::env::var(AUTHORITY_VARIABLE).unwrap();
        let ca_bundle_pem = Some(authority.into_bytes()).filter(|pem| !pem.is_empty());
        let timeouts = Timeouts::default();
        let client = Client::new(Config {
            ca_bundle_pem,
            timeouts,
            ..config(url)
        })
        .unwrap();
        (0..WARM_UP).for_each(|_| call_with(&client, body));
        println!("\nthread {}", gettid());
        std::io::stdin().read_line(&mut String::new()).unwrap();
        raise(Signal::SIGUSR1).unwrap();
        raise(Signal::SIGUSR1).unwrap();
        (0..calls).for_each(|_| call_with(&client, body));
        raise(Signal::SIGUSR1).unwrap();
    }

    fn child(test: &str, url: &str, authority: &str) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args([
                &format!("system_calls::{test}"),
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(PEER_VARIABLE, url)
            .env(AUTHORITY_VARIABLE, authority)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The system calls of the child's thread: before the first mark, between each two marks, and after the last.
    fn trace(child: &mut Child) -> Vec<usize> {
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let thread = lines
            .find_map(|line| line.strip_prefix("thread ")?.parse().ok())
            .unwrap();
        let thread = Pid::from_raw(thread);
        ptrace::seize(
            thread,
            Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL,
        )
        .unwrap();
        ptrace::interrupt(thread).unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let mut stops = vec![0];
        while stops.len() < 4 {
            match waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap() {
                WaitStatus::PtraceSyscall(_) => *stops.last_mut().unwrap() += 1,
                WaitStatus::Stopped(_, Signal::SIGUSR1) => stops.push(0),
                WaitStatus::PtraceEvent(..) => {}
                other => panic!("{other:?}"),
            }
            ptrace::syscall(thread, None).unwrap();
        }
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        ptrace::detach(thread, None).unwrap();
        let _ = lines.count();
        // The tracer stops at the entry and at the exit of a system call.
        stops.into_iter().map(|stops| stops / 2).collect()
    }
}
