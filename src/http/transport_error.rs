use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// An exchange that ended without a whole response.
#[derive(Debug)]
#[non_exhaustive]
pub struct TransportError {
    /// Host and port of the request.
    pub authority: String,
    /// The step that failed.
    pub phase: Phase,
    /// How much of the request had been sent.
    pub sent: Sent,
    /// Whether the connection had served a request before.
    pub connection_reused: bool,
    /// How many attempts were begun, those included that ended before anything was sent.
    pub attempts: u32,
    /// Time since the call began, earlier attempts and the waits between them included.
    pub elapsed: Duration,
    /// The response, if its head arrived before the exchange failed.
    pub(crate) response: Option<Box<IncompleteResponse>>,
    /// Length of the request's body.
    pub(crate) body_bytes: u64,
    pub(crate) cause: Cause,
    pub(crate) source: Option<BoxedError>,
}

/// A response without a complete body.
#[derive(Clone, Debug)]
pub(crate) struct IncompleteResponse {
    pub(crate) status: u16,
    /// The error code in the head.
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
    /// Whether status and code prove that the request was refused.
    pub(crate) refused: bool,
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The limit of the phase, or the deadline, has passed.
    TimedOut,
    /// The client was shut down.
    ShutDown,
    /// The peer answered with something that is not HTTP, or whose framing is ambiguous.
    InvalidResponse,
    /// No connection, or one that was lost.
    Failed,
    /// Like `Failed`, and another attempt would fail in the same way: a refused certificate, proxy password or address.
    Permanent,
}

pub(crate) type BoxedError = Box<dyn StdError + Send + Sync>;

impl TransportError {
    /// A call that ended before anything was sent.
    pub(crate) fn before_sending(authority: &str, cause: Cause) -> Self {
        Self {
            authority: authority.to_owned(),
            phase: Phase::Prepare,
            sent: Sent::Nothing,
            connection_reused: false,
            attempts: 0,
            elapsed: Duration::ZERO,
            response: None,
            body_bytes: 0,
            cause,
            source: None,
        }
    }

    pub(crate) fn with_source(self, source: impl Into<BoxedError>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    pub(crate) fn with_response(self, response: IncompleteResponse) -> Self {
        Self {
            response: Some(Box::new(response)),
            ..self
        }
    }

    /// The same error; of its source only the text is left.
    pub(crate) fn repeated(&self) -> Self {
        let source = self.source.as_ref().map(|source| source.to_string().into());
        Self {
            authority: self.authority.clone(),
            response: self.response.clone(),
            source,
            ..*self
        }
    }

    /// Whether the call ended before an attempt had begun.
    pub(crate) fn is_before_attempt(&self) -> bool {
        self.phase == Phase::Prepare
    }

    pub(crate) fn is_timeout(&self) -> bool {
        self.cause == Cause::TimedOut
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authority, phase) = (&self.authority, self.phase);
        match self.cause {
            Cause::TimedOut if phase < Phase::Send => {
                write!(f, "could not connect to {authority} in time")
            }
            Cause::TimedOut => write!(f, "{authority} did not answer in time"),
            Cause::ShutDown => write!(f, "the client was shut down while {phase}"),
            Cause::InvalidResponse => write!(f, "{authority} did not answer in HTTP"),
            _ if phase < Phase::Send => write!(f, "could not connect to {authority}"),
            Cause::Permanent => write!(f, "the answer of {authority} cannot be used"),
            _ => write!(f, "the connection to {authority} was lost while {phase}"),
        }
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + 'static) = &**self.source.as_ref()?;
        Some(source)
    }
}

/// A step of an exchange, each under a limit of [`Timeouts`](crate::Timeouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Before the exchange: credentials, or a wait between attempts. Limited by `call`.
    Prepare,
    /// Looking up the addresses of the host. Limited by `connect`.
    Lookup,
    /// Making the TCP connection, through the proxy if there is one. Limited by `connect`.
    Connect,
    /// The TLS handshake. Limited by `connect`.
    Handshake,
    /// Writing the request. Each write is limited by `send`.
    Send,
    /// Waiting for the head of the response. Limited by `response`.
    Wait,
    /// Reading the body of the response. Each read is limited by `read`.
    Read,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "preparing the request",
            Self::Lookup => "looking up the host name",
            Self::Connect => "connecting",
            Self::Handshake => "negotiating TLS",
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
    /// At most a part: the peer cannot have the whole request.
    Partly,
    /// All of it, or it is not certain that a part is missing. From here on the peer may act on it.
    Whole,
    /// A part of the final response has arrived, however much of the request had been sent: a server may respond, and a
    /// model may run, before the request is complete.
    ResponseBegun,
}

impl Sent {
    /// Whether the peer may act on the request: it may have all of it, or has begun to respond.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self >= Self::Whole
    }
}
