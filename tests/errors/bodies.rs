//! Where code and message stand in an answer, and what is made of answers that have none.

use httpmock::MockServer;
use sagemaker_invoke::error::ServiceErrorKind as Kind;

use crate::{Row, answer, bare, check_all, service_error, usual};

#[test]
fn the_code_is_found_in_all_its_forms() {
    let uri = "http://internal.amazon.com/coral/com.amazon.coral.validate/";
    let in_header = |error_type| Row {
        error_type: Some(error_type),
        ..usual(429, "ModelNotReadyException", Kind::ModelNotReady, false)
    };
    let in_body = |body: String| Row {
        error_type: None,
        body,
        message: None,
        rest_of_line: String::new(),
        ..usual(429, "ModelNotReadyException", Kind::ModelNotReady, false)
    };
    let header_forms = [
        "ModelNotReadyException",
        "ModelNotReadyException:http://internal.amazon.com/coral/com.amazon.coral.validate/",
        "com.amazonaws.sagemaker#ModelNotReadyException",
        "com.amazonaws.sagemaker#ModelNotReadyException:http://internal.amazon.com/",
    ];
    check_all(header_forms.map(in_header));
    for member in ["code", "Code", "__type"] {
        let value = |value: &str| in_body(format!(r#"{{"{member}":"{value}"}}"#));
        check_all([
            value("ModelNotReadyException"),
            value("com.amazonaws.sagemaker#ModelNotReadyException"),
            value(&format!("com.amazonaws.sagemaker#ModelNotReadyException:{uri}")),
        ]);
    }
    // The header wins; what is no text does not count.
    check_all([
        Row {
            body: r#"{"code":"ValidationError","message":"in plain words"}"#.to_owned(),
            ..in_header("ModelNotReadyException")
        },
        in_body(r#"{"code":429,"Code":null,"__type":"ModelNotReadyException"}"#.to_owned()),
        Row { error_type: Some(""), ..in_body(r#"{"code":"ModelNotReadyException"}"#.to_owned()) },
    ]);
}

#[test]
fn the_message_is_found_in_all_its_forms() {
    let row =
        |body: &str| Row { body: body.to_owned(), ..usual(400, "ValidationError", Kind::Validation, false) };
    check_all([
        row(r#"{"message":"in plain words"}"#),
        row(r#"{"errorMessage":"in plain words"}"#),
        row(r#"{"message":null,"Message":"in plain words"}"#),
        row(r#"{"message":"in plain words","Message":"in other words"}"#),
        // Line breaks stay in the field and are spaces in the line.
        Row { message: Some("in\nplain\nwords"), ..row(r#"{"message":"in\nplain\nwords"}"#) },
    ]);
    check_all(["{}", r#"{"message":null}"#, r#"{"message":7}"#, ""].map(|body| Row {
        message: None,
        rest_of_line: String::new(),
        ..row(body)
    }));
}

#[test]
fn a_body_that_is_no_error_of_aws_is_kept() {
    let json = "application/json";
    let html = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    check_all([
        bare(502, "text/html", html, Kind::Unknown, true),
        bare(504, "text/html", html, Kind::Unknown, true),
        bare(403, "text/html", html, Kind::Unknown, false),
        bare(301, "text/html", "", Kind::Unknown, true),
        bare(500, "text/plain", "", Kind::InternalFailure, true),
        bare(503, json, r#"{"reason":"maintenance"}"#, Kind::ServiceUnavailable, true),
        bare(530, json, "null", Kind::InternalDependency, true),
        bare(404, json, r#"["not","an","object"]"#, Kind::Unknown, false),
        bare(400, json, r#"{"message":"cut off"#, Kind::Unknown, false),
        Row {
            message: Some("upstream said no"),
            ..bare(502, "text/plain", "upstream said no", Kind::Unknown, true)
        },
        // HTML that calls itself text is still none.
        bare(502, "text/plain", html, Kind::Unknown, true),
    ]);
    let server = MockServer::start();
    let error = answer(&server, 502, &[("content-type", "text/html")], html);
    assert_eq!(service_error(&error).body, html);
}

#[test]
fn huge_and_deep_bodies_are_cut_and_never_panic() {
    let server = MockServer::start();
    let huge_text = "x".repeat(8 * 1024 * 1024);
    let huge_json = format!(r#"{{"Message":"{huge_text}"}}"#);
    let deep = "[".repeat(100_000);
    let deep_object = r#"{"a":"#.repeat(100_000);
    for body in [&huge_text, &huge_json, &deep, &deep_object, &"\u{1f600}".repeat(100_000)] {
        let error = answer(&server, 400, &[("x-amzn-errortype", "ValidationError")], body);
        let told = service_error(&error);
        assert_eq!((&told.kind, told.code.as_deref()), (&Kind::Validation, Some("ValidationError")));
        assert!(!told.body.is_empty() && body.starts_with(told.body.trim_end_matches('\u{fffd}')));
        assert!(told.body.len() <= 4096 + '\u{fffd}'.len_utf8(), "{}", told.body.len());
        assert!(error.to_string().chars().count() < 1_200);
    }
    let long_answer = "y".repeat(900_000);
    let body = format!(r#"{{"Message":"m","OriginalMessage":"{long_answer}","OriginalStatusCode":500}}"#);
    let error = answer(&server, 424, &[("x-amzn-errortype", "ModelError")], &body);
    let Kind::Model(told) = &service_error(&error).kind else { panic!("{error}") };
    assert_eq!(told.original_message.as_deref(), Some(long_answer.as_str()));
    assert!(error.to_string().chars().count() < 1_200);
}

#[test]
fn a_code_from_a_body_cannot_break_the_line() {
    let server = MockServer::start();
    let body = format!(r#"{{"__type":"Two\nLines{}"}}"#, "z".repeat(5_000));
    let line = answer(&server, 400, &[], &body).to_string();
    assert!(!line.contains(char::is_control) && line.len() < 2_200, "{line}");
}

/// The real message goes on with the canonical string, and in it every signed header.
#[test]
fn a_refused_signature_does_not_tell_the_signed_headers() {
    let server = MockServer::start();
    let body = concat!(
        r#"{"message":"The request signature we calculated does not match the signature you provided.\n\n"#,
        r"The Canonical String for this request should have been\n'POST\n/endpoints/churn-model/invocations\n\n",
        r#"x-amz-security-token:hidden\n'"}"#
    );
    for body in [body, body.trim_start_matches('{')] {
        let error = answer(&server, 403, &[("x-amzn-errortype", "InvalidSignatureException")], body);
        assert_eq!(service_error(&error).kind, Kind::InvalidSignature);
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
    }
    let error = answer(&server, 403, &[("x-amzn-errortype", "InvalidSignatureException")], body);
    let told = "The request signature we calculated does not match the signature you provided.";
    assert_eq!(service_error(&error).message.as_deref(), Some(told));
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn official_error_type_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/protocol/rest-json-output.json");
    let suites: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = suites.as_array().unwrap().iter().flat_map(|suite| suite["cases"].as_array().unwrap());
    let mut ran = 0;
    let server = MockServer::start();
    for case in cases.filter(|case| case["id"].as_str().unwrap().starts_with("RestJsonFooError")) {
        let response = &case["response"];
        let headers: Vec<_> = response["headers"].as_object().unwrap().iter().collect();
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let status = u16::try_from(response["status_code"].as_u64().unwrap()).unwrap();
        let error = answer(&server, status, &headers, response["body"].as_str().unwrap_or_default());
        assert_eq!(service_error(&error).code.as_deref(), case["errorCode"].as_str(), "{}", case["id"]);
        ran += 1;
    }
    assert_eq!(ran, 9);
}
