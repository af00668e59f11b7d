//! Every fault at every place of an exchange, on a fresh connection and a reused one, with TLS and without, under
//! every policy: how many whole requests the peer saw, what the caller is told, and that the client goes on.
//!
//! `cargo test --test fault_matrix -- --nocapture` prints the table.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use sagemaker_invoke::error::Phase;
use sagemaker_invoke::{Client, Config, Error, InvokeEndpoint, Resend, RetryPolicy, Timeouts};
use support::tls::Certificates;
use support::{Connection, Peer, response};

/// More than the socket buffers of both ends hold, so that a peer that does not read keeps it from leaving whole.
const LARGE_BODY_BYTES: usize = 24 * 1024 * 1024;
/// How long a stall is borne.
const PATIENCE: Duration = Duration::from_millis(500);

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

const FAULTS: [Fault; 6] =
    [Fault::Refuse, Fault::Stall, Fault::Reset, Fault::Close, Fault::Garbage, Fault::SlowDrip];
const PLACES: [Place; 6] = [
    Place::BeforeHead,
    Place::WithinHead,
    Place::WithinBody,
    Place::AfterBody,
    Place::WithinResponseHead,
    Place::WithinResponseBody,
];
const POLICIES: [Resend; 4] = [Resend::Never, Resend::NotSent, Resend::Rejected, Resend::Any];
/// Without TLS a large body leaves past ureq, and with it through ureq. The policies are the same code.
const POLICIES_OVER_TLS: [Resend; 2] = [Resend::Never, Resend::NotSent];

#[derive(Clone, Copy, Debug)]
struct Cell {
    fault: Fault,
    place: Place,
    is_reused: bool,
    is_tls: bool,
    resend: Resend,
}

/// Of all cells, because keys take their time to be made.
static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();

/// What came of a cell.
#[derive(Debug)]
struct Outcome {
    whole_requests: usize,
    /// `None` for a success.
    error: Option<Error>,
    attempts: u32,
}

impl Cell {
    fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for fault in FAULTS {
            for place in PLACES {
                for is_reused in [false, true] {
                    let cell = |is_tls, resend| Self { fault, place, is_reused, is_tls, resend };
                    cells.extend(POLICIES.map(|resend| cell(false, resend)));
                    cells.extend(POLICIES_OVER_TLS.map(|resend| cell(true, resend)));
                }
            }
        }
        cells.retain(|cell| cell.can_be());
        cells
    }

    /// A refused connection is neither reused nor has it places or TLS.
    fn can_be(self) -> bool {
        let is_bare = self.place == Place::BeforeHead && !self.is_reused && !self.is_tls;
        (self.fault != Fault::Refuse || is_bare) && (!self.is_tls || cfg!(feature = "rustls"))
    }

    /// Whether the fault comes before the peer has the whole request.
    fn is_early(self) -> bool {
        self.place <= Place::WithinBody
    }

    fn is_resent(self) -> bool {
        self.resend >= if self.is_early() { Resend::NotSent } else { Resend::Any }
    }

    /// A garbled body of the announced length is nobody's to notice, and one that drips is whole in the end.
    fn succeeds_at_once(self) -> bool {
        self.place == Place::WithinResponseBody && matches!(self.fault, Fault::Garbage | Fault::SlowDrip)
    }
}

#[test]
fn no_cell_runs_a_model_twice_without_leave() {
    let cells = Cell::all();
    println!(
        "{:<9} {:<19} {:<7} {:<6} {:<9} {:>5} {:>8}  error",
        "fault", "place", "reused", "tls", "resend", "whole", "attempts"
    );
    for (cell, outcome) in run_all(cells) {
        let shown = outcome.error.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
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
    assert_eq!((outcome.whole_requests, outcome.attempts), (whole_before_fault, 1), "{cell:?} {outcome:?}");
    assert_eq!(error.may_have_run(), !cell.is_early(), "{cell:?} {outcome:?}");
    assert!(outcome.whole_requests == 0 || error.may_have_run(), "{cell:?} {outcome:?}");
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
        Fault::Reset | Fault::Close => matches!(error, Error::Broken(_)),
        // The garbage is read if it was faster than the reset that follows it.
        Fault::Garbage if cell.is_early() => matches!(error, Error::InvalidResponse(_) | Error::Broken(_)),
        Fault::Garbage => matches!(error, Error::InvalidResponse(_)),
    };
    assert!(is_expected, "{cell:?} {error:?}");
    let fault = error.fault().unwrap();
    assert_eq!(fault.phase, phase, "{cell:?} {fault:?}");
    assert_eq!(fault.connection_reused, cell.is_reused, "{cell:?} {fault:?}");
    assert!(error.to_string().lines().count() == 1);
}

