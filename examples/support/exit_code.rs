//! The frame of a program: `--help`, an error on standard error, and an exit code by what a script can do about it.
#![allow(
    dead_code,
    reason = "each program that includes this file uses a part of it"
)]

use std::error::Error;
use std::io::{self, Write};
use std::process::{ExitCode, Termination};

use sagemaker_invoke::error::ServiceErrorKind;

pub(crate) const HELP: &str = "
Exit codes:
  0   the response was written
  1   the body cannot be read, or the response cannot be written
  2   invalid arguments, configuration or member of the request
  3   no usable credentials, or AWS refuses them or the signature
  4   no connection, a timeout, or a response that is incomplete or too large
  5   throttled, or the model is not ready: try again later
  6   the model's container answered with an error
  7   the service refused the request
  8   the service failed
";

/// Runs a program. If its first argument is `--help`, prints the comment at the top of its source instead.
pub(crate) fn run<T: Termination>(
    source: &str,
    program: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> ExitCode {
    if matches!(std::env::args().nth(1).as_deref(), Some("--help" | "-h")) {
        return end(show_help(source).map_err(Into::into));
    }
    match program() {
        Ok(done) => done.report(),
        Err(error) => end(Err(error)),
    }
}

fn show_help(source: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        writeln!(out, "{}", line.trim_start())?;
    }
    write!(out, "{HELP}")
}

/// The arguments, at most so many, none of them an option.
pub(crate) fn arguments(max: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has_option = arguments
        .first()
        .is_some_and(|argument| argument.starts_with('-'));
    if has_option || arguments.len() > max {
        Err(unknown_arguments())
    } else {
        Ok(arguments)
    }
}

pub(crate) fn unknown_arguments() -> Box<dyn Error> {
    Box::new(lexopt::Error::from(
        "these arguments are not known: see --help",
    ))
}

/// Reports an error and returns the exit code.
pub(crate) fn end(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    // Standard error may be closed; the exit code remains.
    let _ = report(&*error);
    let invocation = error.downcast_ref::<sagemaker_invoke::Error>();
    let is_argument = error.is::<lexopt::Error>() || error.is::<std::num::ParseIntError>();
    let code = match error.downcast_ref() {
        Some(ureq::Error::StatusCode(400..500)) => 7,
        Some(ureq::Error::StatusCode(_)) => 8,
        Some(_) => 4,
        None if is_argument => 2,
        None => invocation.map_or(1, of),
    };
    ExitCode::from(code)
}

/// Prints the error, its sources, and whether the model may have run.
fn report(error: &(dyn Error + 'static)) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "error: {error}")?;
    // The source of a lexopt error repeats its text.
    let mut source = if error.is::<lexopt::Error>() {
        None
    } else {
        error.source()
    };
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

pub(crate) fn of(error: &sagemaker_invoke::Error) -> u8 {
    use sagemaker_invoke::Error;

    match error {
        Error::Config(_) | Error::InvalidInput(_) => 2,
        Error::Credentials(_) => 3,
        Error::Service(error) => of_service_error(&error.kind, error.status),
        _ => 4,
    }
}

fn of_service_error(kind: &ServiceErrorKind, status: u16) -> u8 {
    use ServiceErrorKind as Kind;

    match kind {
        Kind::ExpiredToken
        | Kind::UnrecognizedClient
        | Kind::InvalidSignature
        | Kind::AccessDenied => 3,
        Kind::Throttling | Kind::ModelNotReady => 5,
        Kind::Model(_) => 6,
        Kind::Validation | Kind::PayloadTooLarge => 7,
        _ if (400..500).contains(&status) => 7,
        _ => 8,
    }
}
