use std::fmt;
use std::time::Duration;

use super::Source;

/// What the transport knows of an exchange that ended without a response.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fault {
    /// Host and port that the request was for.
    pub authority: String,
    /// What was being done.
    pub phase: Phase,
    /// How much of the request had left.
    pub sent: Sent,
    /// Whether the connection had served a request before.
    pub connection_reused: bool,
    /// How many requests were begun, connections that failed included.
    pub attempts: u32,
    /// Since the call began, attempts before this one and waits included.
    pub elapsed: Duration,
    /// Whether the payload limit of the endpoint is the likely cause.
    pub(crate) is_likely_payload_limit: bool,
    /// Whether trying again can only fail in the same way.
    pub(crate) is_permanent: bool,
    pub(crate) source: Option<Source>,
}

impl Fault {
    /// A call that ended before there was anything for the transport to do.
    pub(crate) fn before_sending(authority: &str) -> Self {
        Self {
            authority: authority.to_owned(),
            phase: Phase::Prepare,
            sent: Sent::Nothing,
            connection_reused: false,
            attempts: 0,
            elapsed: Duration::ZERO,
            is_likely_payload_limit: false,
            is_permanent: false,
            source: None,
        }
    }

    /// The end of an error's line: what a reader needs to decide what to do.
    pub(super) fn tail(&self) -> Tail<'_> {
        Tail(self)
    }
}

pub(super) struct Tail<'a>(&'a Fault);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = self.0;
        if fault.connection_reused {
            f.write_str(" on a reused connection")?;
        }
        if fault.attempts > 1 {
            write!(f, " in attempt {}", fault.attempts)?;
        }
        match fault.sent {
            Sent::Whole | Sent::ResponseBegun => f.write_str("; the inference may have run")?,
            _ => f.write_str("; the inference has not run")?,
        }
        if fault.is_likely_payload_limit {
            f.write_str("; likely over the payload limit of 25 MB for real-time endpoints or 4 MB for serverless ones")?;
        }
        Ok(())
    }
}

/// A step of an exchange, each under a time limit of [`Timeouts`](crate::Timeouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Before the transport: credentials, or a wait between attempts. Bounded by the call's deadline.
    Prepare,
    /// Looking up the host's addresses. Bounded by `connect`.
    Lookup,
    /// Making the TCP connection, through the proxy if there is one. Bounded by `connect`.
    Connect,
    /// The TLS handshake. Bounded by `connect`.
    Handshake,
    /// Writing the request. Bounded by `send`, anew for each piece that the peer takes.
    Send,
    /// Waiting for the head of the response. Bounded by `response`.
    Wait,
    /// Reading the body of the response. Bounded by `read`, anew for each piece that arrives.
    Read,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "preparing the request",
            Self::Lookup => "looking up the host name",
            Self::Connect => "connecting",
            Self::Handshake => "the TLS handshake",
            Self::Send => "sending the request",
            Self::Wait => "waiting for the response",
            Self::Read => "reading the response",
        })
    }
}

/// How much of a request had left this process, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Sent {
    /// No byte.
    Nothing,
    /// A part of the head, or of the head and the beginning of the body, which leave in one write.
    PartOfHead,
    /// The head, and not all of the body.
    PartOfBody,
    /// All of it: from here on the model may run.
    Whole,
    /// All of it, and a part of the response has come back.
    ResponseBegun,
}

impl Sent {
    /// Whether the request had been written to its end.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self >= Self::Whole
    }
}
