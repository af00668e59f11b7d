//! From what ureq says and what the exchange's account holds to the error that the caller gets.

use std::io;
use std::time::Duration;

use super::exchange::Exchange;
use crate::error::{Error, Fault, Phase, ResponseTooLarge, Sent, Source};

/// A body over this size that the peer would not take was likely over the payload limit: 4 MB is what serverless
/// endpoints take, 25 MB what real-time endpoints take.
const SUSPICIOUS_BODY_BYTES: u64 = 4 * 1024 * 1024;

/// Why an exchange has no response.
pub(super) enum Failure {
    Ureq(ureq::Error),
    TooLarge(ResponseTooLarge),
}

/// What the caller gets for an exchange with `authority` of a request with so many bytes of body.
pub(super) fn error_of(failure: Failure, exchange: &Exchange, authority: &str, body_bytes: u64) -> Error {
    let error = match failure {
        Failure::TooLarge(error) => return Error::ResponseTooLarge(Box::new(error)),
        Failure::Ureq(error) => error,
    };
    let is_not_http = matches!(error, ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..));
    let fault = Box::new(fault_of(error, exchange, authority, body_bytes));
    if exchange.timed_out {
        Error::Timeout(fault)
    } else if exchange.phase < Phase::Send {
        Error::Connect(fault)
    } else if is_not_http {
        Error::InvalidResponse(fault)
    } else {
        Error::Broken(fault)
    }
}

fn fault_of(error: ureq::Error, exchange: &Exchange, authority: &str, body_bytes: u64) -> Fault {
    let was_being_sent = exchange.sent() == Sent::PartOfBody && !exchange.timed_out;
    Fault {
        authority: authority.to_owned(),
        phase: exchange.phase,
        sent: exchange.sent(),
        connection_reused: exchange.connection_reused && exchange.phase >= Phase::Send,
        attempts: 1,
        elapsed: Duration::ZERO,
        is_permanent: is_refused_certificate(&error) || is_refused_by_proxy(&error),
        is_likely_payload_limit: was_being_sent && body_bytes > SUSPICIOUS_BODY_BYTES,
        source: if exchange.timed_out { None } else { Some(source_of(error)) },
    }
}

/// Whether the peer showed a certificate that is not to be trusted: it will show it again.
#[cfg(feature = "rustls-no-provider")]
fn is_refused_certificate(error: &ureq::Error) -> bool {
    let ureq::Error::Io(error) = error else { return false };
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

/// The operating system's TLS does not say why it failed in a way that a program could read.
#[cfg(not(feature = "rustls-no-provider"))]
fn is_refused_certificate(_: &ureq::Error) -> bool {
    false
}

/// Whether a proxy refused the name and password that it was given. ureq tells its answer in words only.
fn is_refused_by_proxy(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::ConnectProxyFailed(reason) if reason.contains("responded 407"))
}

/// The error that ureq wraps, since ureq's own has no source to walk on to.
fn source_of(error: ureq::Error) -> Source {
    match error {
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Box::new(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed the connection"))
        }
        ureq::Error::Io(error) => Box::new(error),
        ureq::Error::Protocol(error) => Box::new(error),
        ureq::Error::Other(error) => error,
        other => Box::new(other),
    }
}
