//! The text of an error: one line, with what the caller needs to know first.

use std::fmt;

use super::{Error, Sent, TransportError};
use crate::text::OneLine;

/// A request body over this size and not taken by the peer was likely over the payload limit: 4 MB for serverless
/// endpoints, 25 MB for real-time endpoints.
const SUSPICIOUS_BODY_BYTES: u64 = 4 * 1024 * 1024;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::InvalidInput(error) => error.fmt(f),
            Self::Credentials(error) => error.fmt(f),
            Self::Connect(error) => {
                let end = Ending(error);
                write!(
                    f,
                    "could not connect to {}: {} failed{end}",
                    error.authority, error.phase
                )
            }
            Self::Timeout(error) => {
                write!(
                    f,
                    "timed out {} after {:.1?}{}",
                    error.phase,
                    error.elapsed,
                    Ending(error)
                )
            }
            Self::ConnectionLost(error) => {
                let end = Ending(error);
                write!(
                    f,
                    "the connection to {} was lost {}{end}",
                    error.authority, error.phase
                )
            }
            Self::ShutDown(error) => {
                write!(
                    f,
                    "the client was shut down while {}{}",
                    error.phase,
                    Ending(error)
                )
            }
            Self::InvalidResponse(error) => {
                write!(
                    f,
                    "{} did not answer in HTTP{}",
                    error.authority,
                    Ending(error)
                )
            }
            Self::ResponseTooLarge(error) => error.fmt(f),
            Self::Stream(error) => error.fmt(f),
            Self::AsyncResult(error) => error.fmt(f),
            Self::Service(error) => error.fmt(f),
        }
    }
}

/// Ends an error's line with what matters for sending the request again.
struct Ending<'a>(&'a TransportError);

impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        if let Some(response) = &error.response {
            write!(f, " (HTTP {}", response.status)?;
            for detail in [&response.code, &response.request_id].into_iter().flatten() {
                write!(f, ", {}", OneLine::long(detail))?;
            }
            f.write_str(")")?;
        }
        if error.connection_reused {
            f.write_str(" on a reused connection")?;
        }
        if error.attempts > 1 {
            write!(f, " in attempt {}", error.attempts)?;
        }
        let has_run = if error.may_have_run() {
            "may have run"
        } else {
            "has not run"
        };
        write!(f, "; the inference {has_run}")?;
        let was_lost_while_sending = error.sent == Sent::Partly && !error.is_timeout();
        if was_lost_while_sending && error.body_bytes > SUSPICIOUS_BODY_BYTES {
            f.write_str(
                "; likely over the payload limit of 25 MB for real-time endpoints or 4 MB for serverless ones",
            )?;
        }
        Ok(())
    }
}
