//! Everything that can go wrong, by what the caller can do about it.

mod answer;
mod async_result;
mod async_ticket;
mod code;
mod config_error;
mod credentials;
mod display;
mod fake_exchange;
mod invalid_input;
mod model_error;
mod refusal;
mod response_too_large;
mod service;
mod service_error_kind;
mod stream;

use std::error::Error as StdError;
use std::time::Duration;

pub use self::async_result::{AsyncResultError, AsyncResultErrorKind};
pub use self::async_ticket::AsyncTicket;
pub(crate) use self::code::is_throttling_code;
pub use self::config_error::ConfigError;
pub use self::credentials::CredentialsError;
pub use self::invalid_input::InvalidInput;
pub use self::model_error::ModelError;
pub use self::response_too_large::ResponseTooLarge;
pub use self::service::ServiceError;
pub use self::service_error_kind::ServiceErrorKind;
pub use self::stream::{StreamError, StreamErrorKind};
use crate::http::{BodyError, Cause, IncompleteResponse, ResponseHead};
pub use crate::http::{Phase, Sent, TransportError};
use crate::text::Redactor;

/// Why there is no inference.
///
/// [`may_have_run`](Self::may_have_run) answers for every variant whether the model may have run. Display is one line,
/// except for the list of sources without credentials, and does not repeat [`source`](StdError::source).
///
/// ```
/// use sagemaker_invoke::Error;
///
/// fn advice(error: &Error) -> &'static str {
///     match error {
///         _ if error.is_throttled() || error.is_not_ready() => "call again later",
///         Error::Config(_) | Error::InvalidInput(_) | Error::Credentials(_) => "correct the program or its settings",
///         Error::Service(_) if error.model_error().is_some() => "read the log of the container",
///         _ if error.may_have_run() => "call again only if the inference may run twice",
///         _ => "call again",
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is incomplete or contradicts itself. Not run: nothing was sent. Correct the named setting.
    Config(Box<ConfigError>),

    /// A member of the request breaks a rule of the API. Not run: nothing was sent. Correct the named member.
    InvalidInput(InvalidInput),

    /// There are no usable credentials. Not run: nothing was sent. Follow the text, which lists what was tried; when no
    /// source has credentials, it has a line for each.
    Credentials(Box<CredentialsError>),

    /// No connection could be made: name lookup, TCP, proxy or TLS failed. Not run: nothing was sent.
    /// Try again later, or check the endpoint, the proxy and the certificates.
    Connect(Box<TransportError>),

    /// A time limit has passed, that of [`TransportError::phase`] or of the whole call. The inference may have run if
    /// the request had been sent completely or a response had begun. Raise the limit in [`Timeouts`](crate::Timeouts), or look at the model:
    /// SageMaker itself gives up after 60 s.
    Timeout(Box<TransportError>),

    /// The connection was lost while the request was sent or the response read. The inference may have run if the
    /// request had been sent completely or a response had begun. Send it again if it may run twice.
    ConnectionLost(Box<TransportError>),

    /// [`Client::shutdown`](crate::Client::shutdown) ended the call. The inference may have run if the request had been
    /// sent completely or a response had begun.
    ShutDown(Box<TransportError>),

    /// The answer is not HTTP, or its head is over 64 KiB or 128 headers. The inference may have run if the request had
    /// been sent completely or a response had begun. Check what is between this program and SageMaker.
    InvalidResponse(Box<TransportError>),

    /// The response is larger than [`Config::max_response_bytes`](crate::Config::max_response_bytes). The inference has
    /// run if the status is a success, and may have run otherwise. Raise the limit.
    ResponseTooLarge(Box<ResponseTooLarge>),

    /// A response stream ended with an exception, or is cut or corrupted. The inference has begun. [`StreamErrorKind`]
    /// says which error it is.
    Stream(Box<StreamError>),

    /// A look for the result of an asynchronous request failed, or there was no result in time. The job may have run and
    /// may still run: look again with the ticket in the error.
    AsyncResult(Box<AsyncResultError>),

    /// The service answered with an error. [`ServiceErrorKind`] describes for each kind whether the inference may have
    /// run and what to do.
    Service(Box<ServiceError>),
}

