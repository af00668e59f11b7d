//! Each form in which the service says no, and what the caller is told.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bodies;

use httpmock::MockServer;
use sagemaker_invoke::error::{ModelError, ServiceError, ServiceErrorKind as Kind};
use sagemaker_invoke::{
    Client, Config, Credentials, Endpoint, Error, InvokeEndpoint, Proxy, Resend, RetryPolicy,
};

/// One answer and what it means.
struct Row {
    status: u16,
    /// `x-amzn-errortype`, where the answer has one.
    error_type: Option<&'static str>,
    content_type: &'static str,
    body: String,
    kind: Kind,
    code: Option<&'static str>,
    message: Option<&'static str>,
    may_have_run: bool,
    /// What Display says after code, status and request id.
    rest_of_line: String,
}

/// An answer with the code in the header and `{"Message": ...}` in the body, as SageMaker gives it.
fn usual(status: u16, code: &'static str, kind: Kind, may_have_run: bool) -> Row {
    Row {
        status,
        error_type: Some(code),
        content_type: "application/json",
        body: r#"{"Message":"in plain words"}"#.to_owned(),
        kind,
        code: Some(code),
        message: Some("in plain words"),
        may_have_run,
        rest_of_line: ": in plain words".to_owned(),
    }
}

/// An answer that is told apart by its status only.
fn bare(status: u16, content_type: &'static str, body: &str, kind: Kind, may_have_run: bool) -> Row {
    Row {
        status,
        error_type: None,
        content_type,
        body: body.to_owned(),
        kind,
        code: None,
        message: None,
        may_have_run,
        rest_of_line: if body.is_empty() { String::new() } else { format!(": {body}") },
    }
}

fn client(server: &MockServer) -> Client {
    Client::new(Config {
        region: Some("us-east-1".to_owned()),
        credentials: Credentials::new("AKIDEXAMPLE", "secret").into(),
        endpoint: Endpoint::Url(server.base_url()),
        proxy: Proxy::Off,
        retry: RetryPolicy { resend: Resend::Never, ..RetryPolicy::default() },
        ..Config::default()
    })
    .unwrap()
}

fn answer(server: &MockServer, status: u16, headers: &[(&str, &str)], body: &str) -> Error {
    let mut mock = server.mock(|when, then| {
        when.path("/endpoints/churn-model/invocations");
        let then = then.status(status).header("x-amzn-requestid", "r-1").body(body);
        headers.iter().fold(then, |then, (name, value)| then.header(*name, *value));
    });
    let error = client(server).invoke(&InvokeEndpoint::new("churn-model", b"1,2,3")).unwrap_err();
    mock.assert_calls(1);
    mock.delete();
    error
}

fn service_error(error: &Error) -> &ServiceError {
    match error {
        Error::Service(error) => error,
        other => panic!("another error: {other:?}"),
    }
}

fn check(server: &MockServer, row: &Row) {
    let mut headers = vec![("content-type", row.content_type)];
    headers.extend(row.error_type.map(|code| ("x-amzn-errortype", code)));
    let error = answer(server, row.status, &headers, &row.body);
    let name = format!("{} {:?} {:.60}", row.status, row.error_type, row.body);
    let told = service_error(&error);
    assert_eq!(told.kind, row.kind, "{name}");
    assert_eq!((told.code.as_deref(), told.message.as_deref()), (row.code, row.message), "{name}");
    assert_eq!((error.status(), told.status), (Some(row.status), row.status), "{name}");
    assert_eq!(error.request_id(), Some("r-1"), "{name}");
    assert_eq!(error.may_have_run(), row.may_have_run, "{name}");
    assert_eq!(error.is_throttled(), row.kind == Kind::Throttling, "{name}");
    assert_eq!(error.is_not_ready(), row.kind == Kind::ModelNotReady, "{name}");
    assert!(std::error::Error::source(&error).is_none(), "{name}");
    let line = error.to_string();
    assert!(line.ends_with(&format!(" (HTTP {}, request id r-1){}", row.status, row.rest_of_line)), "{line}");
    assert!(line.starts_with(row.code.unwrap_or_default()), "{line}");
    assert!(!line.contains(char::is_control), "{line:?}");
}

fn check_all(rows: impl IntoIterator<Item = Row>) {
    let server = MockServer::start();
    for row in rows {
        check(&server, &row);
    }
}

#[test]
fn errors_of_the_model() {
    check_all([
        usual(400, "ValidationError", Kind::Validation, false),
        usual(429, "ModelNotReadyException", Kind::ModelNotReady, false),
        usual(500, "InternalFailure", Kind::InternalFailure, true),
        usual(503, "ServiceUnavailable", Kind::ServiceUnavailable, true),
        usual(530, "InternalDependencyException", Kind::InternalDependency, true),
        // The code says what it is, whatever status somebody between gave it.
        usual(500, "ValidationError", Kind::Validation, false),
        usual(400, "InternalFailure", Kind::InternalFailure, true),
    ]);
}

