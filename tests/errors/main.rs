//! Error responses of the service, and the errors made from them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod bodies;
mod hostile;
mod redirects;
mod refusals;
mod secrets;
#[path = "../support/mod.rs"]
mod support;

use httpmock::MockServer;
use sagemaker_invoke::error::{ModelError, ServiceError, ServiceErrorKind as Kind};
use sagemaker_invoke::{
    Client, Config, Endpoint, Error, InvokeEndpoint, Proxy, Resend, RetryPolicy,
};
use support::config;

/// A response, and the error expected for it.
struct Case {
    status: u16,
    /// The header `x-amzn-errortype`.
    error_type: Option<&'static str>,
    content_type: &'static str,
    body: String,
    kind: Kind,
    code: Option<&'static str>,
    message: Option<&'static str>,
    may_have_run: bool,
    /// The end of the Display text, after code, status and request id.
    display_end: String,
}

/// The usual form of SageMaker: the code in the header, and `{"Message": ...}` in the body.
fn with_code(status: u16, code: &'static str, kind: Kind, may_have_run: bool) -> Case {
    Case {
        status,
        error_type: Some(code),
        content_type: "application/json",
        body: r#"{"Message":"a plain message"}"#.to_owned(),
        kind,
        code: Some(code),
        message: Some("a plain message"),
        may_have_run,
        display_end: ": a plain message".to_owned(),
    }
}

/// A response whose kind follows from its status only.
fn without_code(
    status: u16,
    content_type: &'static str,
    body: &str,
    kind: Kind,
    may_have_run: bool,
) -> Case {
    Case {
        status,
        error_type: None,
        content_type,
        body: body.to_owned(),
        kind,
        code: None,
        message: None,
        may_have_run,
        display_end: if body.is_empty() {
            String::new()
        } else {
            format!(": {body}")
        },
    }
}

fn client(server: &MockServer) -> Client {
    let retry = RetryPolicy {
        resend: Resend::Never,
        ..RetryPolicy::default()
    };
    Client::new(Config {
        retry,
        ..config(&server.base_url())
    })
    .unwrap()
}

/// The error of a call that gets this response.
fn error_for(server: &MockServer, status: u16, headers: &[(&str, &str)], body: &str) -> Error {
    let mut mock = server.mock(|when, then| {
        when.path("/endpoints/churn-model/invocations");
        let then = then
            .status(status)
            .header("x-amzn-requestid", "r-1")
            .body(body);
        headers
            .iter()
            .fold(then, |then, (name, value)| then.header(*name, *value));
    });
    let error = client(server)
        .invoke(&InvokeEndpoint::new("churn-model", b"1,2,3"))
        .unwrap_err();
    mock.assert_calls(1);
    mock.delete();
    error
}

fn service_error(error: &Error) -> &ServiceError {
    match error {
        Error::Service(error) => error,
        other => panic!("not a service error: {other:?}"),
    }
}

fn check(server: &MockServer, case: &Case) {
    let mut headers = vec![("content-type", case.content_type)];
    headers.extend(case.error_type.map(|code| ("x-amzn-errortype", code)));
    let error = error_for(server, case.status, &headers, &case.body);
    let name = format!("{} {:?} {:.60}", case.status, case.error_type, case.body);
    let service = service_error(&error);
    assert_eq!(service.kind, case.kind, "{name}");
    assert_eq!(
        (service.code.as_deref(), service.message.as_deref()),
        (case.code, case.message),
        "{name}"
    );
    assert_eq!(
        (error.status(), service.status),
        (Some(case.status), case.status),
        "{name}"
    );
    assert_eq!(error.request_id(), Some("r-1"), "{name}");
    assert_eq!(error.may_have_run(), case.may_have_run, "{name}");
    assert_eq!(
        error.is_throttled(),
        case.kind == Kind::Throttling,
        "{name}"
    );
    assert_eq!(
        error.is_not_ready(),
        case.kind == Kind::ModelNotReady,
        "{name}"
    );
    assert!(std::error::Error::source(&error).is_none(), "{name}");
    let line = error.to_string();
    assert!(
        line.ends_with(&format!(
            " (HTTP {}, request id r-1){}",
            case.status, case.display_end
        )),
        "{line}"
    );
    assert!(line.starts_with(case.code.unwrap_or_default()), "{line}");
    assert!(!line.contains(char::is_control), "{line:?}");
}

fn check_all(cases: impl IntoIterator<Item = Case>) {
    let server = MockServer::start();
    for case in cases {
        check(&server, &case);
    }
}

#[test]
fn errors_of_invoke_endpoint() {
    check_all([
        with_code(400, "ValidationError", Kind::Validation, false),
        with_code(429, "ModelNotReadyException", Kind::ModelNotReady, false),
        with_code(500, "InternalFailure", Kind::InternalFailure, true),
        with_code(503, "ServiceUnavailable", Kind::ServiceUnavailable, true),
        with_code(
            530,
            "InternalDependencyException",
            Kind::InternalDependency,
            true,
        ),
        // The code takes precedence over the status, which a proxy may have changed.
        with_code(500, "ValidationError", Kind::Validation, false),
        with_code(400, "InternalFailure", Kind::InternalFailure, true),
    ]);
}

