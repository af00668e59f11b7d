//! Polls for a result: its two locations, its body, and refusals, redirects and the clock of Amazon S3.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use sagemaker_invoke::client::AsyncResultOptions;
use sagemaker_invoke::credentials::Provider;
use sagemaker_invoke::error::AsyncResultErrorKind;
use sagemaker_invoke::{
    AsyncResult, AsyncTicket, Client, Config, Credentials, Error, Proxy, RetryPolicy,
};

use super::support::{FakeSystem, Peer, SECRET_ACCESS_KEY, config, response, verify_for};
use super::{NO_SUCH_KEY, client, kind, missing, ticket};

const ACCESS_DENIED: &str =
    "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";

fn poll(peer: &Peer) -> Result<AsyncResult, Error> {
    client(peer).0.async_result(&ticket())
}

fn paths(peer: &Peer) -> Vec<String> {
    peer.requests()
        .iter()
        .map(|received| received.path().to_owned())
        .collect()
}

#[test]
fn the_failure_location_is_polled_first() {
    let both = Peer::responding_with(|received, _| {
        let is_failure = received.path().contains("failures");
        if is_failure {
            response(200, &[], "it failed")
        } else {
            response(200, &[], "result")
        }
    });
    assert_eq!(
        poll(&both).unwrap(),
        AsyncResult::Failed("it failed".to_owned())
    );
    assert_eq!(paths(&both), ["/bucket/failures/1.out"]);
}

#[test]
fn a_result_comes_with_its_type_and_every_request_is_signed() {
    let peer = Peer::responding_with(|_, number| match number {
        0 => missing(),
        _ => response(200, &[("content-type", "text/csv")], "1,2"),
    });
    let expected = AsyncResult::Ready {
        body: b"1,2".to_vec(),
        content_type: Some("text/csv".to_owned()),
    };
    assert_eq!(poll(&peer).unwrap(), expected);
    assert_eq!(
        paths(&peer),
        ["/bucket/failures/1.out", "/bucket/results/1.out"]
    );
    for received in peer.requests() {
        verify_for("s3", &received, SECRET_ACCESS_KEY, "us-east-1").unwrap();
        assert!(
            received.request_line.starts_with("GET ")
                && received.header("x-amz-content-sha256").is_some()
        );
    }
}

#[test]
fn keys_are_encoded_once() {
    let peer = Peer::responding_with(|_, _| missing());
    let ticket = AsyncTicket::new("s3://bucket/a b//../ü+.out");
    assert_eq!(
        client(&peer).0.async_result(&ticket).unwrap(),
        AsyncResult::NotYet
    );
    assert_eq!(paths(&peer), ["/bucket/a%20b//../%C3%BC%2B.out"]);
}

