//! Reads the error in a response.

use std::time::Duration;

use super::code::Code;
use super::content::Content;
use super::is_success;
use super::model_error::ModelError;
use super::refusal;
use super::service::ServiceError;
use super::service_error_kind::ServiceErrorKind;
use crate::aws;
use crate::http::{Headers, ResponseHead};
use crate::text::{Redactor, masked_url, word};

/// Maximum bytes kept of an error's body. The service's own errors are far shorter; a gateway's HTML page is not.
const MAX_BODY_BYTES: usize = 4096;

impl ServiceError {
    /// Reads an answer of SageMaker.
    pub(crate) fn from_service(head: &ResponseHead, body: &[u8], redactor: &Redactor) -> Self {
        let content = Content::parse(body);
        let code = Code::read(&head.headers, &content);
        let kind = kind_of(head.status, code.as_ref(), &content);
        let is_unknown = kind == ServiceErrorKind::Unknown;
        let text = redactor.redact_start(body, MAX_BODY_BYTES);
        let message = content.message().map(|message| redactor.redact(message));
        let mut message = message.or_else(|| plain_text_message(&head.headers, &content, &text));
        let is_in_fields = content.is_error() && !is_unknown;
        let mut body = if is_in_fields { String::new() } else { text };
        if kind == ServiceErrorKind::InvalidSignature {
            message = message.as_deref().map(without_canonical_string);
            body.clear();
        }
        Self {
            is_refusal: is_unknown && is_proven_refusal(head.status, code.as_ref()),
            code: code.and_then(|code| word(&redactor.redact(&code.name))),
            message,
            body,
            ..Self::of_head(kind.redacted(redactor), head, redactor)
        }
    }

    /// Reads an answer of a container called directly.
    pub(crate) fn from_container(head: &ResponseHead, body: &[u8], redactor: &Redactor) -> Self {
        let original_message = redactor.redact_start(body, MAX_BODY_BYTES);
        let kind = ServiceErrorKind::Model(ModelError {
            original_status_code: Some(head.status),
            original_message: (!original_message.is_empty()).then_some(original_message),
            log_stream_arn: None,
        });
        let is_refusal = refusal::is_proven_by_container(head.status);
        Self {
            is_refusal,
            ..Self::of_head(kind, head, redactor)
        }
    }

    fn of_head(kind: ServiceErrorKind, head: &ResponseHead, redactor: &Redactor) -> Self {
        Self {
            request_id: request_id(head, redactor),
            location: location(head, redactor),
            retry_after: retry_after(&head.headers),
            ..Self::new(kind, head.status)
        }
    }
}

impl ServiceErrorKind {
    fn redacted(self, redactor: &Redactor) -> Self {
        let Self::Model(error) = self else {
            return self;
        };
        Self::Model(ModelError {
            original_status_code: error.original_status_code,
            original_message: error
                .original_message
                .map(|message| redactor.redact(&message)),
            log_stream_arn: error.log_stream_arn.map(|arn| redactor.redact(&arn)),
        })
    }
}

impl ServiceErrorKind {
    /// The kind of a response of which only the head arrived; `None` for a success.
    pub(super) fn of_head(status: u16, code: Option<&str>) -> Option<Self> {
        if is_success(status) {
            return None;
        }
        let code = code.map(|name| Code {
            name: name.to_owned(),
            is_in_header: true,
        });
        Some(kind_of(status, code.as_ref(), &Content::Other))
    }
}

fn kind_of(status: u16, code: Option<&Code>, content: &Content) -> ServiceErrorKind {
    // The container's answer, whatever code comes with it.
    if status == 424 {
        return ServiceErrorKind::Model(content.model_error());
    }
    code.and_then(|code| code.kind(status, content))
        .unwrap_or_else(|| kind_of_status(status))
}

/// Without a known code, only the statuses of the service's model have a kind, and a bare 429: that is the rate limit of
/// a gateway, since SageMaker's own 429 has a code.
fn kind_of_status(status: u16) -> ServiceErrorKind {
    match status {
        413 => ServiceErrorKind::PayloadTooLarge,
        429 => ServiceErrorKind::Throttling,
        500 => ServiceErrorKind::InternalFailure,
        503 => ServiceErrorKind::ServiceUnavailable,
        530 => ServiceErrorKind::InternalDependency,
        _ => ServiceErrorKind::Unknown,
    }
}

