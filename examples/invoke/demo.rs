//! A call without an AWS account, to an endpoint on this machine that checks signatures.

use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use sagemaker_invoke::{
    Client, Config, Credentials, Endpoint, InvokeEndpoint, InvokeEndpointResponse, Proxy,
};

use crate::verifying_endpoint::{Received, VerifyingEndpoint};

/// The example key of AWS's documentation.
const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let endpoint = VerifyingEndpoint::start(REGION, SECRET_ACCESS_KEY);
    let client = client(&endpoint, SECRET_ACCESS_KEY)?;
    let request = InvokeEndpoint {
        content_type: Some("text/csv"),
        accept: Some("application/json"),
        ..InvokeEndpoint::new("mean-model", b"1.5,2.5,4.5")
    };
    let (_, cold_signing) = timed(|| client.sign(&request))?;
    let (_, warm_signing) = timed(|| client.sign(&request))?;
    let (response, cold_call) = timed(|| client.invoke(&request))?;
    let (_, warm_call) = timed(|| client.invoke(&request))?;
    let Err(refusal) = self::client(&endpoint, "not-the-secret-key")?.invoke(&request) else {
        return Err("the endpoint accepted a wrong signature".into());
    };

    let out = &mut io::stdout().lock();
    writeln!(out, "An endpoint at {} checks each signature with AWS's signer.\n", endpoint.url())?;
    show_request(out, &endpoint.first_request()?)?;
    show_response(out, &response)?;
    writeln!(out, "signing   {cold_signing:.1?} with a new key, then {warm_signing:.1?}")?;
    writeln!(out, "the call  {cold_call:.1?} with a new connection, then {warm_call:.1?}")?;
    if cfg!(debug_assertions) {
        writeln!(out, "          in a debug build: `cargo run --release --example invoke` is faster")?;
    }
    writeln!(out, "\nWith a wrong secret key:\n  {refusal}\n")?;
    writeln!(out, "`cargo run --example invoke -- --help` explains how to call SageMaker.")?;
    Ok(())
}

fn client(endpoint: &VerifyingEndpoint, secret_access_key: &str) -> Result<Client, sagemaker_invoke::Error> {
    Client::new(Config {
        region: Some(REGION.to_owned()),
        credentials: Credentials::new(ACCESS_KEY_ID, secret_access_key).into(),
        endpoint: Endpoint::Url(endpoint.url()),
        proxy: Proxy::Off,
        ..Config::default()
    })
}

fn timed<T, E>(action: impl FnOnce() -> Result<T, E>) -> Result<(T, Duration), E> {
    let started_at = Instant::now();
    Ok((action()?, started_at.elapsed()))
}

fn show_request(out: &mut impl Write, request: &Received) -> io::Result<()> {
    writeln!(out, "> {} {} HTTP/1.1", request.method, request.path)?;
    for (name, value) in &request.headers {
        // A line for each part of Authorization.
        writeln!(out, "> {name}: {}", value.replace(", ", ",\n>     "))?;
    }
    writeln!(out, ">\n> {}\n", String::from_utf8_lossy(&request.body))
}

fn show_response(out: &mut impl Write, response: &InvokeEndpointResponse) -> io::Result<()> {
    writeln!(out, "< HTTP {}", response.status)?;
    for (name, value) in [
        ("content-type", &response.content_type),
        ("x-amzn-invoked-production-variant", &response.invoked_production_variant),
        ("x-amzn-requestid", &response.request_id),
    ] {
        writeln!(out, "< {name}: {}", value.as_deref().unwrap_or("none"))?;
    }
    writeln!(out, "<\n< {}\n", String::from_utf8_lossy(&response.body))
}
