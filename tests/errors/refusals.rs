//! Which answers prove that the model did not run, by status, source of the code, and code.

use httpmock::MockServer;
use sagemaker_invoke::error::{ModelError, ServiceError, ServiceErrorKind as Kind};
use sagemaker_invoke::{Client, Config, Endpoint, Error, InvokeEndpoint, Proxy, RetryPolicy};

use crate::support::config;
use crate::{error_for, service_error};

/// The statuses that prove a refusal, from a service or a gateway.
const REFUSING_STATUSES: [u16; 13] = [
    401, 403, 404, 405, 407, 411, 413, 414, 417, 421, 426, 429, 431,
];

/// Where an answer has its code.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// `x-amzn-errortype`, which services of AWS set.
    Header,
    /// The body, JSON or XML, which a container behind a gateway can write as well.
    Body,
}

use Source::{Body, Header};

fn model() -> Kind {
    Kind::Model(ModelError::default())
}

fn check(
    server: &MockServer,
    status: u16,
    source: Source,
    code: &str,
    kind: &Kind,
    may_have_run: bool,
) {
    let json = format!(r#"{{"__type":"{code}"}}"#);
    let xml = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
    let (header, bodies) = match source {
        Header => (code, ["{}".to_owned(), String::new()]),
        Body => ("", [json, xml]),
    };
    for body in bodies {
        let error = error_for(server, status, &[("x-amzn-errortype", header)], &body);
        let row = format!("{status} {source:?} {body}");
        assert_eq!(&service_error(&error).kind, kind, "{row}");
        assert_eq!(error.code(), Some(code), "{row}");
        assert_eq!(error.may_have_run(), may_have_run, "{row}");
    }
}

fn check_all(rows: &[(u16, Source, &str, Kind, bool)]) {
    let server = MockServer::start();
    for (status, source, code, kind, may_have_run) in rows {
        check(&server, *status, *source, code, kind, *may_have_run);
    }
}

#[test]
fn a_status_alone_proves_a_refusal_only_where_http_defines_it_so() {
    let server = MockServer::start();
    for status in 300..600 {
        let error = error_for(&server, status, &[], "");
        assert_eq!(
            error.may_have_run(),
            !REFUSING_STATUSES.contains(&status),
            "{status}"
        );
        let kind = match status {
            413 => Kind::PayloadTooLarge,
            424 => model(),
            429 => Kind::Throttling,
            500 => Kind::InternalFailure,
            503 => Kind::ServiceUnavailable,
            530 => Kind::InternalDependency,
            _ => Kind::Unknown,
        };
        assert_eq!(service_error(&error).kind, kind, "{status}");
    }
}

#[test]
fn a_code_in_the_header_is_that_of_the_service() {
    check_all(&[
        (400, Header, "ValidationError", Kind::Validation, false),
        (400, Header, "ThrottlingException", Kind::Throttling, false),
        (408, Header, "ThrottlingException", Kind::Throttling, false),
        (500, Header, "ValidationError", Kind::Validation, false),
        (503, Header, "ThrottlingException", Kind::Throttling, false),
        (400, Header, "InternalFailure", Kind::InternalFailure, true),
        (
            403,
            Header,
            "InternalServerException",
            Kind::InternalFailure,
            true,
        ),
        (400, Header, "ModelError", model(), true),
        // A code unknown to this crate is a refusal with the status of one.
        (400, Header, "TeapotException", Kind::Unknown, false),
        (409, Header, "TeapotException", Kind::Unknown, false),
        (302, Header, "TeapotException", Kind::Unknown, true),
        (504, Header, "TeapotException", Kind::Unknown, true),
    ]);
}

#[test]
fn a_request_that_was_given_up_may_have_run() {
    check_all(&[
        (408, Header, "RequestTimeoutException", Kind::Unknown, true),
        (400, Header, "RequestTimeout", Kind::Unknown, true),
        (400, Header, "RequestAbortedException", Kind::Unknown, true),
        (400, Header, "ModelStreamError", Kind::Unknown, true),
        (
            400,
            Header,
            "InternalStreamFailure",
            Kind::InternalFailure,
            true,
        ),
        (408, Header, "TeapotException", Kind::Unknown, true),
        (499, Header, "TeapotException", Kind::Unknown, true),
        (408, Body, "ThrottlingException", Kind::Unknown, true),
        (499, Body, "ThrottlingException", Kind::Unknown, true),
        (408, Body, "RequestTimeoutException", Kind::Unknown, true),
    ]);
}

/// AWS's own codes come with 400, or with a status that proves the refusal by itself.
#[test]
fn a_code_in_the_body_counts_only_with_a_status_of_aws() {
    check_all(&[
        (400, Body, "ValidationError", Kind::Validation, false),
        (400, Body, "ThrottlingException", Kind::Throttling, false),
        (
            400,
            Body,
            "ExpiredTokenException",
            Kind::ExpiredToken,
            false,
        ),
        (
            403,
            Body,
            "AccessDeniedException",
            Kind::AccessDenied,
            false,
        ),
        (
            413,
            Body,
            "RequestEntityTooLargeException",
            Kind::PayloadTooLarge,
            false,
        ),
        (
            429,
            Body,
            "ModelNotReadyException",
            Kind::ModelNotReady,
            false,
        ),
        (400, Body, "TeapotException", Kind::Unknown, true),
        (403, Body, "TeapotException", Kind::Unknown, false),
        (400, Body, "ModelError", model(), true),
        (429, Body, "InternalFailure", Kind::InternalFailure, true),
        (409, Body, "ValidationError", Kind::Unknown, true),
        (422, Body, "ValidationError", Kind::Unknown, true),
        (302, Body, "AccessDenied", Kind::Unknown, true),
        (500, Body, "ValidationError", Kind::InternalFailure, true),
        (500, Body, "ModelError", model(), true),
        (502, Body, "ThrottlingException", Kind::Unknown, true),
        (
            503,
            Body,
            "ThrottlingException",
            Kind::ServiceUnavailable,
            true,
        ),
    ]);
}

#[test]
fn status_424_is_the_answer_of_the_container() {
    let codes = [
        "ModelError",
        "ThrottlingException",
        "ModelNotReadyException",
        "ValidationError",
        "Teapot",
    ];
    let server = MockServer::start();
    for code in codes {
        check(&server, 424, Header, code, &model(), true);
        check(&server, 424, Body, code, &model(), true);
    }
}

#[test]
fn status_424_is_never_sent_again() {
    let server = MockServer::start();
    for (header, code) in [
        ("x-amzn-errortype", "ThrottlingException"),
        ("x-amz-retry-after", "1"),
    ] {
        let mut mock = server.mock(|when, then| {
            when.path("/endpoints/churn-model/invocations");
            then.status(424)
                .header(header, code)
                .body(r#"{"code":"ThrottlingException"}"#);
        });
        let client = Client::new(Config {
            retry: RetryPolicy::default(),
            ..config(&server.base_url())
        });
        let error = client
            .unwrap()
            .invoke(&InvokeEndpoint::new("churn-model", b""))
            .unwrap_err();
        assert!(error.may_have_run() && !error.is_throttled(), "{error:?}");
        mock.assert_calls(1);
        mock.delete();
    }
}

#[test]
fn a_container_refuses_only_what_its_http_server_cannot_read() {
    let server = MockServer::start();
    let endpoint = Endpoint::Container(server.base_url());
    let client = Client::new(Config {
        endpoint,
        proxy: Proxy::Off,
        ..Config::default()
    })
    .unwrap();
    for status in 300..600 {
        let mut mock = server.mock(|when, then| {
            when.path("/invocations");
            then.status(status)
                .header("x-amzn-errortype", "ThrottlingException");
        });
        let error = client
            .invoke(&InvokeEndpoint::new("local", b""))
            .unwrap_err();
        assert!(
            matches!(service_error(&error).kind, Kind::Model(_)),
            "{status}"
        );
        assert_eq!(
            error.may_have_run(),
            ![411, 413, 414, 417, 431].contains(&status),
            "{status}"
        );
        mock.delete();
    }
}

#[test]
fn a_fake_answers_as_the_answer_of_a_server_does() {
    for status in 300..600 {
        let error = Error::from(ServiceError::new(Kind::Unknown, status));
        assert_eq!(
            error.may_have_run(),
            !REFUSING_STATUSES.contains(&status),
            "{status}"
        );
        assert!(
            Error::from(ServiceError::new(model(), status)).may_have_run(),
            "{status}"
        );
    }
    let error = ServiceError::new(Kind::ModelNotReady, 429);
    assert_eq!(
        (error.may_have_run(), error.attempts, error.code.as_deref()),
        (false, 1, None)
    );
    let error = Error::from(error);
    assert!(error.is_not_ready() && error.status() == Some(429) && error.retry_after().is_none());
    assert_eq!(error.to_string(), "ModelNotReadyException (HTTP 429)");
}
