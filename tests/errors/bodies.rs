//! Code and message in the forms of AWS's protocols, and bodies without them.

use httpmock::MockServer;
use sagemaker_invoke::error::ServiceErrorKind as Kind;

use crate::{Case, check_all, error_for, service_error, with_code, without_code};

fn code_in_header(error_type: &'static str) -> Case {
    Case {
        error_type: Some(error_type),
        ..with_code(429, "ModelNotReadyException", Kind::ModelNotReady, false)
    }
}

fn code_in_body(body: &str) -> Case {
    Case {
        error_type: None,
        body: body.to_owned(),
        message: None,
        display_end: String::new(),
        ..with_code(429, "ModelNotReadyException", Kind::ModelNotReady, false)
    }
}

fn message_in_body(body: &str) -> Case {
    Case {
        body: body.to_owned(),
        ..with_code(400, "ValidationError", Kind::Validation, false)
    }
}

#[test]
fn the_code_is_read_in_every_form() {
    let uri = "http://internal.amazon.com/coral/com.amazon.coral.validate/";
    let header_forms = [
        "ModelNotReadyException",
        "ModelNotReadyException:http://internal.amazon.com/coral/com.amazon.coral.validate/",
        "com.amazonaws.sagemaker#ModelNotReadyException",
        "com.amazonaws.sagemaker#ModelNotReadyException:http://internal.amazon.com/",
    ];
    check_all(header_forms.map(code_in_header));
    for member in ["code", "Code", "__type"] {
        let values = [
            "ModelNotReadyException",
            "com.amazonaws.sagemaker#ModelNotReadyException",
            &format!("com.amazonaws.sagemaker#ModelNotReadyException:{uri}"),
        ];
        check_all(values.map(|value| code_in_body(&format!(r#"{{"{member}":"{value}"}}"#))));
    }
    // The header takes precedence; non-string values are ignored.
    check_all([
        Case {
            body: r#"{"code":"ValidationError","message":"a plain message"}"#.to_owned(),
            ..code_in_header("ModelNotReadyException")
        },
        code_in_body(r#"{"code":429,"Code":null,"__type":"ModelNotReadyException"}"#),
        Case {
            error_type: Some(""),
            ..code_in_body(r#"{"code":"ModelNotReadyException"}"#)
        },
    ]);
}

#[test]
fn the_message_is_read_in_every_form() {
    check_all([
        message_in_body(r#"{"message":"a plain message"}"#),
        message_in_body(r#"{"errorMessage":"a plain message"}"#),
        message_in_body(r#"{"message":null,"Message":"a plain message"}"#),
        message_in_body(r#"{"message":"a plain message","Message":"another message"}"#),
        // Line breaks are kept in the field and become spaces in Display.
        Case {
            message: Some("a\nplain\nmessage"),
            ..message_in_body(r#"{"message":"a\nplain\nmessage"}"#)
        },
    ]);
    check_all(
        ["{}", r#"{"message":null}"#, r#"{"message":7}"#, ""].map(|body| Case {
            message: None,
            display_end: String::new(),
            ..message_in_body(body)
        }),
    );
}

#[test]
fn code_and_message_are_read_from_xml() {
    let members = "<Code>AccessDenied</Code><Message>a plain message &amp; more</Message>";
    let bodies = [
        // S3, STS and moto.
        format!("<?xml version=\"1.0\"?>\n<Error>{members}<RequestId>r</RequestId></Error>"),
        format!(
            r#"<ErrorResponse xmlns="https://sts.amazonaws.com/"><Error>{members}</Error></ErrorResponse>"#
        ),
        format!("<ErrorResponse><Errors><Error>{members}</Error></Errors></ErrorResponse>"),
    ];
    check_all(bodies.map(|body| Case {
        code: Some("AccessDenied"),
        message: Some("a plain message & more"),
        display_end: ": a plain message & more".to_owned(),
        ..without_code(403, "application/xml", &body, Kind::AccessDenied, false)
    }));
    let server = MockServer::start();
    let body = format!("<Error>{members}</Error>");
    assert_eq!(service_error(&error_for(&server, 403, &[], &body)).body, "");
    assert_eq!(
        service_error(&error_for(&server, 418, &[], &body)).body,
        body
    );
    let error = error_for(
        &server,
        400,
        &[("x-amzn-errortype", "ValidationError")],
        &body,
    );
    assert_eq!(error.code(), Some("ValidationError"));

    // A front end of AWS that does not know the path.
    let body = "<AccessDeniedException><Message>a plain message</Message></AccessDeniedException>";
    let error = error_for(&server, 403, &[], body);
    assert_eq!((error.code(), error.may_have_run()), (None, false));
    assert_eq!(
        service_error(&error).message.as_deref(),
        Some("a plain message")
    );
}

#[test]
fn other_xml_is_text() {
    let bodies = [
        "<html><Code>SlowDown</Code></html>",
        "<Error><Code>SlowDown</Error>",
        "<Error/>",
    ];
    check_all(bodies.map(|body| without_code(400, "text/xml", body, Kind::Unknown, true)));
    let server = MockServer::start();
    let long = format!(
        "<Error><Code>SlowDown</Code><Message>{}</Message></Error>",
        "x".repeat(100_000)
    );
    assert_eq!(error_for(&server, 400, &[], &long).code(), None);
}

#[test]
fn a_body_without_code_and_message_is_kept() {
    let json = "application/json";
    let html = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    check_all([
        without_code(502, "text/html", html, Kind::Unknown, true),
        without_code(504, "text/html", html, Kind::Unknown, true),
        without_code(403, "text/html", html, Kind::Unknown, false),
        without_code(301, "text/html", "", Kind::Unknown, true),
        without_code(500, "text/plain", "", Kind::InternalFailure, true),
        without_code(
            503,
            json,
            r#"{"reason":"maintenance"}"#,
            Kind::ServiceUnavailable,
            true,
        ),
        without_code(530, json, "null", Kind::InternalDependency, true),
        without_code(404, json, r#"["not","an","object"]"#, Kind::Unknown, false),
        without_code(400, json, r#"{"message":"cut off"#, Kind::Unknown, true),
        Case {
            message: Some("upstream said no"),
            ..without_code(502, "text/plain", "upstream said no", Kind::Unknown, true)
        },
        // HTML with the content type of plain text is not a message.
        without_code(502, "text/plain", html, Kind::Unknown, true),
    ]);
    let server = MockServer::start();
    let error = error_for(&server, 502, &[("content-type", "text/html")], html);
    assert_eq!(service_error(&error).body, html);
}

#[test]
fn huge_and_deeply_nested_bodies_are_truncated() {
    let server = MockServer::start();
    let huge_text = "x".repeat(8 * 1024 * 1024);
    let huge_json = format!(r#"{{"Message":"{huge_text}"}}"#);
    let deep = "[".repeat(100_000);
    let deep_object = r#"{"a":"#.repeat(100_000);
    for body in [
        &huge_text,
        &huge_json,
        &deep,
        &deep_object,
        &"\u{1f600}".repeat(100_000),
    ] {
        let error = error_for(
            &server,
            400,
            &[("x-amzn-errortype", "ValidationError")],
            body,
        );
        let service = service_error(&error);
        assert_eq!(
            (&service.kind, service.code.as_deref()),
            (&Kind::Validation, Some("ValidationError"))
        );
        assert!(
            !service.body.is_empty() && body.starts_with(service.body.trim_end_matches('\u{fffd}'))
        );
        assert!(
            service.body.len() <= 4096 + '\u{fffd}'.len_utf8(),
            "{}",
            service.body.len()
        );
        assert!(error.to_string().chars().count() < 1_200);
    }
    let long_message = "y".repeat(900_000);
    let body =
        format!(r#"{{"Message":"m","OriginalMessage":"{long_message}","OriginalStatusCode":500}}"#);
    let error = error_for(&server, 424, &[("x-amzn-errortype", "ModelError")], &body);
    let Kind::Model(model_error) = &service_error(&error).kind else {
        panic!("{error}")
    };
    assert_eq!(
        model_error.original_message.as_deref(),
        Some(long_message.as_str())
    );
    assert!(error.to_string().chars().count() < 1_200);
}

#[test]
fn a_code_with_a_line_break_stays_on_one_line() {
    let server = MockServer::start();
    let body = format!(r#"{{"__type":"Two\nLines{}"}}"#, "z".repeat(5_000));
    let line = error_for(&server, 400, &[], &body).to_string();
    assert!(
        !line.contains(char::is_control) && line.len() < 2_200,
        "{line}"
    );
}

// AWS's message ends with the canonical request, which holds the values of the signed headers.
#[test]
fn an_error_for_a_signature_hides_the_signed_headers() {
    let server = MockServer::start();
    let body = concat!(
        r#"{"message":"The request signature we calculated does not match the signature you provided.\n\n"#,
        r"The Canonical String for this request should have been\n'POST\n/endpoints/churn-model/invocations\n\n",
        r#"x-amz-security-token:hidden\n'"}"#
    );
    for body in [body, body.trim_start_matches('{')] {
        let error = error_for(
            &server,
            403,
            &[("x-amzn-errortype", "InvalidSignatureException")],
            body,
        );
        assert_eq!(service_error(&error).kind, Kind::InvalidSignature);
        assert!(
            !format!("{error} {error:?}").contains("hidden"),
            "{error:?}"
        );
    }
    let error = error_for(
        &server,
        403,
        &[("x-amzn-errortype", "InvalidSignatureException")],
        body,
    );
    let message = "The request signature we calculated does not match the signature you provided.";
    assert_eq!(service_error(&error).message.as_deref(), Some(message));
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_error_type_cases_pass() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/vectors/protocol/rest-json-output.json"
    );
    let suites: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = suites
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|suite| suite["cases"].as_array().unwrap());
    let mut count = 0;
    let server = MockServer::start();
    for case in cases.filter(|case| case["id"].as_str().unwrap().starts_with("RestJsonFooError")) {
        let response = &case["response"];
        let headers: Vec<_> = response["headers"].as_object().unwrap().iter().collect();
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let status = u16::try_from(response["status_code"].as_u64().unwrap()).unwrap();
        let error = error_for(
            &server,
            status,
            &headers,
            response["body"].as_str().unwrap_or_default(),
        );
        assert_eq!(
            service_error(&error).code.as_deref(),
            case["errorCode"].as_str(),
            "{}",
            case["id"]
        );
        count += 1;
    }
    assert_eq!(count, 9);
}