#[test]
fn errors_that_every_service_can_give() {
    let not_run = |status, code, kind| usual(status, code, kind, false);
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
        not_run(403, "MissingAuthenticationTokenException", Kind::InvalidSignature),
        not_run(403, "RequestTimeTooSkewed", Kind::InvalidSignature),
        not_run(403, "ExpiredTokenException", Kind::ExpiredToken),
        not_run(403, "ExpiredToken", Kind::ExpiredToken),
        not_run(400, "ValidationException", Kind::Validation),
        // Not known to us: kept as it came.
        not_run(418, "TeapotException", Kind::Unknown),
        usual(504, "TeapotException", Kind::Unknown, true),
        usual(500, "TeapotException", Kind::InternalFailure, true),
    ]);
    let server = MockServer::start();
    let headers = [("x-amzn-errortype", "TeapotException"), ("content-type", "application/json")];
    let error = answer(&server, 418, &headers, r#"{"Message":"short and stout","Spout":1}"#);
    assert_eq!(service_error(&error).body, r#"{"Message":"short and stout","Spout":1}"#);
}

#[test]
fn too_large_a_payload_says_what_the_limit_is() {
    let limits = "; the payload limit is 25 MB for real-time endpoints and 4 MB for serverless ones";
    let text = "HTTP content length exceeded 5246976 bytes.";
    let plain = |content_type| Row {
        message: Some(text),
        rest_of_line: format!(": {text}{limits}"),
        ..bare(413, content_type, text, Kind::PayloadTooLarge, false)
    };
    check_all([
        plain("text/plain"),
        plain("Text/Plain; charset=utf-8"),
        Row { rest_of_line: limits.to_owned(), ..bare(413, "text/plain", "", Kind::PayloadTooLarge, false) },
        Row {
            rest_of_line: format!(": in plain words{limits}"),
            ..usual(413, "RequestEntityTooLargeException", Kind::PayloadTooLarge, false)
        },
    ]);
}

#[test]
fn throttling_is_told_by_its_code_whatever_the_status() {
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
    // The real one is a 400 whose body tells nothing.
    check_all(codes.map(|code| Row {
        body: r#"{"message":null}"#.to_owned(),
        message: None,
        rest_of_line: String::new(),
        ..usual(400, code, Kind::Throttling, false)
    }));
    check_all([429, 503].map(|status| usual(status, "ThrottlingException", Kind::Throttling, false)));
    check_all([
        bare(429, "text/html", "slow down", Kind::Throttling, false),
        usual(429, "TeapotException", Kind::Throttling, false),
    ]);
}

fn model_error(status: u16, message: &str, arn: &str) -> Kind {
    let mut error = ModelError::default();
    error.original_status_code = Some(status);
    error.original_message = Some(message.to_owned());
    error.log_stream_arn = Some(arn.to_owned());
    Kind::Model(error)
}

#[test]
fn a_model_error_has_every_member() {
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/churn-model";
    let json = |message: &str, original: &str, status: u16| {
        format!(
            r#"{{"ErrorCode":"CLIENT_ERROR_FROM_MODEL","LogStreamArn":"{arn}","Message":"{message}","OriginalMessage":"{original}","OriginalStatusCode":{status}}}"#
        )
    };
    let row = |body: String, kind, message, rest_of_line: String| Row {
        body,
        message: Some(message),
        rest_of_line,
        ..usual(424, "ModelError", kind, true)
    };
    check_all([
        row(
            json("Received client error (400) from primary", "no such column", 400),
            model_error(400, "no such column", arn),
            "Received client error (400) from primary",
            format!(
                ": Received client error (400) from primary; the container answered 400: no such column; logs: {arn}"
            ),
        ),
        // The service quotes the container, so that the line need not.
        row(
            json("Received client error (400) with message no such column.", "no such column", 400),
            model_error(400, "no such column", arn),
            "Received client error (400) with message no such column.",
            format!(
                ": Received client error (400) with message no such column.; the container answered 400; logs: {arn}"
            ),
        ),
        row(
            json("Your invocation timed out", "", 0),
            model_error(0, "", arn),
            "Your invocation timed out",
            format!(": Your invocation timed out; the container did not answer within 60 s; logs: {arn}"),
        ),
        // The status of a ModelError is nobody else's.
        bare(424, "text/html", "", Kind::Model(ModelError::default()), true),
        usual(424, "TeapotException", Kind::Model(ModelError::default()), true),
        usual(400, "ModelError", Kind::Model(ModelError::default()), true),
    ]);
}

#[test]
fn a_container_that_is_called_directly_gives_a_model_error() {
    let server = MockServer::start();
    server.mock(|when, then| {
        when.path("/invocations");
        then.status(400).body("no such column");
    });
    let endpoint = Endpoint::Container(server.base_url());
    let client = Client::new(Config { endpoint, proxy: Proxy::Off, ..Config::default() }).unwrap();
    let error = client.invoke(&InvokeEndpoint::new("local", b"")).unwrap_err();
    let Kind::Model(told) = &service_error(&error).kind else { panic!("{error:?}") };
    assert_eq!(told.original_status_code, Some(400));
    assert_eq!(told.original_message.as_deref(), Some("no such column"));
    assert!(error.may_have_run());
    assert_eq!(error.to_string(), "ModelError (HTTP 400); the container answered 400: no such column");
}
