//! Every fault at every place of an exchange, on a new and on a reused connection, with and without TLS, under every
//! retry policy. Checks the number of complete requests at the peer, the error, and that the client stays usable.
//!
//! `cargo test --test fault_matrix -- --nocapture` prints the table.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use sagemaker_invoke::error::Phase;
use sagemaker_invoke::{Client, Config, Error, InvokeEndpoint, Resend, RetryPolicy, Timeouts};
use support::tls::Certificates;
use support::{Connection, FakeSystem, Peer, response};

/// Larger than the socket buffers of both ends, so that it cannot be sent completely while the peer does not read.
const LARGE_BODY_BYTES: usize = 24 * 1024 * 1024;
/// The time limit exceeded by a stall.
const LIMIT: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Refuse,
    Stall,
    Reset,
    Close,
    Garbage,
    SlowDrip,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Place {
    BeforeHead,
    WithinHead,
    WithinBody,
    AfterBody,
    WithinResponseHead,
    WithinResponseBody,
}

const FAULTS: [Fault; 6] = [
    Fault::Refuse,
    Fault::Stall,
    Fault::Reset,
    Fault::Close,
    Fault::Garbage,
    Fault::SlowDrip,
];
const PLACES: [Place; 6] = [
    Place::BeforeHead,
    Place::WithinHead,
    Place::WithinBody,
    Place::AfterBody,
    Place::WithinResponseHead,
    Place::WithinResponseBody,
];
const POLICIES: [Resend; 4] = [
    Resend::Never,
    Resend::NotSent,
    Resend::Rejected,
    Resend::Any,
];

#[derive(Clone, Copy, Debug)]
struct Cell {
    fault: Fault,
    place: Place,
    is_reused: bool,
    is_tls: bool,
    resend: Resend,
}

/// One table at a time: together they load a small machine so much that requests exceed the limit of a stall.
static TABLE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Shared by all cells, because the generation of keys is slow.
static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();

/// The result of a cell.
#[derive(Debug)]
struct Outcome {
    whole_requests: usize,
    /// `None` on success.
    error: Option<Error>,
    attempts: u32,
}

impl Cell {
    fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for fault in FAULTS {
            for place in PLACES {
                for is_reused in [false, true] {
                    for is_tls in [false, true] {
                        cells.extend(POLICIES.map(|resend| Self {
                            fault,
                            place,
                            is_reused,
                            is_tls,
                            resend,
                        }));
                    }
                }
            }
        }
        cells.retain(|cell| cell.is_possible());
        cells
    }

    /// A refused connection has no reuse, no TLS and no place within an exchange.
    fn is_possible(self) -> bool {
        let is_bare = self.place == Place::BeforeHead && !self.is_reused && !self.is_tls;
        (self.fault != Fault::Refuse || is_bare) && (!self.is_tls || cfg!(feature = "rustls"))
    }

    /// Whether the fault happens before the peer has the complete request.
    fn is_early(self) -> bool {
        self.place <= Place::WithinBody
    }

    fn is_resent(self) -> bool {
        self.resend
            >= if self.is_early() {
                Resend::NotSent
            } else {
                Resend::Any
            }
    }

    /// Garbage within a body of the announced length cannot be detected, and a slow body arrives completely.
    fn succeeds_at_once(self) -> bool {
        self.place == Place::WithinResponseBody
            && matches!(self.fault, Fault::Garbage | Fault::SlowDrip)
    }
}

#[test]
fn no_request_arrives_twice_unless_the_policy_allows_it() {
    let _table = TABLE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let cells = Cell::all();
    // 5 faults in 6 places, on new and reused connections, under 4 policies, with TLS as well; 4 refused connections.
    let expected = 5 * 6 * 2 * 4 * if cfg!(feature = "rustls") { 2 } else { 1 } + 4;
    assert_eq!(cells.len(), expected);
    println!(
        "{:<9} {:<19} {:<7} {:<6} {:<9} {:>5} {:>8}  error",
        "fault", "place", "reused", "tls", "resend", "whole", "attempts"
    );
    for (cell, outcome) in run_all(cells) {
        let shown = outcome
            .error
            .as_ref()
            .map_or_else(|| "none".to_owned(), ToString::to_string);
        println!(
            "{:<9} {:<19} {:<7} {:<6} {:<9} {:>5} {:>8}  {shown}",
            format!("{:?}", cell.fault),
            format!("{:?}", cell.place),
            cell.is_reused,
            cell.is_tls,
            format!("{:?}", cell.resend),
            outcome.whole_requests,
            outcome.attempts,
        );
        check(cell, &outcome);
    }
}

