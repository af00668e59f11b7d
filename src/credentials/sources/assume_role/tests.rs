use std::sync::Mutex;
use std::time::Instant;

use super::*;
use crate::credentials::clocks::Clocks;
use crate::credentials::context::AwsHosts;
use crate::credentials::progress::Progress;
use crate::credentials::sender::SendHttp;
use crate::http::{Headers, Origin, TransportError};
use crate::retry::THROTTLING_BACKOFF_BASE;
use crate::testing::{FakeSystem, assert_shown_safely, fuzz};

/// An STS whose clock shows `date`: it accepts signatures for that second only.
#[derive(Debug, Default)]
struct Sts {
    /// The `x-amz-date` of each request.
    signed_for: Mutex<Vec<String>>,
}

const DATE: &str = "Tue, 14 Nov 2023 22:33:20 GMT";
const AMZ_DATE: &str = "20231114T223320Z";

impl SendHttp for Sts {
    fn send(
        &self,
        _: &Origin,
        request: &Request<'_>,
        _: &CallSettings,
        _: Option<Instant>,
    ) -> Result<HttpResponse, TransportError> {
        let (_, date) = request
            .headers
            .iter()
            .find(|(name, _)| *name == "x-amz-date")
            .unwrap();
        self.signed_for.lock().unwrap().push((*date).to_owned());
        let mut headers = Headers::default();
        headers.push("date", DATE.as_bytes());
        if *date != AMZ_DATE {
            let body = "<E><Error><Code>RequestExpired</Code></Error></E>";
            return Ok(HttpResponse::new(400, headers, body));
        }
        let body = "<R><R><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                    <SessionToken>t</SessionToken><Expiration>2023-11-14T23:33:20Z</Expiration></Credentials></R></R>";
        Ok(HttpResponse::new(200, headers, body))
    }
}

#[test]
fn a_corrected_clock_stays_corrected_in_the_next_search() {
    let (system, sts) = (FakeSystem::default().at(1_700_000_000), Sts::default());
    let hosts = AwsHosts {
        region: Some("eu-central-1".to_owned()),
        variant: None,
    };
    let clocks = Clocks::default();
    for _ in 0..2 {
        let progress = Progress::default();
        let context = Context::new(&system, &sts, &hosts, &progress, &clocks);
        let base = Credentials::new("AKIABASE", "secret");
        assume_role(&context, &Role::new("arn", None), Proof::Credentials(&base)).unwrap();
    }
    assert_eq!(
        *sts.signed_for.lock().unwrap(),
        ["20231114T221320Z", AMZ_DATE, AMZ_DATE]
    );
}

#[test]
fn a_throttled_request_is_sent_again_and_a_refused_one_is_not() {
    let backoff_base = |code: &str| {
        let body = format!("<E><Error><Code>{code}</Code></Error></E>");
        StsError::new(&HttpResponse::new(400, Headers::default(), body)).backoff_base()
    };
    for code in [
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    ] {
        assert_eq!(backoff_base(code), Some(THROTTLING_BACKOFF_BASE), "{code}");
    }
    assert_eq!(backoff_base("IDPCommunicationError"), Some(BACKOFF_BASE));
    for code in [
        "AccessDenied",
        "PackedPolicyTooLarge",
        "RegionDisabledException",
    ] {
        assert_eq!(backoff_base(code), None, "{code}");
    }
}

#[test]
fn fuzz_responses() {
    let samples = [
        "<R><R><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
         <SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></R></R>",
        "<E><Error><Code>AccessDenied</Code><Message>a&#10;b</Message></Error></E>",
        "<E><Error><Code>InvalidIdentityToken</Code><Message>Couldn't retrieve verification key</Message></Error></E>",
    ];
    fuzz(&samples, |body| {
        let response = HttpResponse::new(403, Headers::default(), body.to_vec());
        if let Err(error) = credentials_in(&response) {
            assert_shown_safely(&error.to_string());
        }
        let refusal = StsError::new(&response);
        let _ = (
            refusal.is_of_clock(),
            refusal.is_of_missing_key(),
            refusal.backoff_base(),
        );
        assert_shown_safely(&refusal.into_error(true).to_string());
    });
}
