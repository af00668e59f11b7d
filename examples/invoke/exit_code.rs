//! Exit codes, by what a script can do about an error.

use std::error::Error;
use std::process::ExitCode;

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
        Error::Service(error) => of_service_error(&error.kind, error.status),
        _ => 4,
    }
}

fn of_service_error(kind: &ServiceErrorKind, status: u16) -> u8 {
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