fn check(cell: Cell, outcome: &Outcome) {
    let whole_before_fault = usize::from(!cell.is_early());
    if cell.succeeds_at_once() {
        assert!(
            outcome.error.is_none() && outcome.whole_requests == 1 && outcome.attempts == 1,
            "{cell:?} {outcome:?}"
        );
        return;
    }
    if cell.is_resent() {
        assert!(outcome.error.is_none(), "{cell:?} {outcome:?}");
        assert_eq!(
            (outcome.whole_requests, outcome.attempts),
            (whole_before_fault + 1, 2),
            "{cell:?} {outcome:?}"
        );
        return;
    }
    let error = outcome.error.as_ref().unwrap();
    assert_eq!(
        (outcome.whole_requests, outcome.attempts),
        (whole_before_fault, 1),
        "{cell:?} {outcome:?}"
    );
    assert_eq!(
        error.may_have_run(),
        !cell.is_early(),
        "{cell:?} {outcome:?}"
    );
    assert!(
        outcome.whole_requests == 0 || error.may_have_run(),
        "{cell:?} {outcome:?}"
    );
    check_kind(cell, error);
}

fn check_kind(cell: Cell, error: &Error) {
    let phase = match cell.place {
        _ if cell.fault == Fault::Refuse => Phase::Connect,
        Place::BeforeHead | Place::WithinHead | Place::WithinBody => Phase::Send,
        Place::AfterBody | Place::WithinResponseHead => Phase::Wait,
        Place::WithinResponseBody => Phase::Read,
    };
    let is_expected = match cell.fault {
        Fault::Refuse => matches!(error, Error::Connect(_)),
        Fault::Stall | Fault::SlowDrip => matches!(error, Error::Timeout(_)),
        Fault::Reset | Fault::Close => matches!(error, Error::ConnectionLost(_)),
        // The reset that follows the garbage may overtake it.
        Fault::Garbage if cell.is_early() => {
            matches!(error, Error::InvalidResponse(_) | Error::ConnectionLost(_))
        }
        Fault::Garbage => matches!(error, Error::InvalidResponse(_)),
    };
    assert!(is_expected, "{cell:?} {error:?}");
    let failed = error.transport().unwrap();
    assert_eq!(failed.phase, phase, "{cell:?} {failed:?}");
    assert_eq!(
        failed.connection_reused, cell.is_reused,
        "{cell:?} {failed:?}"
    );
    assert!(error.to_string().lines().count() == 1);
}

/// Runs eight cells at a time. The outcomes are sorted by cell.
fn run_all(cells: Vec<Cell>) -> Vec<(Cell, Outcome)> {
    let cells = Arc::new(cells);
    let next = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..8 {
        let (cells, next, sender) = (Arc::clone(&cells), Arc::clone(&next), sender.clone());
        thread::spawn(move || {
            while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                let outcome = thread::spawn({
                    let cell = *cell;
                    move || run(cell)
                });
                sender
                    .send((*cell, outcome.join().unwrap_or_else(|_| panic!("{cell:?}"))))
                    .unwrap();
            }
        });
    }
    drop(sender);
    let mut outcomes: Vec<(Cell, Outcome)> = receiver.iter().collect();
    assert_eq!(outcomes.len(), cells.len());
    outcomes.sort_by_key(|(cell, _)| format!("{cell:?}"));
    outcomes
}

