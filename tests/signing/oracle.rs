//! The signer compared with AWS's own signer for Rust, and single steps with naive implementations.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{PercentEncodingMode, SigningSettings, UriPathNormalizationMode};
use sagemaker_invoke::sigv4::{
    AmzDate, Authorization, CanonicalRequest, PathStyle, Payload, Request, Scope, SigningKey,
    StringToSign, percent_encode,
};
use sagemaker_invoke::system::System;
use sagemaker_invoke::{Client, Config, Credentials, InvokeEndpoint, SignedRequest};

use super::support::random::Random;
use super::support::{
    ACCESS_KEY_ID, FakeSystem, Oracle, REGION, SECRET_ACCESS_KEY, aws_signature, aws_signature_with,
};

const REQUESTS: usize = 4_000;
/// The end of the year 9999.
const LAST_SECOND: usize = 253_402_300_799;
const HOST: &str = "runtime.sagemaker.us-east-1.amazonaws.com";

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
const REGIONS: [&str; 6] = [
    "us-east-1",
    "eu-central-1",
    "cn-north-1",
    "us-gov-west-1",
    "mx-central-1",
    "x",
];
const SERVICES: [&str; 4] = ["sagemaker", "sts", "execute-api", "lambda"];
/// Few, so that names repeat in several letter cases. One is a prefix of another.
const NAMES: [&str; 10] = [
    "Accept",
    "accept",
    "Content-Type",
    "X-Amzn-SageMaker-Target-Model",
    "x-amzn-sagemaker-target-model",
    "x-amzn-sagemaker-target",
    "X-AMZ-META",
    "x-amz-meta",
    "x_underscore",
    "zz-1.2~3",
];
const VALUE_PIECES: [&str; 12] = [
    " ",
    "  ",
    "   ",
    "\t",
    "a",
    "word",
    "A,B",
    "\"quoted  text\"",
    ";x=1",
    "/+=%",
    "~!",
    "0",
];
const SEGMENTS: [&str; 12] = [
    "",
    ".",
    "..",
    "a",
    "endpoints",
    "a-b_c.d~e",
    "%20",
    "%2F",
    "%c3%a9",
    "a%25b",
    "x:y@z",
    "!$&'()*+,;=",
];
/// All escapes decode to UTF-8: AWS's signer replaces other bytes, this one keeps them.
const QUERY_PIECES: [&str; 16] = [
    "a",
    "b",
    "B",
    "a1",
    "=",
    "=",
    "&",
    "&",
    "+",
    "%20",
    "%41",
    "%7e",
    "%C3%A9",
    "-._~",
    "!$'()*,;:@/?",
    "%z",
];

/// A request for both signers.
struct Sample {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    secret_access_key: String,
    region: &'static str,
    service: &'static str,
    seconds: u64,
    path_style: PathStyle,
}

impl Sample {
    fn random(random: &mut Random) -> Self {
        let mut headers: Vec<(String, String)> = (0..random.below(8))
            .map(|_| {
                (
                    random.of(&NAMES).to_owned(),
                    random.text_of(&VALUE_PIECES, 8),
                )
            })
            .collect();
        headers.push(("host".to_owned(), HOST.to_owned()));
        if random.below(3) == 0 {
            headers.push(("X-Amz-Security-Token".to_owned(), random.token()));
        }
        let seconds = u64::try_from(random.below(LAST_SECOND)).unwrap();
        headers.push(("X-Amz-Date".to_owned(), amz_date(seconds).to_string()));
        random.shuffle(&mut headers);
        let body_bytes = [0, 1, 63, 64, 65, 300, 5_000][random.below(7)];
        Self {
            method: random.of(&METHODS),
            path: (0..=random.below(5))
                .map(|_| format!("/{}", random.of(&SEGMENTS)))
                .collect(),
            query: random.text_of(&QUERY_PIECES, 10),
            headers,
            body: random.bytes(body_bytes),
            secret_access_key: random.token(),
            region: random.of(&REGIONS),
            service: random.of(&SERVICES),
            seconds,
            path_style: PathStyle {
                encode_again: random.below(4) != 0,
                normalize: random.below(4) != 0,
            },
        }
    }

