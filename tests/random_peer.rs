//! A random peer: each attempt meets a script of its own, and the peer notes whether the model may have run.
//!
//! A script says how much of the request the peer reads, which response it writes and in which framing, where it stops and
//! how. The checks know the scripts and nothing of the library.
//!
//! `cargo test --test random_peer -- --ignored` runs some thousand scripts.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::{
    CallOptions, Client, Config, Error, InvokeEndpoint, InvokeEndpointResponse,
    InvokeEndpointWithResponseStream, Resend, RetryPolicy, Timeouts,
};
use support::event_stream::part;
use support::random::Random;
use support::tls::Certificates;
use support::{Connection, Peer, response};

/// Larger than the socket buffers of both ends, so that the client cannot send it while the peer does not read.
const LARGE_BODY_BYTES: usize = 12 * 1024 * 1024;
/// Exceeded by a peer that stalls.
const LIMIT: Duration = Duration::from_millis(150);
/// The peer of a call with a short deadline ends the call by stalling, or the deadline does.
const SHORT_CALL: Duration = Duration::from_millis(100);
const LONG_CALL: Duration = Duration::from_secs(5);
/// A busy machine can be late by this much.
const LATE: Duration = Duration::from_millis(1500);
/// From the peer's write to the client's socket buffer, at most.
const TICK: Duration = Duration::from_millis(10);
const MAX_ATTEMPTS: usize = 3;

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::trusted);