fn run(cell: Cell) -> Outcome {
    let is_armed = Arc::new(AtomicBool::new(false));
    let certificates = CERTIFICATES.get_or_init(Certificates::trusted);
    let peer = Peer::new({
        let is_armed = Arc::clone(&is_armed);
        move |connection| {
            let server = cell.is_tls.then_some(&certificates.server);
            if let Some(connection) = connection.accept(server) {
                serve(connection, cell, &is_armed);
            }
        }
    });
    let base = if cell.is_tls {
        certificates.config(&peer)
    } else {
        peer.config()
    };
    let client = Client::new(config_for(base, cell, peer.address.port())).unwrap();
    if cell.is_reused {
        client.invoke(&InvokeEndpoint::new("warm-up", b"")).unwrap();
    }
    let before = peer.requests().len();
    is_armed.store(true, Ordering::SeqCst);
    let body = vec![
        7;
        if cell.is_early() {
            LARGE_BODY_BYTES
        } else {
            100
        }
    ];
    let result = client.invoke(&InvokeEndpoint::new("faulty", &body));
    let whole_requests = peer.requests().len() - before;
    is_armed.store(false, Ordering::SeqCst);
    if cell.fault != Fault::Refuse {
        let next = client.invoke(&InvokeEndpoint::new("next", b"")).unwrap();
        assert_eq!(next.body, b"answer", "{cell:?}");
    }
    match result {
        Ok(response) => Outcome {
            whole_requests,
            error: None,
            attempts: response.timings.attempts,
        },
        Err(error) => Outcome {
            whole_requests,
            attempts: error.attempts(),
            error: Some(error),
        },
    }
}

/// Applies the time limits and the policy of the cell.
fn config_for(base: Config, cell: Cell, port: u16) -> Config {
    let mut timeouts = base.timeouts;
    if matches!(cell.fault, Fault::Stall | Fault::SlowDrip) {
        let (send, response) = if cell.is_early() {
            (Some(LIMIT), timeouts.response)
        } else {
            (timeouts.send, Some(LIMIT))
        };
        timeouts = Timeouts {
            send,
            response,
            read: response,
            ..timeouts
        };
    }
    let retry = RetryPolicy {
        resend: cell.resend,
        max_attempts: 2,
        ..RetryPolicy::default()
    };
    let config = Config {
        timeouts,
        retry,
        ..base
    };
    if cell.fault != Fault::Refuse {
        return config;
    }
    Config {
        endpoint: sagemaker_invoke::Endpoint::Url(format!("http://refused-once.test:{port}")),
        system: Arc::new(refusing_once()),
        ..config
    }
}

/// The first lookup returns a closed port, later ones the port of the peer.
fn refusing_once() -> FakeSystem {
    let lookups = AtomicUsize::new(0);
    FakeSystem::on_loopback(&[]).with_lookup(move |_, port| {
        let port = if lookups.fetch_add(1, Ordering::SeqCst) == 0 {
            closed_port()
        } else {
            port
        };
        Ok(vec![std::net::SocketAddr::from(([127, 0, 0, 1], port))])
    })
}

fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Responds to each request, except that the first exchange after `is_armed` was set has the fault.
fn serve(mut connection: Connection, cell: Cell, is_armed: &AtomicBool) {
    loop {
        // `is_armed` may be set between two exchanges, so read it when the next one begins.
        if !connection.wire.has_more() {
            return;
        }
        if is_armed.swap(false, Ordering::SeqCst) && cell.fault != Fault::Refuse {
            return do_fault(connection, cell);
        }
        if connection.request().is_none() {
            return;
        }
        connection.send(response(200, &[], "answer"));
    }
}

fn do_fault(mut connection: Connection, cell: Cell) {
    match cell.place {
        Place::BeforeHead => {}
        Place::WithinHead => connection.read_bytes(20),
        Place::WithinBody => connection.read_bytes(100_000),
        _ => drop(connection.request()),
    }
    match cell.place {
        Place::WithinResponseHead => connection.send("HTTP/1.1 200 O"),
        Place::WithinResponseBody => {
            connection.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        }
        _ => {}
    }
    match cell.fault {
        Fault::Refuse => {}
        Fault::Stall if cell.is_early() => read_slowly(&mut connection, 0),
        Fault::Stall => connection.stall(),
        Fault::Reset => connection.reset(),
        Fault::Close => connection.close(),
        Fault::Garbage => {
            connection.send("\u{1}\u{2}gar\0bage\r\n\r\n");
            connection.close();
        }
        Fault::SlowDrip if cell.is_early() => read_slowly(&mut connection, 1),
        Fault::SlowDrip => send_slowly(&mut connection, cell),
    }
}

/// Reads nothing, or too slowly for the TCP window to open, until the peer is dropped.
fn read_slowly(connection: &mut Connection, bytes_at_a_time: u64) {
    while !connection.peer_is_dropped() {
        connection.read_bytes(bytes_at_a_time);
        thread::sleep(LIMIT / 8);
    }
}

