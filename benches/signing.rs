//! Benchmark of the signer: with a cached key and with a new one, compared with AWS's signer and with the hashing that
//! every signer needs. Prints a table of ratios from interleaved rounds at the end.
//!
//! `cargo bench --bench signing` runs everything. With `--repeat warm|cold|aws|floor TIMES`, the executable only signs
//! the 100-byte case TIMES times, for a profiler or an instruction counter.
#![expect(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints its results"
)]

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use hmac::{Hmac, KeyInit, Mac};
use sagemaker_invoke::sigv4::{
    AmzDate, Authorization, CanonicalRequest, Payload, Request, Scope, Signature, SigningKey,
    StringToSign,
};
use sha2::{Digest, Sha256};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "us-east-1";
const SERVICE: &str = "sagemaker";
const HOST: &str = "runtime.sagemaker.us-east-1.amazonaws.com";
const PATH: &str = "/endpoints/churn-model/invocations";

/// Lengths of the canonical request and the string to sign of the usual case, which the floor hashes.
const CANONICAL_REQUEST_BYTES: usize = 450;
const STRING_TO_SIGN_BYTES: usize = 140;

/// The headers of a usual call without the date, sorted, as the client passes them.
const USUAL_HEADERS: [(&str, &str); 5] = [
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("host", HOST),
    (
        "x-amzn-sagemaker-custom-attributes",
        "trace-id=4bf92f3577b34da6a3ce929d0e0e4736",
    ),
    ("x-amzn-sagemaker-target-variant", "v1"),
];

/// 20 headers with the date: unsorted, in mixed letter case, with repeated names and extra spaces.
const MANY_HEADERS: [(&str, &str); 19] = [
    ("X-Custom-Zeta", "  last   but  not   least "),
    ("Host", HOST),
    ("Content-Type", "application/json; charset=utf-8"),
    ("Accept", "application/json"),
    ("Accept", "text/csv"),
    ("X-Custom-Alpha", "one"),
    ("X-Custom-Alpha", "  two"),
    ("x-custom-alpha", "three  "),
    (
        "X-Amzn-SageMaker-Target-Model",
        "models/churn-2026-11.tar.gz",
    ),
    ("X-Amzn-SageMaker-Target-Variant", "blue"),
    (
        "X-Amzn-SageMaker-Inference-Id",
        "0123456789abcdef0123456789abcdef",
    ),
    (
        "X-Amzn-SageMaker-Custom-Attributes",
        "trace-id=4bf92f3577b34da6a3ce929d0e0e4736",
    ),
    ("X-Amzn-SageMaker-Session-Id", "session-1"),
    ("X-Amzn-SageMaker-Enable-Explanations", "`true`"),
    ("Cache-Control", "no-cache"),
    ("Accept-Language", "en,  de;q=0.5"),
    ("X-Custom-Beta", "a b  c   d    e"),
    ("X-Custom-Gamma", ""),
    ("If-Match", "\"etag\""),
];
const MANY_QUERY: &str = "version=3&tag=b&tag=a&name=A%20B&empty=&flag";

/// One iteration of a contender.
type Contender<'a> = Box<dyn FnMut() + 'a>;

const CONTENDERS: usize = 5;

/// A request to sign.
struct Case {
    name: &'static str,
    query: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// The position of the date in the headers.
    date_at: usize,
    body: Vec<u8>,
    now: SystemTime,
    amz_date: AmzDate,
}

impl Case {
    fn all() -> Vec<Self> {
        vec![
            Self::usual("0 B", 0),
            Self::usual("100 B", 100),
            Self::usual("1 KiB", 1024),
            Self::usual("64 KiB", 64 * 1024),
            Self::usual("1 MiB", 1024 * 1024),
            Self::usual("6 MiB", 6 * 1024 * 1024),
            Self::new("100 B, many headers", MANY_QUERY, &MANY_HEADERS, 19, 100),
        ]
    }

    fn usual(name: &'static str, body_bytes: usize) -> Self {
        Self::new(name, "", &USUAL_HEADERS, 3, body_bytes)
    }

