//! From what ureq says and what the exchange's account holds to the error that the caller gets.

use std::io;
use std::time::Duration;

use super::exchange::Exchange;
use crate::error::{Error, Fault, Phase, ResponseTooLarge, Source};
use crate::http::Headers;

/// A body over this size that the peer would not take was likely over the payload limit: 4 MB is what serverless
/// endpoints take, 25 MB what real-time endpoints take.
const SUSPICIOUS_BODY_BYTES: u64 = 4 * 1024 * 1024;

/// Why an exchange has no response.
pub(super) enum Failure {
    Ureq(ureq::Error),
    TooLarge { announced: Option<u64>, status: u16, headers: Headers },
}

pub(super) fn error_of(
    failure: Failure,
    exchange: &Exchange,
    authority: &str,
    body_bytes: u64,
    max_response_bytes: u64,
) -> Error {
    let error = match failure {
        Failure::TooLarge { announced, status, headers } => {
            let request_id = headers.owned("x-amzn-requestid");
            let limit = max_response_bytes;
            return Error::ResponseTooLarge(Box::new(ResponseTooLarge {
                limit,
                announced,
                status,
                request_id,
                attempts: 1,
            }));
        }
        Failure::Ureq(error) => error,
    };
    let is_not_http = matches!(error, ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..));
    let was_being_sent = exchange.phase >= Phase::Send && !exchange.sent().is_whole() && !exchange.timed_out;
    let fault = Box::new(Fault {
        authority: authority.to_owned(),
        phase: exchange.phase,
        sent: exchange.sent(),
        connection_reused: exchange.connection_reused && exchange.phase >= Phase::Send,
        attempts: 1,
        elapsed: Duration::ZERO,
        is_likely_payload_limit: was_being_sent && body_bytes > SUSPICIOUS_BODY_BYTES,
        source: if exchange.timed_out { None } else { Some(source_of(error)) },
    });
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
