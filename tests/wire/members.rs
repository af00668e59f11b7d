//! Each member of request and response: its place on the wire, and the values refused before sending.

use httpmock::{HttpMockRequest, MockServer};
use sagemaker_invoke::{Client, Error, InvokeEndpoint, InvokeEndpointResponse};

use super::support::{Peer, config, response};

/// Sets one member of a request to a text.
type Setter = for<'a> fn(&mut InvokeEndpoint<'a>, &'a str);

/// Member, header and setter, in the order of AWS's API reference.
const OPTIONAL_MEMBERS: [(&str, &str, Setter); 11] = [
    ("ContentType", "content-type", |request, value| {
        request.content_type = Some(value);
    }),
    ("Accept", "accept", |request, value| {
        request.accept = Some(value);
    }),
    (
        "CustomAttributes",
        "x-amzn-sagemaker-custom-attributes",
        |request, value| {
            request.custom_attributes = Some(value);
        },
    ),
    (
        "TargetModel",
        "x-amzn-sagemaker-target-model",
        |request, value| request.target_model = Some(value),
    ),
    (
        "TargetVariant",
        "x-amzn-sagemaker-target-variant",
        |request, value| {
            request.target_variant = Some(value);
        },
    ),
    (
        "TargetContainerHostname",
        "x-amzn-sagemaker-target-container-hostname",
        |request, value| {
            request.target_container_hostname = Some(value);
        },
    ),
    (
        "InferenceId",
        "x-amzn-sagemaker-inference-id",
        |request, value| request.inference_id = Some(value),
    ),
    (
        "EnableExplanations",
        "x-amzn-sagemaker-enable-explanations",
        |request, value| {
            request.enable_explanations = Some(value);
        },
    ),
    (
        "InferenceComponentName",
        "x-amzn-sagemaker-inference-component",
        |request, value| {
            request.inference_component_name = Some(value);
        },
    ),
    (
        "SessionId",
        "x-amzn-sagemaker-session-id",
        |request, value| request.session_id = Some(value),
    ),
    (
        "PrefixAwareId",
        "x-amzn-sagemaker-prefix-aware-id",
        |request, value| {
            request.prefix_aware_id = Some(value);
        },
    ),
];

/// The headers of every signed request.
const COMMON_HEADERS: [&str; 7] = [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "content-length",
    "host",
    "user-agent",
    "x-amz-date",
];

fn member(name: &str) -> (&'static str, Setter) {
    let (_, header, set) = OPTIONAL_MEMBERS
        .into_iter()
        .find(|member| member.0 == name)
        .unwrap();
    (header, set)
}

/// Sends the request and returns it as the server received it.
fn received(request: &InvokeEndpoint<'_>) -> HttpMockRequest {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = MockServer::start();
    server.mock(|when, then| {
        when.is_true(move |request| sender.send(request.clone()).is_ok());
        then.status(200);
    });
    Client::new(config(&server.base_url()))
        .unwrap()
        .invoke(request)
        .unwrap();
    receiver.recv().unwrap()
}

fn header<'a>(request: &'a HttpMockRequest, name: &str) -> Option<&'a str> {
    let mut values = request
        .headers_vec()
        .iter()
        .filter(|(it, _)| it == name)
        .map(|(_, value)| value.as_str());
    let value = values.next();
    assert_eq!(values.next(), None, "{name} occurs twice");
    value
}

/// The names of all headers except the common ones.
fn member_headers(request: &HttpMockRequest) -> Vec<&str> {
    let names = request.headers_vec().iter().map(|(name, _)| name.as_str());
    names
        .filter(|name| !COMMON_HEADERS.contains(name))
        .collect()
}

#[test]
fn required_members_are_path_and_body() {
    let request = received(&InvokeEndpoint::new("Churn-Model-2", b"\0\xff1,2"));
    assert_eq!(
        (request.method_str(), request.uri().path()),
        ("POST", "/endpoints/Churn-Model-2/invocations")
    );
    assert_eq!(request.uri().query(), None);
    assert_eq!(request.body_ref(), b"\0\xff1,2");
    assert_eq!(member_headers(&request), [""; 0]);
    assert_eq!(received(&InvokeEndpoint::new("e", b"")).body_ref(), b"");
}

