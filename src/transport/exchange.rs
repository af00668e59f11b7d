//! What the call on this thread has sent so far, and how long it may go on.
//!
//! ureq gives a connection's transport no way to know which call it serves. A call runs on one thread from its
//! first byte to its last, so the thread is the link: [`begin`] opens the account, the transports below write to
//! it, [`end`] closes it.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Limits;
use super::socket::Socket;
use crate::error::{Phase, Sent};
use crate::host::{Host, System};
use crate::timings::Timings;

thread_local! {
    static CURRENT: RefCell<Exchange> = const { RefCell::new(Exchange::IDLE) };
}

/// The account of one exchange.
pub(super) struct Exchange {
    pub(super) phase: Phase,
    pub(super) connection_reused: bool,
    pub(super) timed_out: bool,
    /// Bytes of the request that had to leave, and that did leave.
    total_bytes: u64,
    written_bytes: u64,
    head_bytes: u64,
    /// A write failed, so the peer can never have the whole request, whatever was counted before.
    write_failed: bool,
    response_begun: bool,
    /// The next thing that ureq transmits is a head of its own making.
    expects_ureq_head: bool,
    /// The connection's, if the request may be written to it without ureq.
    socket: Option<Arc<Socket>>,
    /// What ureq transmits from now on has left already.
    is_written: bool,
    /// More of the request follows what is transmitted now, before anything is read.
    has_more: bool,
    deadline: Option<Instant>,
    phase_deadline: Option<Instant>,
    limits: Limits,
    begun_at: Option<Instant>,
    connected_at: Option<Instant>,
    written_at: Option<Instant>,
    head_read_at: Option<Instant>,
    /// A look at the clock that the next read or write can use.
    clock: Option<Instant>,
}

impl Exchange {
    const IDLE: Self = Self {
        phase: Phase::Connect,
        connection_reused: true,
        timed_out: false,
        total_bytes: 0,
        written_bytes: 0,
        head_bytes: 0,
        write_failed: false,
        response_begun: false,
        expects_ureq_head: false,
        socket: None,
        is_written: false,
        has_more: false,
        deadline: None,
        phase_deadline: None,
        limits: Limits {
            connect: Duration::MAX,
            send: Duration::MAX,
            response: Duration::MAX,
            read: Duration::MAX,
        },
        begun_at: None,
        connected_at: None,
        written_at: None,
        head_read_at: None,
        clock: None,
    };

    pub(super) fn sent(&self) -> Sent {
        if self.response_begun {
            Sent::ResponseBegun
        } else if self.written_bytes >= self.total_bytes && !self.write_failed {
            Sent::Whole
        } else if self.written_bytes == 0 && !self.write_failed {
            Sent::Nothing
        } else if self.written_bytes <= self.head_bytes {
            Sent::PartOfHead
        } else {
            Sent::PartOfBody
        }
    }

    /// The steps of an exchange that has just ended with a response.
    pub(super) fn timings(&self) -> Timings {
        let span = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
            (Some(from), Some(to)) => to.saturating_duration_since(from),
            _ => Duration::ZERO,
        };
        Timings {
            connection_reused: self.connection_reused,
            connect: span(self.begun_at, self.connected_at),
            send: span(self.connected_at, self.written_at),
            wait: span(self.written_at, self.head_read_at),
            read: span(self.head_read_at, Some(System.instant())),
            bytes_sent: self.written_bytes,
            ..Timings::default()
        }
    }

    /// When the next read or write must be done.
    fn io_deadline(&self, now: Instant) -> Option<Instant> {
        let limit = match self.phase {
            Phase::Send => now.checked_add(self.limits.send),
            Phase::Read => now.checked_add(self.limits.read),
            _ => self.phase_deadline,
        };
        [limit, self.deadline].into_iter().flatten().min()
    }
}

fn with<T>(look: impl FnOnce(&mut Exchange) -> T) -> T {
    CURRENT.with_borrow_mut(look)
}

/// Opens the account of an exchange that writes `head_bytes` and then `body_bytes`.
///
/// Gives the account that was open, to be handed to [`end`]: the program's logger runs within our exchanges, and may
/// send its lines by another client.
#[must_use]
pub(super) fn begin(head_bytes: u64, body_bytes: u64, limits: Limits, deadline: Option<Instant>) -> Exchange {
    let begun_at = System.instant();
    let phase_deadline = begun_at.checked_add(limits.connect);
    let account = Exchange {
        total_bytes: head_bytes + body_bytes,
        head_bytes,
        expects_ureq_head: true,
        deadline,
        phase_deadline,
        limits,
        begun_at: Some(begun_at),
        ..Exchange::IDLE
    };
    with(|exchange| std::mem::replace(exchange, account))
}