/// Sends a byte at a time, each within the read limit.
fn send_slowly(connection: &mut Connection, cell: Cell) {
    let rest = if cell.place == Place::WithinResponseBody {
        "answer"
    } else {
        "HTTP/1.1 200 OK\r\nx: yyyyyyyy"
    };
    for byte in rest.as_bytes() {
        connection.send([*byte]);
        thread::sleep(LIMIT / 8);
    }
    connection.respond_to_all(response(200, &[], "answer"));
}

/// A final response that begins after the complete request, or within its body.
mod responses {
    use std::collections::BTreeMap;

    use sagemaker_invoke::error::Sent;

    use super::*;

    /// Larger than the socket buffers of both ends.
    const EARLY_BODY_BYTES: usize = 12 * 1024 * 1024;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Ending {
        Complete,
        /// Closed within the response body.
        Fin,
        Reset,
        NoLastChunk,
        Stalled,
        /// Closed after the head.
        HeadOnly,
    }

    const ENDINGS: [Ending; 6] = [
        Ending::Complete,
        Ending::Fin,
        Ending::Reset,
        Ending::NoLastChunk,
        Ending::Stalled,
        Ending::HeadOnly,
    ];
    const STATUSES: [u16; 7] = [200, 424, 500, 504, 400, 413, 429];

    #[derive(Clone, Copy, Debug)]
    struct Cell {
        status: u16,
        end: Ending,
        /// Whether the peer responds before it has the complete request.
        is_early: bool,
        is_reused: bool,
        is_tls: bool,
        resend: Resend,
    }

    impl Cell {
        fn all() -> Vec<Self> {
            let mut cells = Vec::new();
            for status in STATUSES {
                for end in ENDINGS {
                    for (is_early, is_reused, is_tls) in product() {
                        cells.extend(POLICIES.map(|resend| Self {
                            status,
                            end,
                            is_early,
                            is_reused,
                            is_tls,
                            resend,
                        }));
                    }
                }
            }
            cells.retain(|cell| !cell.is_tls || cfg!(feature = "rustls"));
            cells
        }

        /// The status alone proves that the model has not run.
        fn is_refused(self) -> bool {
            matches!(self.status, 413 | 429)
        }

        fn is_resent(self) -> bool {
            match self.status {
                // A refusal for now.
                429 => self.resend >= Resend::Rejected,
                500 | 504 => self.resend >= Resend::Any,
                // A success that was lost.
                200 => self.resend >= Resend::Any && self.end != Ending::Complete,
                _ => false,
            }
        }
    }

