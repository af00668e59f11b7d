use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::http::HttpResponse;

/// So much of an error's body is kept. The service's own errors are far shorter; a gateway's HTML page is not.
const KEPT_BODY_BYTES: usize = 4096;

/// So many bytes of a body are looked at for JSON. A ModelError carries the container's answer, which is long at times.
const PARSED_BODY_BYTES: usize = 1024 * 1024;

/// An answer of the service that is not an inference.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceError {
    /// Which error it is.
    pub kind: ServiceErrorKind,
    /// The HTTP status.
    pub status: u16,
    /// The error's code as the service sent it, without namespace and link; `None` when it sent none.
    pub code: Option<String>,
    /// The service's own words; `None` when it sent none, as with throttling.
    pub message: Option<String>,
    /// The id under which AWS's support finds the request.
    pub request_id: Option<String>,
    /// The first 4 KiB of a body that was not understood; empty when it was.
    pub body: String,
    /// How many requests were begun, connections that failed included.
    pub attempts: u32,
    /// How long the service wishes us to wait, `x-amz-retry-after`.
    pub(crate) retry_after: Option<Duration>,
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
    /// Anything else: status, code, message and body tell what there is. Not run for a status of 400 to 499.
    Unknown,
}

/// What the model's container said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Reads an answer of SageMaker.
    pub(crate) fn from_service(response: &HttpResponse) -> Self {
        let document = parse_object(&response.body);
        let code = error_code(response, document.as_ref());
        let message = document.as_ref().and_then(|it| text_of(it, &["message", "Message", "errorMessage"]));
        let kind = kind_of(code.as_deref(), response.status, document.as_ref());
        let body = if document.is_some() { String::new() } else { kept_text(&response.body) };
        let message = message.or_else(|| plain_text_message(response, &body));
        Self {
            kind,
            status: response.status,
            code,
            message,
            request_id: request_id(response),
            body,
            attempts: 1,
            retry_after: retry_after(response),
        }
    }

    /// Reads an answer of a container that was called without SageMaker before it.
    pub(crate) fn from_container(response: &HttpResponse) -> Self {
        let original_message = kept_text(&response.body);
        let kind = ServiceErrorKind::Model(ModelError {
            original_status_code: Some(response.status),
            original_message: (!original_message.is_empty()).then_some(original_message),
            log_stream_arn: None,
        });
        Self {
            kind,
            status: response.status,
            code: None,
            message: None,
            request_id: request_id(response),
            body: String::new(),
            attempts: 1,
            retry_after: retry_after(response),
        }
    }

    /// Whether the model may have run.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self.kind {
            ServiceErrorKind::Model(_)
            | ServiceErrorKind::InternalFailure
            | ServiceErrorKind::ServiceUnavailable
            | ServiceErrorKind::InternalDependency => true,
            // 424 is the status of a ModelError, whatever its code.
            ServiceErrorKind::Unknown => !(400..500).contains(&self.status) || self.status == 424,
            _ => false,
        }
    }
}

impl std::error::Error for ServiceError {}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.as_deref().unwrap_or_else(|| self.kind.name()))?;
        write!(f, " (HTTP {}", self.status)?;
        if let Some(request_id) = &self.request_id {
            write!(f, ", request id {}", OneLine(request_id))?;
        }
        if self.attempts > 1 {
            write!(f, ", attempt {}", self.attempts)?;
        }
        f.write_str(")")?;
        if let Some(message) = self.message.as_deref().or((!self.body.is_empty()).then_some(&self.body)) {
            write!(f, ": {}", OneLine(message))?;
        }
        match &self.kind {
            ServiceErrorKind::Model(model_error) => write!(f, "{model_error}"),
            ServiceErrorKind::PayloadTooLarge => f.write_str(
                "; the payload limit is 25 MB for real-time endpoints and 4 MB for serverless ones",
            ),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.original_status_code {
            Some(0) => f.write_str("; the container did not answer within 60 s")?,
            Some(status) => write!(f, "; the container answered {status}")?,
            None => {}
        }
        if let Some(message) = &self.original_message {
            write!(f, ": {}", OneLine(message))?;
        }
        if let Some(arn) = &self.log_stream_arn {
            write!(f, "; logs: {}", OneLine(arn))?;
        }
        Ok(())
    }
}

impl ServiceErrorKind {
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

/// Writes text without line breaks and other control characters, and at most so many characters of it.
struct OneLine<'a>(&'a str);

/// A screenful: the whole text stands in the fields.
const SHOWN_CHARACTERS: usize = 1000;

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;

        let mut letters = self.0.trim().chars();
        for letter in letters.by_ref().take(SHOWN_CHARACTERS) {
            f.write_char(if letter.is_control() { ' ' } else { letter })?;
        }
        if letters.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}

