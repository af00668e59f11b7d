//! The context of a search, and the errors of sources.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::clocks::Clocks;
use super::progress::Progress;
use super::sender::SendHttp;
use super::shown::{quoted, shown_path};
use crate::aws::profile::{Platform, Profiles, below_aws, expand_home};
use crate::aws::region::{is_host_label, region_of_fips};
use crate::aws::settings::{Setting, Settings};
use crate::aws::{Credentials, Service};
use crate::error::CredentialsError;
use crate::http::Origin;
use crate::system::{System, setting_variable};

/// Maximum size of a token or cache file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The reason why a source has no credentials.
#[derive(Debug)]
pub(super) enum ProviderError {
    /// The source is not configured, so the next one is tried.
    NotConfigured(String),
    /// The source is configured and failed, which ends the search.
    Failed(CredentialsError),
}

impl ProviderError {
    pub(super) fn not_configured(reason: impl Into<String>) -> Self {
        Self::NotConfigured(reason.into())
    }

    /// The error of a source named by the program or a profile, which must be configured.
    pub(super) fn into_failure(self) -> CredentialsError {
        match self {
            Self::NotConfigured(reason) => CredentialsError::new(reason),
            Self::Failed(error) => error,
        }
    }

    /// Puts the name of the source before the text of a failure.
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

/// Selects the hosts of AWS services.
#[derive(Clone, Debug, Default)]
pub(super) struct AwsHosts {
    pub(super) region: Option<String>,
    /// FIPS and dual-stack; `None` to take them from the settings.
    pub(super) variant: Option<(bool, bool)>,
}

/// One search for credentials. The shared files are read once, when a source needs them.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) system: &'a dyn System,
    pub(super) sender: &'a dyn SendHttp,
    pub(super) hosts: &'a AwsHosts,
    /// The last credentials of the instance, which are used while its metadata service fails.
    pub(super) last_instance_credentials: Option<&'a Credentials>,
    pub(super) deadline: Option<Instant>,
    pub(super) progress: &'a Progress,
    pub(super) clocks: &'a Clocks,
    /// The profile to use instead of `AWS_PROFILE`.
    profile: Option<&'a str>,
    profiles: OnceCell<Profiles>,
}

impl<'a> Context<'a> {
    /// A search without a deadline.
    pub(super) fn new(
        system: &'a dyn System,
        sender: &'a dyn SendHttp,
        hosts: &'a AwsHosts,
        progress: &'a Progress,
        clocks: &'a Clocks,
    ) -> Self {
        let profiles = OnceCell::new();
        Self {
            system,
            sender,
            hosts,
            last_instance_credentials: None,
            deadline: None,
            progress,
            clocks,
            profile: None,
            profiles,
        }
    }

    /// The same search with another profile.
    pub(super) fn for_profile<'b>(&'b self, name: &'b str) -> Context<'b> {
        Context {
            last_instance_credentials: self.last_instance_credentials,
            deadline: self.deadline,
            profile: Some(name),
            ..Context::new(
                self.system,
                self.sender,
                self.hosts,
                self.progress,
                self.clocks,
            )
        }
    }

    /// A variable that is not blank, trimmed.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        setting_variable(self.system, name)
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

    /// Reads a file named by a setting; `~` is the home directory.
    pub(super) fn read_file(&self, path: &str, what: &str) -> Result<Vec<u8>, CredentialsError> {
        let path = expand_home(self.system, Platform::CURRENT, path);
        self.read(&path).map_err(|error| {
            CredentialsError::new(format!("{what} cannot be read from {}", shown_path(&path)))
                .with_source(error)
        })
    }

    pub(super) fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.system.read_file(path, MAX_FILE_BYTES)
    }

    /// The path of a file below `~/.aws`.
    pub(super) fn below_aws(&self, names: &[&str]) -> Result<PathBuf, CredentialsError> {
        below_aws(self.system, Platform::CURRENT, names).ok_or_else(|| {
            CredentialsError::new("the home directory is not known: HOME is not set")
        })
    }

    /// Begins a step of the search and returns the time left for it; an error if the deadline has passed.
    pub(super) fn begin_step(&self, step: &str) -> Result<Duration, CredentialsError> {
        self.progress.begin(step);
        match self.time_left() {
            Some(Duration::ZERO) => Err(CredentialsError::new(format!(
                "{step}: the time of the search is over"
            ))),
            left => Ok(left.unwrap_or(Duration::MAX)),
        }
    }

    /// The time until the deadline; `None` without one.
    pub(super) fn time_left(&self) -> Option<Duration> {
        Some(
            self.deadline?
                .saturating_duration_since(self.system.instant()),
        )
    }

    /// The time of day with the correction learned from the services.
    pub(super) fn corrected_now(&self) -> SystemTime {
        self.clocks.corrected(self.system.now())
    }

    pub(super) fn region(&self, what: &str) -> Result<&str, CredentialsError> {
        let region = self.hosts.region.as_deref().ok_or_else(|| {
            CredentialsError::new(format!(
                "{what} needs a region: set AWS_REGION or region in the profile"
            ))
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
            return base_url(&url).ok_or_else(|| url.invalid("is not the URL of a service").into());
        }
        let (fips, dual_stack) = match self.hosts.variant {
            Some(variant) => variant,
            None => (settings.fips()?.is_some(), settings.dual_stack()?.is_some()),
        };
        let (region, fips) = region_of_fips(region).map_or((region, fips), |region| (region, true));
        let authority = service.host(checked_region(region)?, fips, dual_stack);
        Ok((
            Origin {
                tls: true,
                authority,
            },
            String::new(),
        ))
    }
}

/// Origin and base path of a URL without a query; the path ends without a slash.
pub(super) fn base_url(url: &Setting) -> Option<(Origin, String)> {
    let (origin, path) = Origin::split_url(&url.value)?;
    if path.contains('?') {
        None
    } else {
        Some((origin, path.trim_end_matches('/').to_owned()))
    }
}

pub(super) fn checked_region(region: &str) -> Result<&str, CredentialsError> {
    if is_host_label(region) {
        Ok(region)
    } else {
        Err(CredentialsError::new(format!(
            "{} is not a region",
            quoted(region)
        )))
    }
}
