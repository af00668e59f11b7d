//! Text that must not be shown as it is: secrets, and what others wrote.

use std::fmt::{self, Write};

use zeroize::Zeroizing;

/// A text that Debug does not show and that is wiped from memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Displays text of others on one line: trimmed, a space for each control character, at most `max_characters`.
pub(crate) struct OneLine<'a> {
    pub(crate) text: &'a str,
    pub(crate) max_characters: usize,
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.text.trim().chars();
        for character in characters.by_ref().take(self.max_characters) {
            f.write_char(if character.is_control() { ' ' } else { character })?;
        }
        if characters.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}