impl Error {
    /// Whether the model may have run, so that sending the request again may run it twice.
    ///
    /// `false` is a promise for all attempts of the call: nothing was sent, or the request did not leave completely and no
    /// final response began, or *the service* refused the request. When in doubt this is `true`, for example for a
    /// gateway's 408, 499 or 504, for 424 with any code, and for a connection lost after the last request byte.
    ///
    /// Once the head of a final response has begun to arrive, the model may have run, however much of the request had
    /// been sent: a model can read its input while it responds. Only the status of that response can refute it.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::ResponseTooLarge(_) | Self::Stream(_) | Self::AsyncResult(_) => true,
            Self::Service(error) => error.may_have_run(),
            _ => self.transport().is_some_and(TransportError::may_have_run),
        }
    }

    /// Whether the service refused the request because there are too many.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.kind() == Some(ServiceErrorKind::Throttling)
    }

    /// Whether the model is still being loaded, so that a later request may find it ready.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        self.kind() == Some(ServiceErrorKind::ModelNotReady)
    }

    /// The id under which AWS Support finds the request; `None` when the service did not answer.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Service(error) => error.request_id.as_deref(),
            Self::ResponseTooLarge(error) => error.request_id.as_deref(),
            Self::Stream(error) => error.request_id.as_deref(),
            Self::AsyncResult(error) => error.request_id.as_deref(),
            _ => self.transport()?.response.as_ref()?.request_id.as_deref(),
        }
    }

    /// The HTTP status; `None` when the service did not answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Service(error) => Some(error.status),
            Self::ResponseTooLarge(error) => Some(error.status),
            Self::AsyncResult(error) => error.status,
            _ => Some(self.transport()?.response.as_ref()?.status),
        }
    }

    /// The service's code for its error, without namespace and link: at most 128 visible ASCII characters.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service(error) => error.code.as_deref(),
            _ => self.transport()?.response.as_ref()?.code.as_deref(),
        }
    }

    /// How long the service asks to wait, `x-amz-retry-after`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.service()?.retry_after
    }

    /// How many attempts were begun, those included that ended before anything was sent; 0 when the call ended before the
    /// first, and for the errors without this figure, such as [`Error::Credentials`].
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self {
            Self::ResponseTooLarge(error) => error.attempts,
            Self::Service(error) => error.attempts,
            Self::Stream(error) => error.attempts,
            _ => self.transport().map_or(0, |error| error.attempts),
        }
    }

    /// The answer of the service; `None` for the other errors.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            _ => None,
        }
    }

    /// The answer of the model's container; `None` for the other errors.
    #[must_use]
    pub fn model_error(&self) -> Option<&ModelError> {
        match &self.service()?.kind {
            ServiceErrorKind::Model(error) => Some(error),
            _ => None,
        }
    }

    /// Details of an exchange without a whole response; `None` for the other errors.
    #[must_use]
    pub fn transport(&self) -> Option<&TransportError> {
        match self {
            Self::Connect(error)
            | Self::Timeout(error)
            | Self::ConnectionLost(error)
            | Self::ShutDown(error)
            | Self::InvalidResponse(error) => Some(error),
            _ => None,
        }
    }

    /// Sets how many requests were begun and how long the call has taken.
    pub(crate) fn after(mut self, count: u32, time: Duration) -> Self {
        match &mut self {
            Self::Connect(error)
            | Self::Timeout(error)
            | Self::ConnectionLost(error)
            | Self::ShutDown(error)
            | Self::InvalidResponse(error) => {
                error.attempts = count;
                error.elapsed = time;
            }
            Self::ResponseTooLarge(error) => error.attempts = count,
            Self::Service(error) => error.attempts = count,
            Self::Config(_)
            | Self::InvalidInput(_)
            | Self::Credentials(_)
            | Self::Stream(_)
            | Self::AsyncResult(_) => {}
        }
        self
    }

    /// Turns a failed exchange into a shutdown, if the client was shut down meanwhile. An answer of the service stays
    /// as it is.
    pub(crate) fn into_shut_down(self) -> Self {
        match self {
            Self::Connect(error) | Self::Timeout(error) | Self::ConnectionLost(error) => {
                Self::ShutDown(error)
            }
            other => other,
        }
    }

    /// The error of a response whose body could not be read completely.
    pub(crate) fn of_body(
        error: BodyError,
        head: &ResponseHead,
        limit: u64,
        is_container: bool,
        redactor: &Redactor,
    ) -> Self {
        match error {
            BodyError::Transport(error) => of_head(error, head, is_container, redactor).into(),
            BodyError::TooLarge(announced) => {
                let error = ResponseTooLarge::new(head, limit, announced, redactor);
                Self::ResponseTooLarge(Box::new(error))
            }
        }
    }

    /// The kind of the service's error, also if only the head of its response arrived.
    pub(crate) fn kind(&self) -> Option<ServiceErrorKind> {
        match self {
            Self::Service(error) => Some(error.kind.clone()),
            _ => {
                let response = self.transport()?.response.as_ref()?;
                let kind = ServiceErrorKind::of_head(response.status, response.code.as_deref())?;
                // A container's own code can respond 429 after it ran the model.
                if response.refused || kind.may_have_run() {
                    return Some(kind);
                }
                Some(ServiceErrorKind::Unknown)
            }
        }
    }

    /// The error again, for a stream that has failed before.
    pub(crate) fn repeated(&self) -> Self {
        match self {
            Self::Stream(error) => Self::Stream(error.clone()),
            Self::Service(error) => Self::Service(error.clone()),
            other => match other.transport() {
                Some(error) => error.repeated().into(),
                None => Self::from(reader_failed(std::io::Error::other(other.to_string()))),
            },
        }
    }

    pub(crate) fn is_expired_token(&self) -> bool {
        self.kind() == Some(ServiceErrorKind::ExpiredToken)
    }
}

