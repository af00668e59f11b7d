//! Text of a program in an error message: the end of it, on one line, without the command line and without possible
//! keys.

use crate::credentials::shown::shown;

/// How much of the end an error message shows. With the mark before it, this is the limit of [`shown`].
const MAX_SHOWN_CHARACTERS: usize = 297;

/// Words of this length are possible keys.
const MIN_KEY_LETTERS: usize = 16;

/// Words of the command line of this length may be a path or a password.
const MIN_ARGUMENT_CHARACTERS: usize = 4;

/// Maximum bytes of a character reference: `&#x10ffff;`.
const MAX_REFERENCE_BYTES: usize = 10;

const REDACTED: &str = "..";

/// Removes the rest of a key whose beginning was dropped. It may be too short to be found as a key, and it may go on
/// after an escape or a line break.
pub(super) fn without_cut_word(text: &str) -> &str {
    let blank = text.find(char::is_whitespace).unwrap_or(text.len());
    let rest = text.split_at(blank).1.trim_start();
    rest.split_at(Word::at_start(rest).bytes).1
}

/// Replaces words long enough for a key, and words of the command line. A word may be escaped as in JSON or XML,
/// percent-encoded, wrapped over several lines, or in UTF-16.
pub(super) fn redacted(text: &str, command_line: &str) -> String {
    end_of(&without_keys(&without_arguments(text, command_line)))
}

/// The last characters on one line: the reason usually stands there, as in a traceback of Python.
fn end_of(text: &str) -> String {
    let text = text.trim();
    let mut last = text.char_indices().rev();
    match last.nth(MAX_SHOWN_CHARACTERS - 1) {
        Some((start, _)) if start > 0 => shown(&format!("...{}", text.split_at(start).1)),
        _ => shown(text),
    }
}

fn without_arguments(text: &str, command_line: &str) -> String {
    let mut arguments: Vec<&str> = vec![command_line.trim()];
    let words =
        command_line.split(|letter: char| letter.is_whitespace() || "\"'`".contains(letter));
    arguments.extend(
        words
            .flat_map(|word| [word].into_iter().chain(word.split('=')))
            .map(trimmed),
    );
    arguments.retain(|argument| may_be_private(argument));
    // The longest first, because it may contain another.
    arguments.sort_by_key(|argument| std::cmp::Reverse(argument.len()));
    arguments
        .into_iter()
        .fold(text.to_owned(), |text, argument| {
            text.replace(argument, REDACTED)
        })
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|letter: char| ",;:&|()<>".contains(letter))
}

/// Words of letters only are more often part of a message.
fn may_be_private(argument: &str) -> bool {
    argument.len() >= MIN_ARGUMENT_CHARACTERS
        && !argument.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn without_keys(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = Word::at_start(rest);
        // Without a word, the piece is one character.
        let (piece, after) = rest.split_at(word.bytes.max(first.len_utf8()));
        kept.push_str(if word.letters >= MIN_KEY_LETTERS {
            REDACTED
        } else {
            piece
        });
        rest = after;
    }
    kept
}

/// A word at the start of a text, in the alphabet of keys.
#[derive(Clone, Copy, Default)]
struct Word {
    bytes: usize,
    letters: usize,
}

impl Word {
    /// Empty if the text does not begin with a letter. A break at the end does not belong to the word.
    fn at_start(text: &str) -> Self {
        let mut word = Self::default();
        let mut bytes = 0;
        while let Some(unit) = text.get(bytes..).and_then(unit) {
            match unit {
                Unit::Letter(length) => {
                    bytes += length;
                    word = Self {
                        bytes,
                        letters: word.letters + 1,
                    };
                }
                Unit::Break(_) if word.letters == 0 => break,
                Unit::Break(length) => bytes += length,
            }
        }
        word
    }
}

/// A letter or a break within a word, and its length in bytes.
enum Unit {
    Letter(usize),
    Break(usize),
}

fn unit(text: &str) -> Option<Unit> {
    match text.as_bytes() {
        [byte, ..] if byte.is_ascii_alphanumeric() || b"+/_-".contains(byte) => {
            Some(Unit::Letter(1))
        }
        [b'%', code @ ..] if is_hex(code, 2) => Some(Unit::Letter(3)),
        [b'&', b'#', ..] => reference_length(text).map(Unit::Letter),
        [b'\\', b'/', ..] => Some(Unit::Letter(2)),
        [b'\\', b'u', code @ ..] if is_hex(code, 4) => Some(Unit::Letter(6)),
        [b'\\', b'x', code @ ..] if is_hex(code, 2) => Some(Unit::Letter(4)),
        [b'\\', b'n' | b'r', ..] => Some(Unit::Break(2)),
        [b'\\', after @ ..] => line_break(after).map(|length| Unit::Break(1 + length)),
        // The other byte of an ASCII letter in UTF-16.
        [0, ..] => Some(Unit::Break(1)),
        bytes => line_break(bytes).map(Unit::Break),
    }
}

