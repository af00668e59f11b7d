//! Text of a server that would rewrite a terminal's line or fill a log.

use httpmock::MockServer;
use sagemaker_invoke::{Client, Config, Endpoint, Error, InvokeEndpoint, Proxy};

use crate::{error_for, service_error};

/// Controls, line separators, marks of the writing direction and invisible formatting.
fn hidden_characters() -> impl Iterator<Item = char> {
    let ranges = [
        '\0'..='\u{1f}',
        '\u{7f}'..='\u{9f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
    ];
    let single = [
        '\u{61c}',
        '\u{200b}',
        '\u{200e}',
        '\u{200f}',
        '\u{feff}',
        '\u{fffa}',
        '\u{e0041}',
    ];
    ranges.into_iter().flatten().chain(single)
}

fn assert_is_one_bounded_line(error: &Error) {
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(
            !text.contains(|it| hidden_characters().any(|hidden| hidden == it)),
            "{text:?}"
        );
        assert!(text.len() < 12_000, "{}: {:.200}", text.len(), text);
    }
}

/// A JSON text with this content.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn hidden_characters_show_in_no_error() {
    let server = MockServer::start();
    let hidden: String = hidden_characters().collect();
    let text = json(&format!("a{hidden}b"));
    for body in [
        format!(r#"{{"code":{text},"message":{text}}}"#),
        format!(r#"{{"Message":{text},"OriginalMessage":{text},"LogStreamArn":{text}}}"#),
        format!("a{hidden}b"),
        format!("{{{text}:{text}}}"),
    ] {
        for (status, code) in [
            (400, ""),
            (400, "ValidationError"),
            (424, "ModelError"),
            (502, ""),
        ] {
            let error = error_for(&server, status, &[("x-amzn-errortype", code)], &body);
            assert_is_one_bounded_line(&error);
        }
    }
}

#[test]
fn hidden_characters_of_a_header_show_in_no_error() {
    let server = MockServer::start();
    for hidden in hidden_characters().filter(|it| !it.is_ascii()) {
        let value = format!("a{hidden}b");
        let mut mock = server.mock(|when, then| {
            when.path("/endpoints/churn-model/invocations");
            then.status(400)
                .header("x-amzn-errortype", &value)
                .header("x-amzn-requestid", &value);
        });
        let error = crate::client(&server)
            .invoke(&InvokeEndpoint::new("churn-model", b""))
            .unwrap_err();
        assert_is_one_bounded_line(&error);
        assert_eq!(
            (error.code(), error.request_id()),
            (None, None),
            "{hidden:?}"
        );
        mock.delete();
    }
}

#[test]
fn a_megabyte_fills_no_error() {
    let server = MockServer::start();
    let long = "\u{1f600}".repeat(100_000);
    let ascii = "x".repeat(400_000);
    for text in [&long, &ascii] {
        for body in [
            format!(r#"{{"code":"{text}","message":"{text}"}}"#),
            format!(r#"{{"Message":"m","OriginalMessage":"{text}","LogStreamArn":"{text}"}}"#),
            text.to_owned(),
        ] {
            for (status, code) in [
                (400, ""),
                (400, "ValidationError"),
                (424, "ModelError"),
                (502, ""),
            ] {
                let error = error_for(&server, status, &[("x-amzn-errortype", code)], &body);
                assert_is_one_bounded_line(&error);
                assert!(error.code().is_none_or(|code| code.len() <= 128), "{error}");
            }
        }
    }
}

#[test]
fn a_long_code_or_request_id_is_cut() {
    let server = MockServer::start();
    let long = "x".repeat(30_000);
    let mut mock = server.mock(|when, then| {
        when.path("/endpoints/churn-model/invocations");
        then.status(400)
            .header("x-amzn-errortype", &long)
            .header("x-amzn-requestid", &long);
    });
    let error = crate::client(&server)
        .invoke(&InvokeEndpoint::new("churn-model", b""))
        .unwrap_err();
    assert_eq!(
        (error.code(), error.request_id()),
        (long.get(..128), long.get(..128))
    );
    assert_is_one_bounded_line(&error);
    mock.delete();

    server.mock(|when, then| {
        when.path("/endpoints/churn-model/invocations");
        then.status(400)
            .header("x-amzn-requestid", &long)
            .body(&long);
    });
    let config = Config {
        max_response_bytes: 10,
        ..crate::support::config(&server.base_url())
    };
    let error = Client::new(config)
        .unwrap()
        .invoke(&InvokeEndpoint::new("churn-model", b""))
        .unwrap_err();
    assert!(matches!(error, Error::ResponseTooLarge(_)), "{error}");
    assert_eq!(error.request_id(), long.get(..128));
}

#[test]
fn a_code_that_is_not_one_word_is_no_code() {
    let server = MockServer::start();
    for code in [
        "Two Words",
        "Two\\nLines",
        "Zw\\u00f6lf",
        "\\u202eedoC",
        " ",
    ] {
        let error = error_for(
            &server,
            400,
            &[],
            &format!(r#"{{"code":"{code}","message":"m"}}"#),
        );
        assert_eq!(error.code(), None, "{code}");
        assert_eq!(
            service_error(&error).message.as_deref(),
            Some("m"),
            "{code}"
        );
    }
}

#[test]
fn the_answer_of_a_container_fills_no_error() {
    let server = MockServer::start();
    let hidden: String = hidden_characters().collect();
    server.mock(|when, then| {
        when.path("/invocations");
        then.status(500).body(hidden + &"x".repeat(1_000_000));
    });
    let endpoint = Endpoint::Container(server.base_url());
    let client = Client::new(Config {
        endpoint,
        proxy: Proxy::Off,
        ..Config::default()
    })
    .unwrap();
    assert_is_one_bounded_line(
        &client
            .invoke(&InvokeEndpoint::new("local", b""))
            .unwrap_err(),
    );
}