    fn new(
        name: &'static str,
        query: &'static str,
        headers: &'static [(&'static str, &'static str)],
        date_at: usize,
        body_bytes: usize,
    ) -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let amz_date = AmzDate::from_system_time(now).unwrap();
        Self {
            name,
            query,
            headers,
            date_at,
            body: vec![b'x'; body_bytes],
            now,
            amz_date,
        }
    }

    /// This crate with a cached key and with a new one, AWS's signer, the floor, and the hash of the body alone.
    fn contenders(&self) -> [(&'static str, Contender<'_>); CONTENDERS] {
        [
            ("warm", Box::new(self.warm())),
            ("cold", Box::new(self.cold())),
            ("aws-sigv4", Box::new(self.aws())),
            ("floor", Box::new(self.floor())),
            ("body only", Box::new(self.body_only())),
        ]
    }

    fn signed_headers(&self) -> Vec<(&str, &str)> {
        let mut headers = self.headers.to_vec();
        headers.insert(self.date_at, ("x-amz-date", self.amz_date.as_str()));
        headers
    }

    fn warm(&self) -> impl FnMut() + '_ {
        let key = SigningKey::derive(SECRET_ACCESS_KEY, scope_at(self.now));
        let headers = self.signed_headers();
        let mut authorization = String::new();
        move || {
            self.sign(&headers, &mut authorization, |_, string_to_sign| {
                key.sign(string_to_sign)
            });
        }
    }

    fn cold(&self) -> impl FnMut() + '_ {
        let headers = self.signed_headers();
        let mut authorization = String::new();
        move || {
            self.sign(&headers, &mut authorization, |scope, string_to_sign| {
                SigningKey::derive(black_box(SECRET_ACCESS_KEY), scope).sign(string_to_sign)
            });
        }
    }

    /// Signs from the system's time to the value of the `Authorization` header.
    fn sign(
        &self,
        headers: &[(&str, &str)],
        authorization: &mut String,
        sign: impl Fn(Scope<'_>, &StringToSign<'_>) -> Signature,
    ) {
        let scope = scope_at(black_box(self.now));
        let request = Request {
            query: self.query,
            headers: black_box(headers),
            payload: Payload::Bytes(black_box(&self.body)),
            ..Request::new("POST", PATH)
        };
        let canonical_request = CanonicalRequest::new(&request);
        let string_to_sign = StringToSign::new(&canonical_request, scope);
        let signature = sign(scope, &string_to_sign);
        let value = Authorization {
            access_key_id: ACCESS_KEY_ID,
            scope,
            canonical_request: &canonical_request,
            signature,
        };
        authorization.clear();
        value.write_to(authorization).unwrap();
        black_box(authorization);
    }

    /// Like the AWS SDK: one identity for all requests, new parameters for each.
    fn aws(&self) -> impl FnMut() + '_ {
        let identity =
            aws_credential_types::Credentials::from_keys(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None)
                .into();
        let question_mark = if self.query.is_empty() { "" } else { "?" };
        let url = format!("https://{HOST}{PATH}{question_mark}{}", self.query);
        move || {
            let parameters = v4::SigningParams::builder()
                .identity(&identity)
                .region(REGION)
                .name(SERVICE)
                .time(black_box(self.now))
                .settings(SigningSettings::default())
                .build()
                .unwrap()
                .into();
            let headers = black_box(self.headers).iter().copied();
            let body = SignableBody::Bytes(black_box(&self.body));
            let request = SignableRequest::new("POST", url.as_str(), headers, body).unwrap();
            black_box(sign(request, &parameters).unwrap().into_parts());
        }
    }

    /// The hashes that every signer needs, without writing the text.
    fn floor(&self) -> impl FnMut() + '_ {
        let text = [b'x'; CANONICAL_REQUEST_BYTES];
        let mac = Hmac::<Sha256>::new_from_slice(SECRET_ACCESS_KEY.as_bytes()).unwrap();
        move || {
            black_box(Sha256::digest(black_box(&self.body)));
            black_box(Sha256::digest(black_box(&text)));
            let mac = black_box(&mac).clone();
            let string_to_sign = black_box(&text).split_at(STRING_TO_SIGN_BYTES).0;
            black_box(mac.chain_update(string_to_sign).finalize().into_bytes());
        }
    }

    fn body_only(&self) -> impl FnMut() + '_ {
        || {
            black_box(Sha256::digest(black_box(&self.body)));
        }
    }

    /// Checks that the floor hashes the lengths of the usual case.
    fn check(&self) {
        let headers = self.signed_headers();
        let request = Request {
            headers: &headers,
            payload: Payload::Bytes(&self.body),
            ..Request::new("POST", PATH)
        };
        let canonical_request = CanonicalRequest::new(&request);
        let string_to_sign = StringToSign::new(&canonical_request, scope_at(self.now));
        let lengths = (
            canonical_request.to_string().len(),
            string_to_sign.to_string().len(),
        );
        assert_eq!(
            lengths,
            (CANONICAL_REQUEST_BYTES, STRING_TO_SIGN_BYTES),
            "{}",
            self.name
        );
    }
}

