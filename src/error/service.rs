use std::fmt;
use std::time::Duration;

use super::refusal;
use super::service_error_kind::ServiceErrorKind;
use crate::text::OneLine;

/// An answer of the service other than an inference.
///
/// Its texts are the server's, without the signature, the session token and the custom attributes of the request.
/// Display and Debug show the start of each, without characters that a terminal would obey.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServiceError {
    /// Which error it is.
    pub kind: ServiceErrorKind,
    /// The HTTP status.
    pub status: u16,
    /// The error's code without namespace and link: at most 128 visible ASCII characters. `None` when there is none.
    pub code: Option<String>,
    /// The service's message; `None` when there is none, as with throttling. For
    /// [`InvalidSignature`](ServiceErrorKind::InvalidSignature) the first line only: the rest repeats the signed
    /// headers.
    pub message: Option<String>,
    /// The id under which AWS Support finds the request: at most 128 visible ASCII characters.
    pub request_id: Option<String>,
    /// Where a redirect (300 to 399) leads, without user information, query and fragment. Redirects are not followed.
    pub location: Option<String>,
    /// The first 4 KiB of the body if it is not an error in JSON or XML, or the kind is
    /// [`Unknown`](ServiceErrorKind::Unknown). Empty otherwise: then the other fields have all of it.
    pub body: String,
    /// How many requests were begun, failed connections included.
    pub attempts: u32,
    /// How long the service asks to wait, `x-amz-retry-after`.
    pub retry_after: Option<Duration>,
    /// Whether the answer proves that nothing ran although its kind does not: for `Unknown`, and for `Model` over
    /// [`Endpoint::Container`](crate::Endpoint::Container).
    pub(super) is_refusal: bool,
}

impl ServiceError {
    /// An error with this kind and status and nothing else, for a fake of a client.
    ///
    /// ```
    /// use sagemaker_invoke::Error;
    /// use sagemaker_invoke::error::{ServiceError, ServiceErrorKind};
    ///
    /// let mut throttled = ServiceError::new(ServiceErrorKind::Throttling, 400);
    /// throttled.code = Some("ThrottlingException".to_owned());
    /// let error = Error::from(throttled);
    /// assert!(error.is_throttled() && !error.may_have_run());
    /// assert_eq!(error.to_string(), "ThrottlingException (HTTP 400)");
    /// ```
    #[must_use]
    pub fn new(kind: ServiceErrorKind, status: u16) -> Self {
        let is_refusal = kind == ServiceErrorKind::Unknown && refusal::is_proven_by(status);
        Self {
            kind,
            status,
            code: None,
            message: None,
            request_id: None,
            location: None,
            body: String::new(),
            attempts: 1,
            retry_after: None,
            is_refusal,
        }
    }

    /// Whether the model may have run. False only if the service refused the request for certain; [`ServiceErrorKind`]
    /// describes when that is.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match &self.kind {
            ServiceErrorKind::Unknown | ServiceErrorKind::Model(_) => !self.is_refusal,
            kind => kind.may_have_run(),
        }
    }
}

impl std::error::Error for ServiceError {}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}",
            OneLine::long(self.code.as_deref().unwrap_or_else(|| self.kind.name()))
        )?;
        write!(f, " (HTTP {}", self.status)?;
        if let Some(request_id) = &self.request_id {
            write!(f, ", request id {}", OneLine::long(request_id))?;
        }
        if self.attempts > 1 {
            write!(f, ", attempt {}", self.attempts)?;
        }
        f.write_str(")")?;
        let message = self.message.as_deref().unwrap_or(&self.body);
        if !message.trim().is_empty() {
            write!(f, ": {}", OneLine::long(message))?;
        }
        if let Some(location) = &self.location {
            write!(f, "; redirected to {}", OneLine::long(location))?;
        }
        match &self.kind {
            ServiceErrorKind::Model(model_error) => model_error.write_after(message, f),
            ServiceErrorKind::PayloadTooLarge => f.write_str(
                "; the payload limit is 25 MB for real-time endpoints and 4 MB for serverless ones",
            ),
            _ => Ok(()),
        }
    }
}

/// Shows the start of long texts.
impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceError")
            .field("kind", &self.kind)
            .field("status", &self.status)
            .field("code", &self.code.as_deref().map(OneLine::long))
            .field("message", &self.message.as_deref().map(OneLine::long))
            .field("request_id", &self.request_id.as_deref().map(OneLine::long))
            .field("location", &self.location.as_deref().map(OneLine::long))
            .field("body", &OneLine::long(&self.body))
            .field("attempts", &self.attempts)
            .field("retry_after", &self.retry_after)
            .field("may_have_run", &self.may_have_run())
            .finish()
    }
}
