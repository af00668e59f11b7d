//! What is sent again, and what is left to decide when a call has failed.
//!
//! `retry` fails calls to an endpoint on this machine in several ways, under three policies.
//! `retry ENDPOINT_NAME BODY` calls SageMaker, and waits up to five minutes while a model is being loaded.

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
        [name, body] => {
            let wait_until_ready = Some(Duration::from_secs(300));
            let policy = RetryPolicy {
                wait_until_ready,
                ..RetryPolicy::default()
            };
            Ok(call(
                &Client::from_env()?,
                &InvokeEndpoint::new(name, body),
                policy,
            )?)
        }
        [] => demo().map(|()| ExitCode::SUCCESS),
        _ => Err(exit_code::unknown_arguments()),
    })
}

fn demo() -> Result<(), Box<dyn Error>> {
    let endpoint = VerifyingEndpoint::start();
    let (client, request) = (
        endpoint.client()?,
        InvokeEndpoint::new("mean-model", "1,2,3"),
    );
    for code in [
        "ThrottlingException",
        "ModelNotReadyException",
        "ServiceUnavailable",
    ] {
        for resend in [Resend::Never, Resend::Rejected, Resend::Any] {
            endpoint.fail_next(&[(
                if code == "ServiceUnavailable" {
                    503
                } else {
                    429
                },
                code,
            )]);
            write!(io::stdout(), "{code} under {resend:?}: ")?;
            call(
                &client,
                &request,
                RetryPolicy {
                    resend,
                    ..RetryPolicy::default()
                },
            )?;
        }
    }
    Ok(())
}

fn call(
    client: &Client,
    request: &InvokeEndpoint<'_>,
    policy: RetryPolicy,
) -> io::Result<ExitCode> {
    let options = CallOptions {
        retry: Some(policy),
        ..CallOptions::default()
    };
    let (line, code) = match client.invoke_with(request, &options) {
        Ok(response) => (
            format!(
                "{} in attempt {}",
                response.text(),
                response.timings.attempts
            ),
            0,
        ),
        Err(error) => (
            format!("{error}\n  {}", advice(&error)),
            exit_code::of(&error),
        ),
    };
    writeln!(io::stdout(), "{line}")?;
    Ok(code.into())
}

fn advice(error: &sagemaker_invoke::Error) -> &'static str {
    match error {
        _ if error.may_have_run() => "The model may have run: call again only if it may run twice.",
        _ if error.is_throttled() || error.is_not_ready() => {
            "The model has not run: call again later."
        }
        _ if error.transport().is_some() => "The model has not run: call again.",
        _ => "The model has not run: another call would fail in the same way.",
    }
}
