//! Merges the sections of both files into profiles, SSO sessions and service settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::parse;

/// Sections of one kind by name.
pub(super) type Sections = BTreeMap<String, Section>;

/// The properties of a profile, an SSO session or a `services` section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section(BTreeMap<String, Property>);

/// A value and its line in a file.
#[derive(Clone)]
pub(crate) struct Property {
    pub(crate) value: Zeroizing<String>,
    pub(crate) line: Line,
}

/// Without the value, which may be a secret key.
impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".. ({})", self.line)
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) file: Arc<PathBuf>,
    pub(crate) number: usize,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file.display(), self.number)
    }
}

impl Section {
    /// The value of a property. Blank values count as missing.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.property(name).map(|property| property.value.as_str())
    }

    /// A property with its line. Blank values count as missing.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.0.get(name).filter(|property| !property.value.trim().is_empty())
    }

    /// A value in a block of sub-properties, with the line of the block: `endpoint_url` in the block `sts` of
    /// `[services NAME]`. The last of several applies.
    pub(crate) fn sub_property(&self, block: &str, name: &str) -> Option<Property> {
        let block = self.0.get(block)?;
        let (_, value) = parse::sub_properties(&block.value)
            .filter(|(candidate, value)| candidate == name && !value.is_empty())
            .last()?;
        Some(Property { value: Zeroizing::new(value.to_owned()), line: block.line.clone() })
    }

    #[cfg(test)]
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, property)| (name.as_str(), property.value.as_str()))
    }

    /// Builds a section for tests without files.
    #[cfg(test)]
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let line = Line { file: Arc::new(PathBuf::from("test")), number: 1 };
        let properties = pairs.into_iter().map(|(name, value)| {
            let property = Property { value: Zeroizing::new(value.to_owned()), line: line.clone() };
            (name.to_owned(), property)
        });
        Self(properties.collect())
    }
}

/// The two shared files. A profile is `[profile NAME]` in the config file and `[NAME]` in the credentials file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Config,
    Credentials,
}

/// The meaning of a section header.
enum Header<'a> {
    Profile(&'a str),
    /// `[default]` in the config file, which is ignored beside `[profile default]`.
    BareDefault,
    SsoSession(&'a str),
    Services(&'a str),
    Unknown,
}

/// The sections of both files.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) profiles: Sections,
    pub(super) sso_sessions: Sections,
    pub(super) services: Sections,
}

impl Merged {
    /// Adds the sections of a file. A property replaces an earlier one of the same name.
    pub(super) fn add(&mut self, kind: Kind, path: &Path, sections: Vec<parse::Section<'_>>) {
        let file = Arc::new(path.to_owned());
        let has_prefixed_default = sections
            .iter()
            .any(|section| matches!(Header::parse(kind, section.header), Header::Profile("default")));
        for section in sections {
            let (target, name) = match Header::parse(kind, section.header) {
                Header::Profile(name) => (&mut self.profiles, name),
                Header::BareDefault if !has_prefixed_default => (&mut self.profiles, "default"),
                Header::SsoSession(name) => (&mut self.sso_sessions, name),
                Header::Services(name) => (&mut self.services, name),
                Header::BareDefault | Header::Unknown => {
                    log::warn!("{}, line {}: the section is ignored", file.display(), section.line);
                    continue;
                }
            };
            add_properties(target.entry(name.to_owned()).or_default(), &file, section.properties);
        }
    }
}

impl<'a> Header<'a> {
    fn parse(kind: Kind, header: &'a str) -> Self {
        match kind {
            Kind::Credentials if is_identifier(header) => Self::Profile(header),
            Kind::Credentials => Self::Unknown,
            Kind::Config => Self::parse_config(header),
        }
    }

    fn parse_config(header: &'a str) -> Self {
        if header == "default" {
            return Self::BareDefault;
        }
        let (prefix, name) = header.split_once([' ', '\t']).unwrap_or((header, ""));
        let name = name.trim_matches([' ', '\t']);
        match prefix {
            _ if !is_identifier(name) => Self::Unknown,
            "profile" => Self::Profile(name),
            "sso-session" => Self::SsoSession(name),
            "services" => Self::Services(name),
            _ => Self::Unknown,
        }
    }
}

fn add_properties(section: &mut Section, file: &Arc<PathBuf>, properties: Vec<parse::Property>) {
    for property in properties {
        let line = Line { file: Arc::clone(file), number: property.line };
        if is_identifier(&property.name) {
            section.0.insert(property.name, Property { value: property.value, line });
        } else {
            log::warn!("{line}: the property is ignored, its name has characters that are not allowed");
        }
    }
}

/// Whether a section or a property can have this name. Source: the test cases of the SDKs for the parser.
fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&byte))
}
