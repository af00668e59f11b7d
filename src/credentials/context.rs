//! What a source can ask while it loads credentials, and how it answers when it has none.

use std::cell::OnceCell;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Credentials;
use super::http::Wire;
use crate::config::settings::{Service, Settings};
use crate::endpoint::split_url;
use crate::error::{ConfigError, CredentialsError};
use crate::host::Host;
use crate::http::Origin;
use crate::profile::{Platform, Profiles, below_aws, expand_home};
use crate::region::{is_host_label, partition_of};

/// Why a source has no credentials.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nobody set the source up: the next one is asked.
    NotConfigured(String),
    /// The source was set up and failed: the search is over.
    Failed(CredentialsError),
}

impl Refusal {
    pub(super) fn not_configured(reason: impl Into<String>) -> Self {
        Self::NotConfigured(reason.into())
    }

    /// For a source that somebody named: having nothing is a failure then.
    pub(super) fn into_failure(self) -> CredentialsError {
        match self {
            Self::NotConfigured(reason) => CredentialsError::new(reason),
            Self::Failed(error) => error,
        }
    }
}

impl<E: Into<CredentialsError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ConfigError> for CredentialsError {
    fn from(error: ConfigError) -> Self {
        let credentials_error = Self::new(error.to_string());
        match error.into_source() {
            Some(source) => credentials_error.with_source(source),
            None => credentials_error,
        }
    }
}

/// Which hosts of AWS are called.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) region: Option<String>,
    /// FIPS and dual-stack; `None` to look into the settings.
    pub(super) variant: Option<(bool, bool)>,
}

/// One search for credentials. The shared files are read once in it, at the first need.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) wire: &'a dyn Wire,
    pub(super) place: &'a Place,
    /// The credentials that the instance gave last, which outlive its metadata service's failures.
    pub(super) last_of_instance: Option<&'a Credentials>,
    pub(super) deadline: Option<Instant>,
    profiles: OnceCell<Profiles>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        host: &'a dyn Host,
        wire: &'a dyn Wire,
        place: &'a Place,
        last_of_instance: Option<&'a Credentials>,
        deadline: Option<Instant>,
    ) -> Self {
        Self { host, wire, place, last_of_instance, deadline, profiles: OnceCell::new() }
    }

    /// A variable that is not blank, trimmed.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.host.variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn profiles(&self) -> Result<&Profiles, CredentialsError> {
        if let Some(profiles) = self.profiles.get() {
            return Ok(profiles);
        }
        let profiles = Profiles::load(self.host)?;
        Ok(self.profiles.get_or_init(|| profiles))
    }

    pub(super) fn settings(&self) -> Result<Settings<'_>, CredentialsError> {
        Ok(Settings::new(self.host, self.profiles()?)?)
    }

    /// Reads a file that a setting names; `~` is the home directory.
    pub(super) fn read_file(&self, path: &str, what: &str) -> Result<Vec<u8>, CredentialsError> {
        self.read(&expand_home(self.host, Platform::CURRENT, path), what)
    }

    pub(super) fn read(&self, path: &Path, what: &str) -> Result<Vec<u8>, CredentialsError> {
        self.host.read_file(path).map_err(|error| {
            CredentialsError::new(format!("{what} cannot be read from {}", path.display())).with_source(error)
        })
    }

    /// The path of a file below `~/.aws`.
    pub(super) fn below_aws(&self, names: &[&str]) -> Result<std::path::PathBuf, CredentialsError> {
        below_aws(self.host, Platform::CURRENT, names)
            .ok_or_else(|| CredentialsError::new("nobody says where the home directory is: HOME is not set"))
    }

    /// How long until the deadline; an error when it is over.
    pub(super) fn left(&self, what: &str) -> Result<Duration, CredentialsError> {
        let Some(deadline) = self.deadline else { return Ok(Duration::MAX) };
        let left = deadline.saturating_duration_since(self.host.instant());
        if left.is_zero() { Err(CredentialsError::out_of_time(what)) } else { Ok(left) }
    }

    pub(super) fn region(&self, what: &str) -> Result<&str, CredentialsError> {
        let region = self.place.region.as_deref().ok_or_else(|| {
            CredentialsError::new(format!("{what} needs a region: set AWS_REGION or region in the profile"))
        })?;
        checked_region(region)
    }

    /// Where a service of AWS is called: origin and base path, which ends without a slash.
    pub(super) fn endpoint(
        &self,
        service: AwsService,
        region: &str,
    ) -> Result<(Origin, String), CredentialsError> {
        let settings = self.settings()?;
        if let Some(url) = settings.endpoint_url(service.setting)? {
            let (origin, path) = split_url(&url.value)
                .filter(|(_, path)| !path.contains('?'))
                .ok_or_else(|| url.refused("is not the URL of a service"))?;
            return Ok((origin, path.trim_end_matches('/').to_owned()));
        }
        let (fips, dual_stack) = match self.place.variant {
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

/// A service of AWS that gives credentials.
#[derive(Clone, Copy, Debug)]
pub(super) struct AwsService {
    prefix: &'static str,
    setting: Service,
}

impl AwsService {
    pub(super) const STS: Self = Self { prefix: "sts", setting: Service::STS };
    pub(super) const SSO: Self = Self { prefix: "portal.sso", setting: Service::SSO };
    pub(super) const SSO_OIDC: Self = Self { prefix: "oidc", setting: Service::SSO_OIDC };

    /// Source: the three services' endpoint rule sets, as botocore 1.44.5 ships them.
    fn host(self, region: &str, fips: bool, dual_stack: bool) -> String {
        let partition = partition_of(region);
        let suffix = if dual_stack { partition.dual_stack_dns_suffix } else { partition.dns_suffix };
        let is_plain = !fips || (partition.id == "aws-us-gov" && !dual_stack);
        let variant = if is_plain { "" } else { "-fips" };
        format!("{}{variant}.{region}.{suffix}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::credentials::http::fake::Silent;
    use crate::host::fake::FakeHost;

    #[test]
    #[ignore = "reads ../shared, run by .ci/run"]
    fn the_official_endpoints_of_the_three_services() {
        let services =
            [("sts", AwsService::STS), ("sso", AwsService::SSO), ("sso-oidc", AwsService::SSO_OIDC)];
        let mut compared = 0;
        for (name, service) in services {
            let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/endpoints");
            let file = std::fs::read(format!("{root}/{name}/endpoint-tests-1.json")).unwrap();
            let cases: Value = serde_json::from_slice(&file).unwrap();
            for case in cases["testCases"].as_array().unwrap() {
                let params = &case["params"];
                // The global endpoint is an option that we do not have, and `aws-global` is a region that is none.
                let is_ours = params["UseGlobalEndpoint"] != true && params["Region"] != "aws-global";
                let (Some(region), Some(url), true) =
                    (params["Region"].as_str(), case["expect"]["endpoint"]["url"].as_str(), is_ours)
                else {
                    continue;
                };
                let mut host = FakeHost::default();
                if let Some(url) = params["Endpoint"].as_str() {
                    host.variables.insert("AWS_ENDPOINT_URL".to_owned(), url.to_owned());
                }
                let variant = (params["UseFIPS"] == true, params["UseDualStack"] == true);
                let place = Place { region: None, variant: Some(variant) };
                let context = Context::new(&host, &Silent, &place, None, None);
                let (origin, path) = context.endpoint(service, region).unwrap();
                assert_eq!(format!("https://{}{path}", origin.authority), url, "{params}");
                compared += 1;
            }
        }
        assert!(compared > 100, "{compared}");
    }
}
