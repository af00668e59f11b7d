//! The same program against SageMaker and against a model container on this machine: only the endpoint differs.
//!
//! `container URL BODY` posts to `URL/invocations` of a container, for example one started with `docker run -p 8080:8080`.
//! `container` calls an endpoint on this machine both ways.

#[path = "support/exit_code.rs"]
mod exit_code;
#[path = "support/verifying_endpoint.rs"]
mod verifying_endpoint;

use std::error::Error;
use std::io::{self, Write};
use std::{env, process::ExitCode};

use sagemaker_invoke::{Client, Config, Endpoint, InvokeEndpoint};
use verifying_endpoint::VerifyingEndpoint;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    exit_code::run(include_str!("container.rs"), || {
        match arguments.as_slice() {
            [url, body] => container(url).and_then(|client| predict(&client, body)),
            [] => demo().map(|()| ExitCode::SUCCESS),
            _ => Err(exit_code::unknown_arguments()),
        }
    })
}

/// Needs no region, no credentials and no account.
fn container(url: &str) -> Result<Client, Box<dyn Error>> {
    let endpoint = Endpoint::Container(url.to_owned());
    Ok(Client::new(Config {
        endpoint,
        ..Config::default()
    })?)
}

/// A container ignores the name of the endpoint, and its errors are returned as SageMaker would return them.
fn predict(client: &Client, body: &str) -> Result<ExitCode, Box<dyn Error>> {
    let request = InvokeEndpoint {
        content_type: Some("text/csv"),
        ..InvokeEndpoint::new("mean-model", body)
    };
    let error = match client.invoke(&request) {
        Ok(response) => {
            return Ok(writeln!(io::stdout(), "{}", response.text()).map(|()| ExitCode::SUCCESS)?);
        }
        Err(error) => error,
    };
    let Some(answer) = error.model_error() else {
        return Err(error.into());
    };
    writeln!(
        io::stdout(),
        "the model refused it: {:?}",
        answer.original_message
    )?;
    Ok(exit_code::of(&error).into())
}

fn demo() -> Result<(), Box<dyn Error>> {
    let endpoint = VerifyingEndpoint::start();
    for (name, client) in [
        ("SageMaker", endpoint.client()?),
        ("the container", container(&endpoint.url())?),
    ] {
        writeln!(io::stdout(), "{name}:")?;
        predict(&client, "1.5,2.5,4.5")?;
        predict(&client, "no numbers")?;
    }
    Ok(())
}
