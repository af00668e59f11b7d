//! Errors of ureq, with what is known of the exchange inside them, and what becomes of them.

use std::io;

use ureq::Error;

use super::tls;
use super::transport_error::{Cause, Phase, Sent, Source, TransportError};

/// An error of ureq with what the connection knows of the exchange.
#[derive(Debug, thiserror::Error)]
#[error("{phase} failed")]
pub(super) struct ExchangeError {
    pub(super) phase: Phase,
    pub(super) sent: Sent,
    pub(super) is_reused: bool,
    #[source]
    pub(super) error: Error,
}

impl ExchangeError {
    /// An error before there was a connection. One that has its phase already keeps it.
    pub(super) fn connecting(phase: Phase, error: Error) -> Error {
        match error {
            Error::Other(inner) if inner.is::<Self>() => Error::Other(inner),
            error => Error::Other(Box::new(Self { phase, sent: Sent::Nothing, is_reused: false, error })),
        }
    }
}

/// The pool has no connection, and the request was sent with no time to make one.
#[derive(Debug, thiserror::Error)]
#[error("no idle connection")]
pub(super) struct NoIdleConnection;

/// The name of the host has an address that it must not have.
#[derive(Debug, thiserror::Error)]
#[error("over plain HTTP the host must have loopback addresses only, or those of ECS and EKS")]
pub(super) struct ForbiddenAddress;

pub(super) fn is_no_idle_connection(error: &Error) -> bool {
    matches!(error, Error::Other(inner) if inner.is::<NoIdleConnection>())
}

/// What is known of an exchange that ended with this error of ureq's. `sent` is what its body says, for an error that
/// did not pass a connection.
pub(super) fn failure(error: Error, authority: &str, sent: Sent, is_reused: bool) -> TransportError {
    let phase = if sent.is_whole() { Phase::Wait } else { Phase::Send };
    let known = match error {
        Error::Other(inner) => match inner.downcast::<ExchangeError>() {
            Ok(known) => *known,
            Err(inner) => ExchangeError { phase, sent, is_reused, error: Error::Other(inner) },
        },
        error => ExchangeError { phase, sent, is_reused, error },
    };
    TransportError {
        phase: known.phase,
        sent: known.sent,
        connection_reused: known.is_reused,
        ..TransportError::before_sending(authority, cause_of(known.error))
    }
}

fn cause_of(error: Error) -> Cause {
    match error {
        Error::Timeout(_) => Cause::TimedOut(None),
        Error::Protocol(error) => Cause::InvalidResponse(Box::new(error)),
        Error::LargeResponseHeader(..) => Cause::InvalidResponse(Box::new(error)),
        error if is_permanent(&error) => match tls::advice(&error) {
            Some(advice) => Cause::Permanent(advice.into()),
            None => Cause::Permanent(source_of(error)),
        },
        error => Cause::Failed(source_of(error)),
    }
}

/// Whether the peer would refuse another attempt in the same way. ureq gives the proxy's answer as text only.
fn is_permanent(error: &Error) -> bool {
    match error {
        Error::ConnectProxyFailed(reason) => reason.contains("responded 407"),
        Error::Other(inner) => inner.is::<ForbiddenAddress>(),
        error => tls::is_refused_certificate(error),
    }
}

/// The error that ureq wraps, since ureq's own has no source.
fn source_of(error: Error) -> Source {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Box::new(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed the connection"))
        }
        Error::Io(error) => Box::new(error),
        Error::Other(error) => error,
        other => Box::new(other),
    }
}
