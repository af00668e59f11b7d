//! The paths of the shared files.

use std::path::PathBuf;

use crate::system::System;

/// The rules for file names, as a value so that tests cover both platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Unix,
    Windows,
}

impl Platform {
    pub(crate) const CURRENT: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };

    fn separator(self) -> char {
        match self {
            Self::Unix => '/',
            Self::Windows => '\\',
        }
    }
}

/// `AWS_CONFIG_FILE`, or else `~/.aws/config`.
pub(super) fn config_file(system: &dyn System, platform: Platform) -> Option<PathBuf> {
    locate(system, platform, "AWS_CONFIG_FILE", "config")
}

/// `AWS_SHARED_CREDENTIALS_FILE`, or else `~/.aws/credentials`.
pub(super) fn credentials_file(system: &dyn System, platform: Platform) -> Option<PathBuf> {
    locate(system, platform, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
}

/// A file below `~/.aws`; `None` if the home directory is unknown.
pub(crate) fn below_aws(system: &dyn System, platform: Platform, names: &[&str]) -> Option<PathBuf> {
    let mut path = home(system, platform)?;
    for name in std::iter::once(&".aws").chain(names) {
        path.push(platform.separator());
        path.push_str(name);
    }
    Some(path.into())
}

/// Replaces a `~` that is the whole first component by the home directory, if that is known. `~user` stays.
pub(crate) fn expand_home(system: &dyn System, platform: Platform, path: &str) -> PathBuf {
    if let Some(rest) = path.strip_prefix('~')
        && (rest.is_empty() || rest.starts_with(['/', platform.separator()]))
        && let Some(home) = home(system, platform)
    {
        return (home + rest).into();
    }
    path.into()
}

fn locate(system: &dyn System, platform: Platform, variable: &str, name: &str) -> Option<PathBuf> {
    match system.variable(variable).filter(|path| !path.trim().is_empty()) {
        Some(path) => Some(expand_home(system, platform, path.trim())),
        None => below_aws(system, platform, &[name]),
    }
}

/// Source: the test cases of the SDKs for file locations, which read `HOME` on Windows too.
fn home(system: &dyn System, platform: Platform) -> Option<String> {
    let home = non_empty_variable(system, "HOME");
    if home.is_some() || platform == Platform::Unix {
        return home;
    }
    non_empty_variable(system, "USERPROFILE")
        .or_else(|| Some(non_empty_variable(system, "HOMEDRIVE")? + &non_empty_variable(system, "HOMEPATH")?))
}

fn non_empty_variable(system: &dyn System, name: &str) -> Option<String> {
    system.variable(name).filter(|value| !value.is_empty())
}
