//! Each member of `InvokeEndpointAsync` and its response: its place on the wire, and the values refused before sending.

use std::sync::Arc;
use std::time::Duration;

use sagemaker_invoke::{
    AsyncInput, Client, Config, Endpoint, Error, InvokeEndpointAsync, InvokeEndpointAsyncResponse,
};

use super::support::{Peer, REGION, Received, SECRET_ACCESS_KEY, response, verify};

/// Sets one member of a request to a text.
type Setter = for<'a> fn(&mut InvokeEndpointAsync<'a>, &'a str);

/// Member, header, longest value, and setter.
const TEXT_MEMBERS: [(&str, &str, usize, Setter); 6] = [
    (
        "ContentType",
        "x-amzn-sagemaker-content-type",
        1024,
        |it, value| it.content_type = Some(value),
    ),
    ("Accept", "x-amzn-sagemaker-accept", 1024, |it, value| {
        it.accept = Some(value);
    }),
    (
        "CustomAttributes",
        "x-amzn-sagemaker-custom-attributes",
        1024,
        |it, value| {
            it.custom_attributes = Some(value);
        },
    ),
    (
        "InferenceId",
        "x-amzn-sagemaker-inference-id",
        64,
        |it, value| it.inference_id = Some(value),
    ),
    (
        "S3OutputPathExtension",
        "x-amzn-sagemaker-s3outputpathextension",
        512,
        |it, value| {
            it.s3_output_path_extension = Some(value);
        },
    ),
    ("Filename", "x-amzn-sagemaker-filename", 32, |it, value| {
        it.file_name = Some(value);
    }),
];

type TimeSetter = fn(&mut InvokeEndpointAsync<'_>, Duration);

/// Member, header, smallest and greatest value, and setter.
const TIME_MEMBERS: [(&str, &str, u64, u64, TimeSetter); 2] = [
    (
        "RequestTTLSeconds",
        "x-amzn-sagemaker-requestttlseconds",
        60,
        21_600,
        |it, value| {
            it.request_ttl = Some(value);
        },
    ),
    (
        "InvocationTimeoutSeconds",
        "x-amzn-sagemaker-invocationtimeoutseconds",
        1,
        3_600,
        |it, value| {
            it.invocation_timeout = Some(value);
        },
    ),
];

fn request() -> InvokeEndpointAsync<'static> {
    InvokeEndpointAsync::new("e", AsyncInput::Body(b"body"))
}

/// Sends the request and returns it as the server received it.
fn received(request: &InvokeEndpointAsync<'_>) -> Arc<Received> {
    let peer = Peer::responding(response(202, &[], ""));
    Client::new(peer.config()).unwrap().invoke(request).unwrap();
    let received = peer.requests().pop().unwrap();
    verify(&received, SECRET_ACCESS_KEY, REGION).unwrap();
    received
}

/// The headers of the members, and `content-type` and `accept`, which this operation never sends.
fn member_headers(received: &Received) -> Vec<(&str, &str)> {
    let headers = received
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    headers
        .filter(|(name, _)| name.contains("sagemaker") || ["accept", "content-type"].contains(name))
        .collect()
}

#[test]
fn an_inline_input_is_the_body() {
    for name in ["Slow-Model-2", "e"] {
        let received = received(&InvokeEndpointAsync::new(
            name,
            AsyncInput::Body(b"\0\xff1,2"),
        ));
        assert_eq!(
            received.request_line,
            format!("POST /endpoints/{name}/async-invocations HTTP/1.1")
        );
        assert_eq!(
            (&received.body[..], member_headers(&received)),
            (&b"\0\xff1,2"[..], vec![])
        );
    }
}

#[test]
fn an_input_in_s3_is_a_header() {
    let location = "s3://bucket/inputs/1 a.json";
    let received = received(&InvokeEndpointAsync::new("e", AsyncInput::S3(location)));
    assert_eq!(
        (&received.body[..], received.header("content-length")),
        (&b""[..], Some("0"))
    );
    assert_eq!(
        member_headers(&received),
        [("x-amzn-sagemaker-inputlocation", location)]
    );
}