/// Status, code in `x-amzn-errortype`, and whether they prove that the model has not run.
const RESPONSES: [(u16, &str, bool); 17] = [
    (200, "", false),
    (200, "", false),
    (200, "", false),
    (302, "", false),
    (400, "", false),
    (400, "ThrottlingException", true),
    (400, "ValidationError", true),
    (403, "AccessDeniedException", true),
    (408, "", false),
    (413, "", true),
    (424, "ModelError", false),
    (424, "ThrottlingException", false),
    (429, "", true),
    (429, "ModelNotReadyException", true),
    (500, "InternalFailure", false),
    (504, "", false),
    (530, "InternalDependencyException", false),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length,
    Chunked,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Stop {
    BeforeHead,
    InHead,
    AfterHead,
    InBody,
    AtLastByte,
    Complete,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Fin,
    Reset,
    Stall,
    /// Closes the socket; a reset if a part of the request is unread.
    Drop,
}

/// What the peer does in one attempt.
#[derive(Clone, Debug)]
struct Script {
    /// Bytes of the request to read; `None` for all.
    read: Option<u64>,
    interim: &'static str,
    status: u16,
    code: &'static str,
    refuses: bool,
    framing: Framing,
    body: Vec<u8>,
    stop: Stop,
    how: How,
    in_pieces: bool,
}

impl Script {
    fn random(random: &mut Random, streamed: bool) -> Self {
        let (status, code, refuses) = *random.pick(&RESPONSES);
        let bytes = *random.pick(&[0, 1, 10, 1000, 100_000]);
        let content = random.bytes(bytes);
        let framed = streamed && status == 200;
        let stops = [
            Stop::BeforeHead,
            Stop::InHead,
            Stop::AfterHead,
            Stop::InBody,
            Stop::AtLastByte,
            Stop::Complete,
            Stop::Complete,
        ];
        let interims = [
            "",
            "",
            "",
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
            "\r\nHTTP/1.1 100 Continue\r\n\r\n",
        ];
        Self {
            read: *random.pick(&[
                None,
                None,
                None,
                Some(0),
                Some(20),
                Some(10_000),
                Some(100_000),
            ]),
            interim: random.of(&interims),
            status,
            code,
            refuses,
            framing: *random.pick(&[Framing::Length, Framing::Chunked, Framing::Close]),
            body: if framed {
                content.chunks(700).flat_map(part).collect()
            } else {
                content
            },
            stop: *random.pick(&stops),
            how: *random.pick(&[How::Fin, How::Reset, How::Stall, How::Drop]),
            in_pieces: random.below(3) == 0,
        }
    }

    fn head(&self) -> String {
        let framing = match self.framing {
            Framing::Length => format!("content-length: {}\r\n", self.body.len()),
            Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
            Framing::Close => "connection: close\r\n".to_owned(),
        };
        let code = match self.code {
            "" => String::new(),
            code => format!("x-amzn-errortype: {code}\r\n"),
        };
        format!(
            "HTTP/1.1 {} Status\r\n{code}x-amzn-requestid: id-1\r\n\
             content-type: application/vnd.amazon.eventstream\r\n{framing}\r\n",
            self.status
        )
    }

    fn framed_body(&self) -> Vec<u8> {
        if self.framing != Framing::Chunked {
            return self.body.clone();
        }
        let mut chunks = Vec::new();
        for chunk in self.body.chunks(30_000) {
            chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunks.extend_from_slice(chunk);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        chunks
    }

    /// The bytes that the peer writes.
    fn output(&self) -> Vec<u8> {
        let mut output = self.complete_output();
        let body_bytes = self.framed_body().len();
        let head_end = output.len() - body_bytes;
        output.truncate(match self.stop {
            Stop::BeforeHead => 0,
            Stop::InHead => head_end - self.head().len() / 2,
            Stop::AfterHead => head_end,
            Stop::InBody => head_end + body_bytes / 2,
            Stop::AtLastByte => head_end + body_bytes.saturating_sub(1),
            Stop::Complete => output.len(),
        });
        output
    }

    fn complete_output(&self) -> Vec<u8> {
        let head = self.interim.to_owned() + &self.head();
        [head.as_bytes(), &self.framed_body()].concat()
    }

    fn writes_final_head(&self) -> bool {
        self.stop >= Stop::AfterHead
    }

    /// The body that the client can take for complete, if there is one.
    fn complete_body(&self, is_tls: bool) -> Option<&[u8]> {
        let is_complete = self.output().len() == self.complete_output().len();
        if is_complete && self.status == 200 {
            return Some(&self.body);
        }
        // The connection is the end of the body, and over TLS only together with an alert.
        let ends_with_connection = self.framing == Framing::Close && !is_tls && self.status == 200;
        if !ends_with_connection {
            return None;
        }
        match self.stop {
            Stop::AfterHead => Some(&[]),
            Stop::InBody => Some(&self.body[..self.body.len() / 2]),
            Stop::AtLastByte => Some(&self.body[..self.body.len().saturating_sub(1)]),
            _ => None,
        }
    }
}

/// An attempt as the peer saw it.
#[derive(Clone, Debug)]
struct Note {
    script: Script,
    /// The peer read the complete request.
    request_complete: bool,
    may_have_run: bool,
    /// When the peer had written its response.
    written_at: Instant,
}

#[derive(Debug, Default)]
struct Stage {
    scripts: Mutex<VecDeque<Script>>,
    notes: Mutex<Vec<Note>>,
    /// Ends the stalls.
    is_over: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "a violation shows all of it")]
struct Case {
    seed: u64,
    is_tls: bool,
    is_reused: bool,
    is_large: bool,
    streamed: bool,
    call: Duration,
}

impl Case {
    fn random(seed: u64) -> (Self, Random) {
        let mut random = Random(seed);
        let case = Self {
            seed,
            is_tls: cfg!(feature = "rustls") && random.below(3) == 0,
            is_reused: random.below(2) == 0,
            is_large: random.below(3) == 0,
            streamed: random.below(2) == 0,
            call: if random.below(6) == 0 {
                SHORT_CALL
            } else {
                LONG_CALL
            },
        };
        (case, random)
    }

    fn body(self) -> Vec<u8> {
        vec![7; if self.is_large { LARGE_BODY_BYTES } else { 100 }]
    }
}

#[test]
fn no_model_runs_twice_with_a_random_peer() {
    run_cases(0..300);
}

#[test]
#[ignore = "takes minutes, run by .ci/run"]
fn no_model_runs_twice_with_some_thousand_random_peers() {
    run_cases(1000..5000);
}

/// Sixteen cases at a time: most of them wait.
fn run_cases(seeds: std::ops::Range<u64>) {
    let next = AtomicUsize::new(0);
    let seeds: Vec<u64> = seeds.collect();
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let violations = run(*seed);
                    failures.lock().unwrap().extend(violations);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        seeds.len(),
        failures.join("\n\n")
    );
}

