//! Text that must not be shown as it is: secrets, and what others wrote.

mod layer;
mod redactor;
mod secret_headers;
mod url;

use std::fmt::{self, Write};
use std::path::Path;

use zeroize::Zeroizing;

pub(crate) use self::redactor::Redactor;
pub(crate) use self::secret_headers::is_secret_header;
pub(crate) use self::url::masked_url;

/// A text hidden by Debug and wiped from memory when it is dropped.
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

/// Shows text of others on one line: trimmed, a space for each hidden character, at most `max_characters`. Debug
/// escapes the hidden characters instead.
pub(crate) struct OneLine<'a> {
    pub(crate) text: &'a str,
    pub(crate) max_characters: usize,
}

impl<'a> OneLine<'a> {
    /// For a name, a path or the value of a setting: at most 300 characters.
    pub(crate) fn short(text: &'a str) -> Self {
        Self {
            text,
            max_characters: 300,
        }
    }

    /// For a message: at most 1000 characters.
    pub(crate) fn long(text: &'a str) -> Self {
        Self {
            text,
            max_characters: 1000,
        }
    }
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.text.trim().chars();
        for character in characters.by_ref().take(self.max_characters) {
            f.write_char(if is_hidden(character) { ' ' } else { character })?;
        }
        if characters.next().is_some() {
            f.write_str("...")
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.char_indices().nth(self.max_characters) {
            Some((end, _)) => write!(f, "{:?}...", self.text.split_at(end).0),
            None => write!(f, "{:?}", self.text),
        }
    }
}

/// The path of a file on one line.
pub(crate) fn shown_path(path: &Path) -> String {
    OneLine::short(&path.to_string_lossy()).to_string()
}

/// Whether a terminal does not show the character but obeys it: controls, line and paragraph separators, marks of the
/// writing direction, and invisible formatting. The joiners U+200C and U+200D stay: words of several scripts need them.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Maximum characters of a code or an id; those of AWS have 80 at most.
const MAX_WORD_CHARACTERS: usize = 128;

/// Whether a text can be a code or an id: visible ASCII characters only.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A code or an id of others, cut where it is too long; `None` for anything else.
pub(crate) fn word(text: &str) -> Option<String> {
    if is_word(text) {
        Some(text.chars().take(MAX_WORD_CHARACTERS).collect())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_shown_safely, fuzz_text};

    #[test]
    fn hidden_characters_are_replaced_in_display_and_escaped_in_debug() {
        for character in (0..=0x0010_ffff)
            .filter_map(char::from_u32)
            .filter(|it| is_hidden(*it))
        {
            let text = format!("a{character}b");
            let line = OneLine {
                text: &text,
                max_characters: 10,
            };
            assert_eq!(line.to_string(), "a b", "{character:?}");
            assert!(format!("{line:?}").is_ascii(), "{line:?}");
        }
        let text = "na\u{200c}me \u{1f469}\u{200d}\u{1f680}";
        assert_eq!(
            OneLine {
                text,
                max_characters: 10
            }
            .to_string(),
            text
        );
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let line = |text, max_characters| OneLine {
            text,
            max_characters,
        };
        assert_eq!(line(" äöü ", 3).to_string(), "äöü");
        assert_eq!(line("äöü", 2).to_string(), "äö...");
        assert_eq!(format!("{:?}", line("äöü", 2)), r#""äö"..."#);
        assert_eq!(format!("{:?}", line("ä\nü", 3)), r#""ä\nü""#);
    }

    #[test]
    fn a_path_is_shown_on_one_line() {
        assert_eq!(shown_path(Path::new("/a\nb\u{7}/c")), "/a b /c");
    }

    #[test]
    fn a_word_is_visible_ascii() {
        assert_eq!(word("a-b_1/c=").as_deref(), Some("a-b_1/c="));
        assert_eq!(word(&"x".repeat(200)).as_deref(), Some(&*"x".repeat(128)));
        for text in ["", " ", "a b", "a\n", "ä", "\u{85}"] {
            assert_eq!(word(text), None, "{text:?}");
        }
    }

    #[test]
    fn fuzz_foreign_text() {
        let samples = [
            " na\u{200c}me \u{1f469}\u{200d}\u{1f680}\r\n",
            "\u{202e}\0\u{1b}[1m",
            "ThrottlingException",
        ];
        fuzz_text(&samples, |text| {
            let line = OneLine {
                text,
                max_characters: 20,
            };
            for shown in [line.to_string(), format!("{line:?}")] {
                assert_shown_safely(&shown);
                assert!(
                    shown.chars().count() <= 20 * "\\u{10ffff}".len() + 5,
                    "{shown}"
                );
            }
            assert!(word(text).is_none_or(|word| word.bytes().all(|byte| byte.is_ascii_graphic())));
        });
    }
}