/// Adds what the response head says to the error of its body.
fn of_head(
    error: TransportError,
    head: &ResponseHead,
    is_container: bool,
    redactor: &Redactor,
) -> TransportError {
    let response = if is_container {
        ServiceError::from_container(head, b"", redactor)
    } else {
        ServiceError::from_service(head, b"", redactor)
    };
    error.with_response(IncompleteResponse {
        status: head.status,
        refused: !is_success(head.status) && !response.may_have_run(),
        code: response.code,
        request_id: response.request_id,
    })
}

impl TransportError {
    /// Whether the model may have run: the complete request may have reached the peer, or a final response began to
    /// arrive whose status does not prove a refusal.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        let refused = self
            .response
            .as_ref()
            .is_some_and(|response| response.refused);
        self.sent.is_whole() && !refused
    }
}

pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

impl From<ServiceError> for Error {
    fn from(error: ServiceError) -> Self {
        Self::Service(Box::new(error))
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        let error = Box::new(error);
        match error.cause {
            Cause::ShutDown => Self::ShutDown(error),
            Cause::TimedOut => Self::Timeout(error),
            _ if error.phase < Phase::Send => Self::Connect(error),
            Cause::InvalidResponse => Self::InvalidResponse(error),
            Cause::Failed | Cause::Permanent => Self::ConnectionLost(error),
        }
    }
}

/// The error of a reader of the program, whose bytes are taken for a response.
pub(crate) fn reader_failed(error: std::io::Error) -> TransportError {
    let failed = TransportError::before_sending("the reader", Cause::Failed).with_source(error);
    TransportError {
        phase: Phase::Read,
        sent: Sent::ResponseBegun,
        ..failed
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Config(error) => error.source(),
            Self::Credentials(error) => error.source(),
            Self::AsyncResult(error) => error.source(),
            _ => self.transport()?.source(),
        }
    }
}