    fn ours(&self) -> String {
        let headers = borrowed(&self.headers);
        let request = Request {
            query: &self.query,
            headers: &headers,
            payload: Payload::Bytes(&self.body),
            path_style: self.path_style,
            ..Request::new(self.method, &self.path)
        };
        let scope = Scope {
            amz_date: amz_date(self.seconds),
            region: self.region,
            service: self.service,
        };
        let canonical_request = CanonicalRequest::new(&request);
        let key = SigningKey::derive(&self.secret_access_key, scope);
        key.sign(&StringToSign::new(&canonical_request, scope))
            .to_string()
    }

    fn theirs(&self) -> String {
        let query = if self.query.is_empty() {
            String::new()
        } else {
            format!("?{}", self.query)
        };
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = if self.path_style.encode_again {
            PercentEncodingMode::Double
        } else {
            PercentEncodingMode::Single
        };
        settings.uri_path_normalization_mode = if self.path_style.normalize {
            UriPathNormalizationMode::Enabled
        } else {
            UriPathNormalizationMode::Disabled
        };
        let oracle = Oracle {
            method: self.method,
            url: &format!("https://{HOST}{}{query}", self.path),
            headers: &borrowed(&self.headers),
            body: &self.body,
            access_key_id: ACCESS_KEY_ID,
            secret_access_key: &self.secret_access_key,
            region: self.region,
            service: self.service,
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds),
        };
        aws_signature_with(&oracle, settings)
    }
}

#[test]
fn random_requests_get_the_same_signature_from_aws_sigv4() {
    let mut random = Random(20_150_830);
    for number in 0..REQUESTS {
        let sample = Sample::random(&mut random);
        assert_eq!(
            sample.ours(),
            sample.theirs(),
            "request {number}: {} {}?{} {:?}",
            sample.method,
            sample.path,
            sample.query,
            sample.headers
        );
    }
}

/// Signs with `Client::sign`: random members, tokens and times.
#[test]
fn requests_of_the_client_get_the_same_signature_from_aws_sigv4() {
    let mut random = Random(7);
    for _ in 0..500 {
        let seconds = u64::try_from(random.below(LAST_SECOND)).unwrap();
        let members: Vec<String> = (0..11).map(|_| random.member()).collect();
        let is_set: Vec<bool> = (0..11).map(|_| random.below(4) != 0).collect();
        check_client(&mut random, seconds, &members, &is_set);
    }
    let members: Vec<String> = (0..11).map(|_| random.member()).collect();
    assert_eq!(
        check_client(&mut random, 1_440_938_160, &members, &[true; 11]),
        11
    );
}

/// The headers of the client outside its signature.
const UNSIGNED: [&str; 4] = [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "user-agent",
    "authorization",
];

/// Compares the `Authorization` of the client. Returns the number of signed headers that are members.
fn check_client(random: &mut Random, seconds: u64, members: &[String], is_set: &[bool]) -> usize {
    let body_bytes = random.below(300);
    let body = random.bytes(body_bytes);
    let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    let has_token = random.below(2) == 0;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let client = Client::new(Config {
        region: Some(REGION.to_owned()),
        credentials: if has_token {
            credentials.with_session_token(random.token())
        } else {
            credentials
        }
        .into(),
        system: Arc::new(system_at(time)),
        ..Config::default()
    })
    .unwrap();
    let request = request_with(members, is_set, &body);
    let signed = client.sign(&request).unwrap();
    let headers = borrowed(&signed.headers);
    let (unsigned, mut to_sign): (Vec<_>, Vec<_>) = headers
        .into_iter()
        .partition(|(name, _)| UNSIGNED.contains(name));
    assert_eq!(unsigned.len(), UNSIGNED.len(), "{unsigned:?}");
    to_sign.sort_unstable();
    assert_eq!(
        signed.header("authorization").unwrap(),
        expected_authorization(&signed, &to_sign, seconds)
    );
    assert_eq!(
        to_sign
            .iter()
            .any(|(name, _)| *name == "x-amz-security-token"),
        has_token
    );
    to_sign.len() - 2 - usize::from(has_token)
}

fn request_with<'a>(members: &'a [String], is_set: &[bool], body: &'a [u8]) -> InvokeEndpoint<'a> {
    let member = |index: usize| is_set[index].then_some(members[index].as_str());
    InvokeEndpoint {
        content_type: member(0),
        accept: member(1),
        custom_attributes: member(2),
        target_model: member(3),
        target_variant: member(4),
        target_container_hostname: member(5),
        inference_id: member(6),
        enable_explanations: member(7),
        inference_component_name: member(8),
        session_id: member(9),
        prefix_aware_id: member(10),
        ..InvokeEndpoint::new("churn-model", body)
    }
}

