//! The meaning of a section's header.

use super::parse::BLANKS;

/// The two shared files. A profile is `[profile NAME]` in the config file and `[NAME]` in the credentials file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Config,
    Credentials,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    Profile,
    SsoSession,
    Services,
}

/// A header that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) kind: SectionKind,
    /// Without its quotes.
    pub(super) name: &'a str,
}

/// Why a header does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeaderError {
    /// `None` if the kind is what is unknown.
    pub(super) kind: Option<SectionKind>,
    pub(super) problem: &'static str,
}

impl<'a> Header<'a> {
    /// Parses the text between the brackets.
    pub(super) fn parse(file: FileKind, text: &'a str) -> Result<Self, HeaderError> {
        if file == FileKind::Credentials || text == "default" {
            let kind = SectionKind::Profile;
            let is_prefixed = text.starts_with("profile ") || text.starts_with("profile\t");
            let problem = "in the credentials file, a profile is [NAME] without the word profile";
            let name = if is_prefixed {
                Err(problem)
            } else {
                parse_name(text)
            };
            return Self::of(kind, name);
        }
        let (word, name) = text.split_once(BLANKS).unwrap_or((text, ""));
        let kind = match word {
            "profile" => SectionKind::Profile,
            "sso-session" => SectionKind::SsoSession,
            "services" => SectionKind::Services,
            _ => {
                let problem = "in the config file, a section is [profile NAME], [sso-session NAME] or [services NAME]";
                return Err(HeaderError {
                    kind: None,
                    problem,
                });
            }
        };
        Self::of(kind, parse_name(name.trim_matches(BLANKS)))
    }

    fn of(kind: SectionKind, name: Result<&'a str, &'static str>) -> Result<Self, HeaderError> {
        match name {
            Ok(name) => Ok(Self { kind, name }),
            Err(problem) => Err(HeaderError {
                kind: Some(kind),
                problem,
            }),
        }
    }
}

fn parse_name(text: &str) -> Result<&str, &'static str> {
    if let Some(name) = unquoted(text) {
        return if name.is_empty() {
            Err("the name is empty")
        } else {
            Ok(name)
        };
    }
    if is_identifier(text) {
        Ok(text)
    } else if text.is_empty() {
        Err("it has no name")
    } else if text.contains(BLANKS) {
        Err("a name with blanks must be quoted")
    } else {
        Err("a name with other characters than ASCII letters, digits and _-/.%@:+ must be quoted")
    }
}

/// The text between quotes of one kind. Source: `aws configure sso` writes such names.
fn unquoted(text: &str) -> Option<&str> {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

/// The names that the author of a header may have meant, without quotes.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    let after_word = text
        .split_once(BLANKS)
        .map(|(_, name)| name.trim_matches(BLANKS));
    [Some(text), after_word]
        .into_iter()
        .flatten()
        .map(|name| unquoted(name).unwrap_or(name))
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
    use super::*;

    fn parsed(file: FileKind, text: &str) -> Option<(SectionKind, &str)> {
        Header::parse(file, text)
            .ok()
            .map(|header| (header.kind, header.name))
    }

    #[test]
    fn names_may_be_quoted() {
        use FileKind::{Config, Credentials};
        use SectionKind::{Profile, Services, SsoSession};

        for (file, text, expected) in [
            (Config, "profile \"my prof\"", (Profile, "my prof")),
            (Config, "profile\t'it'", (Profile, "it")),
            (Config, "sso-session 'My Corp'", (SsoSession, "My Corp")),
            (Config, "services  \" a \"", (Services, " a ")),
            (Config, "profile \"it's\"", (Profile, "it's")),
            (Config, "profile \"\u{e9}\"", (Profile, "\u{e9}")),
            (Config, "default", (Profile, "default")),
            (Credentials, "'my prof'", (Profile, "my prof")),
            (Credentials, "profile", (Profile, "profile")),
        ] {
            assert_eq!(parsed(file, text), Some(expected), "{text}");
        }
        for text in [
            "profile \"\"",
            "profile \"",
            "profile \"a'",
            "'profile a'",
            "profile a 'b'",
            "profile",
            "",
        ] {
            assert_eq!(parsed(Config, text), None, "{text}");
        }
    }
}
