//! Everything that can go wrong, told apart by what the caller can do about it.

mod answer;
mod credentials;
mod fault;
mod service;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub use credentials::CredentialsError;
pub use fault::{Fault, Phase, Sent};
pub use service::{ModelError, ServiceError, ServiceErrorKind};

use crate::profile::ProfileError;

pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// Why there is no inference.
///
/// [`may_have_run`](Self::may_have_run) answers, for every variant, whether the model may have run all the same.
/// Display is one line, but for the list of sources that have no credentials, and never repeats what [`source`](StdError::source) tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is incomplete or contradicts itself. Nothing was sent. Correct the named setting.
    Config(Box<ConfigError>),

    /// A member of the request breaks a rule of the API. Nothing was sent. Correct the named member.
    InvalidInput(InvalidInput),

    /// There are no usable credentials. Nothing was sent. The text says what was tried; it is the one text of several
    /// lines, when no source has credentials.
    Credentials(Box<CredentialsError>),

    /// No connection could be made: name lookup, TCP, proxy or TLS failed. Nothing was sent.
    /// Try again later, or look at the endpoint, the proxy and the certificates.
    Connect(Box<Fault>),

    /// A time limit ran out; [`Fault::phase`] says which one. The inference may have run when the request had been
    /// written whole. Raise the limit of that phase in [`Timeouts`](crate::Timeouts), or ask what the model does so
    /// long: SageMaker itself gives up after 60 s.
    Timeout(Box<Fault>),

    /// The connection broke while the request was written or the response read. The inference may have run when
    /// the request had been written whole. If the inference can bear to run twice, send it again.
    Broken(Box<Fault>),

    /// [`Client::shutdown`](crate::Client::shutdown) ended the call. The inference may have run when the request had
    /// been written whole.
    ShutDown(Box<Fault>),

    /// What came back is not HTTP, or its head is over 64 KiB or 128 headers. The inference may have run.
    /// Look at what stands between here and SageMaker.
    InvalidResponse(Box<Fault>),

    /// The response is larger than [`Config::max_response_bytes`](crate::Config::max_response_bytes). The inference
    /// has run. Raise the limit.
    ResponseTooLarge(Box<ResponseTooLarge>),

    /// The service answered, with an error. [`ServiceErrorKind`] says which, and each kind whether the inference
    /// may have run.
    Service(Box<ServiceError>),
}

