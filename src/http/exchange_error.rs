//! From an error of ureq to the error of an exchange, which passes through ureq inside one of its errors.

use std::io;

use ureq::Error;

use super::tls;
use super::transport_error::{BoxedError, Cause, Phase, Sent, TransportError};

/// The pool has no connection, and the request was sent with no time to make one.
#[derive(Debug, thiserror::Error)]
#[error("no idle connection")]
pub(super) struct NoIdleConnection;

/// The name of the host has an address that it must not have.
#[derive(Debug, thiserror::Error)]
#[error("the name has an address that is not allowed over plain HTTP")]
pub(super) struct ForbiddenAddress;

pub(super) fn is_no_idle_connection(error: &Error) -> bool {
    matches!(error, Error::Other(inner) if inner.is::<NoIdleConnection>())
}

/// The error of an exchange as an error of ureq's, which passes it on.
pub(super) fn tagged(error: Error, phase: Phase, sent: Sent) -> Error {
    Error::Other(Box::new(untagged(error, "", phase, sent)))
}

/// An error before there was a connection.
pub(super) fn connecting(phase: Phase, error: Error) -> Error {
    tagged(error, phase, Sent::Nothing)
}

/// The error of an exchange with this authority: as it was tagged first, or else with these values.
pub(super) fn untagged(error: Error, authority: &str, phase: Phase, sent: Sent) -> TransportError {
    let error = match error {
        Error::Other(inner) => match inner.downcast::<TransportError>() {
            Ok(tagged) => {
                return TransportError {
                    authority: authority.to_owned(),
                    ..*tagged
                };
            }
            Err(inner) => Error::Other(inner),
        },
        error => error,
    };
    let (cause, source) = cause_of(error);
    let failed = TransportError::before_sending(authority, cause);
    TransportError {
        phase,
        sent,
        source,
        ..failed
    }
}

fn cause_of(error: Error) -> (Cause, Option<BoxedError>) {
    match error {
        Error::Timeout(_) => (Cause::TimedOut, None),
        Error::Protocol(error) => (Cause::InvalidResponse, Some(error.into())),
        Error::LargeResponseHeader(..) => (Cause::InvalidResponse, Some(error.into())),
        // The answer of the proxy comes as text only: it refuses the password.
        Error::ConnectProxyFailed(ref answer) if answer.contains("responded 407") => {
            (Cause::Permanent, Some(error.into()))
        }
        Error::Other(inner) if inner.is::<ForbiddenAddress>() => (Cause::Permanent, Some(inner)),
        error => match tls::certificate_refusal(&error) {
            Some(refused) => (Cause::Permanent, Some(refused)),
            None => (Cause::Failed, Some(source_of(error))),
        },
    }
}

/// The error that ureq wraps, since ureq's own has no source.
fn source_of(error: Error) -> BoxedError {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Box::new(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the peer closed the connection",
            ))
        }
        Error::Io(error) => Box::new(error),
        Error::Other(error) => error,
        other => Box::new(other),
    }
}
