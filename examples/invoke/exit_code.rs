//! The exit code tells a script what it can do about an error.

use std::error::Error;
use std::process::ExitCode;

use sagemaker_invoke::error::ServiceErrorKind;

pub(crate) const HELP: &str = "
Exit codes:
  0   the answer was written
  1   the body could not be read, or the answer not be written
  2   wrong arguments, wrong configuration, or a member that the API does not take
  3   no usable credentials, or AWS refuses them or the signature
  4   no connection, a time-out, or an answer that broke off or is too large
  5   throttled, or the model is still being loaded: try again later
  6   the model's container answered with an error
  7   the service refused the request
  8   the service failed
";

pub(crate) fn of(error: &(dyn Error + 'static)) -> ExitCode {
    if error.is::<lexopt::Error>() {
        return ExitCode::from(2);
    }
    let code = error.downcast_ref::<sagemaker_invoke::Error>().map_or(1, of_invocation);
    ExitCode::from(code)
}

fn of_invocation(error: &sagemaker_invoke::Error) -> u8 {
    use sagemaker_invoke::Error;

    match error {
        Error::Config(_) | Error::InvalidInput(_) => 2,
        Error::Credentials(_) => 3,
        Error::Service(error) => of_answer(&error.kind, error.status),
        _ => 4,
    }
}

fn of_answer(kind: &ServiceErrorKind, status: u16) -> u8 {
    use ServiceErrorKind as Kind;

    match kind {
        Kind::ExpiredToken | Kind::UnrecognizedClient | Kind::InvalidSignature | Kind::AccessDenied => 3,
        Kind::Throttling | Kind::ModelNotReady => 5,
        Kind::Model(_) => 6,
        Kind::Validation | Kind::PayloadTooLarge => 7,
        _ if (400..500).contains(&status) => 7,
        _ => 8,
    }
}