fn scope_at(now: SystemTime) -> Scope<'static> {
    Scope {
        amz_date: AmzDate::from_system_time(now).unwrap(),
        region: REGION,
        service: SERVICE,
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--repeat") {
        let times = arguments
            .get(at + 2)
            .and_then(|times| times.parse().ok())
            .unwrap_or(1000);
        return repeat(arguments.get(at + 1).map_or("warm", String::as_str), times);
    }
    let cases = Case::all();
    cases
        .iter()
        .filter(|case| case.query.is_empty())
        .for_each(Case::check);
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    cases.iter().for_each(|case| measure(&mut criterion, case));
    criterion.final_summary();
    // Cargo passes `--bench` for `cargo bench`, but not for `cargo test --benches`.
    if arguments.iter().any(|argument| argument == "--bench") {
        print_ratios(&cases);
    }
}

/// Runs one contender on the 100-byte case.
fn repeat(contender: &str, times: usize) {
    let cases = Case::all();
    let case = cases.iter().find(|case| case.name == "100 B").unwrap();
    let (_, mut run) = case
        .contenders()
        .into_iter()
        .find(|it| it.0.starts_with(contender))
        .unwrap();
    (0..times).for_each(|_| run());
}

fn measure(criterion: &mut Criterion, case: &Case) {
    let mut group = criterion.benchmark_group("sign");
    group.sample_size(if case.body.len() > 1024 * 1024 {
        10
    } else {
        20
    });
    group
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Bytes(case.body.len() as u64));
    for (name, mut run) in case.contenders() {
        group.bench_function(BenchmarkId::new(name, case.name), |bencher| {
            bencher.iter(&mut run);
        });
    }
    group.finish();
}

/// Rounds of the table. Each round runs every contender, so that disturbances affect all alike.
const ROUNDS: usize = 61;

fn print_ratios(cases: &[Case]) {
    println!(
        "\nMedians of {ROUNDS} interleaved rounds; ratios are medians of each round's own ratio.\n"
    );
    println!(
        "| case | warm ns | cold ns | aws-sigv4 ns | floor ns | warm / floor | warm / aws-sigv4 | cold / aws-sigv4 | warm / body's SHA-256 |"
    );
    println!("| --- |{}", " ---: |".repeat(8));
    for case in cases {
        let [warm, cold, aws, floor, body] = interleaved(case);
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.3} | {:.3} | {:.3} | {:.3} |",
            case.name,
            median(warm.clone()),
            median(cold.clone()),
            median(aws.clone()),
            median(floor.clone()),
            ratio(&warm, &floor),
            ratio(&warm, &aws),
            ratio(&cold, &aws),
            ratio(&warm, &body),
        );
    }
}

/// Nanoseconds per signature of each contender in each round.
fn interleaved(case: &Case) -> [Vec<f64>; CONTENDERS] {
    let mut contenders = case.contenders();
    // About a quarter of a millisecond, or one signature.
    let times = (250_000 / (600 + case.body.len())).max(1);
    let mut spent: [Vec<f64>; CONTENDERS] = Default::default();
    for round in 0..ROUNDS {
        for turn in 0..contenders.len() {
            // Rotate the order from round to round.
            let number = (round + turn) % contenders.len();
            let Some(((_, run), spent)) = contenders.iter_mut().zip(&mut spent).nth(number) else {
                continue;
            };
            let started_at = Instant::now();
            (0..times).for_each(|_| run());
            spent.push(started_at.elapsed().as_secs_f64() * 1e9 / times as f64);
        }
    }
    spent
}

/// The median of the ratios of each round.
fn ratio(ours: &[f64], other: &[f64]) -> f64 {
    median(
        ours.iter()
            .zip(other)
            .map(|(ours, other)| ours / other)
            .collect(),
    )
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap()
}
