//! A redirect is not followed; its error gives the address.

use httpmock::MockServer;
use sagemaker_invoke::Error;
use sagemaker_invoke::error::ServiceErrorKind as Kind;

use crate::{error_for, service_error};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

fn redirect(server: &MockServer, status: u16, location: &str) -> Error {
    error_for(server, status, &[("location", location)], "")
}

#[test]
fn the_error_of_a_redirect_gives_its_location() {
    let server = MockServer::start();
    for status in STATUSES {
        for (location, shown) in [
            (
                "https://example.com/endpoints/e",
                "https://example.com/endpoints/e",
            ),
            ("/elsewhere", "/elsewhere"),
            (
                "https://me:hidden@example.com/login?token=hidden#hidden",
                "https://..@example.com/login?..",
            ),
            (
                "https://example.com/\u{202e}\u{85}x",
                "https://example.com/  x",
            ),
        ] {
            let error = redirect(&server, status, location);
            let line =
                format!("unexpected answer (HTTP {status}, request id r-1); redirected to {shown}");
            assert_eq!(error.to_string(), line);
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
            assert_eq!(
                (&service_error(&error).kind, error.may_have_run()),
                (&Kind::Unknown, true)
            );
        }
    }
}

#[test]
fn the_location_stands_behind_the_message() {
    let server = MockServer::start();
    let headers = [
        ("location", "https://example.com/"),
        ("x-amzn-errortype", "PermanentRedirect"),
    ];
    let error = error_for(&server, 301, &headers, r#"{"message":"in plain words"}"#);
    let line = "PermanentRedirect (HTTP 301, request id r-1): in plain words; redirected to https://example.com/";
    assert_eq!(error.to_string(), line);
    assert_eq!(
        service_error(&error).location.as_deref(),
        Some("https://example.com/")
    );
}

#[test]
fn a_long_location_is_cut() {
    let server = MockServer::start();
    let error = redirect(
        &server,
        302,
        &format!("https://example.com/{}", "x".repeat(40_000)),
    );
    assert!(
        error.to_string().len() < 1_200 && format!("{error:?}").len() < 2_000,
        "{error}"
    );
}

#[test]
fn only_a_redirect_has_a_location() {
    let server = MockServer::start();
    for status in [400, 403, 500] {
        assert_eq!(
            service_error(&redirect(&server, status, "https://example.com/")).location,
            None
        );
    }
    assert_eq!(
        service_error(&error_for(&server, 302, &[], "")).location,
        None
    );
    assert_eq!(service_error(&redirect(&server, 302, "")).location, None);
}
