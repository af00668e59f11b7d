//! The body of a response.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ureq::BodyReader;
use ureq::http::uri::Authority;

use super::deadlines::{Deadlines, Waiting};
use super::exchange_error::untagged;
use super::limits::Limits;
use super::transport_error::{Cause, Phase, Sent, TransportError};
use crate::system::System;

/// First allocation for a body that is read whole; it doubles as bytes arrive.
const FIRST_READ_BYTES: usize = 16 * 1024;

/// The body of a response, with its connection. It can be read on any thread, at any time; the connection returns to
/// the pool when the end is read, and is closed when the body is dropped before.
#[allow(
    unreachable_pub,
    reason = "Rust 1.88 takes the types of a sealed trait for unreachable"
)]
pub struct Body {
    reader: BodyReader<'static>,
    announced_bytes: Option<u64>,
    /// The problem if the end of the body is ambiguous.
    framing: Result<(), &'static str>,
    is_reused: bool,
    limits: Limits,
    deadline: Option<Instant>,
    state: Arc<TransportState>,
    /// ureq's reader gives an error once and then the end of the body: the error must stay.
    is_failed: bool,
}

/// What a transport shares with the bodies of its responses.
#[derive(Debug)]
pub(super) struct TransportState {
    pub(super) authority: Authority,
    pub(super) is_shut_down: AtomicBool,
    pub(super) deadlines: Arc<Deadlines>,
    pub(super) system: Arc<dyn System>,
    /// The process that the connections belong to.
    pub(super) process_id: u32,
}

/// Why a body was not read whole.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than the limit; the announced length, if there was one.
    TooLarge(Option<u64>),
    Transport(TransportError),
}

impl Body {
    pub(super) fn new(
        body: ureq::Body,
        framing: Result<(), &'static str>,
        is_reused: bool,
        limits: &Limits,
        deadline: Option<Instant>,
        state: Arc<TransportState>,
    ) -> Self {
        let announced_bytes = body.content_length();
        let reader = body.into_reader();
        Self {
            reader,
            announced_bytes,
            framing,
            is_reused,
            limits: *limits,
            deadline,
            state,
            is_failed: false,
        }
    }

    /// An error if the end of the body is ambiguous. Each read checks this too.
    pub(crate) fn check_framing(&self) -> Result<(), TransportError> {
        let Err(problem) = self.framing else {
            return Ok(());
        };
        let mut failed = self.error(io::Error::other(problem).into());
        failed.phase = Phase::Wait;
        failed.cause = Cause::InvalidResponse;
        failed.source = Some(problem.into());
        Err(failed)
    }

    /// Reads into one buffer, which grows with what arrives, never with what was announced.
    #[expect(
        clippy::expect_used,
        reason = "a reader fills no more than the buffer that it was given"
    )]
    pub(crate) fn read_whole(&mut self, max_bytes: u64) -> Result<Vec<u8>, BodyError> {
        self.check_framing().map_err(BodyError::Transport)?;
        if self.announced_bytes.is_some_and(|bytes| bytes > max_bytes) {
            return Err(BodyError::TooLarge(self.announced_bytes));
        }
        let announced = self
            .announced_bytes
            .and_then(|bytes| usize::try_from(bytes).ok());
        let mut content = Vec::new();
        let mut filled = 0;
        loop {
            if filled == content.len() {
                let length = next_length(filled, announced);
                // Exactly: glibc keeps freed blocks of up to 32 MiB for the next response and returns larger ones, whose
                // pages cost more than the reading. Amortised growth would make 32 MiB of 25.
                content.reserve_exact(length - filled);
                content.resize(length, 0);
            }
            let room = content
                .get_mut(filled..)
                .expect("what is filled is inside the buffer");
            let waiting = self.waiting_for_bytes();
            match self
                .read_some(room, waiting)
                .map_err(BodyError::Transport)?
            {
                0 => break,
                bytes => filled += bytes,
            }
            if u64::try_from(filled).is_ok_and(|bytes| bytes > max_bytes) {
                return Err(BodyError::TooLarge(self.announced_bytes));
            }
        }
        content.truncate(filled);
        Ok(content)
    }

    /// Reads some bytes of a streamed body, or none at the end. Waits until `until` at most, under no other limit but the
    /// deadline of the call.
    ///
    /// A body that is read in pieces can be open at a fork, and the child must leave it to its parent.
    pub(crate) fn read_before(
        &mut self,
        buffer: &mut [u8],
        until: Option<Instant>,
    ) -> Result<usize, TransportError> {
        self.check_process()?;
        self.check_framing()?;
        let until = [until, self.deadline].into_iter().flatten().min();
        // Bytes that keep coming never let a read time out.
        if until.is_some_and(|until| self.state.system.instant() >= until) {
            self.is_failed = true;
            return Err(self.error(ureq::Error::Timeout(ureq::Timeout::RecvBody)));
        }
        let waiting = if self.limits.streamed {
            Waiting::OnlyUntil(until)
        } else {
            Waiting::Until(until)
        };
        self.read_some(buffer, waiting)
    }

    /// The limits of the next read of a body that is read to its end.
    fn waiting_for_bytes(&self) -> Waiting {
        if !self.limits.streamed {
            return Waiting::Until(self.deadline);
        }
        let limit = self.limits.read;
        let until = limit.and_then(|limit| self.state.system.instant().checked_add(limit));
        Waiting::OnlyUntil([until, self.deadline].into_iter().flatten().min())
    }

    fn read_some(&mut self, buffer: &mut [u8], waiting: Waiting) -> Result<usize, TransportError> {
        if self.is_failed {
            return Err(self.error(io::Error::other("an earlier read failed").into()));
        }
        let deadline = self.state.deadlines.set(waiting);
        let outcome = self.reader.read(buffer);
        drop(deadline);
        let outcome = match outcome {
            // ureq's shutdown wakes a reader with an end of file, which ends a body without a length.
            Ok(0) if !buffer.is_empty() && self.is_shut_down() => {
                Err(self.error(io::Error::from(io::ErrorKind::UnexpectedEof).into()))
            }
            outcome => outcome.map_err(|error| self.error(error.into())),
        };
        self.is_failed = outcome.is_err();
        outcome
    }

    fn check_process(&self) -> Result<(), TransportError> {
        if self.state.system.process_id() == self.state.process_id {
            return Ok(());
        }
        Err(self.error(io::Error::other("the response belongs to the parent process").into()))
    }

    fn is_shut_down(&self) -> bool {
        self.state.is_shut_down.load(Ordering::SeqCst)
    }

    fn error(&self, error: ureq::Error) -> TransportError {
        let authority = self.state.authority.as_str();
        let mut failed = untagged(error, authority, Phase::Read, Sent::ResponseBegun);
        failed.phase = failed.phase.max(Phase::Read);
        // A body exists only after a complete head, whatever failed first below: a write of the request, for example.
        failed.sent = Sent::ResponseBegun;
        failed.connection_reused = self.is_reused;
        if self.is_shut_down() {
            (failed.cause, failed.source) = (Cause::ShutDown, None);
        }
        failed
    }
}

/// Errors hold a [`TransportError`].
impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_before(buffer, None).map_err(io::Error::other)
    }
}

/// The announced length once the buffer has grown near it, and one byte more, so that the end is found without growing.
fn next_length(filled: usize, announced: Option<usize>) -> usize {
    let doubled = (filled * 2).max(FIRST_READ_BYTES);
    match announced {
        Some(announced) if announced < doubled => announced.max(filled) + 1,
        _ => doubled,
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({:?} bytes announced)", self.announced_bytes)
    }
}
