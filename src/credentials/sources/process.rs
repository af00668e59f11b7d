//! Credentials in the output of a program, the property `credential_process`.
//!
//! Source: the AWS SDKs and Tools reference guide, "Process credential provider".

use std::io;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::program_text::redacted;
use crate::aws::Credentials;
use crate::credentials::context::Context;
use crate::credentials::parse::date::date_of;
use crate::credentials::parse::json::JsonDocument;
use crate::error::CredentialsError;
use crate::system::{Finished, TimedOut};

/// Time limit of the program; the deadline of the search also applies.
const LIMIT: Duration = Duration::from_secs(60);

const WHAT: &str = "credential_process";

/// No error shows the command line, because it may hold a password.
pub(super) fn load(
    context: &Context<'_>,
    command_line: &str,
) -> Result<Credentials, CredentialsError> {
    let finished = run(context, command_line)?;
    if !finished.is_success {
        let (status, written) = (&finished.status, written(&finished.stderr, command_line));
        return Err(CredentialsError::new(format!(
            "{WHAT} failed with {status}, and wrote: {written}"
        )));
    }
    let stdout = Zeroizing::new(finished.stdout);
    credentials_in(&stdout, context.corrected_now()).map_err(|error| error.within(WHAT))
}

fn run(context: &Context<'_>, command_line: &str) -> Result<Finished, CredentialsError> {
    let limit = context.begin_step(WHAT)?.min(LIMIT);
    context
        .system
        .run(command_line, limit)
        .map_err(|error| not_finished(error, command_line, limit))
}

fn not_finished(error: io::Error, command_line: &str, limit: Duration) -> CredentialsError {
    if error.kind() != io::ErrorKind::TimedOut {
        return CredentialsError::new(format!("{WHAT} could not be run")).with_source(error);
    }
    let timed_out = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<TimedOut>());
    let written = written(
        timed_out.map_or(&[], |timed_out| &timed_out.stderr),
        command_line,
    );
    CredentialsError::new(format!(
        "{WHAT} was not done after {limit:.1?} and was killed, and wrote: {written}"
    ))
}

fn written(stderr: &[u8], command_line: &str) -> String {
    let written = redacted(stderr, command_line);
    if written.is_empty() {
        "nothing".to_owned()
    } else {
        written
    }
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
        let text = |error| not_finished(error, "helper --password hunter2", limit).to_string();
        let start = "credential_process was not done after 1.5s and was killed, and wrote: ";
        let stderr = "log in first,\nhunter2 for wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
        assert_eq!(
            text(TimedOut::into_error(stderr)),
            format!("{start}log in first, .. for ..")
        );
        // The error of another implementation of System.
        assert_eq!(
            text(io::ErrorKind::TimedOut.into()),
            format!("{start}nothing")
        );
        assert_eq!(
            text(io::ErrorKind::NotFound.into()),
            "credential_process could not be run"
        );
    }
}
