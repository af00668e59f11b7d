//! One setting, looked up in the environment first and then in the selected profile.

use super::Service;
use super::profile::{Profiles, Property, Section, SectionKind};
use crate::http::SettingError;
use crate::system::System;
use crate::text::OneLine;

/// The environment and the selected profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    system: &'a dyn System,
    profiles: &'a Profiles,
    profile: Option<&'a Section>,
}

/// A setting whose value is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The variable or the property.
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Where it was found: the variable, or the property with file and line.
    pub(crate) source: String,
}

impl<'a> Settings<'a> {
    pub(crate) fn new(system: &'a dyn System, profiles: &'a Profiles) -> Result<Self, SettingError> {
        let profile = profiles.selected()?;
        Ok(Self { system, profiles, profile })
    }

    /// The first variable with a value, else the property.
    pub(crate) fn text(&self, variables: &[&'static str], property: &'static str) -> Option<Setting> {
        variables.iter().find_map(|name| self.variable(name)).or_else(|| self.property(property))
    }

    /// Like [`text`](Self::text) for a switch, which is off by default.
    pub(crate) fn flag(&self, variable: &'static str, property: &'static str) -> Result<bool, SettingError> {
        let Some(setting) = self.text(&[variable], property) else { return Ok(false) };
        match setting.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(setting.invalid("can only be true or false")),
        }
    }

    /// The configured URL of a service, unless such URLs are switched off.
    pub(crate) fn endpoint_url(&self, service: Service) -> Result<Option<Setting>, SettingError> {
        if self.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")? {
            return Ok(None);
        }
        let variables = [service.variable, "AWS_ENDPOINT_URL"];
        if let Some(setting) = variables.into_iter().find_map(|name| self.variable(name)) {
            return Ok(Some(setting));
        }
        Ok(self.services_url(service)?.or_else(|| self.property("endpoint_url")))
    }

    fn services_url(&self, service: Service) -> Result<Option<Setting>, SettingError> {
        let Some(name) = self.property("services") else { return Ok(None) };
        let found = self.profiles.section(SectionKind::Services, &name.value)?;
        let section =
            found.ok_or_else(|| match self.profiles.why_ignored(SectionKind::Services, &name.value) {
                Some(fault) => name.invalid(&format!("its section is ignored: {fault}")),
                None => name.invalid("there is no such [services] section"),
            })?;
        let property = section.sub_property(service.block, "endpoint_url");
        Ok(property.map(|property| setting_of("endpoint_url", &property)))
    }

    fn variable(&self, name: &'static str) -> Option<Setting> {
        let value = self.system.variable(name)?.trim().to_owned();
        if value.is_empty() { None } else { Some(Setting { name, value, source: name.to_owned() }) }
    }

    fn property(&self, name: &'static str) -> Option<Setting> {
        Some(setting_of(name, self.profile?.property(name)?))
    }
}

fn setting_of(name: &'static str, property: &Property) -> Setting {
    let value = property.value.trim().to_owned();
    Setting { name, value, source: format!("{name} in {}", property.line) }
}

impl Setting {
    /// The error for a value that the setting cannot have.
    pub(crate) fn invalid(&self, problem: &str) -> SettingError {
        let place = match self.source.split_once(" in ") {
            Some((_, line)) => format!(", set in {line}"),
            None => String::new(),
        };
        // A URL may hold a password before an '@'.
        let text = if self.value.contains('@') { ".." } else { &self.value };
        let value = OneLine::short(text);
        SettingError::new(self.name, format!("is {value:?}{place}: {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeSystem, assert_shown_safely, fuzz_text};

    #[test]
    fn fuzz_settings() {
        let samples = ["true", " FALSE\n", "https://me:password@example.com/\r", "\u{202e}", "us-east-1"];
        fuzz_text(&samples, |text| {
            let system = FakeSystem::new(&[("AWS_ENDPOINT_URL", text), ("AWS_USE_FIPS_ENDPOINT", text)]);
            let profiles = Profiles::load(&system).unwrap();
            let settings = Settings::new(&system, &profiles).unwrap();
            let url = settings.endpoint_url(Service::STS).unwrap();
            assert_eq!(url.as_ref().map_or("", |url| url.value.as_str()), text.trim());
            if let Err(error) = settings.flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint") {
                assert_shown_safely(&error.to_string());
                assert!(!text.contains('@') || !error.to_string().contains("password"), "{error}");
            }
        });
    }
}
