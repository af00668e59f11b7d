//! Gets one inference.
//!
//! `cargo run --example invoke` needs no account: it starts an endpoint on this machine that checks signatures as
//! AWS does, and calls it. With an endpoint's name it calls SageMaker; `--help` tells the rest.

mod arguments;
mod call;
mod demo;
mod exit_code;
mod verifying_endpoint;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Arguments, HELP};

fn main() -> ExitCode {
    let outcome = if std::env::args_os().len() == 1 { demo::run() } else { run() };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell when standard error is closed.
            let _ = report(&*error);
            exit_code::of(&*error)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    match Arguments::parse(lexopt::Parser::from_env())? {
        Some(arguments) => call::run(&arguments),
        None => Ok(write!(io::stdout(), "{HELP}{}", exit_code::HELP)?),
    }
}

/// The error, what it came from, and whether the model may have run all the same.
fn report(error: &(dyn Error + 'static)) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "error: {error}")?;
    // lexopt's errors are their own source.
    let mut source = if error.is::<lexopt::Error>() { None } else { error.source() };
    while let Some(error) = source {
        writeln!(stderr, "  because: {error}")?;
        source = error.source();
    }
    if let Some(error) = error.downcast_ref::<sagemaker_invoke::Error>() {
        let answer = if error.may_have_run() { "yes" } else { "no" };
        writeln!(stderr, "  the model may have run: {answer}")?;
    }
    Ok(())
}
