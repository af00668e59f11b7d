//! Merges the sections of both files into profiles, SSO sessions and service settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::header::{
    FileKind, Header, HeaderProblem, Reading, SectionKind, is_identifier, meant_names,
};
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

impl Fault {
    pub(super) fn new(file: &Arc<PathBuf>, error: parse::SyntaxError) -> Self {
        Self {
            line: Line::new(file, error.line),
            problem: error.problem,
        }
    }
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

impl Line {
    fn new(file: &Arc<PathBuf>, number: usize) -> Self {
        Self {
            file: Arc::clone(file),
            number,
        }
    }
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

/// A section that is not found by the name that its author may have meant.
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
        mut sections: Vec<parse::ParsedSection<'_>>,
    ) {
        let file = Arc::new(path.to_owned());
        if kind == FileKind::Config {
            remove_bare_default(&file, &mut sections);
        }
        for section in &sections {
            self.note_problems(kind, &file, section);
        }
        // Sections of the same name are merged in the order of the file, unless one of them has it in a more exact
        // reading. Example: `["my profile"]` before or after `[my profile]` is not added to it.
        let mut found: BTreeSet<Header<'_>> = BTreeSet::new();
        for reading in Reading::ALL {
            let more_exact = found.clone();
            for section in &sections {
                match Header::read(kind, section.header, reading) {
                    Some(header) if !more_exact.contains(&header) => {
                        self.add_section(&header, &file, section);
                        found.insert(header);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Logs each unusable header and line once.
    fn note_problems(
        &mut self,
        kind: FileKind,
        file: &Arc<PathBuf>,
        section: &parse::ParsedSection<'_>,
    ) {
        if let Some(HeaderProblem { kind, problem }) = HeaderProblem::find(kind, section.header) {
            let line = Line::new(file, section.line);
            let fault = Fault { line, problem };
            log::warn!("{}: the section is ignored: {problem}", fault.line);
            self.ignored.push(Ignored {
                header: section.header.to_owned(),
                kind,
                fault,
            });
        }
        if let Some(error) = section.fault {
            let fault = Fault::new(file, error);
            log::warn!("{fault}; its section cannot be used");
        }
        for property in &section.properties {
            if !is_identifier(&property.name) {
                let line = Line::new(file, property.line);
                log::warn!(
                    "{line}: the property is ignored, its name has characters that are not allowed"
                );
            }
        }
    }

    fn add_section(
        &mut self,
        header: &Header<'_>,
        file: &Arc<PathBuf>,
        section: &parse::ParsedSection<'_>,
    ) {
        let target = self
            .sections_mut(header.kind)
            .entry(header.name.clone().into_owned())
            .or_default();
        if let Some(error) = section.fault {
            // The first fault stays.
            target.fault.get_or_insert(Fault::new(file, error));
        }
        for property in &section.properties {
            if is_identifier(&property.name) {
                let value = Property {
                    value: property.value.clone(),
                    line: Line::new(file, property.line),
                };
                target.properties.insert(property.name.clone(), value);
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

    /// Why a section that may be meant by this name is ignored.
    pub(super) fn why_ignored(&self, kind: SectionKind, name: &str) -> Option<&Fault> {
        let mut of_kind = self
            .ignored
            .iter()
            .filter(|ignored| ignored.kind.is_none_or(|it| it == kind));
        let meant = of_kind.find(|ignored| meant_names(&ignored.header).any(|it| it == name))?;
        Some(&meant.fault)
    }
}

/// Beside a `[profile default]`, the config file's `[default]` is ignored.
fn remove_bare_default(file: &Arc<PathBuf>, sections: &mut Vec<parse::ParsedSection<'_>>) {
    let default = Header {
        kind: SectionKind::Profile,
        name: "default".into(),
    };
    let has_prefixed_default = sections.iter().any(|section| {
        section.header != "default"
            && Header::read(FileKind::Config, section.header, Reading::Strict).as_ref()
                == Some(&default)
    });
    if !has_prefixed_default {
        return;
    }
    sections.retain(|section| {
        let bare = section.header == "default";
        if bare {
            let line = Line::new(file, section.line);
            log::warn!("{line}: the section is ignored, because there is a [profile default]");
        }
        !bare
    });
}
