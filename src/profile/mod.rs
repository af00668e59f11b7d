//! The shared files `~/.aws/config` and `~/.aws/credentials`, and the profile that the environment selects.
//!
//! Source: the AWS SDKs and Tools reference guide, "Shared config and credentials files", and the SDKs' own tests
//! of it.

mod location;
mod merge;
mod parse;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

pub(crate) use self::location::{Platform, below_aws, expand_home};
use self::merge::{Kind, Merged};
pub(crate) use self::merge::{Place, Property, Section};
use crate::host::Host;

/// What both files define, and which profile counts.
#[derive(Debug)]
pub(crate) struct Profiles {
    merged: Merged,
    selected: String,
    /// Whether `AWS_PROFILE` named the profile.
    is_named: bool,
    /// Where was looked.
    files: Vec<PathBuf>,
}

/// Why the shared files say nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("{place}: {problem}")]
    Syntax { place: Place, problem: &'static str },

    #[error("{} cannot be read", file.display())]
    Unreadable {
        file: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },

    #[error("AWS_PROFILE names the profile {name:?}, which is in neither of: {files}")]
    Missing { name: String, files: String },
}

impl Profiles {
    /// Reads both files; one that does not exist is empty.
    pub(crate) fn load(host: &dyn Host) -> Result<Self, ProfileError> {
        let mut merged = Merged::default();
        let mut files = Vec::new();
        let both = [
            (Kind::Config, location::config_file(host, Platform::CURRENT)),
            (Kind::Credentials, location::credentials_file(host, Platform::CURRENT)),
        ];
        for (kind, path) in both.into_iter().filter_map(|(kind, path)| Some((kind, path?))) {
            add_file(&mut merged, kind, &path, host)?;
            files.push(path);
        }
        let named = host.variable("AWS_PROFILE").map(|name| name.trim().to_owned());
        let named = named.filter(|name| !name.is_empty());
        let is_named = named.is_some();
        Ok(Self { merged, selected: named.unwrap_or_else(|| "default".to_owned()), is_named, files })
    }

    /// Profiles and SSO sessions of a test that has no files.
    #[cfg(test)]
    pub(crate) fn from_sections(
        profiles: &serde_json::Map<String, serde_json::Value>,
        sso_sessions: &serde_json::Map<String, serde_json::Value>,
    ) -> Self {
        let sections = |all: &serde_json::Map<String, serde_json::Value>| {
            let section = |properties: &serde_json::Value| {
                let properties = properties.as_object().unwrap();
                Section::from_pairs(properties.iter().map(|(name, value)| (&**name, value.as_str().unwrap())))
            };
            all.iter().map(|(name, properties)| (name.clone(), section(properties))).collect()
        };
        let merged = Merged {
            profiles: sections(profiles),
            sso_sessions: sections(sso_sessions),
            ..Merged::default()
        };
        Self { merged, selected: "default".to_owned(), is_named: false, files: vec![] }
    }

    pub(crate) fn selected_name(&self) -> &str {
        &self.selected
    }

    /// The selected profile; `None` when none was named and there is no default, an error when one was named that
    /// does not exist.
    pub(crate) fn selected(&self) -> Result<Option<&Section>, ProfileError> {
        match self.profile(&self.selected) {
            None if self.is_named => {
                Err(ProfileError::Missing { name: self.selected.clone(), files: self.files() })
            }
            found => Ok(found),
        }
    }

    pub(crate) fn profile(&self, name: &str) -> Option<&Section> {
        self.merged.profiles.get(name)
    }

    pub(crate) fn sso_session(&self, name: &str) -> Option<&Section> {
        self.merged.sso_sessions.get(name)
    }

    /// A section of endpoint URLs.
    pub(crate) fn services(&self, name: &str) -> Option<&Section> {
        self.merged.services.get(name)
    }

    /// Where was looked, for an error's text.
    pub(crate) fn files(&self) -> String {
        let shown: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        if shown.is_empty() { "no file, as HOME is not set".to_owned() } else { shown.join(", ") }
    }
}

fn add_file(merged: &mut Merged, kind: Kind, path: &Path, host: &dyn Host) -> Result<(), ProfileError> {
    let bytes = match host.read_file(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(ProfileError::Unreadable { file: path.to_owned(), source: Arc::new(error) });
        }
    };
    let failed = |line, problem| {
        let place = Place { file: Arc::new(path.to_owned()), line };
        ProfileError::Syntax { place, problem }
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        failed(good.split(|byte| *byte == b'\n').count(), "the line is not UTF-8")
    })?;
    let sections = parse::parse(text).map_err(|error| failed(error.line, error.problem))?;
    merged.add(kind, path, sections);
    Ok(())
}
