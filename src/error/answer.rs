//! From an answer to the error that it tells.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{ModelError, ServiceError, ServiceErrorKind};
use crate::aws::request_id;
use crate::http::{Headers, ResponseHead};

/// So much of an error's body is kept. The service's own errors are far shorter; a gateway's HTML page is not.
const KEPT_BODY_BYTES: usize = 4096;

/// A body over this size is not read as JSON. A ModelError carries the container's answer, which is long at times;
/// beyond that, parsed JSON takes many times the memory of its text.
const PARSED_BODY_BYTES: usize = 1024 * 1024;

impl ServiceError {
    /// Reads an answer of SageMaker.
    pub(crate) fn from_service(head: &ResponseHead, body: &[u8]) -> Self {
        let document = parse_object(body);
        let document = document.as_ref();
        let code = error_code(&head.headers, document);
        let is_from_service = head.headers.get("x-amzn-errortype").is_some();
        let kind = kind_of(code.as_deref(), is_from_service, head.status, document);
        let text = kept_text(body);
        let mut message = document
            .and_then(|it| text_of(it, &MESSAGE_NAMES))
            .or_else(|| plain_text_message(&head.headers, document, &text));
        let is_told = document.is_some_and(has_error_members) && kind != ServiceErrorKind::Unknown;
        let mut body = if is_told { String::new() } else { text };
        if kind == ServiceErrorKind::InvalidSignature {
            message = message.as_deref().map(without_canonical_string);
            body.clear();
        }
        Self {
            kind,
            status: head.status,
            code,
            message,
            request_id: request_id(&head.headers),
            body,
            attempts: 1,
            retry_after: retry_after(&head.headers),
        }
    }

    /// Reads an answer of a container that was called without SageMaker before it.
    pub(crate) fn from_container(head: &ResponseHead, body: &[u8]) -> Self {
        let original_message = kept_text(body);
        let kind = ServiceErrorKind::Model(ModelError {
            original_status_code: Some(head.status),
            original_message: (!original_message.is_empty()).then_some(original_message),
            log_stream_arn: None,
        });
        let request_id = request_id(&head.headers);
        Self {
            kind,
            status: head.status,
            code: None,
            message: None,
            request_id,
            body: String::new(),
            attempts: 1,
            retry_after: retry_after(&head.headers),
        }
    }
}

/// Whole milliseconds; anything else is no wish.
fn retry_after(headers: &Headers) -> Option<Duration> {
    headers.get("x-amz-retry-after")?.trim().parse().ok().map(Duration::from_millis)
}

/// Members under which the services of AWS send an error's message and code, the more usual first.
const MESSAGE_NAMES: [&str; 3] = ["message", "Message", "errorMessage"];
const CODE_NAMES: [&str; 3] = ["code", "Code", "__type"];

fn parse_object(body: &[u8]) -> Option<Map<String, Value>> {
    let body = (body.len() <= PARSED_BODY_BYTES).then_some(body)?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(document)) => Some(document),
        _ => None,
    }
}

/// Whether it is one of AWS's errors, even if all that it says is `{"message":null}`.
fn has_error_members(document: &Map<String, Value>) -> bool {
    document.is_empty() || MESSAGE_NAMES.iter().chain(&CODE_NAMES).any(|name| document.contains_key(*name))
}

/// The code in the header, else in the body; only texts count.
fn error_code(headers: &Headers, document: Option<&Map<String, Value>>) -> Option<String> {
    let of_header = headers.get("x-amzn-errortype").map(|code| sanitized_code(&code).to_owned());
    match of_header {
        Some(code) if !code.is_empty() => Some(code),
        _ => {
            let code = sanitized_code(&text_of(document?, &CODE_NAMES)?).to_owned();
            if code.is_empty() { None } else { Some(code) }
        }
    }
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

/// A text that the front end sends without JSON, such as "HTTP content length exceeded 5246976 bytes."
fn plain_text_message(
    headers: &Headers,
    document: Option<&Map<String, Value>>,
    body: &str,
) -> Option<String> {
    let content_type = headers.get("content-type").unwrap_or("text/plain".into()).to_ascii_lowercase();
    let text = body.trim();
    let is_plain = content_type.starts_with("text/plain") && !text.is_empty() && !text.starts_with('<');
    if is_plain && document.is_none() { Some(text.to_owned()) } else { None }
}

/// The first line of a signature's refusal. The next paragraph begins with "The Canonical String for this request
/// should have been", and what follows are the signed headers.
fn without_canonical_string(text: &str) -> String {
    let first_line = text.trim().lines().next().unwrap_or_default();
    first_line.split("The Canonical String").next().unwrap_or_default().to_owned()
}

fn kind_of(
    code: Option<&str>,
    is_from_service: bool,
    status: u16,
    document: Option<&Map<String, Value>>,
) -> ServiceErrorKind {
    // A container behind a gateway can put any code into its own answer, after the model ran.
    let is_refusal = (400..500).contains(&status) && status != 424;
    let by_code = code
        .and_then(|code| kind_of_code(code, document))
        .filter(|kind| is_from_service || is_refusal || kind.may_have_run());
    by_code.unwrap_or_else(|| kind_of_status(status, document))
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
fn kind_of_code(code: &str, document: Option<&Map<String, Value>>) -> Option<ServiceErrorKind> {
    Some(match code {
        "ModelError" => ServiceErrorKind::Model(model_error(document)),
        "ModelNotReadyException" => ServiceErrorKind::ModelNotReady,
        "ValidationError" | "ValidationException" => ServiceErrorKind::Validation,
        "InternalFailure" | "InternalServerException" => ServiceErrorKind::InternalFailure,
        "ServiceUnavailable" | "ServiceUnavailableException" => ServiceErrorKind::ServiceUnavailable,
        "InternalDependencyException" => ServiceErrorKind::InternalDependency,
        "ExpiredToken" | "ExpiredTokenException" => ServiceErrorKind::ExpiredToken,
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" | "AuthFailure" => {
            ServiceErrorKind::UnrecognizedClient
        }
        "InvalidSignature"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed"
        | "RequestExpired"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => ServiceErrorKind::InvalidSignature,
        "AccessDenied"
        | "AccessDeniedException"
        | "NotAuthorized"
        | "UnauthorizedOperation"
        | "OptInRequired" => ServiceErrorKind::AccessDenied,
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

/// What an answer without a known code can only be: the statuses of the service's model. A bare 429 is somebody's
/// rate limit: SageMaker's own 429 has a code.
fn kind_of_status(status: u16, document: Option<&Map<String, Value>>) -> ServiceErrorKind {
    match status {
        413 => ServiceErrorKind::PayloadTooLarge,
        424 => ServiceErrorKind::Model(model_error(document)),
        429 => ServiceErrorKind::Throttling,
        500 => ServiceErrorKind::InternalFailure,
        503 => ServiceErrorKind::ServiceUnavailable,
        530 => ServiceErrorKind::InternalDependency,
        _ => ServiceErrorKind::Unknown,
    }
}
