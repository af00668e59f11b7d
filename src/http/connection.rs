//! The transport above TLS: it follows the parts of an exchange, and adds the current one to every error.

use std::io;

use ureq::Error;
use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::exchange_error::tagged;
use super::held_writes::{REQUEST, WriteFailed};
use super::transport_error::{Phase, Sent};

/// A connection to the endpoint.
#[derive(Debug)]
pub(super) struct Connection {
    inner: Box<dyn Transport>,
    stage: Stage,
    /// Whether the last thing that happened was a successful read.
    is_fresh: bool,
}

/// Where an exchange is.
///
/// ```text
/// Sending ─ await_input ─▶ Waiting ─ first byte of the final head ─▶ Reading
///    ▲                                                                  │
///    └────────────────── transmit_output: the next request ◀────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Sending,
    /// ureq asks for input once it has handed over the whole request.
    Waiting,
    Reading,
}

impl Connection {
    pub(super) fn new(inner: Box<dyn Transport>) -> Self {
        Self {
            inner,
            stage: Stage::Sending,
            is_fresh: false,
        }
    }

    /// `Error::Other` on purpose: ureq takes a reset that comes as `Error::Io` for the end of a body without a length.
    fn tag(&self, error: Error) -> Error {
        let (phase, sent) = match self.stage {
            Stage::Sending => (Phase::Send, Sent::Partly),
            Stage::Waiting => (Phase::Wait, Sent::Whole),
            Stage::Reading => (Phase::Read, Sent::ResponseBegun),
        };
        match error {
            Error::Other(inner) => match inner.downcast::<WriteFailed>() {
                Ok(failed) => tagged(failed.0, Phase::Send, Sent::Partly),
                Err(inner) => tagged(Error::Other(inner), phase, sent),
            },
            error => tagged(error, phase, sent),
        }
    }

    /// After a failed write, the peer's answer says why it closed, such as 413. Without one, the failed write is the error.
    fn check_last_words(&mut self) -> Result<(), Error> {
        let input = self.inner.buffers().input();
        let is_response = input
            .iter()
            .zip(b"HTTP/1.")
            .all(|(byte, expected)| byte == expected);
        if is_response || self.inner.is_open() {
            return Ok(());
        }
        let problem = "a write failed, and what the peer sent is not HTTP";
        let error = Error::Io(io::Error::new(io::ErrorKind::InvalidData, problem));
        Err(tagged(error, Phase::Send, Sent::Partly))
    }

    /// The final response has begun: interim ones (status 1xx) may come long before it, or together with it.
    fn has_final_head(&mut self) -> bool {
        let mut input = self.inner.buffers().input();
        // The first digit of the status in `HTTP/1.1 103`.
        while let Some(b'1') = input.get(9) {
            let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
                return false;
            };
            input = input.split_at(end + 4).1;
        }
        input.len() > 9
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, mut timeout: NextTimeout) -> Result<(), Error> {
        timeout.reason = REQUEST;
        self.is_fresh = false;
        self.stage = Stage::Sending;
        self.inner
            .transmit_output(amount, timeout)
            .map_err(|error| self.tag(error))
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if self.stage != Stage::Reading {
            self.stage = Stage::Waiting;
            // The wait for the response has another limit.
            timeout.per_read = None;
        }
        self.is_fresh = false;
        let has_input = self
            .inner
            .await_input(timeout)
            .map_err(|error| self.tag(error))?;
        self.is_fresh = has_input;
        if self.stage == Stage::Waiting {
            if !has_input {
                return Err(self.tag(Error::Io(io::ErrorKind::UnexpectedEof.into())));
            }
            self.check_last_words()?;
            if self.has_final_head() {
                self.stage = Stage::Reading;
            }
        }
        Ok(has_input)
    }

    /// Called when the connection goes into the pool and when it is taken out. The full check, three system calls, is
    /// made when it is taken out: it sees what arrived in between.
    fn is_open(&mut self) -> bool {
        if !self.inner.is_open() {
            return false;
        }
        if std::mem::take(&mut self.is_fresh) {
            return true;
        }
        // Nothing must be left unread: neither on the socket nor decrypted inside TLS, where `await_input` looks first.
        let no_time = NextTimeout {
            after: Duration::from_secs(0),
            ..NextTimeout::default()
        };
        matches!(self.inner.await_input(no_time), Err(Error::Timeout(_)))
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
