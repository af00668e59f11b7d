//! Section headers: kind and name of a section.
//!
//! Source: the section types in <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>, the test cases of
//! the SDKs for the parser, and the AWS CLI for names that the SDKs ignore.

use std::borrow::Cow;

use super::parse::BLANKS;

/// The two shared files. A profile is `[profile NAME]` in the config file and `[NAME]` in the credentials file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Config,
    Credentials,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SectionKind {
    Profile,
    SsoSession,
    Services,
}

/// The section that a header names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Header<'a> {
    pub(super) kind: SectionKind,
    pub(super) name: Cow<'a, str>,
}

/// How the name in a header is read, the most exact reading first. A section of a file has a name only if no section of
/// that file has it in a more exact reading.
///
/// `aws configure --profile "my profile"` writes `[profile 'my profile']` to the config file and `[my profile]` to the
/// credentials file. The SDKs ignore the second one:
///
/// ```text
/// file         header                  strict        verbatim        unquoted
/// config       [profile 'my profile']  my profile
/// config       [profile über]                        über
/// config       [profile my profile]
/// credentials  [plain]                 plain
/// credentials  [my profile]                          my profile
/// credentials  ["my profile"]                        "my profile"    my profile
/// credentials  [profile foo]                         profile foo
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The name is an identifier. In the config file it may have quotes, which do not belong to it.
    Strict,
    /// For a header without a strict reading: the name as it stands, as in the AWS CLI. In the config file, the CLI
    /// ignores names with blanks and without quotes.
    Verbatim,
    /// For a header without a strict reading: the name without its quotes. Version 0.2 of this crate advised to write
    /// such headers to the credentials file.
    Unquoted,
}

impl Reading {
    pub(super) const ALL: [Self; 3] = [Self::Strict, Self::Verbatim, Self::Unquoted];
}

impl<'a> Header<'a> {
    /// Reads the text between the brackets; `None` if it names no section in this reading.
    pub(super) fn read(file: FileKind, text: &'a str, reading: Reading) -> Option<Self> {
        let (kind, raw) = split(file, text)?;
        let strict = match (file, unquoted(raw)) {
            (FileKind::Config, Some(name)) => Some(name),
            _ if is_identifier(raw) => Some(Cow::Borrowed(raw)),
            _ => None,
        };
        let name = match (reading, strict) {
            (Reading::Strict, strict) => strict?,
            (Reading::Verbatim, None) if file == FileKind::Config && raw.contains(BLANKS) => {
                return None;
            }
            (Reading::Verbatim, None) => Cow::Borrowed(raw),
            (Reading::Unquoted, None) => unquoted(raw)?,
            _ => return None,
        };
        if name.is_empty() {
            None
        } else {
            Some(Self { kind, name })
        }
    }
}

/// Splits the text between the brackets into kind and raw name; `None` if the kind is unknown.
fn split(file: FileKind, text: &str) -> Option<(SectionKind, &str)> {
    if file == FileKind::Credentials || text == "default" {
        return Some((SectionKind::Profile, text));
    }
    let (word, name) = text.split_once(BLANKS).unwrap_or((text, ""));
    let kind = match word {
        "profile" => SectionKind::Profile,
        "sso-session" => SectionKind::SsoSession,
        "services" => SectionKind::Services,
        _ => return None,
    };
    Some((kind, name.trim_matches(BLANKS)))
}

/// Why a header does not name the section that its author may have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeaderProblem {
    /// `None` if the kind is unknown.
    pub(super) kind: Option<SectionKind>,
    pub(super) problem: &'static str,
}

impl HeaderProblem {
    /// Checks the text between the brackets. Its problems give no advice that changes the name for the AWS CLI.
    pub(super) fn find(file: FileKind, text: &str) -> Option<Self> {
        let Some((kind, name)) = split(file, text) else {
            let problem = "in the config file, a section is [profile NAME], [sso-session NAME] or [services NAME]";
            return Some(Self {
                kind: None,
                problem,
            });
        };
        let prefixed = name.starts_with("profile ") || name.starts_with("profile\t");
        let problem = if file == FileKind::Credentials && prefixed {
            "in the credentials file, a profile is [NAME] without the word profile"
        } else if name.is_empty() {
            "it has no name"
        } else if unquoted(name).as_deref() == Some("") {
            "its name is empty"
        } else if file == FileKind::Config && unquoted(name).is_none() && name.contains(BLANKS) {
            "a name with blanks must be quoted"
        } else {
            return None;
        };
        Some(Self {
            kind: Some(kind),
            problem,
        })
    }
}

