//! The shared files `~/.aws/config` and `~/.aws/credentials`, and the profile selected by the environment.
//!
//! Source: "Shared config and credentials files" in the AWS SDKs and Tools Reference Guide, and the test cases of the
//! SDKs for it.

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
pub(crate) use self::merge::{Line, Property, Section};
use crate::http::SettingError;
use crate::system::System;

/// Maximum size of a shared file; real ones have a few KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The content of both files and the name of the selected profile.
#[derive(Debug)]
pub(crate) struct Profiles {
    merged: Merged,
    selected: String,
    /// `AWS_PROFILE` or the program; `None` if neither names a profile, which selects `default`.
    selected_by: Option<&'static str>,
    /// The files that were read, for error messages.
    files: Vec<PathBuf>,
}

/// The reason why the shared files cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("{line}: {problem}")]
    Syntax { line: Line, problem: &'static str },

    #[error("{} cannot be read", file.display())]
    Unreadable {
        file: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },

    #[error("{by} names the profile {name:?}, which is in neither of: {files}")]
    Missing { by: &'static str, name: String, files: String },
}

impl From<ProfileError> for SettingError {
    fn from(error: ProfileError) -> Self {
        let problem = format!("cannot be used: {error}");
        let setting_error = Self::new("shared configuration", problem);
        match error {
            ProfileError::Unreadable { source, .. } => setting_error.with_source(source),
            ProfileError::Syntax { .. } | ProfileError::Missing { .. } => setting_error,
        }
    }
}

impl Profiles {
    /// Reads both files and selects the profile of `AWS_PROFILE`, or else `default`. A missing file counts as empty.
    pub(crate) fn load(system: &dyn System) -> Result<Self, ProfileError> {
        Self::load_selecting(system, None)
    }

    /// Like [`load`](Self::load), but `profile` comes before `AWS_PROFILE`.
    pub(crate) fn load_selecting(system: &dyn System, profile: Option<&str>) -> Result<Self, ProfileError> {
        let mut merged = Merged::default();
        let mut files = Vec::new();
        let paths = [
            (Kind::Config, location::config_file(system, Platform::CURRENT)),
            (Kind::Credentials, location::credentials_file(system, Platform::CURRENT)),
        ];
        for (kind, path) in paths {
            if let Some(path) = path {
                add_file(&mut merged, kind, &path, system)?;
                files.push(path);
            }
        }
        let named = match profile {
            Some(name) => Some((name.to_owned(), "the program")),
            None => system.variable("AWS_PROFILE").map(|name| (name.trim().to_owned(), "AWS_PROFILE")),
        };
        Ok(match named {
            Some((selected, by)) if !selected.is_empty() => {
                Self { merged, selected, selected_by: Some(by), files }
            }
            _ => Self { merged, selected: "default".to_owned(), selected_by: None, files },
        })
    }

    /// Builds profiles and SSO sessions for tests without files.
    #[cfg(test)]
    pub(crate) fn from_sections(
        profiles: &serde_json::Map<String, serde_json::Value>,
        sso_sessions: &serde_json::Map<String, serde_json::Value>,
    ) -> Self {
        let merged = Merged {
            profiles: tests::sections(profiles),
            sso_sessions: tests::sections(sso_sessions),
            ..Merged::default()
        };
        Self { merged, selected: "default".to_owned(), selected_by: None, files: vec![] }
    }

    pub(crate) fn selected_name(&self) -> &str {
        &self.selected
    }

    /// Returns the selected profile. Fails if `AWS_PROFILE` or the program names a missing profile; a missing default
    /// profile is `None`.
    pub(crate) fn selected(&self) -> Result<Option<&Section>, ProfileError> {
        match (self.profile(&self.selected), self.selected_by) {
            (None, Some(by)) => {
                Err(ProfileError::Missing { by, name: self.selected.clone(), files: self.files() })
            }
            (found, _) => Ok(found),
        }
    }

    pub(crate) fn profile(&self, name: &str) -> Option<&Section> {
        self.merged.profiles.get(name)
    }

    pub(crate) fn sso_session(&self, name: &str) -> Option<&Section> {
        self.merged.sso_sessions.get(name)
    }

    /// The `[services NAME]` section: endpoint URLs by service.
    pub(crate) fn services(&self, name: &str) -> Option<&Section> {
        self.merged.services.get(name)
    }

    /// The files that were read, for error messages.
    pub(crate) fn files(&self) -> String {
        let shown: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        if shown.is_empty() { "no file, as HOME is not set".to_owned() } else { shown.join(", ") }
    }
}

fn add_file(merged: &mut Merged, kind: Kind, path: &Path, system: &dyn System) -> Result<(), ProfileError> {
    let bytes = match system.read_file(path, MAX_FILE_BYTES) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(ProfileError::Unreadable { file: path.to_owned(), source: Arc::new(error) });
        }
    };
    let sections = decode(&bytes).and_then(parse::parse).map_err(|error| ProfileError::Syntax {
        line: Line { file: Arc::new(path.to_owned()), number: error.line },
        problem: error.problem,
    })?;
    merged.add(kind, path, sections);
    Ok(())
}

fn decode(bytes: &[u8]) -> Result<&str, parse::SyntaxError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (valid, _) = bytes.split_at(error.valid_up_to());
        let line = valid.split(|byte| *byte == b'\n').count();
        parse::SyntaxError { line, problem: "the line is not UTF-8" }
    })
}