/// The violations of one case.
fn run(seed: u64) -> Vec<String> {
    let (case, mut random) = Case::random(seed);
    let stage = Arc::new(Stage::default());
    let peer = Peer::new({
        let stage = Arc::clone(&stage);
        move |connection| {
            let server = case.is_tls.then_some(&CERTIFICATES.server);
            if let Some(connection) = connection.accept(server) {
                serve(connection, &stage);
            }
        }
    });
    let client = Client::new(config(&peer, case)).unwrap();
    if case.is_reused {
        patient_call(&client, "warm-up").unwrap();
    }
    let scripts = (0..MAX_ATTEMPTS).map(|_| Script::random(&mut random, case.streamed));
    stage.scripts.lock().unwrap().extend(scripts);
    let body = case.body();
    let began = Instant::now();
    let result = call(&client, case, &body);
    let elapsed = began.elapsed();
    stage.is_over.store(true, Ordering::SeqCst);
    stage.scripts.lock().unwrap().clear();
    let mut violations = Vec::new();
    let next = patient_call(&client, "next");
    if !next.as_ref().is_ok_and(|next| next.body == b"answer") {
        violations.push(format!("the next call failed: {next:?}"));
    }
    drop(peer);
    let mut notes = stage.notes.lock().unwrap().clone();
    if result.as_ref().is_err_and(|error| !error.may_have_run()) {
        // A response that is written while the client gives up has not arrived.
        notes.retain(|note| note.request_complete || note.written_at + TICK < began + elapsed);
    }
    if elapsed > case.call + LATE {
        violations.push(format!("the call took {elapsed:?}"));
    }
    violations.extend(violation(case, &notes, &result));
    for violation in &mut violations {
        let notes: Vec<_> = notes.iter().map(shown).collect();
        let result = result.as_ref().map(Vec::len);
        *violation = format!("{violation}\n{case:?}\n{result:?}\n{}", notes.join("\n"));
    }
    violations
}

fn shown(note: &Note) -> String {
    let script = Script {
        body: Vec::new(),
        ..note.script.clone()
    };
    format!(
        "{script:?}, body of {}, request complete {}, may have run {}",
        note.script.body.len(),
        note.request_complete,
        note.may_have_run
    )
}

fn violation(case: Case, notes: &[Note], result: &Result<Vec<u8>, Error>) -> Option<String> {
    let ran = notes.iter().filter(|note| note.may_have_run).count();
    if ran > 1 {
        return Some(format!("{ran} attempts may have run"));
    }
    let Some(last) = notes.last() else {
        // The deadline passed before the first request.
        return result
            .is_ok()
            .then(|| "a response without a request".to_owned());
    };
    match result {
        Ok(body) => {
            let expected = last.script.complete_body(case.is_tls);
            let is_complete = expected.is_some_and(|expected| is_body(case, expected, body));
            (!is_complete).then(|| "the response is not complete".to_owned())
        }
        Err(error) if !error.may_have_run() => {
            (ran > 0).then(|| format!("an attempt may have run: {error}"))
        }
        // The client cannot know what the peer read of a small request.
        Err(error) => {
            let is_known = case.is_large
                && notes
                    .iter()
                    .all(|note| !note.request_complete && note.script.stop == Stop::BeforeHead);
            is_known.then(|| format!("no attempt can have run: {error}"))
        }
    }
}

/// The parts of a streamed body are compared without their frames.
fn is_body(case: Case, sent: &[u8], received: &[u8]) -> bool {
    if !case.streamed {
        return sent == received;
    }
    let mut content = Vec::new();
    let mut rest = sent;
    while !rest.is_empty() {
        let frame_bytes = u32::from_be_bytes(rest[..4].try_into().unwrap());
        let header_bytes = u32::from_be_bytes(rest[4..8].try_into().unwrap());
        let end = usize::try_from(frame_bytes).unwrap();
        let Some(frame) = rest.get(..end) else {
            return false;
        };
        content.extend_from_slice(&frame[12 + usize::try_from(header_bytes).unwrap()..end - 4]);
        rest = &rest[end..];
    }
    content == received
}

