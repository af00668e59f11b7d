//! A call without an AWS account, to an endpoint on this machine that checks signatures.

use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use sagemaker_invoke::{Client, Config, Credentials, InvokeEndpoint, InvokeEndpointResponse};

use crate::verifying_endpoint::{ACCESS_KEY_ID, Received, VerifyingEndpoint};

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let endpoint = VerifyingEndpoint::start();
    let client = endpoint.client()?;
    let request = InvokeEndpoint {
        content_type: Some("text/csv"),
        accept: Some("application/json"),
        ..InvokeEndpoint::new("mean-model", b"1.5,2.5,4.5")
    };
    let (_, cold_signing) = timed(|| client.sign(&request))?;
    let (_, warm_signing) = timed(|| client.sign(&request))?;
    let (response, cold_call) = timed(|| client.invoke(&request))?;
    let (_, warm_call) = timed(|| client.invoke(&request))?;
    let wrong_key = Credentials::new(ACCESS_KEY_ID, "not-the-secret-key").into();
    let wrong_client = Client::new(Config {
        credentials: wrong_key,
        ..endpoint.config()
    })?;
    let Err(refusal) = wrong_client.invoke(&request) else {
        return Err("the endpoint accepted a wrong signature".into());
    };

    let out = &mut io::stdout().lock();
    writeln!(
        out,
        "An endpoint at {} checks each signature with AWS's signer.\n",
        endpoint.url()
    )?;
    show_request(
        out,
        endpoint
            .received()
            .first()
            .ok_or("no request has arrived")?,
    )?;
    show_response(out, &response)?;
    writeln!(
        out,
        "signing   {cold_signing:.1?} with a new key, then {warm_signing:.1?}"
    )?;
    writeln!(
        out,
        "the call  {cold_call:.1?} with a new connection, then {warm_call:.1?}"
    )?;
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "          in a debug build: `cargo run --release --example invoke` is faster"
        )?;
    }
    writeln!(out, "\nWith a wrong secret key:\n  {refusal}\n")?;
    writeln!(
        out,
        "`cargo run --example invoke -- --help` explains how to call SageMaker."
    )?;
    Ok(())
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
        (
            "x-amzn-invoked-production-variant",
            &response.invoked_production_variant,
        ),
        ("x-amzn-requestid", &response.request_id),
    ] {
        writeln!(out, "< {name}: {}", value.as_deref().unwrap_or("none"))?;
    }
    writeln!(out, "<\n< {}\n", String::from_utf8_lossy(&response.body))
}