/// The id under which AWS Support finds a request.
pub(super) fn request_id(head: &ResponseHead, redactor: &Redactor) -> Option<String> {
    let id = aws::request_id(&head.headers)?;
    word(redactor.redact(&id).trim())
}

/// Where a redirect leads, without its query: a presigned URL has a signature there, a login page a state.
fn location(head: &ResponseHead, redactor: &Redactor) -> Option<String> {
    if !(300..400).contains(&head.status) {
        return None;
    }
    let location = head.headers.get("location")?;
    if location.is_empty() {
        None
    } else {
        Some(masked_url(&redactor.redact(&location)))
    }
}

/// Parses `x-amz-retry-after` (whole milliseconds); malformed values are ignored.
fn retry_after(headers: &Headers) -> Option<Duration> {
    headers
        .get("x-amz-retry-after")?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_millis)
}

/// A text sent by the front end without JSON, such as "HTTP content length exceeded 5246976 bytes."
fn plain_text_message(headers: &Headers, content: &Content, body: &str) -> Option<String> {
    let content_type = headers
        .get("content-type")
        .unwrap_or("text/plain".into())
        .to_ascii_lowercase();
    let text = body.trim();
    let is_plain =
        content_type.starts_with("text/plain") && !text.is_empty() && !text.starts_with('<');
    if is_plain && matches!(content, Content::Other) {
        Some(text.to_owned())
    } else {
        None
    }
}

/// The first line of a signature's refusal. The next paragraph begins with "The Canonical String for this request
/// should have been", and what follows are the signed headers.
fn without_canonical_string(text: &str) -> String {
    let first_line = text.trim().lines().next().unwrap_or("");
    first_line
        .split_once("The Canonical String")
        .map_or(first_line, |(start, _)| start)
        .to_owned()
}

/// Whether an error whose kind is not known is a refusal: by its status, or because the service itself sent it with the
/// status of a client's error.
fn is_proven_refusal(status: u16, code: Option<&Code>) -> bool {
    if code.is_some_and(Code::leaves_outcome_open) {
        return false;
    }
    let is_client_error = (400..500).contains(&status) && !matches!(status, 408 | 424 | 499);
    refusal::is_proven_by(status) || (is_client_error && code.is_some_and(|code| code.is_in_header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::http::Timings;
    use crate::testing::{assert_shown_safely, fuzz};

    const STATUSES: [u16; 10] = [0, 302, 400, 403, 413, 424, 429, 500, 503, 999];

    /// A head whose headers are lines of the body.
    fn head(body: &[u8]) -> ResponseHead {
        let mut headers = Headers::default();
        let names = [
            "x-amzn-errortype",
            "x-amz-retry-after",
            "location",
            "x-amzn-requestid",
            "content-type",
        ];
        for (name, line) in names.into_iter().zip(body.split(|byte| *byte == b'\n')) {
            let value: Vec<u8> = line
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_control())
                .collect();
            headers.push(name, &value);
        }
        let status = STATUSES[body.len() % STATUSES.len()];
        ResponseHead {
            status,
            headers,
            timings: Timings::default(),
        }
    }

    #[test]
    fn fuzz_errors() {
        let samples = [
            "ThrottlingException:http://a/\n1500\n/b?c\nid-1\ntext/plain\nHTTP content length exceeded 5246976 bytes.",
            r#"{"__type":"a#ValidationException","Message":"Endpoint e not found\n\u202e"}"#,
            r#"{"ErrorCode":"x","OriginalStatusCode":500,"OriginalMessage":"m","LogStreamArn":"arn:a:log-group:/g:l"}"#,
            "<E><Error><Code>SignatureDoesNotMatch</Code><Message>m\nThe Canonical String</Message></Error></E>",
            r#"{"code":"SignatureDoesNotMatch","message":"x-amz-security-token:c2VjcmV0%2FVG9rZW4&#x3d;\u003d"}"#,
        ];
        let redactor = Redactor::new([("x-amz-security-token", "c2VjcmV0/VG9rZW4==")]);
        fuzz(&samples, |body| {
            let head = head(body);
            let from_service = ServiceError::from_service(&head, body, &redactor);
            for error in [
                from_service,
                ServiceError::from_container(&head, body, &redactor),
            ] {
                assert_shown_safely(&format!("{error:?}"));
                assert_shown_safely(&Error::from(error).to_string());
            }
        });
    }
}
