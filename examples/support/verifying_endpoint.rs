//! A SageMaker endpoint on loopback that checks signatures. Its model computes the mean of comma-separated numbers.
//!
//! A file to copy into tests: beside this crate it uses `httpmock`, `aws-sigv4`, `aws-credential-types` and `time`, with
//! the features in `Cargo.toml`. It computes the signature of a request again with `aws-sigv4`, the signer of AWS's SDK
//! for Rust. If they differ, it responds with the error that SageMaker responds with. It serves
//!
//! - `POST /endpoints/NAME/invocations`, as SageMaker;
//! - `POST /endpoints/NAME/async-invocations`, as SageMaker;
//! - `GET /example-bucket/KEY`, as Amazon S3: the results of asynchronous requests, from the second look on;
//! - `POST /invocations`, without a signature, as a model container;
//! - `POST /`, the action AssumeRole of STS: session credentials with the same key.
#![allow(
    dead_code,
    reason = "each program that includes this file uses a part of it"
)]

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use sagemaker_invoke::{Client, Config, Credentials, Endpoint, Proxy};
use time::{OffsetDateTime, PrimitiveDateTime, format_description};

pub(crate) const REGION: &str = "eu-central-1";
/// The example key of AWS's documentation, the only one that the endpoint knows.
pub(crate) const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The bucket of the results.
const BUCKET: &str = "example-bucket";

pub(crate) struct VerifyingEndpoint {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    /// Status and code of the next responses.
    failures: VecDeque<(u16, &'static str)>,
    /// The objects in S3 by path, each with whether it was looked at before.
    objects: BTreeMap<String, (bool, String)>,
}

/// A request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl VerifyingEndpoint {
    pub(crate) fn start() -> Self {
        let server = MockServer::start();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        server.mock(|_, then| {
            then.respond_with(move |request| respond(&Received::from(request), &shared));
        });
        Self { server, state }
    }

    pub(crate) fn url(&self) -> String {
        self.server.base_url()
    }

    /// The configuration of a client of this endpoint.
    pub(crate) fn config(&self) -> Config {
        Config {
            region: Some(REGION.to_owned()),
            credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).into(),
            endpoint: Endpoint::Url(self.url()),
            s3_endpoint_url: Some(self.url()),
            proxy: Proxy::Off,
            ..Config::default()
        }
    }

    pub(crate) fn client(&self) -> Result<Client, sagemaker_invoke::Error> {
        Client::new(self.config())
    }

    /// Responds to the next requests with these errors, each a status and a code.
    pub(crate) fn fail_next(&self, failures: &[(u16, &'static str)]) {
        lock(&self.state).failures.extend(failures);
    }

    /// All requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        lock(&self.state).received.clone()
    }
}

/// A panic in a handler leaves the state usable.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn respond(request: &Received, state: &Mutex<State>) -> HttpMockResponse {
    let (number, failure) = {
        let mut state = lock(state);
        state.received.push(request.clone());
        (state.received.len(), state.failures.pop_front())
    };
    let request_id = format!("00000000-0000-4000-8000-{number:012}");
    if let Some((status, code)) = failure {
        return error_response(
            status,
            code,
            &request_id,
            r#"{"message":"as the example asked"}"#,
        );
    }
    if request.path == "/invocations" {
        return inference(request, &request_id);
    }
    match check(request) {
        Err(_) => error_response(
            403,
            "InvalidSignatureException",
            &request_id,
            SIGNATURE_REFUSED,
        ),
        Ok(()) if request.path == "/" => session_credentials(),
        Ok(()) if request.method == "GET" => object(&request.path, state),
        Ok(()) if request.path.ends_with("/async-invocations") => {
            queue(request, &request_id, state)
        }
        Ok(()) => inference(request, &request_id),
    }
}

const SIGNATURE_REFUSED: &str = concat!(
    r#"{"message":"The request signature we calculated does not match the signature you provided. "#,
    r#"Check your AWS Secret Access Key and signing method."}"#
);

impl From<&HttpMockRequest> for Received {
    fn from(request: &HttpMockRequest) -> Self {
        Self {
            method: request.method_str().to_owned(),
            path: request.uri().path().to_owned(),
            headers: request.headers_vec().clone(),
            body: request.body_vec(),
        }
    }
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|(it, value)| (it == name).then_some(value.as_str()))
    }
}

/// Checks the signature. The error is the reason of a refusal.
fn check(request: &Received) -> Result<(), Box<dyn Error>> {
    let authorization = request.header("authorization").ok_or("no Authorization")?;
    let (_, rest) = authorization
        .split_once("Credential=")
        .ok_or("no Credential")?;
    let (access_key_id, rest) = rest.split_once('/').ok_or("no scope")?;
    let (_, rest) = rest
        .split_once("SignedHeaders=")
        .ok_or("no SignedHeaders")?;
    let (signed_headers, signature) = rest.split_once(", Signature=").ok_or("no Signature")?;
    let names: Vec<&str> = signed_headers.split(';').collect();
    if request
        .headers
        .iter()
        .any(|(name, _)| must_be_signed(name) && !names.contains(&name.as_str()))
    {
        return Err("a header that must be signed is not".into());
    }
    let expected = signature_of(request, &names, access_key_id)?;
    if expected == signature {
        Ok(())
    } else {
        Err("the signatures differ".into())
    }
}