#[test]
fn each_optional_member_sets_only_its_header() {
    for (name, header, max_length, set) in TEXT_MEMBERS {
        for value in ["a-1", &"a".repeat(max_length)] {
            let mut request = request();
            set(&mut request, value);
            assert_eq!(
                member_headers(&received(&request)),
                [(header, value)],
                "{name}"
            );
        }
    }
    for (name, header, least, most, set) in TIME_MEMBERS {
        for seconds in [least, most] {
            let mut request = request();
            set(&mut request, Duration::from_secs(seconds));
            assert_eq!(
                member_headers(&received(&request)),
                [(header, &*seconds.to_string())],
                "{name}"
            );
        }
    }
}

#[test]
fn all_members_can_be_set_together() {
    let mut request = request();
    TEXT_MEMBERS
        .iter()
        .for_each(|(_, _, _, set)| set(&mut request, "value"));
    TIME_MEMBERS
        .iter()
        .for_each(|(_, _, _, _, set)| set(&mut request, Duration::from_secs(61)));
    let received = received(&request);
    let headers = TEXT_MEMBERS.iter().map(|member| (member.1, "value"));
    let headers = headers.chain(TIME_MEMBERS.iter().map(|member| (member.1, "61")));
    for (header, value) in headers {
        assert_eq!(received.header(header), Some(value));
    }
    assert_eq!(
        member_headers(&received).len(),
        TEXT_MEMBERS.len() + TIME_MEMBERS.len()
    );
}