/// The text without its quotes. The AWS CLI quotes as a shell does: `Bob's profile` becomes `'Bob'"'"'s profile'`.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((piece, after)) = quoted_piece(rest) {
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        // The quote within the name may also be as it stands: `'Bob's profile'`.
        return ['"', '\'']
            .into_iter()
            .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
            .map(Cow::Borrowed);
    }
    match pieces.as_slice() {
        [] => None,
        [piece] => Some(Cow::Borrowed(piece)),
        _ => Some(Cow::Owned(pieces.concat())),
    }
}

/// The text in quotes at the start, and the rest.
fn quoted_piece(text: &str) -> Option<(&str, &str)> {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.split_once(quote))
}

/// The names that the author of a header with a problem may have meant: all of it, or all after its first word.
pub(super) fn meant_names(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let after_word = text
        .split_once(BLANKS)
        .map(|(_, name)| name.trim_matches(BLANKS));
    [Some(text), after_word]
        .into_iter()
        .flatten()
        .map(|name| unquoted(name).unwrap_or(Cow::Borrowed(name)))
}

/// Whether a section or a property can have this name without quotes. Source: the test cases of the SDKs for the
/// parser.
pub(super) fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::FileKind::{Config, Credentials};
    use super::SectionKind::{Profile, Services, SsoSession};
    use super::*;

    /// The names of the three readings. The kind is the same in each.
    fn names(file: FileKind, text: &str) -> [Option<String>; 3] {
        let name = |header: Header<'_>| header.name.into_owned();
        Reading::ALL.map(|reading| Header::read(file, text, reading).map(name))
    }

    #[test]
    fn a_header_has_up_to_three_readings() {
        for (file, text, expected) in [
            (Config, "default", [Some("default"), None, None]),
            (Config, "profile a-b", [Some("a-b"), None, None]),
            (Config, "profile \"my prof\"", [Some("my prof"), None, None]),
            (Config, "profile\t'it'", [Some("it"), None, None]),
            (Config, "profile \"it's\"", [Some("it's"), None, None]),
            (
                Config,
                "profile 'Bob'\"'\"'s prof'",
                [Some("Bob's prof"), None, None],
            ),
            (
                Config,
                "profile 'Bob's prof'",
                [Some("Bob's prof"), None, None],
            ),
            (Config, "profile my prof", [None, None, None]),
            (Config, "profile \u{fc}", [None, Some("\u{fc}"), None]),
            (Config, "profile \"", [None, Some("\""), None]),
            (Config, "profile \"a'", [None, Some("\"a'"), None]),
            (Config, "profile a 'b'", [None, None, None]),
            (Config, "profile \"\"", [None, None, None]),
            (Config, "'profile a'", [None, None, None]),
            (Config, "profile", [None, None, None]),
            (Config, "", [None, None, None]),
            (Credentials, "profile", [Some("profile"), None, None]),
            (Credentials, "my prof", [None, Some("my prof"), None]),
            (
                Credentials,
                "'my prof'",
                [None, Some("'my prof'"), Some("my prof")],
            ),
            (Credentials, "profile a", [None, Some("profile a"), None]),
            (Credentials, "''", [None, Some("''"), None]),
            (Credentials, "", [None, None, None]),
        ] {
            let expected = expected.map(|name| name.map(str::to_owned));
            assert_eq!(names(file, text), expected, "{text}");
        }
    }

    #[test]
    fn the_first_word_in_the_config_file_is_the_kind() {
        for (text, kind) in [
            ("profile a", Profile),
            ("sso-session 'My Corp'", SsoSession),
            ("services  \" a \"", Services),
        ] {
            let header = Header::read(Config, text, Reading::Strict).unwrap();
            assert_eq!(header.kind, kind, "{text}");
        }
    }
}
