//! Credentials that a program prints: the property `credential_process`.
//!
//! Source: the AWS SDKs and Tools reference guide, "Process credential provider".

use std::io;
use std::time::Duration;

use super::Credentials;
use super::answer::{Answer, shown};
use super::context::Context;
use crate::error::CredentialsError;

/// A program may take so long, and no longer than its call.
const LIMIT: Duration = Duration::from_secs(60);

/// A word of this length in what a failed program says may be a key, and is not shown.
const SECRET_CHARACTERS: usize = 16;

/// The command line is not shown: it may hold a password.
pub(super) fn load(context: &Context<'_>, command_line: &str) -> Result<Credentials, CredentialsError> {
    let what = "credential_process";
    let limit = context.left(what)?.min(LIMIT);
    let finished = context.host.run(command_line, limit).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => {
            CredentialsError::new(format!("{what} was not done after {limit:.1?} and was ended"))
        }
        _ => CredentialsError::new(format!("{what} could not be run")).with_source(error),
    })?;
    if !finished.is_success {
        let said = without_secrets(&String::from_utf8_lossy(&finished.stderr));
        let said = if said.is_empty() { "nothing".to_owned() } else { said };
        return Err(CredentialsError::new(format!(
            "{what} failed with {}, and said: {said}",
            finished.status
        )));
    }
    let stdout = zeroize::Zeroizing::new(finished.stdout);
    let answer = Answer::parse(&stdout, "its output").map_err(|error| error.within(what))?;
    if answer.number("Version") != Some(1) {
        return Err(CredentialsError::new(format!("{what}: its output has no Version 1")));
    }
    answer.credentials("its output").map_err(|error| error.within(what))
}

/// The text with every word gone that is long enough for a key.
fn without_secrets(text: &str) -> String {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || "+/_-".contains(letter);
    let kept = text.split_inclusive(|letter| !is_of_word(letter)).map(|piece| {
        let word = piece.trim_end_matches(|letter| !is_of_word(letter));
        let rest = piece.strip_prefix(word).unwrap_or_default();
        if word.len() < SECRET_CHARACTERS { piece.to_owned() } else { format!("..{rest}") }
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
