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

    /// Adds what is known about the exchange. The order of errors does not matter: a failed write proves that the request
    /// is incomplete, and a final response shows that the peer acted on it all the same.
    ///
    /// `Error::Other` on purpose: ureq takes a reset that comes as `Error::Io` for the end of a body without a length.
    fn tag(&self, error: Error) -> Error {
        let (error, write_failed) = without_write_failed(error);
        let (phase, sent) = match self.stage {
            Stage::Reading => (Phase::Read, Sent::ResponseBegun),
            Stage::Waiting if !write_failed => (Phase::Wait, Sent::Whole),
            Stage::Sending | Stage::Waiting => (Phase::Send, Sent::Partly),
        };
        tagged(error, phase, sent)
    }

    /// After a failed write, the peer's answer says why it closed, such as 413. Without one, the failed write is the error.
    fn check_last_words(&mut self) -> Result<(), Error> {
        let input = self.inner.buffers().input().trim_ascii_start();
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
}

/// The error of a failed write of the request, and whether it is one.
fn without_write_failed(error: Error) -> (Error, bool) {
    let Error::Other(inner) = error else {
        return (error, false);
    };
    match inner.downcast::<WriteFailed>() {
        Ok(failed) => (failed.0, true),
        Err(inner) => (Error::Other(inner), false),
    }
}

/// Whether the input has the start of a final response. Interim responses (status 1xx) may come long before it, or in one
/// piece with it.
///
/// As tolerant as ureq's parser: empty lines may precede a head, and a line may end with a bare line feed
/// (RFC 9112, section 2.2).
fn has_final_head(mut input: &[u8]) -> bool {
    loop {
        input = input.trim_ascii_start();
        // The first digit of the status in `HTTP/1.1 103`.
        let Some(digit) = input.get(9) else {
            return false;
        };
        // 101 is a final response: this client never asks for another protocol.
        if *digit != b'1' || input.get(9..12) == Some(b"101") {
            return true;
        }
        let Some(rest) = after_empty_line(input) else {
            return false;
        };
        input = rest;
    }
}

/// The input after the empty line that ends a head.
fn after_empty_line(input: &[u8]) -> Option<&[u8]> {
    let mut rest = input;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest.get(..end)?.trim_ascii_end();
        rest = rest.get(end + 1..)?;
        if line.is_empty() {
            return Some(rest);
        }
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
            if has_final_head(self.inner.buffers().input()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fuzz;

    const FINAL: &str = "HTTP/1.1 200 OK\r\n";

    #[test]
    fn a_final_head_is_found_behind_interim_ones() {
        for interim in [
            "",
            "\r\n",
            "\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\nlink: x\n\n",
            "HTTP/1.1 103 Early Hints\r\nlink: x\n\r\n\r\n",
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
        ] {
            assert!(
                has_final_head(format!("{interim}{FINAL}").as_bytes()),
                "{interim:?}"
            );
            assert!(!has_final_head(interim.as_bytes()), "{interim:?}");
            for end in 0..interim.len() {
                assert!(
                    !has_final_head(&interim.as_bytes()[..end]),
                    "{interim:?} {end}"
                );
            }
        }
        assert!(has_final_head(b"HTTP/1.1 101 Switching Protocols\r\n"));
        assert!(has_final_head(b"HTTP/1.1 2"));
    }

    #[test]
    fn fuzz_heads() {
        let samples = [
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n",
            "\r\nHTTP/1.0 100 \n\nHTTP/1.1 500 E\r\n",
        ];
        fuzz(&samples, |input| {
            // More input never takes a final head back.
            if has_final_head(input) {
                assert!(has_final_head(&[input, b"x"].concat()));
            }
        });
    }

    /// A transport below that gives one input and fails afterwards.
    #[derive(Debug)]
    struct FailedWrite {
        buffers: ureq::unversioned::transport::LazyBuffers,
        input: Vec<u8>,
    }

    impl Transport for FailedWrite {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), Error> {
            Ok(())
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
            if self.input.is_empty() {
                return Err(Error::Other(Box::new(WriteFailed(Error::ConnectionFailed))));
            }
            let input = std::mem::take(&mut self.input);
            self.buffers.input_append_buf()[..input.len()].copy_from_slice(&input);
            self.buffers.input_appended(input.len());
            Ok(true)
        }

        fn is_open(&mut self) -> bool {
            false
        }
    }

    /// The error of the read after the input, on a connection whose write failed.
    fn error_after(input: &str) -> super::super::TransportError {
        let mut connection = Connection::new(Box::new(FailedWrite {
            buffers: ureq::unversioned::transport::LazyBuffers::new(1024, 1024),
            input: input.as_bytes().to_vec(),
        }));
        let timeout = NextTimeout::default();
        connection.transmit_output(0, timeout).unwrap();
        if !input.is_empty() {
            assert!(connection.await_input(timeout).unwrap());
        }
        let error = connection.await_input(timeout).unwrap_err();
        super::super::exchange_error::untagged(error, "h", Phase::Prepare, Sent::Nothing)
    }

    #[test]
    fn a_final_response_outweighs_a_failed_write() {
        for input in ["", "HTTP/1.1 10", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
            assert_eq!(error_after(input).sent, Sent::Partly, "{input:?}");
        }
        for input in [
            "HTTP/1.1 200 OK\r\n",
            "\r\nHTTP/1.1 413",
            "HTTP/1.1 103 \n\nHTTP/1.1 500",
        ] {
            assert_eq!(error_after(input).sent, Sent::ResponseBegun, "{input:?}");
        }
    }
}