#[test]
fn each_optional_member_sets_only_its_header() {
    for (name, member_header, set) in OPTIONAL_MEMBERS {
        let mut request = InvokeEndpoint::new("e", b"body");
        set(&mut request, "a-1");
        let request = received(&request);
        assert_eq!(header(&request, member_header), Some("a-1"), "{name}");
        assert_eq!(member_headers(&request), [member_header], "{name}");
        assert_eq!(request.body_ref(), b"body", "{name}");
    }
}

#[test]
fn all_members_can_be_set_together() {
    let mut request = InvokeEndpoint::new("e", b"body");
    let values: Vec<String> = (0..OPTIONAL_MEMBERS.len())
        .map(|index| format!("value-{index}"))
        .collect();
    for ((_, _, set), value) in OPTIONAL_MEMBERS.iter().zip(&values) {
        set(&mut request, value);
    }
    let request = received(&request);
    for ((name, member_header, _), value) in OPTIONAL_MEMBERS.iter().zip(&values) {
        assert_eq!(
            header(&request, member_header),
            Some(value.as_str()),
            "{name}"
        );
    }
    assert_eq!(member_headers(&request).len(), OPTIONAL_MEMBERS.len());
}

#[test]
fn values_are_sent_unchanged() {
    for (name, value) in [
        ("ContentType", "text/csv; charset=utf-8; header=\"a;b\""),
        ("Accept", "application/json, text/csv;q=0.5"),
        (
            "CustomAttributes",
            "trace=1,  two  spaces = ~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./",
        ),
        ("TargetModel", "folder/model v1.tar.gz"),
        ("EnableExplanations", "`[0]` > `0.8`"),
        ("SessionId", "NEW_SESSION"),
        ("InferenceId", &"i".repeat(64)),
        ("TargetModel", &"m".repeat(1024)),
        ("CustomAttributes", &"c".repeat(1024)),
        ("SessionId", &"s".repeat(256)),
    ] {
        let (member_header, set) = member(name);
        let mut request = InvokeEndpoint::new("e", b"");
        set(&mut request, value);
        assert_eq!(
            header(&received(&request), member_header),
            Some(value),
            "{name}"
        );
    }
}

#[test]
fn an_empty_member_is_an_empty_header_or_refused() {
    let may_be_empty = ["ContentType", "Accept", "CustomAttributes"];
    for (name, member_header, set) in OPTIONAL_MEMBERS {
        let mut request = InvokeEndpoint::new("e", b"");
        set(&mut request, "");
        if may_be_empty.contains(&name) {
            assert_eq!(
                header(&received(&request), member_header),
                Some(""),
                "{name}"
            );
        } else {
            assert_eq!(refused(&request), name);
        }
    }
}

/// The member named in the error. Checks that nothing was sent.
fn refused(request: &InvokeEndpoint<'_>) -> &'static str {
    let peer = Peer::responding(response(200, &[], ""));
    let client = Client::new(peer.config()).unwrap();
    let error = client.invoke(request).unwrap_err();
    assert!(client.sign(request).is_err());
    assert_eq!(
        (error.may_have_run(), error.attempts(), peer.connections()),
        (false, 0, 0),
        "{error}"
    );
    let Error::InvalidInput(invalid) = error else {
        unreachable!("{error:?}")
    };
    assert!(error.to_string().starts_with(invalid.member), "{error}");
    invalid.member
}

#[test]
fn invalid_members_are_refused_before_sending() {
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "a%2Fb",
        "a b",
        "-a",
        "a-",
        "é",
        "a\r\nx: y",
        &"a".repeat(64),
    ] {
        assert_eq!(
            refused(&InvokeEndpoint::new(name, b"")),
            "EndpointName",
            "{name:?}"
        );
    }
    // A line break would inject a header; the other characters are not valid in header values.
    for (name, _, set) in OPTIONAL_MEMBERS {
        for value in [
            "a\r\nx-injected: 1",
            "a\nb",
            "a\rb",
            "a\0b",
            "a\tb",
            "a\u{7f}",
            "é",
        ] {
            let mut request = InvokeEndpoint::new("e", b"");
            set(&mut request, value);
            assert_eq!(refused(&request), name, "{value:?}");
        }
    }
    for (name, max_length) in [
        ("ContentType", 1024),
        ("Accept", 1024),
        ("CustomAttributes", 1024),
        ("TargetModel", 1024),
        ("TargetVariant", 63),
        ("TargetContainerHostname", 63),
        ("InferenceId", 64),
        ("EnableExplanations", 64),
        ("InferenceComponentName", 63),
        ("SessionId", 256),
        ("PrefixAwareId", 64),
    ] {
        let (fitting, too_long) = ("a".repeat(max_length), "a".repeat(max_length + 1));
        let mut request = InvokeEndpoint::new("e", b"");
        member(name).1(&mut request, &too_long);
        assert_eq!(refused(&request), name);
        member(name).1(&mut request, &fitting);
        assert_eq!(
            header(&received(&request), member(name).0),
            Some(fitting.as_str()),
            "{name}"
        );
    }
}

