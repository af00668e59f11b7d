use std::fmt;
use std::time::Duration;

use crate::text::OneLine;

/// An answer of the service that is not an inference.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServiceError {
    /// Which error it is.
    pub kind: ServiceErrorKind,
    /// The HTTP status.
    pub status: u16,
    /// The error's code as the service sent it, without namespace and link; `None` when it sent none.
    pub code: Option<String>,
    /// The service's own words; `None` when it sent none, as with throttling. For
    /// [`InvalidSignature`](ServiceErrorKind::InvalidSignature) the first line only: behind it the service repeats the
    /// signed headers, session token and custom attributes among them.
    pub message: Option<String>,
    /// The id under which AWS's support finds the request.
    pub request_id: Option<String>,
    /// The first 4 KiB of the body when the fields above do not tell all of it: it is no JSON, has none of the members
    /// that errors have, or the kind is [`Unknown`](ServiceErrorKind::Unknown). Empty otherwise.
    pub body: String,
    /// How many requests were begun, connections that failed included.
    pub attempts: u32,
    /// How long the service wishes us to wait, `x-amz-retry-after`.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the answer proves that nothing ran where its kind does not: for `Unknown`, and for `Model` over
    /// [`Endpoint::Container`](crate::Endpoint::Container).
    pub(super) is_refusal: bool,
}

/// The errors of the service, told apart by what the caller can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceErrorKind {
    /// The model's container answered with an error, or not within 60 s (424). The inference may have run.
    /// Read [`ModelError::original_message`] and the log stream.
    Model(ModelError),
    /// The model is still being loaded (429). Not run. Try again later.
    ModelNotReady,
    /// The request was refused (400): no such endpoint, or a member that only the service can judge. Not run.
    Validation,
    /// Too many requests, under whatever status; SageMaker says it with 400. Not run. Slow down.
    Throttling,
    /// The payload is larger than the endpoint takes (413): 25 MB, 4 MB on serverless endpoints. Not run.
    PayloadTooLarge,
    /// The session credentials have expired. Not run. Renew them.
    ExpiredToken,
    /// AWS does not know the access key or the session token. Not run. Look at the credentials and the partition.
    UnrecognizedClient,
    /// The signature is wrong or its time is off. Not run. Look at the secret key and at the clock.
    InvalidSignature,
    /// The credentials are good and may not do this. Not run. Allow `sagemaker:InvokeEndpoint`.
    AccessDenied,
    /// The service failed (500). The inference may have run.
    InternalFailure,
    /// The service is unavailable (503). The inference may have run.
    ServiceUnavailable,
    /// Something that the service leans on failed (530). The inference may have run.
    InternalDependency,
    /// Anything else: see status, code, message and body. The inference may have run, unless the service sent the
    /// error with a status of 400 to 499, or the status is a refusal by itself.
    Unknown,
}

/// What the model's container answered.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelError {
    /// The HTTP status that the container answered with; 0 when it did not answer within 60 s.
    pub original_status_code: Option<u16>,
    /// The container's answer.
    pub original_message: Option<String>,
    /// The ARN of the log stream in CloudWatch Logs that the container writes to.
    pub log_stream_arn: Option<String>,
}

impl ServiceError {
    /// Whether the model may have run.
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
        write!(f, "{}", one_line(self.code.as_deref().unwrap_or_else(|| self.kind.name())))?;
        write!(f, " (HTTP {}", self.status)?;
        if let Some(request_id) = &self.request_id {
            write!(f, ", request id {}", one_line(request_id))?;
        }
        if self.attempts > 1 {
            write!(f, ", attempt {}", self.attempts)?;
        }
        f.write_str(")")?;
        let told = self.message.as_deref().unwrap_or(&self.body);
        if !told.trim().is_empty() {
            write!(f, ": {}", one_line(told))?;
        }
        match &self.kind {
            ServiceErrorKind::Model(model_error) => model_error.write_after(told, f),
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
            .field("code", &self.code.as_deref().map(one_line))
            .field("message", &self.message.as_deref().map(one_line))
            .field("request_id", &self.request_id.as_deref().map(one_line))
            .field("body", &one_line(&self.body))
            .field("attempts", &self.attempts)
            .field("retry_after", &self.retry_after)
            .field("may_have_run", &self.may_have_run())
            .finish()
    }
}

/// Shows the start of long texts.
impl fmt::Debug for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelError")
            .field("original_status_code", &self.original_status_code)
            .field("original_message", &self.original_message.as_deref().map(one_line))
            .field("log_stream_arn", &self.log_stream_arn.as_deref().map(one_line))
            .finish()
    }
}

impl ModelError {
    /// The log group in CloudWatch Logs, `/aws/sagemaker/Endpoints/NAME` for example, out of the ARN.
    #[must_use]
    pub fn log_group(&self) -> Option<&str> {
        self.log_stream_arn.as_deref()?.split_once(":log-group:")?.1.split(':').next()
    }

    /// Ends an error's line with what stands in no part of it yet.
    fn write_after(&self, told: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.original_status_code {
            Some(0) => f.write_str("; the container did not answer within 60 s")?,
            Some(status) => write!(f, "; the container answered {status}")?,
            None => {}
        }
        if let Some(message) = self.original_message.as_deref().filter(|it| !told.contains(*it)) {
            write!(f, ": {}", one_line(message))?;
        }
        if let Some(arn) = &self.log_stream_arn {
            write!(f, "; logs: {}", one_line(arn))?;
        }
        Ok(())
    }
}

impl ServiceErrorKind {
    /// Whether the model may have run after an answer of this kind.
    pub(super) fn may_have_run(&self) -> bool {
        match self {
            Self::Model(_)
            | Self::InternalFailure
            | Self::ServiceUnavailable
            | Self::InternalDependency
            | Self::Unknown => true,
            Self::ModelNotReady
            | Self::Validation
            | Self::Throttling
            | Self::PayloadTooLarge
            | Self::ExpiredToken
            | Self::UnrecognizedClient
            | Self::InvalidSignature
            | Self::AccessDenied => false,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Model(_) => "ModelError",
            Self::ModelNotReady => "ModelNotReadyException",
            Self::Validation => "ValidationError",
            Self::Throttling => "Throttling",
            Self::PayloadTooLarge => "PayloadTooLarge",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::InvalidSignature => "InvalidSignatureException",
            Self::AccessDenied => "AccessDeniedException",
            Self::InternalFailure => "InternalFailure",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::InternalDependency => "InternalDependencyException",
            Self::Unknown => "unexpected answer",
        }
    }
}

/// Maximum characters of one text in Display and Debug; the fields hold all of it.
const MAX_SHOWN_CHARACTERS: usize = 1000;

fn one_line(text: &str) -> OneLine<'_> {
    OneLine { text, max_characters: MAX_SHOWN_CHARACTERS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_group_is_taken_out_of_the_arn() {
        let with = |arn: &str| ModelError { log_stream_arn: Some(arn.to_owned()), ..ModelError::default() };
        for arn in [
            "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/e",
            "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/e:log-stream:AllTraffic/i-1",
        ] {
            assert_eq!(with(arn).log_group(), Some("/aws/sagemaker/Endpoints/e"));
        }
        assert_eq!(with("nonsense").log_group(), None);
        assert_eq!(ModelError::default().log_group(), None);
    }
}
