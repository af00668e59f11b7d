//! Merges the sections of both files into profiles, SSO sessions and service settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::header::{self, FileKind, Header, SectionKind, is_identifier};
use super::parse;
use crate::text::shown_path;

/// Sections of one kind by name.
pub(super) type Sections = BTreeMap<String, Section>;

/// The properties of a profile, an SSO session or a `services` section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    properties: BTreeMap<String, Property>,
    /// Its first invalid line. The section must not be used then.
    pub(super) fault: Option<Fault>,
}

/// An unusable line, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: Line,
    pub(crate) problem: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.problem)
    }
}

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
        write!(f, "{}, line {}", shown_path(&self.file), self.number)
    }
}

impl Section {
    /// The value of a property. Blank values count as missing.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.property(name).map(|property| property.value.as_str())
    }

    /// A property with its line. Blank values count as missing.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.properties
            .get(name)
            .filter(|property| !property.value.trim().is_empty())
    }

    /// A value in a block of sub-properties, with the line of the block: `endpoint_url` in the block `sts` of
    /// `[services NAME]`. The last of several applies.
    pub(crate) fn sub_property(&self, block: &str, name: &str) -> Option<Property> {
        let block = self.properties.get(block)?;
        let (_, value) = parse::sub_properties(&block.value)
            .filter(|(candidate, value)| candidate == name && !value.is_empty())
            .last()?;
        Some(Property {
            value: Zeroizing::new(value.to_owned()),
            line: block.line.clone(),
        })
    }

    #[cfg(test)]
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties
            .iter()
            .map(|(name, property)| (name.as_str(), property.value.as_str()))
    }

    /// Builds a section for tests without files.
    #[cfg(test)]
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let line = Line {
            file: Arc::new(PathBuf::from("test")),
            number: 1,
        };
        let properties = pairs.into_iter().map(|(name, value)| {
            let property = Property {
                value: Zeroizing::new(value.to_owned()),
                line: line.clone(),
            };
            (name.to_owned(), property)
        });
        Self {
            properties: properties.collect(),
            fault: None,
        }
    }
}

/// The sections of both files.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) profiles: Sections,
    pub(super) sso_sessions: Sections,
    pub(super) services: Sections,
    pub(super) ignored: Vec<Ignored>,
}

/// A section that does not count, because of its header.
#[derive(Debug)]
pub(super) struct Ignored {
    header: String,
    kind: Option<SectionKind>,
    fault: Fault,
}

impl Merged {
    /// Adds the sections of a file. A property replaces an earlier one of the same name.
    pub(super) fn add(
        &mut self,
        kind: FileKind,
        path: &Path,
        sections: Vec<parse::ParsedSection<'_>>,
    ) {
        let file = Arc::new(path.to_owned());
        let ignores_bare_default = kind == FileKind::Config && has_prefixed_default(&sections);
        for section in sections {
            let line = Line {
                file: Arc::clone(&file),
                number: section.line,
            };
            match Header::parse(kind, section.header) {
                Ok(_) if section.header == "default" && ignores_bare_default => {
                    log::warn!(
                        "{line}: the section is ignored, because there is a [profile default]"
                    );
                }
                Ok(header) => {
                    let target = self
                        .sections_mut(header.kind)
                        .entry(header.name.to_owned())
                        .or_default();
                    add_fault(target, &file, section.fault);
                    add_properties(target, &file, section.properties);
                }
                Err(error) => {
                    log::warn!("{line}: the section is ignored: {}", error.problem);
                    let (header, fault) = (
                        section.header.to_owned(),
                        Fault {
                            line,
                            problem: error.problem,
                        },
                    );
                    self.ignored.push(Ignored {
                        header,
                        kind: error.kind,
                        fault,
                    });
                }
            }
        }
    }

    pub(super) fn sections(&self, kind: SectionKind) -> &Sections {
        match kind {
            SectionKind::Profile => &self.profiles,
            SectionKind::SsoSession => &self.sso_sessions,
            SectionKind::Services => &self.services,
        }
    }

    fn sections_mut(&mut self, kind: SectionKind) -> &mut Sections {
        match kind {
            SectionKind::Profile => &mut self.profiles,
            SectionKind::SsoSession => &mut self.sso_sessions,
            SectionKind::Services => &mut self.services,
        }
    }

    /// Why a section that may be meant by this name does not count.
    pub(super) fn why_ignored(&self, kind: SectionKind, name: &str) -> Option<&Fault> {
        let mut of_kind = self
            .ignored
            .iter()
            .filter(|ignored| ignored.kind.is_none_or(|it| it == kind));
        let meant = of_kind.find(|ignored| header::names(&ignored.header).any(|it| it == name))?;
        Some(&meant.fault)
    }
}

/// Whether a config file has a `[profile default]`, beside which `[default]` does not count.
fn has_prefixed_default(sections: &[parse::ParsedSection<'_>]) -> bool {
    let default = Header {
        kind: SectionKind::Profile,
        name: "default",
    };
    sections.iter().any(|section| {
        section.header != "default"
            && Header::parse(FileKind::Config, section.header) == Ok(default)
    })
}

/// The first fault of a section stays.
fn add_fault(section: &mut Section, file: &Arc<PathBuf>, fault: Option<parse::SyntaxError>) {
    if let Some(parse::SyntaxError { line, problem }) = fault {
        let fault = Fault {
            line: Line {
                file: Arc::clone(file),
                number: line,
            },
            problem,
        };
        log::warn!("{fault}; its section cannot be used");
        section.fault.get_or_insert(fault);
    }
}

fn add_properties(
    section: &mut Section,
    file: &Arc<PathBuf>,
    properties: Vec<parse::ParsedProperty>,
) {
    for property in properties {
        let line = Line {
            file: Arc::clone(file),
            number: property.line,
        };
        if is_identifier(&property.name) {
            section.properties.insert(
                property.name,
                Property {
                    value: property.value,
                    line,
                },
            );
        } else {
            log::warn!(
                "{line}: the property is ignored, its name has characters that are not allowed"
            );
        }
    }
}
