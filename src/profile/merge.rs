//! From the sections of both files to profiles, SSO sessions and service settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::parse;

/// Named sections of one kind.
pub(super) type Sections = BTreeMap<String, Section>;

/// The properties of a profile, an SSO session or a `services` section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section(BTreeMap<String, Property>);

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Property {
    pub(crate) value: Zeroizing<String>,
    pub(crate) place: Place,
}

/// The value may be a key.
impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".. ({})", self.place)
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<PathBuf>,
    pub(crate) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file.display(), self.line)
    }
}

impl Section {
    /// The value of a property, unless it is blank.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.property(name).map(|property| property.value.as_str())
    }

    /// A property that is not blank.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.0.get(name).filter(|property| !property.value.trim().is_empty())
    }

    /// The value in a block of sub-properties, with the place of the block.
    pub(crate) fn sub_property(&self, block: &str, name: &str) -> Option<Property> {
        let block = self.0.get(block)?;
        let (_, value) = parse::sub_properties(&block.value)
            .filter(|(candidate, value)| candidate == name && !value.is_empty())
            .last()?;
        Some(Property { value: Zeroizing::new(value.to_owned()), place: block.place.clone() })
    }

    #[cfg(test)]
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, property)| (name.as_str(), property.value.as_str()))
    }

    /// Builds the sections of a test that has no file.
    #[cfg(test)]
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let place = Place { file: Arc::new(PathBuf::from("test")), line: 1 };
        let property =
            |value: &str| Property { value: Zeroizing::new(value.to_owned()), place: place.clone() };
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), property(value))).collect())
    }
}

/// Which of the two files a section stands in: they write the headers of profiles differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Config,
    Credentials,
}

/// What a header names.
enum Header<'a> {
    Profile(&'a str),
    /// `[default]` in the config file, which yields to `[profile default]`.
    BareDefault,
    SsoSession(&'a str),
    Services(&'a str),
    Unknown,
}

/// Everything that the files define.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) profiles: Sections,
    pub(super) sso_sessions: Sections,
    pub(super) services: Sections,
}

impl Merged {
    /// Adds the sections of a file; what is defined already yields to them.
    pub(super) fn add(&mut self, kind: Kind, path: &Path, sections: Vec<parse::Section<'_>>) {
        let file = Arc::new(path.to_owned());
        let has_prefixed_default = sections
            .iter()
            .any(|section| matches!(Header::of(kind, section.header), Header::Profile("default")));
        for section in sections {
            let (target, name) = match Header::of(kind, section.header) {
                Header::Profile(name) => (&mut self.profiles, name),
                Header::BareDefault if !has_prefixed_default => (&mut self.profiles, "default"),
                Header::SsoSession(name) => (&mut self.sso_sessions, name),
                Header::Services(name) => (&mut self.services, name),
                Header::BareDefault | Header::Unknown => {
                    log::warn!("{}, line {}: the section is ignored", file.display(), section.line);
                    continue;
                }
            };
            fill(target.entry(name.to_owned()).or_default(), &file, section.properties);
        }
    }
}

impl<'a> Header<'a> {
    fn of(kind: Kind, header: &'a str) -> Self {
        match kind {
            Kind::Credentials if is_identifier(header) => Self::Profile(header),
            Kind::Credentials => Self::Unknown,
            Kind::Config => Self::in_config(header),
        }
    }

    fn in_config(header: &'a str) -> Self {
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

fn fill(section: &mut Section, file: &Arc<PathBuf>, properties: Vec<parse::Property>) {
    for property in properties {
        let place = Place { file: Arc::clone(file), line: property.line };
        if is_identifier(&property.name) {
            section.0.insert(property.name, Property { value: property.value, place });
        } else {
            log::warn!("{place}: the property is ignored, its name has characters that none has");
        }
    }
}

/// Source: the character set of the SDKs' own tests.
fn is_identifier(name: &str) -> bool {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&byte);
    !name.is_empty() && name.bytes().all(is_kept)
}
