//! System calls of a warm call, counted by tracing a child process that makes the calls.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, gettid};
use sagemaker_invoke::{Client, Config, Timeouts};

use super::support::tls::{Certificates, url};
use super::support::{Peer, config, response, test_command, turn};
use super::{BODY, RESPONSE, WARM_UP, call_with, peer};

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

/// The last byte of a large body; it occurs in no head.
const LAST_BYTE: u8 = b'!';

/// A peer for bodies of any size that end with [`LAST_BYTE`].
fn large_body_peer() -> Peer {
    Peer::new(|mut connection| {
        let mut buffer = vec![0; 256 * 1024];
        while let Some(bytes) = connection.read_once(&mut buffer) {
            if bytes.last() == Some(&LAST_BYTE) {
                connection.send(RESPONSE);
            }
        }
    })
}

#[test]
fn a_warm_call_makes_few_system_calls() {
    if let Ok(url) = std::env::var(PEER_VARIABLE) {
        return make_calls(&url, CALLS, &BODY);
    }
    let count = count("a_warm_call_makes_few_system_calls", &peer().url(), "");
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
    let peer = large_body_peer();
    let count = count("a_large_body_is_sent_in_large_writes", &peer.url(), "");
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
    let peer = certificates.peer_with(|mut connection| connection.respond_to_all(RESPONSE));
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
    let _turn = turn();
    let mut child = child(test, url, authority);
    let counts = trace(&mut child);
    assert!(child.wait().unwrap().success());
    let [_, for_a_mark, for_the_calls, ..] = counts[..] else {
        panic!("{counts:?}")
    };
    for_the_calls - for_a_mark
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
    test_command(&format!("system_calls::{test}"))
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
