//! What a server repeats of the request shows in no error, whatever the shape of its answer.

use std::sync::Arc;

use sagemaker_invoke::error::{ServiceError, ServiceErrorKind as Kind};
use sagemaker_invoke::{
    Client, Config, Credentials, Endpoint, Error, InvokeEndpoint, Proxy, Resend, RetryPolicy,
};

use crate::service_error;
use crate::support::{ACCESS_KEY_ID, Peer, Received, SECRET_ACCESS_KEY, response};

const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+a/EXAMPLE==";
const ATTRIBUTES: &str = r#"{"trace":"4bf92f3577b34da6", "user": <a&b>}"#;

/// A form in which a server repeats a text.
type Form = fn(&str) -> String;

const FORMS: [Form; 6] = [str::to_owned, percent, json, dotnet_json, xml, base64];

fn percent(text: &str) -> String {
    text.bytes()
        .map(|it| escaped(it, |it| format!("%{it:02x}")))
        .collect()
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'))
        .unwrap()
        .to_owned()
}

/// As System.Text.Json writes it.
fn dotnet_json(text: &str) -> String {
    text.bytes()
        .map(|it| escaped(it, |it| format!("\\u{it:04X}")))
        .collect()
}

fn xml(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    text.replace('"', "&quot;")
}

fn escaped(byte: u8, escape: impl Fn(u8) -> String) -> String {
    if byte.is_ascii_alphanumeric() {
        char::from(byte).to_string()
    } else {
        escape(byte)
    }
}

fn base64(text: &str) -> String {
    let alphabet: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['+', '/'])
        .collect();
    let bits: Vec<u8> = text
        .bytes()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let sextet = |bits: &[u8]| {
        (0..6).fold(0, |sum, at| {
            sum * 2 + usize::from(*bits.get(at).unwrap_or(&0))
        })
    };
    bits.chunks(6).map(|bits| alphabet[sextet(bits)]).collect()
}

fn signature(request: &Received) -> String {
    request
        .header("authorization")
        .unwrap()
        .rsplit_once("Signature=")
        .unwrap()
        .1
        .to_owned()
}

/// The head of a request as it came.
fn head(request: &Received) -> String {
    let lines = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}", request.request_line, lines.collect::<String>())
}

/// The error of a call whose peer answers so, and the request received by the peer.
fn failure(
    answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static,
) -> (Error, Arc<Received>) {
    let peer = Peer::responding_with(move |request, _| answer(request));
    let credentials =
        Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).with_session_token(SESSION_TOKEN);
    let retry = RetryPolicy {
        resend: Resend::Never,
        ..RetryPolicy::default()
    };
    let client = Client::new(Config {
        credentials: credentials.into(),
        retry,
        ..peer.config()
    })
    .unwrap();
    let request = InvokeEndpoint {
        custom_attributes: Some(ATTRIBUTES),
        ..InvokeEndpoint::new("churn-model", b"1,2,3")
    };
    let error = client.invoke(&request).unwrap_err();
    (error, peer.requests()[0].clone())
}

/// Everything that the error shows or holds.
fn shown(error: &Error) -> String {
    let ServiceError {
        kind,
        code,
        message,
        request_id,
        location,
        body,
        ..
    } = service_error(error);
    let mut text = format!("{error}\n{error:?}\n{error:#?}\n");
    text.extend(
        [code, message, request_id, location]
            .into_iter()
            .flatten()
            .map(|it| format!("{it}\n")),
    );
    if let Kind::Model(model_error) = kind {
        let texts = [&model_error.original_message, &model_error.log_stream_arn];
        text.extend(texts.into_iter().flatten().map(|it| format!("{it}\n")));
    }
    text + body
}

fn assert_has_no_secret(error: &Error, request: &Received) {
    let text = shown(error);
    for secret in [SESSION_TOKEN, ATTRIBUTES, &signature(request)] {
        for form in FORMS {
            let inner = form(secret);
            // The last characters of Base64 depend on what follows.
            assert!(
                !text.contains(&inner[..inner.len() - 2]),
                "{inner} in {text}"
            );
        }
    }
}

const CODES: [(u16, &str); 10] = [
    (400, ""),
    (400, "IncompleteSignatureException"),
    (403, "InvalidSignatureException"),
    (403, "MissingAuthenticationToken"),
    (403, "AccessDeniedException"),
    (400, "TeapotException"),
    (424, "ModelError"),
    (429, ""),
    (500, "InternalFailure"),
    (502, ""),
];

