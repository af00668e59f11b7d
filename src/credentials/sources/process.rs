//! Credentials that a program prints: the property `credential_process`.
//!
//! Source: the AWS SDKs and Tools reference guide, "Process credential provider".

use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::aws::Credentials;
use crate::credentials::context::Context;
use crate::credentials::parse::json::{Document, shown};
use crate::error::CredentialsError;

/// Time limit of the program; the deadline of the search also applies.
const LIMIT: Duration = Duration::from_secs(60);

/// A word of this length in the output of a failed program may be a key, and is not shown.
const MIN_SECRET_CHARACTERS: usize = 16;

/// No error shows the command line: it may hold a password.
pub(super) fn load(context: &Context<'_>, command_line: &str) -> Result<Credentials, CredentialsError> {
    let what = "credential_process";
    let limit = context.time_left(what)?.min(LIMIT);
    let finished = context.system.run(command_line, limit).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => {
            CredentialsError::new(format!("{what} was not done after {limit:.1?} and was ended"))
        }
        _ => CredentialsError::new(format!("{what} could not be run")).with_source(error),
    })?;
    if !finished.is_success {
        let written = without_secrets(&String::from_utf8_lossy(&finished.stderr));
        let written = if written.is_empty() { "nothing" } else { &written };
        let status = &finished.status;
        return Err(CredentialsError::new(format!("{what} failed with {status}, and wrote: {written}")));
    }
    let stdout = Zeroizing::new(finished.stdout);
    let document = Document::parse(&stdout, "its output").map_err(|error| error.within(what))?;
    if document.number("Version") != Some(1) {
        return Err(CredentialsError::new(format!("{what}: its output has no Version 1")));
    }
    document.credentials("its output").map_err(|error| error.within(what))
}

/// The text without the words that are long enough for a key.
fn without_secrets(text: &str) -> String {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || "+/_-".contains(letter);
    let kept = text.split_inclusive(|letter| !is_of_word(letter)).map(|piece| {
        let word = piece.trim_end_matches(|letter| !is_of_word(letter));
        let rest = piece.strip_prefix(word).unwrap_or_default();
        if word.len() < MIN_SECRET_CHARACTERS { piece.to_owned() } else { format!("..{rest}") }
    });
    shown(&kept.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_key_is_not_shown() {
        let text =
            "error: the session wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY= has ended,\nrun \"helper login\"";
        let shown = "error: the session ..= has ended, run \"helper login\"";
        assert_eq!(without_secrets(text), shown);
        assert_eq!(
            without_secrets("{\"SecretAccessKey\":\"secretkeycorrect\"}"),
            "{\"SecretAccessKey\":\"..\"}"
        );
        assert_eq!(without_secrets(""), "");
    }
}