fn expected_authorization(
    signed: &SignedRequest<'_>,
    to_sign: &[(&str, &str)],
    seconds: u64,
) -> String {
    let signature = aws_signature(&Oracle {
        method: signed.method,
        url: &signed.url,
        headers: to_sign,
        body: signed.body,
        access_key_id: ACCESS_KEY_ID,
        secret_access_key: SECRET_ACCESS_KEY,
        region: REGION,
        service: "sagemaker",
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
    });
    let names: Vec<&str> = to_sign.iter().map(|header| header.0).collect();
    format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{}/{REGION}/sagemaker/aws4_request, SignedHeaders={}, Signature={signature}",
        amz_date(seconds).day(),
        names.join(";"),
    )
}

#[test]
fn the_order_of_headers_does_not_matter() {
    let mut random = Random(3);
    for _ in 0..500 {
        let mut sample = Sample::random(&mut random);
        // The order of values of the same name matters, so keep one of each.
        sample.headers.sort_by_key(|header| header.0.to_lowercase());
        sample
            .headers
            .dedup_by_key(|header| header.0.to_lowercase());
        let signature = sample.ours();
        random.shuffle(&mut sample.headers);
        assert_eq!(sample.ours(), signature, "{:?}", sample.headers);
    }
}

#[test]
fn percent_encoding_equals_a_naive_implementation() {
    let mut random = Random(4);
    for _ in 0..2_000 {
        let text = random.any_text(40);
        let mut encoded = String::new();
        percent_encode(&text, &mut encoded).unwrap();
        let naive: String = text
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        assert_eq!(encoded, naive, "{text:?}");
    }
}

#[test]
fn trimming_equals_a_naive_implementation() {
    let mut random = Random(5);
    for _ in 0..2_000 {
        let value = random.text_of(&VALUE_PIECES, 12);
        let mut naive = value.clone();
        while naive.contains("  ") {
            naive = naive.replace("  ", " ");
        }
        let naive = naive.trim_matches(' ');
        let headers = [("name", value.as_str())];
        let request = Request {
            headers: &headers,
            ..Request::new("GET", "/")
        };
        let canonical = CanonicalRequest::new(&request).to_string();
        assert!(
            canonical.starts_with(&format!("GET\n/\n\nname:{naive}\n\nname\n")),
            "{value:?}: {canonical:?}"
        );
    }
}

#[test]
fn any_text_can_be_signed() {
    let mut random = Random(6);
    for _ in 0..2_000 {
        let texts: Vec<String> = (0..10).map(|_| random.any_text(30)).collect();
        let headers = [
            (texts[0].as_str(), texts[1].as_str()),
            (&texts[2], &texts[3]),
            (&texts[4], &texts[5]),
        ];
        let request = Request {
            query: &texts[6],
            headers: &headers,
            payload: Payload::Literal(&texts[7]),
            path_style: PathStyle {
                encode_again: random.below(2) == 0,
                normalize: random.below(2) == 0,
            },
            ..Request::new("GET", &texts[8])
        };
        let seconds = u64::try_from(random.below(LAST_SECOND)).unwrap();
        let scope = Scope {
            amz_date: amz_date(seconds),
            region: &texts[9],
            service: &texts[0],
        };
        let canonical_request = CanonicalRequest::new(&request);
        let string_to_sign = StringToSign::new(&canonical_request, scope);
        let signature = SigningKey::derive(&texts[1], scope).sign(&string_to_sign);
        let authorization = Authorization {
            access_key_id: &texts[2],
            scope,
            canonical_request: &canonical_request,
            signature,
        };
        assert!(authorization.to_string().ends_with(signature.as_str()));
        assert_eq!(signature.as_str().len(), 64);
    }
}

/// A system with a clock stopped at this time.
fn system_at(time: SystemTime) -> FakeSystem {
    let system = FakeSystem::on_loopback(&[]).with_stopped_clock();
    let now = system.now();
    let system = system.with_clock_behind(now.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    system.sleep(time.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    system
}

fn amz_date(seconds: u64) -> AmzDate {
    AmzDate::from_unix_seconds(seconds).unwrap()
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
