//! Gets one inference.
//!
//! `cargo run --example invoke` needs no AWS account: it starts an endpoint on this machine that checks signatures, and
//! calls it. With the name of an endpoint it calls SageMaker; see `--help`.

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
            // Without standard error, the exit code has to do.
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

/// Prints the error, its sources, and whether the model may have run.
fn report(error: &(dyn Error + 'static)) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "error: {error}")?;
    // The source of a lexopt error repeats its text.
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
