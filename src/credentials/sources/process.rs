//! Credentials in the output of a program, the property `credential_process`.
//!
//! Source: "Process credential provider" in the AWS SDKs and Tools Reference Guide,
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::program_stderr::ProgramStderr;
use crate::aws::Credentials;
use crate::credentials::context::Context;
use crate::credentials::parse::date::date_of;
use crate::credentials::parse::json::JsonDocument;
use crate::error::CredentialsError;
use crate::system::ProcessOutput;

/// Time limit of the program; the deadline of the search also applies.
const LIMIT: Duration = Duration::from_secs(60);

const WHAT: &str = "credential_process";

/// No error shows the command line, because it may hold a password.
pub(super) fn load(
    context: &Context<'_>,
    command_line: &str,
) -> Result<Credentials, CredentialsError> {
    let stderr = Arc::new(ProgramStderr::new(command_line));
    let output = run(context, command_line, &stderr)?;
    if !output.is_success {
        return Err(CredentialsError::new(format!(
            "{WHAT} failed with {}, and wrote: {}",
            output.status,
            stderr.shown()
        )));
    }
    let stdout = Zeroizing::new(output.stdout);
    credentials_in(&stdout, context.corrected_now()).map_err(|error| error.within(WHAT))
}

/// The program may outlive the call that started the search: the next call finds its credentials. It is killed when
/// its own limit or that of the search has passed.
fn run(
    context: &Context<'_>,
    command_line: &str,
    stderr: &Arc<ProgramStderr>,
) -> Result<ProcessOutput, CredentialsError> {
    let limit = context.begin_step(WHAT)?.min(LIMIT);
    context.progress.begin_program(WHAT, stderr);
    let outcome = context
        .system
        .run(command_line, limit, &mut |bytes| stderr.push(bytes));
    // The program does not run any more.
    context.progress.begin(WHAT);
    outcome.map_err(|error| not_finished(error, stderr, limit))
}

fn not_finished(error: io::Error, stderr: &ProgramStderr, limit: Duration) -> CredentialsError {
    if error.kind() != io::ErrorKind::TimedOut {
        return CredentialsError::new(format!("{WHAT} could not be run")).with_source(error);
    }
    let written = stderr.shown();
    CredentialsError::new(format!(
        "{WHAT} was not done after {limit:.1?} and was killed, and wrote: {written}"
    ))
}

fn credentials_in(stdout: &[u8], now: SystemTime) -> Result<Credentials, CredentialsError> {
    let what = "its output";
    let document = JsonDocument::parse(stdout, what)?;
    if document.number("Version") != Some(1) {
        return Err(CredentialsError::new(format!("{what} has no Version 1")));
    }
    let credentials = document.credentials(what)?;
    check_expiry(&document, &credentials, now)?;
    Ok(credentials)
}

/// Refuses a number and a date in the past, like the AWS CLI.
fn check_expiry(
    document: &JsonDocument,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<(), CredentialsError> {
    if document.has_other_than_text(&["Expiration", "ExpiresAt"]) {
        return Err(CredentialsError::new(
            "its output has an Expiration that is not a text",
        ));
    }
    match credentials.expires_at {
        Some(expires_at) if expires_at <= now => {
            let date = date_of(expires_at).unwrap_or_else(|| "a time before 1970".to_owned());
            Err(CredentialsError::new(format!(
                "the credentials in its output expired at {date}"
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::testing::{assert_shown_safely, fuzz};

    #[test]
    fn fuzz_outputs() {
        let samples = [
            r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"s","SessionToken":"t","Expiration":"2030-01-01T00:00:00Z"}"#,
            r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"s","Expiration":"19991231T235959Z"}"#,
        ];
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        fuzz(&samples, |stdout| match credentials_in(stdout, now) {
            Ok(credentials) => assert!(
                credentials
                    .expires_at
                    .is_none_or(|expires_at| expires_at > now)
            ),
            Err(error) => assert_shown_safely(&error.to_string()),
        });
    }

    #[test]
    fn the_error_of_a_time_out_has_what_was_written() {
        let limit = Duration::from_millis(1500);
        let text = |kind: io::ErrorKind, written: &str| {
            let stderr = ProgramStderr::new("helper --password hunter2");
            stderr.push(written.as_bytes());
            not_finished(kind.into(), &stderr, limit).to_string()
        };
        let start = "credential_process was not done after 1.5s and was killed, and wrote: ";
        let written = "log in first,\nhunter2 for wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
        assert_eq!(
            text(io::ErrorKind::TimedOut, written),
            format!("{start}log in first, .. for ..")
        );
        assert_eq!(text(io::ErrorKind::TimedOut, ""), format!("{start}nothing"));
        assert_eq!(
            text(io::ErrorKind::NotFound, written),
            "credential_process could not be run"
        );
    }
}