/// The length of a character reference. One without its end is not searched further: its text would be read once for each
/// ampersand.
fn reference_length(text: &str) -> Option<usize> {
    let end = text
        .bytes()
        .take(MAX_REFERENCE_BYTES)
        .position(|byte| byte == b';')?;
    Some(end + 1)
}

fn is_hex(code: &[u8], digits: usize) -> bool {
    code.get(..digits)
        .is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
}

/// The length of a line break and the indentation after it.
fn line_break(bytes: &[u8]) -> Option<usize> {
    let length = match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => return None,
    };
    let indentation = bytes
        .iter()
        .skip(length)
        .take_while(|byte| matches!(byte, b' ' | b'\t'));
    Some(length + indentation.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_shown_safely, fuzz_text};

    const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    #[test]
    fn what_may_be_a_key_is_not_shown() {
        let text = "error: the session wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY= has ended,\nrun \"helper login\"";
        let shown = "error: the session ..= has ended, run \"helper login\"";
        assert_eq!(redacted(text, ""), shown);
        assert_eq!(
            redacted("{\"SecretAccessKey\":\"secretkeycorrect\"}", ""),
            "{\"SecretAccessKey\":\"..\"}"
        );
        assert_eq!(redacted("", ""), "");
    }

    /// The key with a break after each of these numbers of letters.
    fn wrapped(letters: usize, line_break: &str) -> String {
        let lines: Vec<&str> = KEY
            .as_bytes()
            .chunks(letters)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        lines.join(line_break)
    }

    #[test]
    fn a_key_is_found_however_it_is_written() {
        let mut forms = vec![
            KEY.replace('/', "\\/"),
            KEY.replace('/', "\\u002f").replace('+', "\\u002B"),
            KEY.replace('/', "\\x2f"),
            KEY.replace('/', "%2F").replace('+', "%2b"),
            KEY.replace('/', "&#x2F;").replace('+', "&#43;"),
            KEY.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            KEY.bytes().map(|byte| format!("\\u{byte:04X}")).collect(),
            KEY.chars().flat_map(|letter| [letter, '\0']).collect(),
        ];
        for line_break in [
            "\n", "\r\n", "\\\n", "\\\r\n", "\n    ", "\\\n\t", "\\n", "\\r\\n",
        ] {
            forms.extend([1, 5, 12, 15, 16, 20, 39].map(|letters| wrapped(letters, line_break)));
        }
        for form in forms {
            let text = redacted(&format!("the key '{form}', it fails"), "");
            let text = text.replace(' ', "");
            assert_eq!(text, "thekey'..',itfails", "{form:?}");
        }
    }

    #[test]
    fn messages_are_left_as_they_are() {
        for text in [
            "Traceback (most recent call last):\n  File \"helper.py\", line 3, in fetch\n    raise Error",
            "100% of 3 %zz \\path\\to \\user & co &#; \\",
            "Token has expired and refresh failed\nexit 1",
        ] {
            assert_eq!(redacted(text, ""), text.replace('\n', " "));
        }
    }

    #[test]
    fn words_of_the_command_line_are_not_shown() {
        let command_line = "/opt/corp/helper --user=me@corp --password 'hunter2' login";
        for (text, expected) in [
            ("sh: 1: /opt/corp/helper: not found", "sh: 1: ..: not found"),
            (
                "invalid password \"hunter2\" of me@corp, run login",
                "invalid password \"..\" of .., run login",
            ),
            (
                "/opt/corp/helper --user=me@corp --password 'hunter2' login: failed",
                "..: failed",
            ),
        ] {
            assert_eq!(redacted(text, command_line), expected);
        }
    }

    #[test]
    fn time_is_proportional_to_the_text() {
        // A megabyte, the most that is read of a program.
        for text in ["&#", "\\u", "a\n", "\n ", "%2"] {
            let started_at = std::time::Instant::now();
            let _ = redacted(&text.repeat(512 * 1024), "");
            assert!(
                started_at.elapsed() < std::time::Duration::from_secs(5),
                "{text:?}"
            );
        }
    }

    #[test]
    fn fuzz_redaction() {
        let samples = [
            "error: \\u002f \\x2f %2F &#x2F; &#43; \\/ \\n 'id'\r\n",
            "Traceback (most recent call last):\n  File \"helper.py\", line 3\n    raise Error\0x\0",
            "{\"SecretAccessKey\":\"",
        ];
        fuzz_text(&samples, |text| {
            let middle = text
                .char_indices()
                .nth(text.len() / 3)
                .map_or(0, |(index, _)| index);
            let (before, after) = text.split_at(middle);
            let shown = redacted(&format!("{before}{KEY}{after}"), "helper --user=line");
            assert!(
                !shown.contains("wJalr") && !shown.contains("EKEY"),
                "{shown:?}"
            );
            assert_shown_safely(&shown);
        });
    }
}
