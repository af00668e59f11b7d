//! Classifies error responses.

use serde_json::{Map, Value};

use super::is_success;
use super::model_error::ModelError;
use super::refusal;
use super::service::ServiceError;
use super::service_error_kind::ServiceErrorKind;
use crate::http::ResponseHead;
use crate::service::{ErrorCode, ErrorResponse, MAX_BODY_BYTES};
use crate::text::Redactor;

impl ServiceError {
    /// Classifies an error response of SageMaker.
    pub(crate) fn from_service(head: &ResponseHead, body: &[u8], redactor: &Redactor) -> Self {
        let mut response = ErrorResponse::read(head.status, &head.headers, body, redactor);
        let kind = kind_of(&response);
        let is_unknown = kind == ServiceErrorKind::Unknown;
        if response.is_parsed() && !is_unknown {
            response.body.clear();
        }
        if kind == ServiceErrorKind::InvalidSignature {
            response.message = response.message.as_deref().map(without_canonical_string);
            response.body.clear();
        }
        let is_refusal = is_unknown && is_proven_refusal(head.status, response.code.as_ref());
        Self {
            is_refusal,
            ..Self::of_response(kind.redacted(redactor), response)
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
        let response = ErrorResponse::read(head.status, &head.headers, b"", redactor);
        Self {
            is_refusal: refusal::is_proven_by_container(head.status),
            code: None,
            ..Self::of_response(kind, response)
        }
    }

    fn of_response(kind: ServiceErrorKind, response: ErrorResponse) -> Self {
        Self {
            code: response.code.map(|code| code.name),
            message: response.message,
            request_id: response.request_id,
            location: response.location,
            retry_after: response.retry_after,
            body: response.body,
            ..Self::new(kind, response.status)
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

    /// The kind of a response of which only the head arrived; `None` for a success.
    pub(super) fn of_head(status: u16, code: Option<&str>) -> Option<Self> {
        if is_success(status) {
            return None;
        }
        let code = code.map(|name| ErrorCode {
            name: name.to_owned(),
            is_in_header: true,
        });
        Some(kind_with(status, code.as_ref(), None))
    }
}

fn kind_of(response: &ErrorResponse) -> ServiceErrorKind {
    let kind = kind_with(response.status, response.code.as_ref(), response.members());
    if kind == ServiceErrorKind::Validation && is_scaled_to_zero(response) {
        return ServiceErrorKind::ModelNotReady;
    }
    kind
}

fn kind_with(
    status: u16,
    code: Option<&ErrorCode>,
    members: Option<&Map<String, Value>>,
) -> ServiceErrorKind {
    // 424 is the container's response, whatever code comes with it.
    if status == 424 {
        return ServiceErrorKind::Model(ModelError::of(members));
    }
    code.and_then(|code| code.kind(status, members))
        .unwrap_or_else(|| kind_of_status(status))
}

/// Whether an inference component has no copy: the request starts one, and a later one finds it.
/// Source: <https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html>.
fn is_scaled_to_zero(response: &ErrorResponse) -> bool {
    let is_of_service = response.code.as_ref().is_some_and(|code| code.is_in_header);
    let message = response.message.as_deref().unwrap_or_default();
    let has_no_copy = message.contains("has no capacity to process this request");
    response.status == 400 && is_of_service && has_no_copy
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
fn is_proven_refusal(status: u16, code: Option<&ErrorCode>) -> bool {
    if code.is_some_and(ErrorCode::leaves_outcome_open) {
        return false;
    }
    let is_client_error = (400..500).contains(&status) && !matches!(status, 408 | 424 | 499);
    refusal::is_proven_by(status) || (is_client_error && code.is_some_and(|code| code.is_in_header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::http::Headers;
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
