//! The calls that sources make: each way's own limits and attempts, and the seam at which tests replay traffic.

#[cfg(test)]
pub(super) mod fake;
mod network;

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, Instant};

pub(super) use self::network::{Network, may_be_container};
use super::context::Context;
use crate::error::CredentialsError;
use crate::host::fraction;
use crate::http::{HttpRequest, HttpResponse, Origin};

/// The way that a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the instance metadata service, around every proxy.
    InstanceMetadata,
    /// To a container's credentials endpoint, around every proxy. Over plain HTTP the addresses of a name must all be
    /// on this machine.
    Container,
    /// To a service of AWS, as the configuration says.
    Service,
}

impl Way {
    /// Source of the first two: the AWS SDKs' own limits.
    fn connect_limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::InstanceMetadata => 1,
            Self::Container => 2,
            Self::Service => 5,
        })
    }

    /// From the end of the request to the end of the response.
    fn response_limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::InstanceMetadata => 1,
            Self::Container => 5,
            Self::Service => 10,
        })
    }

    /// How often a call is made, as in the AWS SDKs.
    fn max_attempts(self) -> u32 {
        match self {
            Self::InstanceMetadata => 4,
            Self::Container | Self::Service => 3,
        }
    }
}

/// Sends one request and reads its answer, whatever its status.
pub(super) trait Wire: fmt::Debug + Send + Sync {
    fn send(
        &self,
        origin: &Origin,
        request: &HttpRequest<'_>,
        way: Way,
        deadline: Option<Instant>,
    ) -> Result<HttpResponse, Failure>;
}

/// A call without an answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    problem: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// No connection, or none in time.
    Unreachable,
    /// A connection and no answer in time.
    Silent,
    /// A connection that broke, or an answer that is not HTTP.
    Broken,
    /// What would be the same again: a setting, an address that is not allowed, an answer over the size limit.
    Final,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, problem: String) -> Self {
        Self { kind, problem, source: None }
    }

    fn with_source(self, source: Box<dyn StdError + Send + Sync>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The problem with its causes, for a list of reasons.
    pub(super) fn reason(&self) -> String {
        let mut reason = self.problem.clone();
        let Some(source) = &self.source else { return reason };
        let mut cause: Option<&dyn StdError> = Some(&**source);
        while let Some(error) = cause {
            reason.push_str(&format!(": {error}"));
            cause = error.source();
        }
        reason
    }
}

impl From<Failure> for CredentialsError {
    fn from(failure: Failure) -> Self {
        let error = Self::new(failure.problem);
        match failure.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

/// What came of one attempt, when it is not what was wanted.
pub(super) struct Miss<E> {
    pub(super) error: E,
    pub(super) again: Again,
}

/// Whether and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    Soon,
    /// After throttling.
    Later,
}

impl Again {
    /// Source: the statuses of AWS Retry Behavior 2.1.
    pub(super) fn after_status(status: u16) -> Self {
        match status {
            429 => Self::Later,
            500 | 502 | 503 | 504 => Self::Soon,
            _ => Self::Never,
        }
    }

    fn backoff_base(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Soon => Some(crate::retry::BACKOFF_BASE),
            Self::Later => Some(crate::retry::THROTTLING_BACKOFF_BASE),
        }
    }
}

/// Tries until an attempt succeeds, the way's attempts are used up, or there is no time for another.
pub(super) fn with_attempts<T, E>(
    context: &Context<'_>,
    way: Way,
    mut attempt: impl FnMut() -> Result<T, Miss<E>>,
) -> Result<T, E> {
    let mut failures = 0;
    loop {
        let Miss { error, again } = match attempt() {
            Ok(found) => return Ok(found),
            Err(miss) => miss,
        };
        let wait = again
            .backoff_base()
            .map(|base| base.saturating_mul(1 << failures).mul_f64(fraction(context.host.random())));
        failures += 1;
        let is_allowed = |wait: &Duration| {
            failures < way.max_attempts() && context.left("").is_ok_and(|left| left > *wait)
        };
        match wait.filter(is_allowed) {
            Some(wait) => context.host.sleep(wait),
            None => return Err(error),
        }
    }
}

/// Sends by the way that the source takes, within the search's deadline.
pub(super) fn send(
    context: &Context<'_>,
    way: Way,
    origin: &Origin,
    request: &HttpRequest<'_>,
) -> Result<HttpResponse, Failure> {
    log::debug!("{} {}://{}", request.method, origin.scheme(), origin.authority);
    context.wire.send(origin, request, way, context.deadline)
}
