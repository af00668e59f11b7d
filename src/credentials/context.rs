//! What a source needs while it loads credentials, and what it returns when it has none.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::sender::SendHttp;
use crate::aws::profile::{Platform, Profiles, below_aws, expand_home};
use crate::aws::region::is_host_label;
use crate::aws::settings::Settings;
use crate::aws::{Credentials, Service};
use crate::error::CredentialsError;
use crate::http::Origin;
use crate::system::System;

/// Maximum size of a token or cache file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why a source has no credentials.
#[derive(Debug)]
pub(super) enum ProviderError {
    /// The source is not configured: the next one is tried.
    NotConfigured(String),
    /// The source is configured and failed: the search ends.
    Failed(CredentialsError),
}

impl ProviderError {
    pub(super) fn not_configured(reason: impl Into<String>) -> Self {
        Self::NotConfigured(reason.into())
    }

    /// For a source that was named: having nothing is a failure then.
    pub(super) fn into_failure(self) -> CredentialsError {
        match self {
            Self::NotConfigured(reason) => CredentialsError::new(reason),
            Self::Failed(error) => error,
        }
    }

    /// Puts what failed before the text of a failure.
    pub(super) fn within(self, what: &str) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(error.within(what)),
            not_configured => not_configured,
        }
    }
}

impl<E: Into<CredentialsError>> From<E> for ProviderError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Which hosts of AWS are called.
#[derive(Clone, Debug, Default)]
pub(super) struct AwsHosts {
    pub(super) region: Option<String>,
    /// FIPS and dual-stack; `None` to take them from the settings.
    pub(super) variant: Option<(bool, bool)>,
}

/// One search for credentials. It reads the shared files once, when they are needed.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) system: &'a dyn System,
    pub(super) sender: &'a dyn SendHttp,
    pub(super) hosts: &'a AwsHosts,
    /// The last credentials of the instance; they stay valid while its metadata service fails.
    pub(super) last_instance_credentials: Option<&'a Credentials>,
    pub(super) deadline: Option<Instant>,
    /// The profile to use instead of `AWS_PROFILE`.
    profile: Option<&'a str>,
    profiles: OnceCell<Profiles>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        system: &'a dyn System,
        sender: &'a dyn SendHttp,
        hosts: &'a AwsHosts,
        last_instance_credentials: Option<&'a Credentials>,
        deadline: Option<Instant>,
    ) -> Self {
        let profiles = OnceCell::new();
        Self { system, sender, hosts, last_instance_credentials, deadline, profile: None, profiles }
    }

    /// The same search with another profile.
    pub(super) fn for_profile<'b>(&'b self, name: &'b str) -> Context<'b> {
        let last = self.last_instance_credentials;
        let context = Context::new(self.system, self.sender, self.hosts, last, self.deadline);
        Context { profile: Some(name), ..context }
    }

    /// A variable that is not blank, trimmed.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.system.variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn profiles(&self) -> Result<&Profiles, CredentialsError> {
        if let Some(profiles) = self.profiles.get() {
            return Ok(profiles);
        }
        let profiles = Profiles::load_selecting(self.system, self.profile)?;
        Ok(self.profiles.get_or_init(|| profiles))
    }

    pub(super) fn settings(&self) -> Result<Settings<'_>, CredentialsError> {
        Ok(Settings::new(self.system, self.profiles()?)?)
    }

    /// Reads a file that a setting names; `~` is the home directory.
    pub(super) fn read_file(&self, path: &str, what: &str) -> Result<Vec<u8>, CredentialsError> {
        let path = expand_home(self.system, Platform::CURRENT, path);
        self.read(&path).map_err(|error| {
            CredentialsError::new(format!("{what} cannot be read from {}", path.display())).with_source(error)
        })
    }

    pub(super) fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.system.read_file(path, MAX_FILE_BYTES)
    }

    /// The path of a file below `~/.aws`.
    pub(super) fn below_aws(&self, names: &[&str]) -> Result<PathBuf, CredentialsError> {
        below_aws(self.system, Platform::CURRENT, names)
            .ok_or_else(|| CredentialsError::new("the home directory is not known: HOME is not set"))
    }

    /// How long until the deadline; an error when it has passed.
    pub(super) fn time_left(&self, what: &str) -> Result<Duration, CredentialsError> {
        let Some(deadline) = self.deadline else { return Ok(Duration::MAX) };
        let left = deadline.saturating_duration_since(self.system.instant());
        if left.is_zero() { Err(CredentialsError::out_of_time(what)) } else { Ok(left) }
    }

    pub(super) fn region(&self, what: &str) -> Result<&str, CredentialsError> {
        let region = self.hosts.region.as_deref().ok_or_else(|| {
            CredentialsError::new(format!("{what} needs a region: set AWS_REGION or region in the profile"))
        })?;
        checked_region(region)
    }

    /// Origin and base path of a service of AWS; the path ends without a slash.
    pub(super) fn endpoint(
        &self,
        service: Service,
        region: &str,
    ) -> Result<(Origin, String), CredentialsError> {
        let settings = self.settings()?;
        if let Some(url) = settings.endpoint_url(service)? {
            let invalid = || url.invalid("is not the URL of a service");
            let (origin, path) = Origin::split_url(&url.value).ok_or_else(invalid)?;
            if path.contains('?') {
                return Err(invalid().into());
            }
            return Ok((origin, path.trim_end_matches('/').to_owned()));
        }
        let (fips, dual_stack) = match self.hosts.variant {
            Some(variant) => variant,
            None => (
                settings.flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?,
                settings.flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?,
            ),
        };
        let authority = service.host(checked_region(region)?, fips, dual_stack);
        Ok((Origin { tls: true, authority }, String::new()))
    }
}

fn checked_region(region: &str) -> Result<&str, CredentialsError> {
    if is_host_label(region) {
        Ok(region)
    } else {
        Err(CredentialsError::new(format!("{region:?} is not a region")))
    }
}
