//! One setting, looked for in the environment first and then in the selected profile.

use crate::error::ConfigError;
use crate::host::Host;
use crate::profile::{Profiles, Property, Section};

/// The environment and the selected profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    host: &'a dyn Host,
    profiles: &'a Profiles,
    profile: Option<&'a Section>,
}

/// A setting that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The variable or the property.
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// The variable, or the property's file and line.
    pub(crate) origin: String,
}

/// A service that can have an endpoint URL of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    variable: &'static str,
    /// Its block in a `services` section.
    block: &'static str,
}

impl Service {
    pub(crate) const SAGEMAKER_RUNTIME: Self =
        Self { variable: "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", block: "sagemaker_runtime" };
    pub(crate) const STS: Self = Self { variable: "AWS_ENDPOINT_URL_STS", block: "sts" };
    pub(crate) const SSO: Self = Self { variable: "AWS_ENDPOINT_URL_SSO", block: "sso" };
    pub(crate) const SSO_OIDC: Self = Self { variable: "AWS_ENDPOINT_URL_SSO_OIDC", block: "sso_oidc" };
}

impl<'a> Settings<'a> {
    pub(crate) fn new(host: &'a dyn Host, profiles: &'a Profiles) -> Result<Self, ConfigError> {
        let profile = profiles.selected()?;
        Ok(Self { host, profiles, profile })
    }

    /// The first variable that is set, else the property.
    pub(crate) fn text(&self, variables: &[&'static str], property: &'static str) -> Option<Found> {
        variables.iter().find_map(|name| self.variable(name)).or_else(|| self.property(property))
    }

    /// The same for a switch; one that is not set is off.
    pub(crate) fn flag(&self, variable: &'static str, property: &'static str) -> Result<bool, ConfigError> {
        let Some(found) = self.text(&[variable], property) else { return Ok(false) };
        match found.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(found.refused("can only be true or false")),
        }
    }

    /// The URL that a service is to be called at, unless such URLs are switched off.
    pub(crate) fn endpoint_url(&self, service: Service) -> Result<Option<Found>, ConfigError> {
        if self.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")? {
            return Ok(None);
        }
        let variables = [service.variable, "AWS_ENDPOINT_URL"];
        if let Some(found) = variables.into_iter().find_map(|name| self.variable(name)) {
            return Ok(Some(found));
        }
        Ok(self.services_url(service)?.or_else(|| self.property("endpoint_url")))
    }

    fn services_url(&self, service: Service) -> Result<Option<Found>, ConfigError> {
        let Some(name) = self.property("services") else { return Ok(None) };
        let section = self
            .profiles
            .services(&name.value)
            .ok_or_else(|| name.refused("there is no such [services] section"))?;
        let property = section.sub_property(service.block, "endpoint_url");
        Ok(property.map(|property| found_in("endpoint_url", &property)))
    }

    fn variable(&self, name: &'static str) -> Option<Found> {
        let value = self.host.variable(name)?.trim().to_owned();
        (!value.is_empty()).then(|| Found { name, value, origin: name.to_owned() })
    }

    fn property(&self, name: &'static str) -> Option<Found> {
        Some(found_in(name, self.profile?.property(name)?))
    }
}

fn found_in(name: &'static str, property: &Property) -> Found {
    let value = property.value.trim().to_owned();
    Found { name, value, origin: format!("{name} in {}", property.place) }
}

impl Found {
    /// The error of a value that the setting cannot have.
    pub(crate) fn refused(&self, problem: &str) -> ConfigError {
        let place = self.origin.strip_prefix(self.name).unwrap_or_default().replacen(" in ", ", set in ", 1);
        // A URL may hold a password before an '@'.
        let value = if self.value.contains('@') { ".." } else { &self.value };
        ConfigError::new(self.name, format!("is {value:?}{place}: {problem}"))
    }
}
