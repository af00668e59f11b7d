//! Gets one inference.
//!
//! `cargo run --example invoke` needs no AWS account: it starts an endpoint on this machine that checks signatures, and
//! calls it. With the name of an endpoint it calls SageMaker; see `--help`.

mod arguments;
mod call;
mod demo;
#[path = "../support/exit_code.rs"]
mod exit_code;
#[path = "../support/verifying_endpoint.rs"]
mod verifying_endpoint;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Arguments, HELP};

fn main() -> ExitCode {
    exit_code::end(if std::env::args_os().len() == 1 {
        demo::run()
    } else {
        run()
    })
}

fn run() -> Result<(), Box<dyn Error>> {
    match Arguments::parse(lexopt::Parser::from_env())? {
        Some(arguments) => call::run(&arguments),
        None => Ok(write!(io::stdout(), "{HELP}{}", exit_code::HELP)?),
    }
}