fn must_be_signed(name: &str) -> bool {
    name == "host" || name.starts_with("x-amz")
}

/// The signature by aws-sigv4.
fn signature_of(
    request: &Received,
    signed_headers: &[&str],
    access_key_id: &str,
) -> Result<String, Box<dyn Error>> {
    let credentials = aws_credential_types::Credentials::new(
        access_key_id,
        SECRET_ACCESS_KEY,
        None,
        None,
        "example",
    );
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name(service_of(request))
        .time(time_of(
            request.header("x-amz-date").ok_or("no X-Amz-Date")?,
        )?)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let url = format!(
        "http://{}{}",
        request.header("host").ok_or("no Host")?,
        request.path
    );
    // aws-sigv4 adds the date header.
    let names = signed_headers.iter().filter(|name| **name != "x-amz-date");
    let headers = names.filter_map(|name| Some((*name, request.header(name)?)));
    let body = SignableBody::Bytes(&request.body);
    let signed = sign(
        SignableRequest::new(&request.method, url, headers, body)?,
        &parameters,
    )?;
    Ok(signed.signature().to_owned())
}

fn service_of(request: &Received) -> &'static str {
    match (&*request.method, &*request.path) {
        ("GET", _) => "s3",
        (_, "/") => "sts",
        _ => "sagemaker",
    }
}

fn time_of(amz_date: &str) -> Result<SystemTime, Box<dyn Error>> {
    let format =
        format_description::parse_borrowed::<2>("[year][month][day]T[hour][minute][second]Z")?;
    let time: SystemTime = PrimitiveDateTime::parse(amz_date, &format)?
        .assume_utc()
        .into();
    let age = time
        .elapsed()
        .or_else(|early| Ok::<_, Box<dyn Error>>(early.duration()))?;
    if age.as_secs() > 300 {
        Err("signed more than 5 minutes ago or ahead".into())
    } else {
        Ok(time)
    }
}

fn inference(request: &Received, request_id: &str) -> HttpMockResponse {
    let Some(mean) = mean(&request.body) else {
        if request.path == "/invocations" {
            return HttpMockResponse::builder()
                .status(400)
                .body("no numbers")
                .build();
        }
        let body =
            r#"{"Message":"no numbers","OriginalMessage":"no numbers","OriginalStatusCode":400}"#;
        return error_response(424, "ModelError", request_id, body);
    };
    HttpMockResponse::builder()
        .status(200)
        .header("content-type", "application/json")
        .header("x-amzn-requestid", request_id)
        .header("x-amzn-invoked-production-variant", "AllTraffic")
        .body(mean)
        .build()
}

/// The answer of the model; `None` if there is a text that is no number.
fn mean(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let numbers: Option<Vec<f64>> = text.split(',').map(|it| it.trim().parse().ok()).collect();
    let (sum, count) = numbers?
        .iter()
        .fold((0.0, 0.0), |(sum, count), it| (sum + it, count + 1.0));
    Some(format!(r#"{{"mean":{}}}"#, sum / count))
}

/// Puts the result of an asynchronous request into S3.
fn queue(request: &Received, request_id: &str, state: &Mutex<State>) -> HttpMockResponse {
    let (output, failure) = (
        format!("results/{request_id}.out"),
        format!("failures/{request_id}.out"),
    );
    let (key, content) = match mean(&request.body) {
        Some(mean) => (&output, mean),
        None => (&failure, "no numbers".to_owned()),
    };
    lock(state)
        .objects
        .insert(format!("/{BUCKET}/{key}"), (false, content));
    HttpMockResponse::builder()
        .status(202)
        .header(
            "x-amzn-sagemaker-outputlocation",
            format!("s3://{BUCKET}/{output}"),
        )
        .header(
            "x-amzn-sagemaker-failurelocation",
            format!("s3://{BUCKET}/{failure}"),
        )
        .body(format!(r#"{{"InferenceId":"{request_id}"}}"#))
        .build()
}

fn object(path: &str, state: &Mutex<State>) -> HttpMockResponse {
    match lock(state).objects.get_mut(path) {
        Some((true, content)) => HttpMockResponse::builder()
            .status(200)
            .body(content.clone())
            .build(),
        other => {
            if let Some((was_looked_at, _)) = other {
                *was_looked_at = true;
            }
            let body = "<Error><Code>NoSuchKey</Code></Error>";
            HttpMockResponse::builder().status(404).body(body).build()
        }
    }
}

fn error_response(status: u16, code: &str, request_id: &str, body: &str) -> HttpMockResponse {
    HttpMockResponse::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("x-amzn-errortype", code)
        .header("x-amzn-requestid", request_id)
        .body(body)
        .build()
}

/// A role's session of an hour, as STS responds.
fn session_credentials() -> HttpMockResponse {
    let expires_at = OffsetDateTime::now_utc() + Duration::from_secs(3600);
    let expiration = expires_at
        .format(&format_description::well_known::Rfc3339)
        .unwrap_or_default();
    let body = format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLEEXAMPLE</AccessKeyId>\
         <SecretAccessKey>{SECRET_ACCESS_KEY}</SecretAccessKey><SessionToken>ExampleSession</SessionToken>\
         <Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    HttpMockResponse::builder()
        .status(200)
        .header("content-type", "text/xml")
        .body(body)
        .build()
}
