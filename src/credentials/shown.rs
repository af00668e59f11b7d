//! Foreign texts in errors and log records: one line of bounded length, without secrets.

use std::path::Path;

use crate::text::OneLine;

/// Maximum characters of a text.
const MAX_CHARACTERS: usize = 300;

/// Length of the key ids of AWS.
const KEY_ID_CHARACTERS: usize = 20;
/// A longer id with lower-case letters may be a secret key, which has 40 characters.
const MAX_MIXED_CASE_CHARACTERS: usize = 24;

/// One line of bounded length.
pub(super) fn shown(text: &str) -> String {
    OneLine { text, max_characters: MAX_CHARACTERS }.to_string()
}

/// The same in quotes, with escapes, for names and values of settings.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", OneLine { text, max_characters: MAX_CHARACTERS })
}

/// The path of a file, which may hold line breaks.
pub(super) fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// The id of a key, or `..` if it does not look like one: the secret key may have been pasted in its place.
pub(super) fn shown_key_id(id: &str) -> String {
    let is_word = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_upper_case = !id.bytes().any(|byte| byte.is_ascii_lowercase());
    if !is_word || (id.len() > MAX_MIXED_CASE_CHARACTERS && !is_upper_case) {
        return "..".to_owned();
    }
    match id.get(..KEY_ID_CHARACTERS) {
        Some(start) if id.len() > KEY_ID_CHARACTERS => format!("{start}.."),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_shown_and_a_secret_in_its_place_is_not() {
        for (id, shown) in [
            ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
            ("ASIAIOSFODNN7EXAMPLE0123", "ASIAIOSFODNN7EXAMPLE.."),
            ("AKIDEXAMPLE", "AKIDEXAMPLE"),
            ("id_0", "id_0"),
            ("", ""),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ".."),
            ("wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY01", ".."),
            ("wJalrXUtnFEMIK7MDENGbPxRf", ".."),
            ("pass/word", ".."),
            ("a\nb", ".."),
            ("\u{e9}", ".."),
        ] {
            assert_eq!(shown_key_id(id), shown, "{id:?}");
        }
        assert_eq!(shown_key_id(&"A".repeat(128)), format!("{}..", "A".repeat(20)));
    }

    #[test]
    fn a_path_is_shown_on_one_line() {
        assert_eq!(shown_path(Path::new("/a\nb\u{7}/c")), "/a b /c");
    }
}