fn request_id(response: &HttpResponse) -> Option<String> {
    response.headers.owned("x-amzn-requestid").or_else(|| response.headers.owned("x-amz-request-id"))
}

/// Whole milliseconds; anything else is no wish.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.headers.get("x-amz-retry-after")?.trim().parse().ok().map(Duration::from_millis)
}

fn parse_object(body: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(body.get(..PARSED_BODY_BYTES).unwrap_or(body)) {
        Ok(Value::Object(document)) => Some(document),
        _ => None,
    }
}

/// The header, else the body; only texts count.
fn error_code(response: &HttpResponse, document: Option<&Map<String, Value>>) -> Option<String> {
    let header = response.headers.get("x-amzn-errortype").map(sanitized_code).filter(|code| !code.is_empty());
    header.map(str::to_owned).or_else(|| {
        let code = text_of(document?, &["code", "Code", "__type"])?;
        Some(sanitized_code(&code).to_owned()).filter(|code| !code.is_empty())
    })
}

/// `aws.protocoltests.restjson#FooError:http://...` is `FooError`.
fn sanitized_code(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or(code);
    code.rsplit('#').next().unwrap_or(code).trim()
}

fn text_of(document: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| document.get(*name)?.as_str()).map(str::to_owned)
}

fn kept_text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..KEPT_BODY_BYTES).unwrap_or(body)).into_owned()
}

/// The front end says some things in plain words, such as "HTTP content length exceeded 5246976 bytes."
fn plain_text_message(response: &HttpResponse, body: &str) -> Option<String> {
    let is_plain = response.headers.get("content-type").is_none_or(|it| it.starts_with("text/plain"));
    let text = body.trim();
    (is_plain && !text.is_empty() && !text.starts_with('<')).then(|| text.to_owned())
}

fn kind_of(code: Option<&str>, status: u16, document: Option<&Map<String, Value>>) -> ServiceErrorKind {
    match code {
        Some("ModelError") => ServiceErrorKind::Model(model_error(document)),
        Some(code) => kind_of_code(code).unwrap_or_else(|| kind_of_status(status)),
        None if status == 424 => ServiceErrorKind::Model(model_error(document)),
        None => kind_of_status(status),
    }
}

fn model_error(document: Option<&Map<String, Value>>) -> ModelError {
    let Some(document) = document else { return ModelError::default() };
    let status = document.get("OriginalStatusCode").and_then(Value::as_u64);
    ModelError {
        original_status_code: status.and_then(|status| u16::try_from(status).ok()),
        original_message: text_of(document, &["OriginalMessage"]),
        log_stream_arn: text_of(document, &["LogStreamArn"]),
    }
}

/// Source: the service's model, and the error lists of the AWS SDKs for what every service can say.
fn kind_of_code(code: &str) -> Option<ServiceErrorKind> {
    Some(match code {
        "ModelNotReadyException" => ServiceErrorKind::ModelNotReady,
        "ValidationError" | "ValidationException" => ServiceErrorKind::Validation,
        "InternalFailure" | "InternalServerException" => ServiceErrorKind::InternalFailure,
        "ServiceUnavailable" | "ServiceUnavailableException" => ServiceErrorKind::ServiceUnavailable,
        "InternalDependencyException" => ServiceErrorKind::InternalDependency,
        "ExpiredToken" | "ExpiredTokenException" => ServiceErrorKind::ExpiredToken,
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" | "AuthFailure" => {
            ServiceErrorKind::UnrecognizedClient
        }
        "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed"
        | "RequestExpired"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => ServiceErrorKind::InvalidSignature,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "OptInRequired" => {
            ServiceErrorKind::AccessDenied
        }
        "RequestEntityTooLarge" | "RequestEntityTooLargeException" | "RequestTooLargeException" => {
            ServiceErrorKind::PayloadTooLarge
        }
        _ if is_throttling_code(code) => ServiceErrorKind::Throttling,
        _ => return None,
    })
}

/// Source: the throttling error codes of AWS Retry Behavior 2.1.
fn is_throttling_code(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "ProvisionedThroughputExceededException"
            | "TransactionInProgressException"
            | "RequestLimitExceeded"
            | "BandwidthLimitExceeded"
            | "LimitExceededException"
            | "RequestThrottled"
            | "SlowDown"
            | "PriorRequestNotComplete"
            | "EC2ThrottledException"
    )
}

/// What an answer without a known code can only be. A bare 429 is somebody's rate limit: SageMaker's own 429 has
/// a code.
fn kind_of_status(status: u16) -> ServiceErrorKind {
    match status {
        413 => ServiceErrorKind::PayloadTooLarge,
        429 => ServiceErrorKind::Throttling,
        500 => ServiceErrorKind::InternalFailure,
        503 => ServiceErrorKind::ServiceUnavailable,
        _ => ServiceErrorKind::Unknown,
    }
}