#[test]
fn an_echo_of_the_head_shows_no_secret() {
    let shapes: [fn(&str) -> String; 7] = [
        |text| text.to_owned(),
        |text| format!("<html><body><pre>{text}</pre></body></html>"),
        |text| format!("<Error><Code>Bad</Code><Message>{text}</Message></Error>"),
        |text| format!(r#"{{"message":"{text}"}}"#),
        |text| format!(r#"{{"__type":"AccessDenied","Message":"{text}","request":["{text}"]}}"#),
        |text| format!(r#"{{"request":{{"raw":"{text}"}}}}"#),
        |text| {
            format!(r#"{{"Message":"{text}","OriginalMessage":"{text}","LogStreamArn":"{text}"}}"#)
        },
    ];
    for (status, code) in CODES {
        for shape in shapes {
            for form in FORMS {
                let answer = move |request: &Received| {
                    response(
                        status,
                        &[("x-amzn-errortype", code)],
                        shape(&form(&head(request))),
                    )
                };
                let (error, request) = failure(answer);
                assert_has_no_secret(&error, &request);
            }
        }
    }
}

/// Text wrapped into JSON twice by a proxy.
#[test]
fn an_echo_within_an_echo_shows_no_secret() {
    for form in FORMS {
        let (error, request) = failure(move |request| {
            let inner = format!(r#"{{"error":"{}"}}"#, form(&head(request)));
            response(502, &[], format!(r#"{{"upstream":"{}"}}"#, json(&inner)))
        });
        assert_has_no_secret(&error, &request);
    }
}

#[test]
fn a_secret_as_code_or_request_id_is_not_shown() {
    let secrets: [fn(&Received) -> String; 3] = [
        |_| SESSION_TOKEN.to_owned(),
        signature,
        |request| format!("Bad-{}-{SESSION_TOKEN}", signature(request)),
    ];
    for secret in secrets {
        let (error, request) = failure(move |request| {
            let headers = [
                ("x-amzn-errortype", &*secret(request)),
                ("x-amzn-requestid", &secret(request)),
            ];
            response(
                400,
                &headers,
                format!(r#"{{"code":"{}"}}"#, secret(request)),
            )
        });
        assert_has_no_secret(&error, &request);
        assert!(
            error.code().is_some() && error.request_id().is_some(),
            "{error:?}"
        );
        let (error, request) = failure(move |request| {
            response(400, &[], format!(r#"{{"code":"{}"}}"#, secret(request)))
        });
        assert_has_no_secret(&error, &request);
    }
}

#[test]
fn a_location_shows_no_secret() {
    let locations: [fn(&Received) -> String; 3] = [
        |_| {
            format!(
                "https://example.com/{}/{}",
                percent(SESSION_TOKEN),
                percent(ATTRIBUTES)
            )
        },
        |request| format!("https://example.com/{}", signature(request)),
        |request| format!("https://example.com/?{}", percent(&head(request))),
    ];
    for location in locations {
        let (error, request) =
            failure(move |request| response(307, &[("location", &location(request))], ""));
        assert_has_no_secret(&error, &request);
        assert!(
            error
                .to_string()
                .contains("redirected to https://example.com/"),
            "{error}"
        );
    }
}

#[test]
fn a_cut_within_a_secret_shows_no_part_of_it() {
    for before in (3_900..4_096).step_by(13) {
        let (error, request) = failure(move |request| {
            response(
                502,
                &[],
                "x".repeat(before) + &head(request) + &head(request),
            )
        });
        assert_has_no_secret(&error, &request);
        let shown = shown(&error);
        assert!(
            !shown.contains(&SESSION_TOKEN[..12]) && !shown.contains(&signature(&request)[..12]),
            "{shown}"
        );
    }
}

#[test]
fn a_short_value_is_not_shown_behind_its_header() {
    let peer = Peer::responding_with(|request, _| response(400, &[], head(request)));
    let request = InvokeEndpoint {
        custom_attributes: Some("abc"),
        ..InvokeEndpoint::new("churn-model", b"1,2,3")
    };
    let error = Client::new(peer.config())
        .unwrap()
        .invoke(&request)
        .unwrap_err();
    let body = &service_error(&error).body;
    assert!(
        body.contains("x-amzn-sagemaker-custom-attributes: ..\n"),
        "{body}"
    );
}

#[test]
fn the_answer_of_a_container_shows_no_custom_attributes() {
    let peer = Peer::responding_with(|request, _| response(500, &[], head(request)));
    let endpoint = Endpoint::Container(peer.url());
    let client = Client::new(Config {
        endpoint,
        proxy: Proxy::Off,
        ..Config::default()
    })
    .unwrap();
    let request = InvokeEndpoint {
        custom_attributes: Some(ATTRIBUTES),
        ..InvokeEndpoint::new("local", b"")
    };
    let error = client.invoke(&request).unwrap_err();
    let shown = shown(&error);
    assert!(
        !shown.contains(ATTRIBUTES) && shown.contains("custom-attributes: .."),
        "{shown}"
    );
}

#[test]
fn the_id_of_a_response_that_is_too_large_shows_no_secret() {
    for status in [200, 500] {
        let (error, _) = {
            let peer = Peer::responding_with(move |request, _| {
                let id = format!("id-{}", signature(request));
                response(status, &[("x-amzn-requestid", &id)], "more than three")
            });
            let client = Client::new(Config {
                max_response_bytes: 3,
                ..peer.config()
            })
            .unwrap();
            (
                client
                    .invoke(&InvokeEndpoint::new("churn-model", b""))
                    .unwrap_err(),
                peer,
            )
        };
        assert!(matches!(error, Error::ResponseTooLarge(_)), "{error:?}");
        assert_eq!(error.request_id(), Some("id-.."));
    }
}

/// What has nothing to do with the request stays as it is.
#[test]
fn the_rest_of_an_answer_is_kept() {
    let (error, _) = failure(|request| {
        let body = format!(
            r#"{{"Message":"the token {SESSION_TOKEN} of {ACCESS_KEY_ID} is 100% bad \\u0041"}}"#
        );
        assert!(request.header("x-amz-security-token").is_some());
        response(403, &[("x-amzn-errortype", "AccessDeniedException")], body)
    });
    let message = format!(r"the token .. of {ACCESS_KEY_ID} is 100% bad \u0041");
    assert_eq!(service_error(&error).message.as_deref(), Some(&*message));
}
