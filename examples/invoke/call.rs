//! A call to SageMaker or to a container.

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use sagemaker_invoke::{
    Client, Config, Endpoint, InvokeEndpoint, InvokeEndpointResponse,
    InvokeEndpointWithResponseStream,
};

use crate::arguments::Arguments;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let client = Client::new(config(arguments)?)?;
    let body = body(arguments)?;
    if arguments.stream {
        return stream(&client, arguments, &body);
    }
    let request = request(arguments, &body);
    if arguments.dry_run {
        return Ok(writeln!(io::stdout(), "{}", client.sign(&request)?.curl())?);
    }
    let started_at = Instant::now();
    let response = client.invoke(&request)?;
    let elapsed = started_at.elapsed();
    let mut out = io::stdout().lock();
    out.write_all(&response.body)?;
    out.flush()?;
    Ok(writeln!(io::stderr(), "\n{}", summary(&response, elapsed))?)
}

/// Writes each part of the response as soon as it is there.
fn stream(client: &Client, arguments: &Arguments, body: &[u8]) -> Result<(), Box<dyn Error>> {
    let request = InvokeEndpointWithResponseStream {
        content_type: arguments.value("content-type"),
        accept: arguments.value("accept"),
        custom_attributes: arguments.value("custom-attributes"),
        target_variant: arguments.value("target-variant"),
        target_container_hostname: arguments.value("target-container"),
        inference_id: arguments.value("inference-id"),
        inference_component_name: arguments.value("inference-component"),
        session_id: arguments.value("session-id"),
        prefix_aware_id: arguments.value("prefix-aware-id"),
        ..InvokeEndpointWithResponseStream::new(&arguments.endpoint_name, body)
    };
    if arguments.dry_run {
        return Ok(writeln!(io::stdout(), "{}", client.sign(&request)?.curl())?);
    }
    let mut response = client.invoke(&request)?;
    let mut out = io::stdout().lock();
    while let Some(part) = response.body.next_part()? {
        out.write_all(part)?;
        out.flush()?;
    }
    Ok(writeln!(io::stderr(), "\n{:.1?}", response.body.summary())?)
}

/// The configuration of the environment or of a profile, changed by the arguments.
fn config(arguments: &Arguments) -> Result<Config, Box<dyn Error>> {
    let mut config = match arguments.value("profile") {
        Some(name) => Config::from_profile(name)?,
        None => Config::from_env()?,
    };
    if let Some(region) = arguments.value("region") {
        config.region = Some(region.to_owned());
    }
    if let Some(url) = arguments.value("url") {
        config.endpoint = Endpoint::Url(url.to_owned());
    }
    if let Some(url) = arguments.value("container") {
        config.endpoint = Endpoint::Container(url.to_owned());
    }
    if let Some(seconds) = arguments.value("timeout") {
        config.timeouts.call = Some(parse_timeout(seconds)?);
    }
    if let Some(retries) = arguments.value("retries") {
        config.retry.max_attempts = parse_retries(retries)?.saturating_add(1);
    }
    if config.region.is_none() && arguments.value("container").is_none() {
        config.region = config.region_of_instance()?;
    }
    Ok(config)
}

fn parse_timeout(seconds: &str) -> Result<Duration, lexopt::Error> {
    let duration = seconds
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .ok_or_else(|| format!("--timeout is {seconds:?}, and must be a number of seconds").into())
}

fn parse_retries(number: &str) -> Result<u32, lexopt::Error> {
    number
        .parse()
        .map_err(|_| format!("--retries is {number:?}, and must be a whole number").into())
}

/// The argument, the file that it names, or standard input.
fn body(arguments: &Arguments) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match arguments.value("body") {
        Some(text) => match text.strip_prefix('@') {
            Some(path) => return read_file(path),
            None => body.extend_from_slice(text.as_bytes()),
        },
        None => {
            let mut stdin = io::stdin().lock();
            if stdin.is_terminal() {
                writeln!(
                    io::stderr(),
                    "The body is read from standard input; end it with Ctrl-D."
                )?;
            }
            stdin.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn read_file(path: &str) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

fn request<'a>(arguments: &'a Arguments, body: &'a [u8]) -> InvokeEndpoint<'a> {
    InvokeEndpoint {
        content_type: arguments.value("content-type"),
        accept: arguments.value("accept"),
        custom_attributes: arguments.value("custom-attributes"),
        target_model: arguments.value("target-model"),
        target_variant: arguments.value("target-variant"),
        target_container_hostname: arguments.value("target-container"),
        inference_id: arguments.value("inference-id"),
        enable_explanations: arguments.value("enable-explanations"),
        inference_component_name: arguments.value("inference-component"),
        session_id: arguments.value("session-id"),
        prefix_aware_id: arguments.value("prefix-aware-id"),
        ..InvokeEndpoint::new(&arguments.endpoint_name, body)
    }
}

fn summary(response: &InvokeEndpointResponse, elapsed: Duration) -> String {
    format!(
        "HTTP {}, {} bytes, content type {}, variant {}, request id {}, in {elapsed:.1?}",
        response.status,
        response.body.len(),
        response.content_type.as_deref().unwrap_or("none"),
        response
            .invoked_production_variant
            .as_deref()
            .unwrap_or("none"),
        response.request_id.as_deref().unwrap_or("none"),
    )
}
