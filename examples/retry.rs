//! What is sent again, and what is left to decide when a call has failed.
//!
//! `retry` fails calls to an endpoint on this machine in several ways, under three policies.
//! `retry ENDPOINT_NAME BODY` calls SageMaker, and waits up to five minutes for a model that is being loaded.

#[path = "support/exit_code.rs"]
mod exit_code;
#[path = "support/verifying_endpoint.rs"]
mod verifying_endpoint;

use std::io::{self, Write};
use std::{env, error::Error, process::ExitCode, time::Duration};

use sagemaker_invoke::{CallOptions, Client, InvokeEndpoint, Resend, RetryPolicy};
use verifying_endpoint::VerifyingEndpoint;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    exit_code::run(include_str!("retry.rs"), || match arguments.as_slice() {
        [name, body] => call_sagemaker(&InvokeEndpoint::new(name, body)),
        [] => demo(),
        _ => Err(exit_code::unknown_arguments()),
    })
}

fn call_sagemaker(request: &InvokeEndpoint<'_>) -> Result<(), Box<dyn Error>> {
    let wait_until_ready = Some(Duration::from_secs(300));
    call(&Client::from_env()?, request, RetryPolicy { wait_until_ready, ..RetryPolicy::default() })
}

fn demo() -> Result<(), Box<dyn Error>> {
    let endpoint = VerifyingEndpoint::start();
    let (client, request) = (endpoint.client()?, InvokeEndpoint::new("mean-model", "1,2,3"));
    for code in ["ThrottlingException", "ModelNotReadyException", "ServiceUnavailable"] {
        for resend in [Resend::Never, Resend::Rejected, Resend::Any] {
            endpoint.fail_next(&[(if code == "ServiceUnavailable" { 503 } else { 429 }, code)]);
            write!(io::stdout(), "{code} under {resend:?}: ")?;
            call(&client, &request, RetryPolicy { resend, ..RetryPolicy::default() })?;
        }
    }
    Ok(())
}

fn call(client: &Client, request: &InvokeEndpoint<'_>, policy: RetryPolicy) -> Result<(), Box<dyn Error>> {
    let line =
        match client.invoke_with(request, &CallOptions { retry: Some(policy), ..CallOptions::default() }) {
            Ok(response) => format!("{} in attempt {}", response.text(), response.timings.attempts),
            Err(error) => format!("{error}\n  {}", advice(&error)),
        };
    Ok(writeln!(io::stdout(), "{line}")?)
}

fn advice(error: &sagemaker_invoke::Error) -> &'static str {
    match error {
        _ if error.may_have_run() => "The model may have run: call again only if it may run twice.",
        _ if error.is_throttled() || error.is_not_ready() => "The model has not run: call again later.",
        _ if error.transport().is_some() => "The model has not run: call again.",
        _ => "The model has not run: another call would fail in the same way.",
    }
}