/// Closes the account and hands it over; `outer` goes on.
pub(super) fn end(outer: Exchange) -> Exchange {
    with(|exchange| std::mem::replace(exchange, outer))
}

/// A new connection is being made for this exchange.
pub(super) fn enter(phase: Phase) {
    with(|exchange| {
        exchange.phase = phase;
        exchange.connection_reused = false;
    });
}

/// Whether what is transmitted now is ureq's own head; true once.
pub(super) fn take_ureq_head() -> bool {
    with(|exchange| {
        let is_ureq_head = std::mem::take(&mut exchange.expects_ureq_head);
        if is_ureq_head {
            exchange.phase = Phase::Send;
            exchange.connected_at = Some(System.instant());
            exchange.clock = exchange.connected_at;
        }
        is_ureq_head
    })
}

/// What is written to this socket reaches the endpoint as it is.
pub(super) fn lend(socket: Option<Arc<Socket>>) {
    with(|exchange| exchange.socket = socket);
}

/// The socket that was lent, for the one who writes the rest of the request to it.
pub(super) fn take_socket() -> Option<Arc<Socket>> {
    with(|exchange| exchange.socket.take())
}

/// The rest of the request leaves past ureq.
pub(super) fn begin_direct_write() {
    with(|exchange| exchange.is_written = true);
}

/// Whether ureq transmits what has left already.
pub(super) fn is_written() -> bool {
    with(|exchange| exchange.is_written)
}

/// So many bytes of the request are transmitted next, as several writes of TLS.
pub(super) fn will_write(bytes: usize) {
    with(|exchange| {
        let written_bytes = exchange.written_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        exchange.has_more = written_bytes < exchange.total_bytes;
    });
}

/// Whether what is written now may wait for what follows.
pub(super) fn has_more() -> bool {
    with(|exchange| exchange.has_more)
}

/// The connection took so many bytes of the request; after a failed write it only seems so.
pub(super) fn wrote(bytes: usize) {
    with(|exchange| {
        if !exchange.write_failed {
            exchange.written_bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        }
    });
}

/// Whether the body of the response is being read.
pub(super) fn is_reading() -> bool {
    with(|exchange| exchange.phase == Phase::Read)
}

/// How long the request of this exchange is, head and body.
pub(super) fn request_bytes() -> usize {
    with(|exchange| usize::try_from(exchange.total_bytes).unwrap_or(usize::MAX))
}

/// A write of the request failed. What is read from now on are the peer's last words; the phase stays that of sending.
/// What TLS itself writes before or after the request says nothing about the request.
pub(super) fn write_failed() {
    with(|exchange| exchange.write_failed |= exchange.phase == Phase::Send);
}

/// The request is written; from here on the response is awaited.
pub(super) fn begin_wait() {
    if with(|exchange| exchange.phase == Phase::Send && !exchange.write_failed) {
        let now = System.instant();
        with(|exchange| {
            exchange.phase = Phase::Wait;
            exchange.phase_deadline = now.checked_add(exchange.limits.response);
            exchange.written_at = Some(now);
            exchange.clock = Some(now);
        });
    }
}

/// Bytes of the response are here.
pub(super) fn response_begun() {
    with(|exchange| exchange.response_begun |= exchange.phase == Phase::Wait && !exchange.write_failed);
}

/// The head of the response is read.
pub(super) fn begin_read() {
    with(|exchange| {
        exchange.phase = Phase::Read;
        exchange.head_read_at = Some(System.instant());
    });
}

/// When the read or write begins that is next: now, but for a look at the clock that was had a moment ago.
pub(super) fn io_begins_at() -> Instant {
    with(|exchange| exchange.clock.take()).unwrap_or_else(|| System.instant())
}

/// How long, at `now`, a read or write may still wait that began at `since`; `None` for ever, an error when the
/// time is over.
pub(super) fn patience(since: Instant, now: Instant) -> io::Result<Option<Duration>> {
    let (deadline, is_over) = with(|exchange| (exchange.io_deadline(since), exchange.timed_out));
    if is_over {
        return Err(timed_out());
    }
    let Some(deadline) = deadline else { return Ok(None) };
    match deadline.checked_duration_since(now).filter(|left| !left.is_zero()) {
        Some(left) => Ok(Some(left)),
        None => Err(timed_out()),
    }
}

/// Marks the exchange as timed out, so that nothing that is tried after it can hide it.
pub(super) fn timed_out() -> io::Error {
    with(|exchange| exchange.timed_out = true);
    io::ErrorKind::TimedOut.into()
}