/// The member named in the error. Checks that nothing was sent.
fn refused(request: &InvokeEndpointAsync<'_>) -> &'static str {
    let peer = Peer::responding(response(202, &[], ""));
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
    invalid.member
}

#[test]
fn invalid_members_are_refused_before_sending() {
    for name in ["", "..", "a/b", "a b", &"a".repeat(64)] {
        let request = InvokeEndpointAsync::new(name, AsyncInput::Body(b""));
        assert_eq!(refused(&request), "EndpointName", "{name:?}");
    }
    for (name, _, max_length, set) in TEXT_MEMBERS {
        for value in [
            "a\r\nx-injected: 1",
            "a\0b",
            "a\tb",
            "é",
            &"a".repeat(max_length + 1),
        ] {
            let mut request = request();
            set(&mut request, value);
            assert_eq!(refused(&request), name, "{value:?}");
        }
    }
    for (name, _, least, most, set) in TIME_MEMBERS {
        let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
        let nanosecond = Duration::from_nanos(1);
        for time in [
            least - nanosecond,
            least + nanosecond,
            most + nanosecond,
            Duration::ZERO,
            Duration::MAX,
        ] {
            let mut request = request();
            set(&mut request, time);
            assert_eq!(refused(&request), name, "{time:?}");
        }
    }
}

#[test]
fn an_inline_input_has_at_most_128000_bytes() {
    let body = vec![b'a'; 128_001];
    assert_eq!(
        refused(&InvokeEndpointAsync::new("e", AsyncInput::Body(&body))),
        "Body"
    );
    let (_, fitting) = body.split_first().unwrap();
    assert_eq!(
        received(&InvokeEndpointAsync::new("e", AsyncInput::Body(fitting))).body,
        fitting
    );
    for location in [
        "",
        "bucket/key",
        "http://bucket/key",
        "s3://",
        "s3://b/k\r\nx: y",
    ] {
        assert_eq!(
            refused(&InvokeEndpointAsync::new("e", AsyncInput::S3(location))),
            "InputLocation"
        );
    }
}

/// Header, value, and the member that holds it.
type ResponseRow = (
    &'static str,
    &'static str,
    fn(&InvokeEndpointAsyncResponse) -> &Option<String>,
);

const RESPONSE_MEMBERS: [ResponseRow; 3] = [
    ("X-Amzn-SageMaker-OutputLocation", "s3://b/o", |response| {
        &response.output_location
    }),
    ("X-Amzn-SageMaker-FailureLocation", "s3://b/f", |response| {
        &response.failure_location
    }),
    ("x-amzn-RequestId", "8f7b5d0e", |response| {
        &response.request_id
    }),
];

fn respond_with(status: u16, headers: &[(&str, &str)], body: &str) -> InvokeEndpointAsyncResponse {
    let peer = Peer::responding(response(status, headers, body));
    Client::new(peer.config())
        .unwrap()
        .invoke(&request())
        .unwrap()
}

#[test]
fn each_member_of_the_response_is_read_from_its_place() {
    for (header, value, own) in RESPONSE_MEMBERS {
        let response = respond_with(202, &[(header, value)], "{}");
        assert_eq!(own(&response).as_deref(), Some(value), "{header}");
        let others = RESPONSE_MEMBERS.iter().filter(|row| row.0 != header);
        others.for_each(|(header, _, other)| assert_eq!(*other(&response), None, "{header}"));
    }
    for status in [200, 202] {
        let response = respond_with(
            status,
            &[RESPONSE_MEMBERS[0], RESPONSE_MEMBERS[1]].map(|row| (row.0, row.1)),
            JSON,
        );
        assert_eq!(
            (response.status, response.inference_id.as_deref()),
            (status, Some("i-1"))
        );
        assert_eq!(
            (response.timings.attempts, response.timings.bytes_received),
            (1, 22)
        );
        let ticket = response.ticket();
        assert_eq!(ticket.inference_id.as_deref(), Some("i-1"));
        assert_eq!(
            (&*ticket.output_location, ticket.failure_location.as_deref()),
            ("s3://b/o", Some("s3://b/f"))
        );
    }
    // The job is queued, so this is no error.
    assert_eq!(respond_with(202, &[], "no JSON").inference_id, None);
}

const JSON: &str = r#"{"InferenceId": "i-1"}"#;

#[test]
fn a_job_is_not_queued_twice() {
    for status in [500, 503, 504] {
        let peer = Peer::responding(response(status, &[], "{}"));
        let error = Client::new(peer.config())
            .unwrap()
            .invoke(&request())
            .unwrap_err();
        assert!(error.may_have_run(), "{error}");
        assert_eq!(peer.requests().len(), 1, "{status}");
    }
    let peer = Peer::new(|mut connection| {
        connection.request();
    });
    let error = Client::new(peer.config())
        .unwrap()
        .invoke(&request())
        .unwrap_err();
    assert!(error.may_have_run(), "{error}");
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn a_container_has_no_queue() {
    let peer = Peer::responding(response(200, &[], ""));
    let config = Config {
        endpoint: Endpoint::Container(peer.url()),
        ..peer.config()
    };
    let client = Client::new(config).unwrap();
    let error = client.invoke(&request()).unwrap_err();
    assert!(
        matches!(error, Error::Config(_)) && !error.may_have_run(),
        "{error}"
    );
    assert!(
        error.to_string().contains("a container has no queue"),
        "{error}"
    );
    assert!(client.sign(&request()).is_err());
    assert_eq!(peer.connections(), 0);
}

#[test]
fn debug_hides_body_and_custom_attributes() {
    let request = InvokeEndpointAsync {
        custom_attributes: Some("hidden"),
        request_ttl: Some(Duration::from_secs(60)),
        ..InvokeEndpointAsync::new("e", AsyncInput::Body(b"hidden!"))
    };
    let text = format!("{request:?} {:?}", request.input);
    assert!(
        !text.contains("hidden") && text.contains("6 bytes") && text.contains("7 bytes"),
        "{text}"
    );
    assert!(text.contains("RequestTTLSeconds: \"60\""), "{text}");
}
