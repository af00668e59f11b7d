//! The shared files `~/.aws/config` and `~/.aws/credentials`, and the profile selected by the environment.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>, "Shared config and credentials files",
//! and the test cases of the SDKs for it. Example, with the profile `prod` selected:
//!
//! ```text
//! ~/.aws/config                    ~/.aws/credentials            the profile prod
//! [profile prod]                   [prod]                        region = eu-west-1
//! region = eu-west-1               aws_access_key_id = B         aws_access_key_id = B
//! aws_access_key_id = A            aws_secret_access_key = C     aws_secret_access_key = C
//! ```
//!
//! The parser is strict, as that of the SDKs. The lookup is not: it also finds names that the AWS CLI writes and the SDKs
//! ignore, such as `[my profile]`.

mod header;
mod location;
mod merge;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use self::header::FileKind;
pub(crate) use self::header::SectionKind;
use self::location::FileLocation;
pub(crate) use self::location::{Platform, below_aws, expand_home};
use self::merge::Merged;
pub(crate) use self::merge::{Fault, Line, Property, Section};
use crate::http::SettingError;
use crate::system::{System, setting_variable};
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
    /// Files that a variable names and that do not exist.
    missing: Vec<MissingFile>,
    /// Why a default file, which no setting names, could not be used.
    unusable: Option<ProfileError>,
}

/// A file that a variable names and that does not exist. It counts as empty, as in the SDKs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingFile {
    variable: &'static str,
    path: PathBuf,
}

impl fmt::Display for MissingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, path } = self;
        write!(
            f,
            "{variable} names {}, which does not exist",
            shown_path(path)
        )
    }
}

/// The reason why the shared files cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("the name of the profile is empty")]
    EmptyName,

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
            ProfileError::EmptyName => Self::new("profile", "has an empty name"),
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
        let (selected, selected_by) = select(system, profile)?;
        let mut profiles = Self {
            selected,
            selected_by,
            ..Self::default()
        };
        for (kind, file) in location::files(system, Platform::CURRENT) {
            if let Err(error) = profiles.add_file(system, kind, &file) {
                if file.named_by.is_some() || selected_by.is_some() {
                    return Err(error);
                }
                warn_of(&error);
                profiles.unusable.get_or_insert(error);
            }
            profiles.files.push(file.path);
        }
        Ok(profiles)
    }

    fn add_file(
        &mut self,
        system: &dyn System,
        kind: FileKind,
        file: &FileLocation,
    ) -> Result<(), ProfileError> {
        if file.path == Platform::CURRENT.null_device() {
            // It is not a regular file. A variable names it in order to have no file.
            return Ok(());
        }
        let bytes = match system.read_file(&file.path, MAX_FILE_BYTES) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if is_missing(&error) => {
                self.note_missing(file, &error);
                return Ok(());
            }
            Err(error) => {
                return Err(ProfileError::Unreadable {
                    file: file.path.clone(),
                    source: Arc::new(error),
                });
            }
        };
        let parsed = parse::parse(&bytes);
        if let Some(error) = parsed.fault {
            let path = Arc::new(file.path.clone());
            return Err(ProfileError::Syntax(Fault::new(&path, error)));
        }
        self.merged.add(kind, &file.path, parsed.sections);
        Ok(())
    }

    /// A typo in the variable would otherwise be silent.
    fn note_missing(&mut self, file: &FileLocation, error: &io::Error) {
        if let Some(variable) = file.named_by {
            let path = file.path.clone();
            let missing = MissingFile { variable, path };
            log::warn!("{missing}; it counts as empty");
            self.missing.push(missing);
        } else if error.kind() != io::ErrorKind::NotFound {
            log::warn!("{} cannot be read: {error}", shown_path(&file.path));
        }
    }

    /// Files that a variable names and that do not exist, for error messages.
    pub(crate) fn missing_files(&self) -> &[MissingFile] {
        &self.missing
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
        let found = self.profile(&self.selected)?;
        match self.selected_by {
            Some(by) if found.is_none() => Err(self.not_found(by)),
            _ => Ok(found),
        }
    }

    /// The error for a profile that `by` names.
    fn not_found(&self, by: &'static str) -> ProfileError {
        let name = self.selected.clone();
        match self.why_ignored(SectionKind::Profile, &name) {
            Some(fault) => ProfileError::Ignored {
                by,
                name,
                fault: fault.clone(),
            },
            None => {
                let missing = self.missing.iter().map(|missing| format!("; {missing}"));
                let files = self.files() + &missing.collect::<String>();
                ProfileError::Missing { by, name, files }
            }
        }
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

    /// For a missing section: why a section with a similar header is ignored.
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

/// The name of the profile, and who gives it; `None` for the profile `default`, which may be missing.
fn select(
    system: &dyn System,
    profile: Option<&str>,
) -> Result<(String, Option<&'static str>), ProfileError> {
    if let Some(name) = profile {
        return if name.trim().is_empty() {
            Err(ProfileError::EmptyName)
        } else {
            Ok((name.to_owned(), Some("the program")))
        };
    }
    Ok(match setting_variable(system, "AWS_PROFILE") {
        Some(name) => (name, Some("AWS_PROFILE")),
        None => ("default".to_owned(), None),
    })
}

/// Whether there is no file. Below a home directory such as `/dev/null` there can be none.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
