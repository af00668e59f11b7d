//! Where the shared files lie.

use std::path::PathBuf;

use crate::host::Host;

/// The naming of files, apart from the machine that runs the tests.
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

/// `~/.aws/config`, or what `AWS_CONFIG_FILE` says.
pub(super) fn config_file(host: &dyn Host, platform: Platform) -> Option<PathBuf> {
    locate(host, platform, "AWS_CONFIG_FILE", "config")
}

/// `~/.aws/credentials`, or what `AWS_SHARED_CREDENTIALS_FILE` says.
pub(super) fn credentials_file(host: &dyn Host, platform: Platform) -> Option<PathBuf> {
    locate(host, platform, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
}

/// A file below `~/.aws`; `None` when nobody says where `~` is.
pub(crate) fn below_aws(host: &dyn Host, platform: Platform, names: &[&str]) -> Option<PathBuf> {
    let mut path = home(host, platform)?;
    for name in std::iter::once(&".aws").chain(names) {
        path.push(platform.separator());
        path.push_str(name);
    }
    Some(path.into())
}

/// The same path with the home directory for a `~` that is its whole first part.
pub(crate) fn expand_home(host: &dyn Host, platform: Platform, path: &str) -> PathBuf {
    let rest = path
        .strip_prefix('~')
        .filter(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with(platform.separator()));
    match rest.and_then(|rest| Some(home(host, platform)? + rest)) {
        Some(expanded) => expanded.into(),
        None => path.into(),
    }
}

fn locate(host: &dyn Host, platform: Platform, variable: &str, name: &str) -> Option<PathBuf> {
    match host.variable(variable).filter(|path| !path.trim().is_empty()) {
        Some(path) => Some(expand_home(host, platform, path.trim())),
        None => below_aws(host, platform, &[name]),
    }
}

fn home(host: &dyn Host, platform: Platform) -> Option<String> {
    let variable = |name: &str| host.variable(name).filter(|value| !value.is_empty());
    variable("HOME").or_else(|| match platform {
        Platform::Unix => None,
        Platform::Windows => {
            variable("USERPROFILE").or_else(|| Some(variable("HOMEDRIVE")? + &variable("HOMEPATH")?))
        }
    })
}
