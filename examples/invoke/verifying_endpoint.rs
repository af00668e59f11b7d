//! A SageMaker endpoint on loopback whose model computes the mean of comma-separated numbers.
//!
//! It computes the signature of a request again with `aws-sigv4`, the signer of AWS's SDK for Rust. If they differ, it
//! responds with the error that SageMaker responds with.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use time::{PrimitiveDateTime, format_description};

/// A request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

pub(crate) struct VerifyingEndpoint {
    server: MockServer,
    received: Arc<Mutex<Vec<Received>>>,
}

impl VerifyingEndpoint {
    /// Accepts requests that are signed with this secret key.
    pub(crate) fn start(region: &'static str, secret_access_key: &'static str) -> Self {
        let server = MockServer::start();
        let received = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&received);
        server.mock(|when, then| {
            when.method("POST").path_matches("^/endpoints/[^/]+/invocations$");
            then.respond_with(move |request| {
                let request = Received::from(request);
                let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
                recorded.push(request.clone());
                let request_id = format!("00000000-0000-4000-8000-{:012}", recorded.len());
                match check(&request, region, secret_access_key) {
                    Ok(()) => inference(&request, &request_id),
                    Err(_) => refusal(&request_id),
                }
            });
        });
        Self { server, received }
    }

    pub(crate) fn url(&self) -> String {
        self.server.base_url()
    }

    pub(crate) fn first_request(&self) -> Result<Received, &'static str> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.first().cloned().ok_or("no request has arrived")
    }
}

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
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(it, value)| (it == name).then_some(value.as_str()))
    }
}

/// Checks the signature. The error is the reason of a refusal.
fn check(request: &Received, region: &str, secret_access_key: &str) -> Result<(), Box<dyn Error>> {
    let authorization = request.header("authorization").ok_or("no Authorization")?;
    let (_, rest) = authorization.split_once("Credential=").ok_or("no Credential")?;
    let (access_key_id, rest) = rest.split_once('/').ok_or("no scope")?;
    let (_, rest) = rest.split_once("SignedHeaders=").ok_or("no SignedHeaders")?;
    let (signed_headers, signature) = rest.split_once(", Signature=").ok_or("no Signature")?;
    let names: Vec<&str> = signed_headers.split(';').collect();
    if request.headers.iter().any(|(name, _)| must_be_signed(name) && !names.contains(&name.as_str())) {
        return Err("a header that must be signed is not".into());
    }
    let expected = signature_of(request, &names, access_key_id, region, secret_access_key)?;
    if expected == signature { Ok(()) } else { Err("the signatures differ".into()) }
}

fn must_be_signed(name: &str) -> bool {
    name == "host" || name.starts_with("x-amz")
}

/// The signature by aws-sigv4.
fn signature_of(
    request: &Received,
    signed_headers: &[&str],
    access_key_id: &str,
    region: &str,
    secret_access_key: &str,
) -> Result<String, Box<dyn Error>> {
    let credentials =
        aws_credential_types::Credentials::new(access_key_id, secret_access_key, None, None, "example");
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sagemaker")
        .time(time_of(request.header("x-amz-date").ok_or("no X-Amz-Date")?)?)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let url = format!("http://{}{}", request.header("host").ok_or("no Host")?, request.path);
    // aws-sigv4 adds the date header.
    let names = signed_headers.iter().filter(|name| **name != "x-amz-date");
    let headers = names.filter_map(|name| Some((*name, request.header(name)?)));
    let body = SignableBody::Bytes(&request.body);
    let signed = sign(SignableRequest::new(&request.method, url, headers, body)?, &parameters)?;
    Ok(signed.signature().to_owned())
}

fn time_of(amz_date: &str) -> Result<SystemTime, Box<dyn Error>> {
    let format = format_description::parse_borrowed::<2>("[year][month][day]T[hour][minute][second]Z")?;
    let time: SystemTime = PrimitiveDateTime::parse(amz_date, &format)?.assume_utc().into();
    let age = time.elapsed().or_else(|early| Ok::<_, Box<dyn Error>>(early.duration()))?;
    if age.as_secs() > 300 { Err("signed more than 5 minutes ago or ahead".into()) } else { Ok(time) }
}

fn inference(request: &Received, request_id: &str) -> HttpMockResponse {
    let text = String::from_utf8_lossy(&request.body);
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|it| it.trim().parse()).collect();
    let response = HttpMockResponse::builder()
        .header("content-type", "application/json")
        .header("x-amzn-requestid", request_id);
    match numbers {
        Ok(numbers) => {
            let (sum, count) = numbers.iter().fold((0.0, 0.0), |(sum, count), it| (sum + it, count + 1.0));
            let mean = sum / count;
            let response = response.status(200).header("x-amzn-invoked-production-variant", "AllTraffic");
            response.body(format!(r#"{{"mean":{mean}}}"#)).build()
        }
        Err(_) => {
            let body = r#"{"Message":"no numbers","OriginalMessage":"no numbers","OriginalStatusCode":400}"#;
            response.status(424).header("x-amzn-errortype", "ModelError").body(body).build()
        }
    }
}

fn refusal(request_id: &str) -> HttpMockResponse {
    let body = concat!(
        r#"{"message":"The request signature we calculated does not match the signature you provided. "#,
        r#"Check your AWS Secret Access Key and signing method."}"#
    );
    HttpMockResponse::builder()
        .status(403)
        .header("content-type", "application/json")
        .header("x-amzn-errortype", "InvalidSignatureException")
        .header("x-amzn-requestid", request_id)
        .body(body)
        .build()
}
