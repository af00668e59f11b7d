//! Presigned URLs compared with AWS's own signer for Rust, and with botocore, the signer of AWS's SDK for Python.
//!
//! The tests with botocore need a Python that has it, whose path is in the environment variable `MOTO_PYTHON`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use sagemaker_invoke::sigv4::{
    AmzDate, Payload, Presign, Request, Scope, SigningKey, percent_encoded,
};
use serde_json::{Value, json};

use super::support::ACCESS_KEY_ID;
use super::support::random::Random;

const REQUESTS: usize = 1_000;
const HOST: &str = "sagemaker.amazonaws.com";
/// The end of the year 9999.
const LAST_SECOND: usize = 253_402_300_799;

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const SERVICES: [&str; 3] = ["sagemaker", "sts", "execute-api"];
const REGIONS: [&str; 4] = ["us-east-1", "eu-central-1", "cn-north-1", "x"];
const SEGMENTS: [&str; 8] = ["", ".", "..", "a", "a-b_c.d~e", "%20", "x:y@z", "%C3%A9"];
const TEXT_PIECES: [&str; 10] = [
    "a",
    "B",
    "+",
    "%20",
    "%41",
    "%7e",
    "%C3%A9",
    "-._~",
    "!$'()*,;:@/?",
    "0",
];
const HEADERS: [&str; 4] = ["Content-Type", "x-amz-meta", "X-Custom", "accept"];

/// A request for two signers. Names of parameters and headers are unique, because botocore keeps one of each.
struct Sample {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    session_token: Option<String>,
    secret_access_key: String,
    region: &'static str,
    service: &'static str,
    seconds: u64,
    expires_in: Duration,
}

impl Sample {
    fn random(random: &mut Random) -> Self {
        let parameters: Vec<String> = (0..random.below(5))
            .map(|index| format!("p{index}{}", random.parameter()))
            .collect();
        let headers = HEADERS
            .into_iter()
            .filter(|_| random.below(3) == 0)
            .collect::<Vec<_>>();
        let headers = headers
            .into_iter()
            .map(|name| (name, random.text_of(&["a", " b", "  c", ";"], 5)));
        Self {
            headers: headers.collect(),
            method: random.of(&METHODS),
            path: (0..=random.below(4))
                .map(|_| format!("/{}", random.of(&SEGMENTS)))
                .collect(),
            query: parameters.join("&"),
            body: Vec::new(),
            session_token: (random.below(2) == 0).then(|| random.token()),
            secret_access_key: random.token(),
            region: random.of(&REGIONS),
            service: random.of(&SERVICES),
            seconds: u64::try_from(random.below(LAST_SECOND)).unwrap(),
            expires_in: Duration::from_secs(u64::try_from(random.below(604_800)).unwrap()),
        }
    }

    fn ours(&self) -> String {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let request = Request {
            query: &self.query,
            headers: &headers,
            payload: Payload::Bytes(&self.body),
            ..Request::new(self.method, &self.path)
        };
        let amz_date = AmzDate::from_unix_seconds(self.seconds).unwrap();
        let scope = Scope {
            amz_date,
            region: self.region,
            service: self.service,
        };
        let presign = Presign {
            host: HOST,
            access_key_id: ACCESS_KEY_ID,
            session_token: self.session_token.as_deref(),
            scope,
            expires_in: self.expires_in,
        };
        presign.url(
            &request,
            &SigningKey::derive(&self.secret_access_key, scope),
        )
    }

    fn url(&self) -> String {
        format!(
            "https://{HOST}{}{}{}",
            self.path,
            if self.query.is_empty() { "" } else { "?" },
            self.query
        )
    }

    /// The parameters added by aws-sigv4, signature included, in the order of their names.
    fn parameters_of_aws_sigv4(&self) -> Vec<String> {
        let token = self.session_token.clone();
        let identity = aws_credential_types::Credentials::new(
            ACCESS_KEY_ID,
            &self.secret_access_key,
            token,
            None,
            "test",
        )
        .into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(self.expires_in);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let headers = headers.chain([("host", HOST)]);
        let body = SignableBody::Bytes(&self.body);
        let request = SignableRequest::new(self.method, self.url(), headers, body).unwrap();
        let (_, added) = sign(request, &parameters)
            .unwrap()
            .into_parts()
            .0
            .into_parts();
        let mut added: Vec<_> = added
            .iter()
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        added.sort();
        added
    }

    fn to_json(&self) -> Value {
        json!({
            "method": self.method, "url": self.url(), "headers": self.headers, "key": self.secret_access_key,
            "token": self.session_token, "region": self.region, "service": self.service,
            "seconds": self.seconds, "expires": self.expires_in.as_secs(),
        })
    }
}

impl Random {
    /// The end of a name, and a value.
    fn parameter(&mut self) -> String {
        let end = self.text_of(&TEXT_PIECES, 3);
        match self.below(5) {
            0 => end,
            _ => format!("{end}={}", self.text_of(&TEXT_PIECES, 6)),
        }
    }
}

#[test]
fn random_urls_have_the_same_parameters_and_signature_as_those_of_aws_sigv4() {
    let mut random = Random(20_130_524);
    for number in 0..REQUESTS {
        let mut sample = Sample::random(&mut random);
        let body_bytes = [0, 1, 300][random.below(3)];
        sample.body = random.bytes(body_bytes);
        let url = sample.ours();
        let mut ours: Vec<&str> = url.split_once('?').unwrap().1.split('&').collect();
        ours.retain(|parameter| parameter.starts_with("X-Amz-"));
        ours.sort_unstable();
        assert_eq!(
            ours,
            sample.parameters_of_aws_sigv4(),
            "request {number}: {url}"
        );
    }
}

/// Reads requests as JSON and prints their presigned URLs.
const BOTOCORE: &str = r"
import datetime, json, sys
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

for sample in json.load(sys.stdin):
    now = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=sample['seconds'])
    botocore.auth.get_current_datetime = lambda: now
    headers = dict(sample['headers'], host='sagemaker.amazonaws.com')
    request = AWSRequest(method=sample['method'], url=sample['url'], headers=headers)
    credentials = Credentials('AKIDEXAMPLE', sample['key'], sample['token'])
    signer = botocore.auth.SigV4QueryAuth
    signer(credentials, sample['service'], sample['region'], expires=sample['expires']).add_auth(request)
    print(request.url)
";

fn urls_of_botocore(samples: &[Sample]) -> Vec<String> {
    let python =
        std::env::var("MOTO_PYTHON").expect("MOTO_PYTHON must be a Python that has botocore");
    let mut child = Command::new(python)
        .args(["-c", BOTOCORE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = Value::from_iter(samples.iter().map(Sample::to_json)).to_string();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
#[ignore = "needs botocore, run by .ci/run"]
fn random_urls_equal_those_of_botocore() {
    let mut random = Random(20_110_909);
    let mut samples: Vec<Sample> = (0..REQUESTS).map(|_| Sample::random(&mut random)).collect();
    // The SDKs differ in a path that ends in a dot segment: botocore drops its last slash, aws-sigv4 keeps it, as
    // RFC 3986 does.
    samples
        .iter_mut()
        .for_each(|sample| sample.path.push_str("/end"));
    let theirs = urls_of_botocore(&samples);
    assert_eq!(theirs.len(), REQUESTS);
    for (number, (sample, theirs)) in samples.iter().zip(theirs).enumerate() {
        assert_eq!(sample.ours(), theirs, "request {number}");
    }
}