impl Error {
    /// Whether the model may have run, so that sending the request again may run it twice.
    ///
    /// False is a promise: no byte was sent, or the request did not arrive whole, or the service refused it.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::ResponseTooLarge(_) => true,
            Self::Service(error) => error.may_have_run(),
            _ => self.fault().is_some_and(|fault| fault.sent.is_whole()),
        }
    }

    /// Whether the service refused the request because there are too many of them.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(self.service_error_kind(), Some(ServiceErrorKind::Throttling))
    }

    /// Whether the model is still being loaded, so that a later request may find it ready.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        matches!(self.service_error_kind(), Some(ServiceErrorKind::ModelNotReady))
    }

    /// The id under which AWS's support finds the request; `None` when the service did not answer.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Service(error) => error.request_id.as_deref(),
            Self::ResponseTooLarge(error) => error.request_id.as_deref(),
            _ => None,
        }
    }

    /// The HTTP status; `None` when the service did not answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Service(error) => Some(error.status),
            Self::ResponseTooLarge(error) => Some(error.status),
            _ => None,
        }
    }

    /// The service's code for its error, without namespace and link.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service(error) => error.code.as_deref(),
            _ => None,
        }
    }

    /// How many requests were begun, connections that failed included; 0 when the call ended before the first.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self {
            Self::ResponseTooLarge(error) => error.attempts,
            Self::Service(error) => error.attempts,
            _ => self.fault().map_or(0, |fault| fault.attempts),
        }
    }

    /// What the transport knows of an exchange that ended without a response; `None` for the other errors.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Connect(fault)
            | Self::Timeout(fault)
            | Self::Broken(fault)
            | Self::ShutDown(fault)
            | Self::InvalidResponse(fault) => Some(fault),
            _ => None,
        }
    }

    /// Notes how many requests were begun and how long the call has taken.
    pub(crate) fn after(mut self, count: u32, time: Duration) -> Self {
        match &mut self {
            Self::Connect(fault)
            | Self::Timeout(fault)
            | Self::Broken(fault)
            | Self::ShutDown(fault)
            | Self::InvalidResponse(fault) => {
                fault.attempts = count;
                fault.elapsed = time;
            }
            Self::ResponseTooLarge(error) => error.attempts = count,
            Self::Service(error) => error.attempts = count,
            Self::Config(_) | Self::InvalidInput(_) | Self::Credentials(_) => {}
        }
        self
    }

    /// What a fault is called when the client was shut down meanwhile; an answer of the service stays what it is.
    pub(crate) fn into_shut_down(self) -> Self {
        match self {
            Self::Connect(fault) | Self::Timeout(fault) | Self::Broken(fault) => Self::ShutDown(fault),
            other => other,
        }
    }

    pub(crate) fn is_expired_token(&self) -> bool {
        matches!(self.service_error_kind(), Some(ServiceErrorKind::ExpiredToken))
    }

    fn service_error_kind(&self) -> Option<&ServiceErrorKind> {
        match self {
            Self::Service(error) => Some(&error.kind),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::InvalidInput(error) => error.fmt(f),
            Self::Credentials(error) => error.fmt(f),
            Self::Connect(fault) => {
                write!(f, "could not connect to {}: {} failed{}", fault.authority, fault.phase, fault.tail())
            }
            Self::Timeout(fault) => {
                write!(f, "timed out {} after {:.1?}{}", fault.phase, fault.elapsed, fault.tail())
            }
            Self::Broken(fault) => {
                write!(f, "the connection to {} broke {}{}", fault.authority, fault.phase, fault.tail())
            }
            Self::ShutDown(fault) => {
                write!(f, "the client was shut down while {}{}", fault.phase, fault.tail())
            }
            Self::InvalidResponse(fault) => {
                write!(f, "{} did not answer in HTTP{}", fault.authority, fault.tail())
            }
            Self::ResponseTooLarge(error) => error.fmt(f),
            Self::Service(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Config(error) => error.source(),
            Self::Credentials(error) => StdError::source(&**error),
            _ => self.fault()?.source.as_deref().map(without_marker_traits),
        }
    }
}

fn without_marker_traits<'a>(
    source: &'a (dyn StdError + Send + Sync + 'static),
) -> &'a (dyn StdError + 'static) {
    source
}

/// A setting and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {problem}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The setting's name, `region` for example.
    pub setting: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
    source: Option<Source>,
}

impl ConfigError {
    pub(crate) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { setting, problem: problem.into(), source: None }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn into_source(self) -> Option<Source> {
        self.source
    }
}

impl From<ProfileError> for ConfigError {
    fn from(error: ProfileError) -> Self {
        let config_error = Self::new("shared configuration", format!("cannot be used: {error}"));
        match error {
            ProfileError::Unreadable { source, .. } => config_error.with_source(source),
            ProfileError::Syntax { .. } | ProfileError::Missing { .. } => config_error,
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

/// A member of the request and the rule of the API that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} {rule}")]
#[non_exhaustive]
pub struct InvalidInput {
    /// The member in AWS's spelling, `EndpointName` for example.
    pub member: &'static str,
    /// The rule, as the end of the sentence that the member begins.
    pub rule: &'static str,
}

impl InvalidInput {
    pub(crate) const fn new(member: &'static str, rule: &'static str) -> Self {
        Self { member, rule }
    }
}

impl From<InvalidInput> for Error {
    fn from(error: InvalidInput) -> Self {
        Self::InvalidInput(error)
    }
}

/// A response over the limit.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResponseTooLarge {
    /// The limit in bytes.
    pub limit: u64,
    /// The length that the response announced, if it did.
    pub announced: Option<u64>,
    /// The HTTP status of the response.
    pub status: u16,
    /// The id under which AWS's support finds the request.
    pub request_id: Option<String>,
    /// How many requests were begun.
    pub attempts: u32,
}

impl fmt::Display for ResponseTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response is larger than the limit of {} bytes", self.limit)?;
        if let Some(announced) = self.announced {
            write!(f, ": it announced {announced}")?;
        }
        let has_run = (200..300).contains(&self.status);
        write!(f, "; the inference {} run", if has_run { "has" } else { "may have" })
    }
}