    fn product() -> impl Iterator<Item = (bool, bool, bool)> {
        (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0))
    }

    #[test]
    fn no_request_is_answered_twice_unless_the_policy_allows_it() {
        let _table = TABLE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let cells = Cell::all();
        let transports = if cfg!(feature = "rustls") { 2 } else { 1 };
        assert_eq!(cells.len(), 7 * 6 * 2 * 2 * 4 * transports);
        let next = AtomicUsize::new(0);
        let table = std::sync::Mutex::new(BTreeMap::new());
        thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                        let row = check(*cell);
                        table.lock().unwrap().insert(format!("{cell:?}"), row);
                    }
                });
            }
        });
        for (cell, row) in table.into_inner().unwrap() {
            println!("{cell} {row}");
        }
    }

    fn check(cell: Cell) -> String {
        let (answered, result) = run(cell);
        let context = format!("{cell:?}: {answered} answered, {result:?}");
        if cell.status == 200 && cell.end == Ending::Complete {
            assert!(result.is_ok() && answered == 1, "{context}");
            return "none".to_owned();
        }
        assert_eq!(answered, if cell.is_resent() { 2 } else { 1 }, "{context}");
        if cell.is_resent() {
            // The second request is answered completely.
            assert!(result.is_ok(), "{context}");
            return "none".to_owned();
        }
        let error = result.unwrap_err();
        assert_eq!(error.may_have_run(), !cell.is_refused(), "{context}");
        assert_eq!(error.status(), Some(cell.status), "{context}");
        let code = if cell.status == 400 {
            None
        } else {
            Some("ACode")
        };
        assert_eq!(error.code(), code, "{context}");
        assert_eq!(error.request_id(), Some("id-1"), "{context}");
        if let Some(failed) = error.transport() {
            assert_eq!(failed.sent, Sent::ResponseBegun, "{context}");
        }
        error.to_string()
    }

    /// The number of requests that the peer began to answer, and the result of the call.
    fn run(cell: Cell) -> (usize, Result<(), Error>) {
        let is_armed = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let certificates = CERTIFICATES.get_or_init(Certificates::trusted);
        let peer = Peer::new({
            let is_armed = Arc::clone(&is_armed);
            let answered = Arc::clone(&answered);
            move |connection| {
                let server = cell.is_tls.then_some(&certificates.server);
                if let Some(connection) = connection.accept(server) {
                    serve(connection, cell, &is_armed, &answered);
                }
            }
        });
        let base = if cell.is_tls {
            certificates.config(&peer)
        } else {
            peer.config()
        };
        let mut timeouts = base.timeouts;
        if cell.is_early {
            timeouts.send = Some(LIMIT);
        }
        if cell.end == Ending::Stalled {
            timeouts.read = Some(LIMIT);
        }
        let retry = RetryPolicy {
            resend: cell.resend,
            max_attempts: 2,
            max_backoff: Duration::from_millis(10),
            ..RetryPolicy::default()
        };
        let client = Client::new(Config {
            timeouts,
            retry,
            ..base
        })
        .unwrap();
        if cell.is_reused {
            client.invoke(&InvokeEndpoint::new("warm-up", b"")).unwrap();
        }
        let before = answered.load(Ordering::SeqCst);
        is_armed.store(true, Ordering::SeqCst);
        let body = vec![7; if cell.is_early { EARLY_BODY_BYTES } else { 100 }];
        let result = client.invoke(&InvokeEndpoint::new("faulty", &body));
        is_armed.store(false, Ordering::SeqCst);
        let answered = answered.load(Ordering::SeqCst) - before;
        let next = client.invoke(&InvokeEndpoint::new("next", b"")).unwrap();
        assert_eq!(next.body, b"answer", "{cell:?}");
        (answered, result.map(drop))
    }

    /// Answers each request, except that the first answer after `is_armed` was set ends as the cell says.
    fn serve(
        mut connection: Connection,
        cell: Cell,
        is_armed: &AtomicBool,
        answered: &AtomicUsize,
    ) {
        while connection.wire.has_more() {
            if is_armed.swap(false, Ordering::SeqCst) {
                if cell.is_early {
                    connection.read_bytes(100_000);
                } else {
                    drop(connection.request());
                }
                answered.fetch_add(1, Ordering::SeqCst);
                return answer(connection, cell, answered);
            }
            if connection.request().is_none() {
                return;
            }
            answered.fetch_add(1, Ordering::SeqCst);
            connection.send(response(200, &[], "answer"));
        }
    }

    fn answer(mut connection: Connection, cell: Cell, answered: &AtomicUsize) {
        let head = format!(
            "HTTP/1.1 {} Status\r\nx-amzn-requestid: id-1\r\n{}transfer-encoding: chunked\r\n\r\n",
            cell.status,
            // A code in the header would itself prove a refusal of a 400.
            if cell.status == 400 {
                ""
            } else {
                "x-amzn-errortype: ACode\r\n"
            },
        );
        let body = match cell.end {
            Ending::Complete => "6\r\nanswer\r\n0\r\n\r\n",
            Ending::NoLastChunk => "6\r\nanswer\r\n",
            Ending::HeadOnly => "",
            Ending::Fin | Ending::Reset | Ending::Stalled => "6\r\nans",
        };
        connection.send(head + body);
        match cell.end {
            Ending::Stalled => stall(&connection),
            // The client may still be sending: it reads the response after its write has failed.
            Ending::Complete if cell.is_early => stall(&connection),
            Ending::Complete => serve(connection, cell, &AtomicBool::new(false), answered),
            Ending::Reset => connection.reset(),
            Ending::Fin | Ending::NoLastChunk | Ending::HeadOnly => {
                let _ = connection.stream.shutdown(std::net::Shutdown::Write);
                stall(&connection);
            }
        }
    }

    /// Reads nothing more.
    fn stall(connection: &Connection) {
        while !connection.peer_is_dropped() {
            thread::sleep(Duration::from_millis(2));
        }
    }
}