/// Header, value, and the member that holds it.
type ResponseRow = (
    &'static str,
    &'static str,
    fn(&InvokeEndpointResponse) -> &Option<String>,
);

const RESPONSE_MEMBERS: [ResponseRow; 6] = [
    ("Content-Type", "application/json", |response| {
        &response.content_type
    }),
    (
        "x-Amzn-Invoked-Production-Variant",
        "AllTraffic",
        |response| &response.invoked_production_variant,
    ),
    (
        "X-Amzn-SageMaker-Custom-Attributes",
        "hidden  attributes",
        |response| &response.custom_attributes,
    ),
    (
        "X-Amzn-SageMaker-New-Session-Id",
        "s-1; Expires=2026-11-23T00:00:00Z",
        |response| &response.new_session_id,
    ),
    ("X-Amzn-SageMaker-Closed-Session-Id", "s-0", |response| {
        &response.closed_session_id
    }),
    ("x-amzn-RequestId", "8f7b5d0e", |response| {
        &response.request_id
    }),
];

fn respond_with(status: u16, headers: &[(&str, &str)], body: &[u8]) -> InvokeEndpointResponse {
    let server = MockServer::start();
    server.mock(|when, then| {
        when.method("POST");
        let then = then.status(status).body(body);
        headers
            .iter()
            .fold(then, |then, (name, value)| then.header(*name, *value));
    });
    let client = Client::new(config(&server.base_url())).unwrap();
    client.invoke(&InvokeEndpoint::new("e", b"")).unwrap()
}

#[test]
fn each_member_of_the_response_is_read_from_its_header() {
    for (member_header, value, own) in RESPONSE_MEMBERS {
        let response = respond_with(200, &[(member_header, value)], b"");
        assert_eq!(own(&response).as_deref(), Some(value), "{member_header}");
        let others = RESPONSE_MEMBERS.iter().filter(|row| row.0 != member_header);
        others.for_each(|(header, _, other)| assert_eq!(*other(&response), None, "{header}"));
    }
    let response = respond_with(200, &[("x-amz-request-id", "r-2")], b"");
    assert_eq!(response.request_id.as_deref(), Some("r-2"));
}

#[test]
fn the_body_is_returned_unchanged_with_every_status_of_success() {
    let every_byte: Vec<u8> = (0..=255).collect();
    for (status, body) in [
        (200, &every_byte[..]),
        (201, b"{}"),
        (202, b""),
        (299, b"\r\n\r\n"),
    ] {
        let response = respond_with(status, &[("content-type", "text/html")], body);
        assert_eq!((response.status, &response.body[..]), (status, body));
    }
}

#[test]
fn debug_hides_body_and_custom_attributes() {
    let mut request = InvokeEndpoint::new("e", b"hidden body");
    for (name, _, set) in OPTIONAL_MEMBERS {
        set(
            &mut request,
            if name == "CustomAttributes" {
                "hidden attributes"
            } else {
                "shown"
            },
        );
    }
    let text = format!("{request:?}");
    assert_eq!(text.matches("shown").count(), 10, "{text}");
    assert!(
        text.contains("11 bytes") && text.contains("17 bytes") && !text.contains("hidden"),
        "{text}"
    );

    let headers: Vec<_> = RESPONSE_MEMBERS
        .iter()
        .map(|(header, value, _)| (*header, *value))
        .collect();
    let text = format!("{:?}", respond_with(200, &headers, b"hidden body"));
    assert!(
        text.contains("11 bytes") && text.contains("18 bytes") && !text.contains("hidden"),
        "{text}"
    );
    let shown = RESPONSE_MEMBERS
        .iter()
        .filter(|(_, value, _)| text.contains(value))
        .count();
    assert_eq!(shown, RESPONSE_MEMBERS.len() - 1, "{text}");
}