/// Eight at a time; the outcomes in the order of the cells.
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
                sender.send((*cell, outcome.join().unwrap_or_else(|_| panic!("{cell:?}")))).unwrap();
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
            let connection =
                if cell.is_tls { connection.over_tls(&certificates.server) } else { Some(connection) };
            if let Some(connection) = connection {
                serve(connection, cell, &is_armed);
            }
        }
    });
    let base = if cell.is_tls { certificates.config(&peer) } else { peer.config() };
    let client = Client::new(limited(base, cell, peer.address.port())).unwrap();
    if cell.is_reused {
        client.invoke(&InvokeEndpoint::new("warm-up", b"")).unwrap();
    }
    let before = peer.requests().len();
    is_armed.store(true, Ordering::SeqCst);
    let body = vec![7; if cell.is_early() { LARGE_BODY_BYTES } else { 100 }];
    let result = client.invoke(&InvokeEndpoint::new("faulty", &body));
    let whole_requests = peer.requests().len() - before;
    is_armed.store(false, Ordering::SeqCst);
    if cell.fault != Fault::Refuse {
        let next = client.invoke(&InvokeEndpoint::new("next", b"")).unwrap();
        assert_eq!(next.body, b"answer", "{cell:?}");
    }
    match result {
        Ok(response) => Outcome { whole_requests, error: None, attempts: response.timings.attempts },
        Err(error) => Outcome { whole_requests, attempts: error.attempts(), error: Some(error) },
    }
}

/// The limits and the policy of the cell.
fn limited(base: Config, cell: Cell, port: u16) -> Config {
    let mut timeouts = base.timeouts;
    if matches!(cell.fault, Fault::Stall | Fault::SlowDrip) {
        let (send, response) =
            if cell.is_early() { (PATIENCE, timeouts.response) } else { (timeouts.send, PATIENCE) };
        timeouts = Timeouts { send, response, read: response, ..timeouts };
    }
    let retry = RetryPolicy { resend: cell.resend, max_attempts: 2, ..RetryPolicy::default() };
    let config = Config { timeouts, retry, ..base };
    if cell.fault != Fault::Refuse {
        return config;
    }
    // Refuses once: the host name stands for a closed port first and for the peer from then on.
    Config {
        endpoint: sagemaker_invoke::Endpoint::Url(format!("http://refused-once.test:{port}")),
        host: Arc::new(RefusedOnce::default()),
        ..config
    }
}

#[derive(Debug, Default)]
struct RefusedOnce(AtomicUsize);

impl sagemaker_invoke::host::Host for RefusedOnce {
    fn lookup(&self, _: &str, port: u16) -> std::io::Result<Vec<std::net::SocketAddr>> {
        let port = if self.0.fetch_add(1, Ordering::SeqCst) == 0 { closed_port() } else { port };
        Ok(vec![std::net::SocketAddr::from(([127, 0, 0, 1], port))])
    }
}

fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Answers properly, but does the fault to the first exchange after it is armed.
fn serve(mut connection: Connection, cell: Cell, is_armed: &AtomicBool) {
    loop {
        // Wait for the exchange to begin, so that arming between two exchanges is seen.
        if !connection.wire.has_more() {
            return;
        }
        if is_armed.swap(false, Ordering::SeqCst) && cell.fault != Fault::Refuse {
            return do_fault(connection, cell);
        }
        if connection.request().is_none() {
            return;
        }
        connection.say(response(200, &[], "answer"));
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
        Place::WithinResponseHead => connection.say("HTTP/1.1 200 O"),
        Place::WithinResponseBody => connection.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        _ => {}
    }
    match cell.fault {
        Fault::Refuse => {}
        Fault::Stall if cell.is_early() => neglect(&mut connection, 0),
        Fault::Stall => connection.stall(),
        Fault::Reset => connection.reset(),
        Fault::Close => connection.close(),
        Fault::Garbage => {
            connection.say("\u{1}\u{2}gar\0bage\r\n\r\n");
            connection.close();
        }
        Fault::SlowDrip if cell.is_early() => neglect(&mut connection, 1),
        Fault::SlowDrip => drip_out(&mut connection, cell),
    }
}

/// Reads so slowly that the window never opens, or not at all, until the test is over.
fn neglect(connection: &mut Connection, bytes_at_a_time: u64) {
    while !connection.is_over() {
        connection.read_bytes(bytes_at_a_time);
        thread::sleep(PATIENCE / 8);
    }
}

/// A byte at a time, each within the limit of a read.
fn drip_out(connection: &mut Connection, cell: Cell) {
    let rest =
        if cell.place == Place::WithinResponseBody { "answer" } else { "HTTP/1.1 200 OK\r\nx: yyyyyyyy" };
    for byte in rest.as_bytes() {
        connection.say([*byte]);
        thread::sleep(PATIENCE / 8);
    }
    connection.always(response(200, &[], "answer"));
}
