//! The paths of the shared files.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html>, and the test cases of the SDKs for it.

use std::path::{Path, PathBuf};

use super::header::FileKind;
use crate::system::{System, setting_variable};

/// The rules for file names, as a value so that tests cover both platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Unix,
    Windows,
}

impl Platform {
    pub(crate) const CURRENT: Self = if cfg!(windows) {
        Self::Windows
    } else {
        Self::Unix
    };

    /// The device that is always empty.
    pub(super) fn null_device(self) -> &'static Path {
        Path::new(match self {
            Self::Unix => "/dev/null",
            Self::Windows => "NUL",
        })
    }

    fn separator(self) -> char {
        match self {
            Self::Unix => '/',
            Self::Windows => '\\',
        }
    }
}

/// A shared file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileLocation {
    pub(super) path: PathBuf,
    /// The variable that names it; `None` for a default file.
    pub(super) named_by: Option<&'static str>,
}

/// The files whose place is known, in the order in which they are merged.
pub(super) fn files(
    system: &dyn System,
    platform: Platform,
) -> impl Iterator<Item = (FileKind, FileLocation)> {
    let config = locate(system, platform, "AWS_CONFIG_FILE", "config");
    let credentials = locate(
        system,
        platform,
        "AWS_SHARED_CREDENTIALS_FILE",
        "credentials",
    );
    let files = [
        (FileKind::Config, config),
        (FileKind::Credentials, credentials),
    ];
    files
        .into_iter()
        .filter_map(|(kind, location)| Some((kind, location?)))
}

/// A file below `~/.aws`; `None` if the home directory is unknown.
pub(crate) fn below_aws(
    system: &dyn System,
    platform: Platform,
    names: &[&str],
) -> Option<PathBuf> {
    let mut path = home(system, platform)?;
    for name in std::iter::once(&".aws").chain(names) {
        path.push(platform.separator());
        path.push_str(name);
    }
    Some(path.into())
}

/// Replaces a leading component `~` by the home directory, if known. `~user` stays.
pub(crate) fn expand_home(system: &dyn System, platform: Platform, path: &str) -> PathBuf {
    if let Some(rest) = path.strip_prefix('~')
        && (rest.is_empty() || rest.starts_with(['/', platform.separator()]))
        && let Some(home) = home(system, platform)
    {
        return (home + rest).into();
    }
    path.into()
}

/// The file named by the variable, or else the one with this name below `~/.aws`.
fn locate(
    system: &dyn System,
    platform: Platform,
    variable: &'static str,
    name: &str,
) -> Option<FileLocation> {
    match setting_variable(system, variable) {
        Some(path) => Some(FileLocation {
            path: expand_home(system, platform, &path),
            named_by: Some(variable),
        }),
        None => Some(FileLocation {
            path: below_aws(system, platform, &[name])?,
            named_by: None,
        }),
    }
}

/// Source: the test cases of the SDKs for file locations, which read `HOME` on Windows too.
fn home(system: &dyn System, platform: Platform) -> Option<String> {
    let home = non_empty_variable(system, "HOME");
    if home.is_some() || platform == Platform::Unix {
        return home;
    }
    non_empty_variable(system, "USERPROFILE").or_else(|| {
        Some(non_empty_variable(system, "HOMEDRIVE")? + &non_empty_variable(system, "HOMEPATH")?)
    })
}

fn non_empty_variable(system: &dyn System, name: &str) -> Option<String> {
    system.variable(name).filter(|value| !value.is_empty())
}