#[test]
fn access_denied_names_the_permissions_or_is_not_yet() {
    let peer =
        Peer::responding_with(|_, _| response(403, &[("x-amz-request-id", "r-1")], ACCESS_DENIED));
    let error = poll(&peer).unwrap_err();
    assert_eq!(
        (kind(&error), error.status()),
        (AsyncResultErrorKind::AccessDenied, Some(403))
    );
    let text = error.to_string();
    for part in [
        "s3:ListBucket",
        "s3:GetObject",
        "kms:Decrypt",
        "AccessDenied",
        "r-1",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let (client, _) = client(&peer);
    let error = client
        .wait_for_async_result(&ticket(), Duration::from_secs(9))
        .unwrap_err();
    assert_eq!(kind(&error), AsyncResultErrorKind::AccessDenied);

    let tolerant = AsyncResultOptions {
        access_denied_is_not_yet: true,
    };
    assert_eq!(
        client.async_result_with(&ticket(), &tolerant).unwrap(),
        AsyncResult::NotYet
    );
    let wait = client.wait_for_async_result_with(&ticket(), Duration::from_secs(9), &tolerant);
    assert!(matches!(
        kind(&wait.unwrap_err()),
        AsyncResultErrorKind::NotReady(_)
    ));
}

#[test]
fn wrong_credentials_are_never_not_yet() {
    for (status, code) in [
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidAccessKeyId"),
        (404, "NoSuchBucket"),
    ] {
        let body = format!("<Error><Code>{code}</Code></Error>");
        let peer = Peer::responding_with(move |_, _| response(status, &[], &body));
        let tolerant = AsyncResultOptions {
            access_denied_is_not_yet: true,
        };
        let wait = client(&peer).0.wait_for_async_result_with(
            &ticket(),
            Duration::from_secs(9),
            &tolerant,
        );
        let error = wait.unwrap_err();
        assert_eq!(kind(&error), AsyncResultErrorKind::Refused);
        assert!(error.to_string().contains(code), "{error}");
        assert_eq!(peer.requests().len(), 1);
    }
}

#[test]
fn the_region_of_the_bucket_is_found_and_remembered() {
    let in_header = || response(301, &[("x-amz-bucket-region", "eu-west-1")], "");
    let in_body = || {
        let body =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        response(400, &[], body)
    };
    for redirect in [in_header, in_body] {
        let peer = Peer::responding_with(
            move |_, number| if number == 0 { redirect() } else { missing() },
        );
        let (client, _) = client(&peer);
        for _ in 0..2 {
            assert_eq!(client.async_result(&ticket()).unwrap(), AsyncResult::NotYet);
        }
        let requests = peer.requests();
        assert_eq!(requests.len(), 5);
        for (number, received) in requests.iter().enumerate() {
            let region = if number == 0 {
                "us-east-1"
            } else {
                "eu-west-1"
            };
            verify_for("s3", received, SECRET_ACCESS_KEY, region).unwrap();
        }
    }
}

#[test]
fn one_redirect_is_followed_at_most() {
    let regions = Peer::responding_with(|_, number| {
        response(307, &[("x-amz-bucket-region", &format!("r-{number}"))], "")
    });
    assert_eq!(
        kind(&poll(&regions).unwrap_err()),
        AsyncResultErrorKind::Refused
    );
    assert_eq!(regions.requests().len(), 2);
    let elsewhere = [
        ("location", "http://127.0.0.1:1/"),
        ("x-amz-bucket-region", "evil.com/"),
    ];
    let invalid = Peer::responding_with(move |_, _| response(307, &elsewhere, ""));
    assert_eq!(
        kind(&poll(&invalid).unwrap_err()),
        AsyncResultErrorKind::Refused
    );
    assert_eq!(invalid.requests().len(), 1);
}

/// A process that only collects results learns the time from Amazon S3.
#[test]
fn a_wrong_clock_is_corrected_by_the_date_of_s3() {
    let date = ("date", "Tue, 14 Nov 2023 22:13:20 GMT");
    for (correct_clock, expected) in [(true, 5), (false, 1)] {
        let peer = Peer::responding_with(move |received, _| {
            let is_right = received.header("x-amz-date") == Some("20231114T221320Z");
            match (is_right, received.path().contains("failures")) {
                (false, _) => response(
                    403,
                    &[date],
                    "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                ),
                (true, true) => response(404, &[date], NO_SUCH_KEY),
                (true, false) => response(200, &[date], "done"),
            }
        });
        let system = FakeSystem::on_loopback(&[]).at(1_700_000_000 - 3600);
        let retry = RetryPolicy {
            correct_clock,
            ..RetryPolicy::default()
        };
        let config = Config {
            s3_endpoint_url: Some(peer.url()),
            system: Arc::new(system),
            retry,
            ..peer.config()
        };
        let client = Client::new(config).unwrap();
        assert_eq!(client.async_result(&ticket()).is_ok(), correct_clock);
        if correct_clock {
            // Signed right from the start.
            client.async_result(&ticket()).unwrap();
        }
        assert_eq!(peer.requests().len(), expected);
    }
}

#[test]
fn a_truncated_object_is_an_error() {
    let truncated = |path: &str| match path.contains("failures") {
        true => missing(),
        false => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec(),
    };
    let peer = Peer::new(move |mut connection| {
        while let Some(received) = connection.request() {
            connection.send(truncated(received.path()));
            if !received.path().contains("failures") {
                return connection.close();
            }
        }
    });
    assert_eq!(
        kind(&poll(&peer).unwrap_err()),
        AsyncResultErrorKind::Connection
    );
    let AsyncResult::Ready { mut body, .. } =
        client(&peer).0.async_result_reader(&ticket()).unwrap()
    else {
        unreachable!("there is an object")
    };
    assert!(body.read_to_end(&mut Vec::new()).is_err());
}

#[test]
fn a_large_result_is_read_in_pieces() {
    let peer = Peer::responding_with(|_, number| {
        if number % 2 == 0 {
            missing()
        } else {
            response(200, &[], vec![b'x'; 100_000])
        }
    });
    let config = Config {
        max_response_bytes: 1_000,
        s3_endpoint_url: Some(peer.url()),
        ..peer.config()
    };
    let client = Client::new(config).unwrap();
    assert!(matches!(
        client.async_result(&ticket()),
        Err(Error::ResponseTooLarge(_))
    ));
    let AsyncResult::Ready { mut body, .. } = client.async_result_reader(&ticket()).unwrap() else {
        unreachable!("there is an object")
    };
    let mut content = Vec::new();
    body.read_to_end(&mut content).unwrap();
    assert_eq!(content.len(), 100_000);
}

/// The parent reads from the same socket.
#[test]
fn a_result_that_is_open_at_a_fork_is_not_read_by_the_child() {
    let peer = Peer::responding_with(|_, number| {
        if number % 2 == 0 {
            missing()
        } else {
            response(200, &[], "answer")
        }
    });
    let (client, system) = client(&peer);
    let AsyncResult::Ready { mut body, .. } = client.async_result_reader(&ticket()).unwrap() else {
        unreachable!("there is an object")
    };
    system.become_another_process();
    assert!(
        body.read(&mut [0; 8])
            .unwrap_err()
            .to_string()
            .contains("was lost")
    );
}

#[test]
fn other_locations_are_refused_before_sending() {
    let peer = Peer::responding_with(|_, _| missing());
    let (client, _) = client(&peer);
    for location in [
        "",
        "https://bucket/key",
        "s3://bucket",
        "s3://evil.com:80/key",
    ] {
        let output = client
            .async_result(&AsyncTicket::new(location))
            .unwrap_err();
        assert!(
            output
                .to_string()
                .starts_with("OutputLocation must be s3://"),
            "{output}"
        );
        let failure_location = Some(location.to_owned());
        let error = client
            .async_result(&AsyncTicket {
                failure_location,
                ..ticket()
            })
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("FailureLocation must be s3://"),
            "{error}"
        );
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn debug_hides_the_body() {
    let peer = Peer::responding_with(|_, number| {
        if number % 2 == 0 {
            missing()
        } else {
            response(200, &[], "hidden")
        }
    });
    let (client, _) = client(&peer);
    let (whole, reader) = (
        client.async_result(&ticket()).unwrap(),
        client.async_result_reader(&ticket()).unwrap(),
    );
    let text = format!("{whole:?} {reader:?}");
    assert!(
        !text.contains("hidden") && text.contains("body: 6 bytes"),
        "{text}"
    );
}

const TICKET: &str = "s3://bucket/results/1.out";

fn wait(config: Config, timeout: Duration) -> Result<AsyncResult, Error> {
    let client = Client::new(config)?;
    client.wait_for_async_result(&AsyncTicket::new(TICKET), timeout)
}

#[test]
fn a_permanent_error_ends_a_wait_at_once() {
    let proxy = Peer::responding(response(407, &[("proxy-authenticate", "Basic")], ""));
    let url = format!("http://me:wrong@{}", proxy.address);
    let base = config("http://127.0.0.1:1");
    let config = Config {
        proxy: Proxy::Url(url),
        s3_endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        ..base
    };
    let error = wait(config, Duration::from_secs(60)).unwrap_err();
    assert!(matches!(error, Error::AsyncResult(_)), "{error:?}");
    assert_eq!(proxy.requests().len(), 1, "{error}");
    assert!(!format!("{error} {error:?}").contains("wrong"), "{error:?}");
}

#[test]
fn a_404_of_another_server_is_an_error_that_shows_the_response() {
    for (headers, body) in [
        (
            &[("content-type", "text/html")][..],
            "<html>no such page</html>",
        ),
        (
            &[("content-type", "application/json")],
            r#"{"message":"no such page"}"#,
        ),
        (
            &[],
            "<Error><Code>NoSuchAccessPoint</Code><Message>no such page</Message></Error>",
        ),
    ] {
        let peer = Peer::responding(response(404, headers, body));
        let error = poll(&peer).unwrap_err();
        assert_eq!(error.status(), Some(404), "{error:?}");
        assert!(error.to_string().contains("no such page"), "{error}");
    }
    let bare = Peer::responding(response(404, &[("x-amz-request-id", "1")], ""));
    assert!(matches!(poll(&bare), Ok(AsyncResult::NotYet)));
    let anonymous = Peer::responding(response(404, &[], ""));
    assert!(poll(&anonymous).is_err());
}

#[test]
fn expired_credentials_are_renewed_during_a_wait() {
    let peer = Peer::responding_with(|request, _| {
        if request.header("authorization").unwrap().contains("id0/") {
            let body = "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>";
            return response(400, &[], body);
        }
        response(200, &[], "done")
    });
    let searches = std::sync::atomic::AtomicU32::new(0);
    let provider = Provider::custom(move || {
        let number = searches.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let credentials = Credentials::new(format!("id{number}"), "secret");
        let expires_at = std::time::SystemTime::now() + Duration::from_secs(3600);
        Ok(Some(
            credentials
                .with_session_token("token")
                .with_expiry(expires_at),
        ))
    });
    let config = Config {
        credentials: provider,
        s3_endpoint_url: Some(peer.url()),
        ..peer.config()
    };
    let found = wait(config, Duration::from_secs(10)).unwrap();
    assert!(
        matches!(&found, AsyncResult::Ready { body, .. } if body == b"done"),
        "{found:?}"
    );
    assert_eq!(peer.requests().len(), 2);
}

#[test]
fn s3_cannot_show_the_secrets_of_the_request() {
    let peer = Peer::responding_with(|request, _| {
        let headers = request.headers.iter();
        let echo: String = headers
            .map(|(name, value)| format!("{name}: {value} "))
            .collect();
        let echo = echo.replace('+', "&#43;");
        let body = format!("<Error><Code>Denied</Code><Message>{echo}</Message></Error>");
        response(400, &[("x-amz-request-id", &"r".repeat(500))], body)
    });
    let config = Config {
        credentials: Credentials::new("AKIDEXAMPLE", "secret")
            .with_session_token("topsecret+session/token==")
            .into(),
        s3_endpoint_url: Some(peer.url()),
        ..peer.config()
    };
    let error = Client::new(config)
        .unwrap()
        .async_result(&AsyncTicket::new(TICKET))
        .unwrap_err();
    let requests = peer.requests();
    let signature = requests[0]
        .header("authorization")
        .unwrap()
        .rsplit_once('=')
        .unwrap()
        .1
        .to_owned();
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("Denied") && shown.contains("AKIDEXAMPLE"),
        "{shown}"
    );
    assert!(
        !shown.contains("topsecret") && !shown.contains(&signature),
        "{shown}"
    );
    assert!(shown.len() < 8_000, "{shown}");
}
