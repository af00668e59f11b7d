use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::{AsyncTicket, Error};
use crate::http::{Cause, TransportError};
use crate::text::OneLine;

/// A failed look for the result of an asynchronous request, or a wait that ended before there was one.
///
/// The job is not affected. Look again with the ticket; do not send the request again.
#[derive(Debug)]
#[non_exhaustive]
pub struct AsyncResultError {
    /// Which error it is.
    pub kind: AsyncResultErrorKind,
    /// Where the result will be.
    pub ticket: AsyncTicket,
    /// The HTTP status of Amazon S3; `None` when it did not answer.
    pub status: Option<u16>,
    /// The error code of Amazon S3.
    pub code: Option<String>,
    /// The error message of Amazon S3.
    pub message: Option<String>,
    /// The id under which AWS Support finds the request.
    pub request_id: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// How a look failed, by what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AsyncResultErrorKind {
    /// There was no result within this time. Wait again. The source is the error of the last look, if it failed.
    NotReady(Duration),
    /// Amazon S3 does not allow the look. Without the permission `s3:ListBucket` on the bucket this is also its answer
    /// while there is no result. Allow `s3:ListBucket`, `s3:GetObject` and, for encrypted objects, `kms:Decrypt`.
    AccessDenied,
    /// Amazon S3 answered with another error: see status, code and message. Statuses of 500 and more can pass.
    Refused,
    /// There was no whole answer. Look again.
    Connection,
}

impl AsyncResultError {
    pub(crate) fn new(kind: AsyncResultErrorKind, ticket: &AsyncTicket) -> Self {
        Self {
            kind,
            ticket: ticket.clone(),
            status: None,
            code: None,
            message: None,
            request_id: None,
            source: None,
        }
    }

    pub(crate) fn not_ready(ticket: &AsyncTicket, waited: Duration, last: Option<Error>) -> Self {
        let source = last.map(|error| Box::new(error).into());
        Self {
            source,
            ..Self::new(AsyncResultErrorKind::NotReady(waited), ticket)
        }
    }

    /// Whether each further poll would fail in the same way.
    pub(crate) fn is_permanent(&self) -> bool {
        let source = self.source.as_ref();
        let failed = source.and_then(|source| source.downcast_ref::<TransportError>());
        failed.is_some_and(|error| error.cause == Cause::Permanent)
    }

    pub(crate) fn connection(ticket: &AsyncTicket, error: TransportError) -> Self {
        Self {
            source: Some(Box::new(error)),
            ..Self::new(AsyncResultErrorKind::Connection, ticket)
        }
    }
}

impl fmt::Display for AsyncResultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            AsyncResultErrorKind::NotReady(waited) => write!(f, "no result after {waited:.1?}")?,
            AsyncResultErrorKind::AccessDenied => f.write_str(
                "Amazon S3 does not allow the look for the result: s3:ListBucket, s3:GetObject and, for encrypted \
                 objects, kms:Decrypt are needed; without s3:ListBucket a missing result looks the same",
            )?,
            AsyncResultErrorKind::Refused => f.write_str("Amazon S3 refused the look for the result")?,
            AsyncResultErrorKind::Connection => {
                f.write_str("Amazon S3 did not answer the look for the result")?;
            }
        }
        if let Some(status) = self.status {
            write!(f, " (HTTP {status}")?;
            for detail in [&self.code, &self.request_id].into_iter().flatten() {
                write!(f, ", {}", OneLine::long(detail))?;
            }
            f.write_str(")")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {}", OneLine::long(message))?;
        }
        f.write_str("; the job may still run")
    }
}

impl StdError for AsyncResultError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + 'static) = self.source.as_deref()?;
        Some(source)
    }
}

impl From<AsyncResultError> for Error {
    fn from(error: AsyncResultError) -> Self {
        Self::AsyncResult(Box::new(error))
    }
}