#[test]
fn errors_of_every_aws_service() {
    fn not_run(status: u16, code: &'static str, kind: Kind) -> Case {
        with_code(status, code, kind, false)
    }
    check_all([
        not_run(403, "AccessDeniedException", Kind::AccessDenied),
        not_run(400, "AccessDeniedException", Kind::AccessDenied),
        not_run(400, "NotAuthorized", Kind::AccessDenied),
        not_run(403, "OptInRequired", Kind::AccessDenied),
        not_run(403, "UnrecognizedClientException", Kind::UnrecognizedClient),
        not_run(403, "InvalidClientTokenId", Kind::UnrecognizedClient),
        not_run(403, "InvalidSignatureException", Kind::InvalidSignature),
        not_run(403, "SignatureDoesNotMatch", Kind::InvalidSignature),
        not_run(400, "IncompleteSignature", Kind::InvalidSignature),
        not_run(
            403,
            "MissingAuthenticationTokenException",
            Kind::InvalidSignature,
        ),
        not_run(403, "RequestTimeTooSkewed", Kind::InvalidSignature),
        not_run(403, "ExpiredTokenException", Kind::ExpiredToken),
        not_run(403, "ExpiredToken", Kind::ExpiredToken),
        not_run(400, "ValidationException", Kind::Validation),
        // An unknown code.
        not_run(418, "TeapotException", Kind::Unknown),
        with_code(504, "TeapotException", Kind::Unknown, true),
        with_code(500, "TeapotException", Kind::InternalFailure, true),
    ]);
    let server = MockServer::start();
    let headers = [
        ("x-amzn-errortype", "TeapotException"),
        ("content-type", "application/json"),
    ];
    let error = error_for(
        &server,
        418,
        &headers,
        r#"{"Message":"short and stout","Spout":1}"#,
    );
    assert_eq!(
        service_error(&error).body,
        r#"{"Message":"short and stout","Spout":1}"#
    );
}

#[test]
fn a_payload_error_names_the_limits() {
    let limits =
        "; the payload limit is 25 MB for real-time endpoints and 4 MB for serverless ones";
    let text = "HTTP content length exceeded 5246976 bytes.";
    check_all(
        ["text/plain", "Text/Plain; charset=utf-8"].map(|content_type| Case {
            message: Some(text),
            display_end: format!(": {text}{limits}"),
            ..without_code(413, content_type, text, Kind::PayloadTooLarge, false)
        }),
    );
    check_all([
        Case {
            display_end: limits.to_owned(),
            ..without_code(413, "text/plain", "", Kind::PayloadTooLarge, false)
        },
        Case {
            display_end: format!(": a plain message{limits}"),
            ..with_code(
                413,
                "RequestEntityTooLargeException",
                Kind::PayloadTooLarge,
                false,
            )
        },
    ]);
}

#[test]
fn throttling_codes_take_precedence_over_the_status() {
    let codes = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    ];
    // The form of the service: status 400 and no message.
    check_all(codes.map(|code| Case {
        body: r#"{"message":null}"#.to_owned(),
        message: None,
        display_end: String::new(),
        ..with_code(400, code, Kind::Throttling, false)
    }));
    check_all(
        [429, 503].map(|status| with_code(status, "ThrottlingException", Kind::Throttling, false)),
    );
    check_all([
        without_code(429, "text/html", "slow down", Kind::Throttling, false),
        with_code(429, "TeapotException", Kind::Throttling, false),
    ]);
}

const LOG_STREAM: &str =
    "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/churn-model";

/// A ModelError with all members.
fn model_error(
    message: &'static str,
    original_message: &str,
    status: u16,
    display_end: &str,
) -> Case {
    let mut error = ModelError::default();
    error.original_status_code = Some(status);
    error.original_message = Some(original_message.to_owned());
    error.log_stream_arn = Some(LOG_STREAM.to_owned());
    Case {
        body: format!(
            r#"{{"ErrorCode":"CLIENT_ERROR_FROM_MODEL","LogStreamArn":"{LOG_STREAM}","Message":"{message}","OriginalMessage":"{original_message}","OriginalStatusCode":{status}}}"#
        ),
        message: Some(message),
        display_end: format!(": {message}{display_end}; logs: {LOG_STREAM}"),
        ..with_code(424, "ModelError", Kind::Model(error), true)
    }
}

#[test]
fn a_model_error_has_all_members() {
    check_all([
        model_error(
            "Received client error (400) from primary",
            "no such column",
            400,
            "; the container answered 400: no such column",
        ),
        // The service's message already has the container's message, so Display does not repeat it.
        model_error(
            "Received client error (400) with message no such column.",
            "no such column",
            400,
            "; the container answered 400",
        ),
        model_error(
            "Your invocation timed out",
            "",
            0,
            "; the container did not answer within 60 s",
        ),
        // The status 424 or the code is enough for a ModelError.
        without_code(
            424,
            "text/html",
            "",
            Kind::Model(ModelError::default()),
            true,
        ),
        with_code(
            424,
            "TeapotException",
            Kind::Model(ModelError::default()),
            true,
        ),
        with_code(400, "ModelError", Kind::Model(ModelError::default()), true),
    ]);
}

#[test]
fn an_error_of_a_container_is_a_model_error() {
    let server = MockServer::start();
    server.mock(|when, then| {
        when.path("/invocations");
        then.status(400).body("no such column");
    });
    let endpoint = Endpoint::Container(server.base_url());
    let client = Client::new(Config {
        endpoint,
        proxy: Proxy::Off,
        ..Config::default()
    })
    .unwrap();
    let error = client
        .invoke(&InvokeEndpoint::new("local", b""))
        .unwrap_err();
    let Kind::Model(model_error) = &service_error(&error).kind else {
        panic!("{error:?}")
    };
    assert_eq!(model_error.original_status_code, Some(400));
    assert_eq!(
        model_error.original_message.as_deref(),
        Some("no such column")
    );
    assert!(error.may_have_run());
    assert_eq!(
        error.to_string(),
        "ModelError (HTTP 400); the container answered 400: no such column"
    );
}
