//! The shared files `~/.aws/config` and `~/.aws/credentials`, and the profile selected by the environment.
//!
//! Source: "Shared config and credentials files" in the AWS SDKs and Tools Reference Guide, and the test cases of the
//! SDKs for it.

mod header;
mod location;
mod merge;
mod parse;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use self::header::FileKind;
pub(crate) use self::header::SectionKind;
pub(crate) use self::location::{Platform, below_aws, expand_home};
use self::merge::Merged;
pub(crate) use self::merge::{Fault, Line, Property, Section};
use crate::http::SettingError;
use crate::system::System;
use crate::text::shown_path;

/// Maximum size of a shared file; real ones have a few KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The content of both files and the name of the selected profile.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    merged: Merged,
    selected: String,
    /// `AWS_PROFILE` or the program; `None` if neither names a profile, which selects `default`.
    selected_by: Option<&'static str>,
    /// The files that were read, for error messages.
    files: Vec<PathBuf>,
    /// Why a default file, which no setting names, could not be used.
    unusable: Option<ProfileError>,
}

/// The reason why the shared files cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("{0}")]
    Syntax(Fault),

    #[error("{} cannot be read", shown_path(file))]
    Unreadable {
        file: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },

    #[error("{by} names the profile {name:?}, which is in neither of: {files}")]
    Missing {
        by: &'static str,
        name: String,
        files: String,
    },

    #[error("{by} names the profile {name:?}, whose section is ignored: {fault}")]
    Ignored {
        by: &'static str,
        name: String,
        fault: Fault,
    },
}

impl From<ProfileError> for SettingError {
    fn from(error: ProfileError) -> Self {
        let problem = format!("cannot be used: {error}");
        let setting_error = Self::new("shared configuration", problem);
        match error {
            ProfileError::Unreadable { source, .. } => setting_error.with_source(source),
            _ => setting_error,
        }
    }
}

impl Profiles {
    /// Reads both files and selects the profile of `AWS_PROFILE`, or else `default`. A missing file counts as empty.
    pub(crate) fn load(system: &dyn System) -> Result<Self, ProfileError> {
        Self::load_selecting(system, None)
    }

    /// Like [`load`](Self::load), but `profile` comes before `AWS_PROFILE`.
    ///
    /// An unusable file is an error if a variable names it or a profile is named. Otherwise it is a warning in the log
    /// and an error of [`check_files`](Self::check_files).
    pub(crate) fn load_selecting(
        system: &dyn System,
        profile: Option<&str>,
    ) -> Result<Self, ProfileError> {
        let named = match profile {
            Some(name) => Some((name.to_owned(), "the program")),
            None => system
                .variable("AWS_PROFILE")
                .map(|name| (name.trim().to_owned(), "AWS_PROFILE")),
        };
        let mut profiles = Self {
            selected: "default".to_owned(),
            ..Self::default()
        };
        if let Some((selected, by)) = named.filter(|(name, _)| !name.is_empty()) {
            profiles = Self {
                selected,
                selected_by: Some(by),
                ..profiles
            };
        }
        for (kind, file) in location::files(system, Platform::CURRENT) {
            if let Err(error) = add_file(&mut profiles.merged, kind, &file.path, system) {
                if file.is_named || profiles.selected_by.is_some() {
                    return Err(error);
                }
                warn_of(&error);
                profiles.unusable.get_or_insert(error);
            }
            profiles.files.push(file.path);
        }
        Ok(profiles)
    }

    /// Fails if a file could not be used. For a caller that needs what may be in it.
    pub(crate) fn check_files(&self) -> Result<(), ProfileError> {
        self.unusable.clone().map_or(Ok(()), Err)
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
        Self {
            merged,
            selected: "default".to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn selected_name(&self) -> &str {
        &self.selected
    }

    /// Returns the selected profile. Fails if `AWS_PROFILE` or the program names a missing profile; a missing default
    /// profile is `None`.
    pub(crate) fn selected(&self) -> Result<Option<&Section>, ProfileError> {
        let (found, Some(by)) = (self.profile(&self.selected)?, self.selected_by) else {
            return self.profile(&self.selected);
        };
        if found.is_some() {
            return Ok(found);
        }
        let name = self.selected.clone();
        Err(match self.why_ignored(SectionKind::Profile, &name) {
            Some(fault) => ProfileError::Ignored {
                by,
                name,
                fault: fault.clone(),
            },
            None => ProfileError::Missing {
                by,
                name,
                files: self.files(),
            },
        })
    }

    pub(crate) fn profile(&self, name: &str) -> Result<Option<&Section>, ProfileError> {
        self.section(SectionKind::Profile, name)
    }

    /// Returns a section. Fails if it has an invalid line.
    pub(crate) fn section(
        &self,
        kind: SectionKind,
        name: &str,
    ) -> Result<Option<&Section>, ProfileError> {
        match self.merged.sections(kind).get(name) {
            Some(Section {
                fault: Some(fault), ..
            }) => Err(ProfileError::Syntax(fault.clone())),
            found => Ok(found),
        }
    }

    /// For a missing section: the section of a similar header, which does not count, and why.
    pub(crate) fn why_ignored(&self, kind: SectionKind, name: &str) -> Option<&Fault> {
        self.merged.why_ignored(kind, name)
    }

    /// The first fault of any section, as a strict parser would report.
    #[cfg(test)]
    fn check_all(&self) -> Result<(), ProfileError> {
        self.check_files()?;
        let Merged {
            profiles,
            sso_sessions,
            services,
            ..
        } = &self.merged;
        let mut sections = profiles
            .values()
            .chain(sso_sessions.values())
            .chain(services.values());
        let fault = sections.find_map(|section| section.fault.clone());
        fault.map_or(Ok(()), |fault| Err(ProfileError::Syntax(fault)))
    }

    /// The files that were read, for error messages.
    pub(crate) fn files(&self) -> String {
        let shown: Vec<_> = self.files.iter().map(|file| shown_path(file)).collect();
        if shown.is_empty() {
            "no file, as HOME is not set".to_owned()
        } else {
            shown.join(", ")
        }
    }
}

fn warn_of(error: &ProfileError) {
    match std::error::Error::source(error) {
        Some(source) => log::warn!("{error}: {source}; the file is not used"),
        None => log::warn!("{error}; the file is not used"),
    }
}

fn add_file(
    merged: &mut Merged,
    kind: FileKind,
    path: &Path,
    system: &dyn System,
) -> Result<(), ProfileError> {
    if path == Platform::CURRENT.null_device() {
        // It is not a regular file, and is named to have no file.
        return Ok(());
    }
    let bytes = match system.read_file(path, MAX_FILE_BYTES) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            // Of the home directory /dev/null, for example. There can be no file.
            log::warn!("{} cannot be read: {error}", shown_path(path));
            return Ok(());
        }
        Err(error) => {
            return Err(ProfileError::Unreadable {
                file: path.to_owned(),
                source: Arc::new(error),
            });
        }
    };
    let parsed = parse::parse(&bytes);
    if let Some(parse::SyntaxError { line, problem }) = parsed.fault {
        let line = Line {
            file: Arc::new(path.to_owned()),
            number: line,
        };
        return Err(ProfileError::Syntax(Fault { line, problem }));
    }
    merged.add(kind, path, parsed.sections);
    Ok(())
}