/// A pooled connection may be one that the peer has reset, and a busy machine may be slow.
fn patient_call(client: &Client, name: &str) -> Result<InvokeEndpointResponse, Error> {
    let retry = RetryPolicy {
        resend: Resend::Any,
        max_attempts: 10,
        ..RetryPolicy::default()
    };
    let options = CallOptions {
        retry: Some(retry),
        ..CallOptions::default()
    };
    client.invoke_with(&InvokeEndpoint::new(name, b""), &options)
}

fn call(client: &Client, case: Case, body: &[u8]) -> Result<Vec<u8>, Error> {
    let options = CallOptions {
        timeout: Some(case.call),
        ..CallOptions::default()
    };
    if !case.streamed {
        let request = InvokeEndpoint::new("e", body);
        return Ok(client.invoke_with(&request, &options)?.body);
    }
    let request = InvokeEndpointWithResponseStream::new("e", body);
    let mut response = client.invoke_with(&request, &options)?;
    let mut received = Vec::new();
    while let Some(part) = response.body.next_part()? {
        received.extend_from_slice(part);
    }
    Ok(received)
}

fn config(peer: &Peer, case: Case) -> Config {
    let base = if case.is_tls {
        CERTIFICATES.config(peer)
    } else {
        peer.config()
    };
    let timeouts = Timeouts {
        send: Some(LIMIT),
        response: Some(LIMIT),
        read: Some(LIMIT),
        stream: Some(LIMIT),
        ..base.timeouts
    };
    Config { timeouts, ..base }
}

/// Plays the next script for each request; responds to it when there is none.
fn serve(mut connection: Connection, stage: &Stage) {
    loop {
        if !connection.wire.has_more() {
            return;
        }
        let Some(script) = stage.scripts.lock().unwrap().pop_front() else {
            if connection.request().is_none() {
                return;
            }
            connection.send(response(200, &[], "answer"));
            continue;
        };
        if !play(&mut connection, &script, stage) {
            return stop(connection, &script, stage);
        }
    }
}

/// Reads and writes as the script says, and returns whether the connection goes on.
fn play(connection: &mut Connection, script: &Script, stage: &Stage) -> bool {
    let mut request = Vec::new();
    let request_complete = match script.read {
        None => connection.unrecorded_request_body().is_some(),
        Some(bytes) => {
            let _ = (&mut connection.wire).take(bytes).read_to_end(&mut request);
            is_complete(&request)
        }
    };
    // After an end of the connection nobody is there to read a response.
    let is_gone = match script.read {
        None => !request_complete,
        Some(bytes) => !request_complete && u64::try_from(request.len()).unwrap() < bytes,
    };
    if is_gone {
        return false;
    }
    let output = script.output();
    let piece_bytes = if script.in_pieces {
        output.len().div_ceil(4)
    } else {
        output.len()
    };
    for piece in output.chunks(piece_bytes.max(1)) {
        connection.send(piece);
        if script.in_pieces {
            thread::sleep(Duration::from_millis(5));
        }
    }
    let may_have_run = if script.writes_final_head() {
        !script.refuses
    } else {
        request_complete
    };
    stage.notes.lock().unwrap().push(Note {
        script: script.clone(),
        request_complete,
        may_have_run,
        written_at: Instant::now(),
    });
    request_complete && script.stop == Stop::Complete && script.framing != Framing::Close
}

/// Whether the bytes are a complete request.
fn is_complete(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    received.len() >= head.len() + 4 + length
}

fn stop(mut connection: Connection, script: &Script, stage: &Stage) {
    match script.how {
        How::Fin => {
            let _ = connection.wire.flush();
            let _ = connection.stream.shutdown(Shutdown::Write);
            wait_until_over(stage);
            connection.close();
        }
        How::Stall => {
            wait_until_over(stage);
            connection.close();
        }
        How::Reset => connection.reset(),
        How::Drop => drop(connection),
    }
}

fn wait_until_over(stage: &Stage) {
    while !stage.is_over.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(2));
    }
}
