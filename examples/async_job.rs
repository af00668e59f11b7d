//! A job in the queue of an asynchronous endpoint: submit it, keep the ticket, wait for the result.
//!
//! `async_job submit ENDPOINT_NAME BODY` prints the ticket, and `async_job wait TICKET` writes the result.
//! `async_job` does both with an endpoint on this machine.

#[path = "support/exit_code.rs"]
mod exit_code;
#[path = "support/verifying_endpoint.rs"]
mod verifying_endpoint;

use std::io::{self, Write};
use std::{env, error::Error, process::ExitCode, time::Duration};

use sagemaker_invoke::{AsyncInput, AsyncResult, AsyncTicket, Client, InvokeEndpointAsync};
use verifying_endpoint::VerifyingEndpoint;

/// A job without a failure location may never end, so a wait needs a limit.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    exit_code::run(include_str!("async_job.rs"), || {
        match arguments.as_slice() {
            ["submit", name, body] => submit(&Client::from_env()?, name, body).map(|_| 0.into()),
            ["wait", ticket] => wait(&Client::from_env()?, ticket),
            [] => demo().map(|()| 0.into()),
            _ => Err(exit_code::unknown_arguments()),
        }
    })
}

/// The text of the ticket is all that a later process needs.
fn submit(client: &Client, endpoint_name: &str, body: &str) -> Result<String, Box<dyn Error>> {
    let request = InvokeEndpointAsync {
        content_type: Some("text/csv"),
        ..InvokeEndpointAsync::new(endpoint_name, AsyncInput::Body(body.as_bytes()))
    };
    let ticket = client.invoke(&request)?.ticket().to_string();
    writeln!(io::stdout(), "{ticket}")?;
    Ok(ticket)
}

fn wait(client: &Client, ticket: &str) -> Result<ExitCode, Box<dyn Error>> {
    let ticket: AsyncTicket = ticket.parse().map_err(sagemaker_invoke::Error::from)?;
    let (text, code) = match client.wait_for_async_result(&ticket, LONGEST_WAIT)? {
        AsyncResult::Ready { body, .. } => (body, 0),
        failed @ AsyncResult::Failed { .. } => (format!("{failed:?}").into(), 6),
        other => (format!("{other:?}").into(), 5),
    };
    io::stdout().write_all(&[&text, &b"\n"[..]].concat())?;
    Ok(code.into())
}

fn demo() -> Result<(), Box<dyn Error>> {
    let endpoint = VerifyingEndpoint::start();
    let client = endpoint.client()?;
    let tickets = [
        submit(&client, "mean-model", "1,2,3")?,
        submit(&client, "mean-model", "no numbers")?,
    ];
    tickets
        .iter()
        .try_for_each(|ticket| wait(&client, ticket).map(drop))
}
