//! Reads a setting: from the environment, else from the selected profile.

use std::io;
use std::sync::Arc;

use super::Service;
use super::profile::{Line, Platform, Profiles, Property, Section, SectionKind, expand_home};
use crate::http::SettingError;
use crate::system::{System, setting_variable};
use crate::text::{OneLine, masked_url};

/// The environment and the selected profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    system: &'a dyn System,
    profiles: &'a Profiles,
    profile: Option<&'a Section>,
}

/// A file that a setting names and that could not be read. An error only for what needs the file.
#[derive(Clone, Debug)]
pub(crate) struct UnreadableFile {
    setting: Setting,
    source: Arc<io::Error>,
}

impl UnreadableFile {
    pub(crate) fn error(&self) -> SettingError {
        self.setting
            .invalid("the file cannot be read")
            .with_source(Arc::clone(&self.source))
    }
}

/// A setting whose value is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The variable or the property.
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Where the property is; `None` for a variable.
    pub(crate) line: Option<Line>,
}

impl<'a> Settings<'a> {
    pub(crate) fn new(
        system: &'a dyn System,
        profiles: &'a Profiles,
    ) -> Result<Self, SettingError> {
        let profile = profiles.selected()?;
        Ok(Self {
            system,
            profiles,
            profile,
        })
    }

    /// The first variable with a value, else the property. Logs where it was found.
    pub(crate) fn text(
        &self,
        variables: &[&'static str],
        property: &'static str,
    ) -> Option<Setting> {
        let found = variables
            .iter()
            .find_map(|name| self.variable(name))
            .or_else(|| self.property(property));
        found.inspect(Setting::log)
    }

    /// Like [`text`](Self::text) for a switch, which is off by default: the setting that turns it on.
    fn switch(
        &self,
        variable: &'static str,
        property: &'static str,
    ) -> Result<Option<Setting>, SettingError> {
        let Some(setting) = self.text(&[variable], property) else {
            return Ok(None);
        };
        match setting.value.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(setting)),
            "false" => Ok(None),
            _ => Err(setting.invalid("can only be true or false")),
        }
    }

    /// The setting that turns FIPS endpoints on.
    pub(crate) fn fips(&self) -> Result<Option<Setting>, SettingError> {
        self.switch("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
    }

    /// The setting that turns dual-stack endpoints on.
    pub(crate) fn dual_stack(&self) -> Result<Option<Setting>, SettingError> {
        self.switch("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
    }

    /// Whether a wrong clock is corrected. An invalid value is a warning, as in the SDK for Rust: every call works
    /// without it.
    pub(crate) fn corrects_clock(&self) -> bool {
        let off = self.switch(
            "AWS_DISABLE_CLOCK_SKEW_CORRECTION",
            "disable_clock_skew_correction",
        );
        match off {
            Ok(off) => off.is_none(),
            Err(error) => {
                log::warn!("{error}; a wrong clock is corrected");
                true
            }
        }
    }

    /// The content of the file that a setting names, at most `max_bytes`; `~` is the home directory.
    pub(crate) fn file(
        &self,
        variable: &'static str,
        property: &'static str,
        max_bytes: u64,
    ) -> Option<Result<Vec<u8>, UnreadableFile>> {
        let setting = self.text(&[variable], property)?;
        let path = expand_home(self.system, Platform::CURRENT, &setting.value);
        let content = self.system.read_file(&path, max_bytes);
        Some(content.map_err(|error| UnreadableFile {
            setting,
            source: Arc::new(error),
        }))
    }

    /// The configured URL of a service, unless such URLs are switched off. Logs where it was found.
    pub(crate) fn endpoint_url(&self, service: Service) -> Result<Option<Setting>, SettingError> {
        let ignored = self.switch(
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "ignore_configured_endpoint_urls",
        )?;
        if ignored.is_some() {
            return Ok(None);
        }
        let variables = [service.variable, "AWS_ENDPOINT_URL"];
        let found = match variables.into_iter().find_map(|name| self.variable(name)) {
            Some(setting) => Some(setting),
            None => self
                .services_url(service)?
                .or_else(|| self.property("endpoint_url")),
        };
        Ok(found.inspect(Setting::log))
    }

    fn services_url(&self, service: Service) -> Result<Option<Setting>, SettingError> {
        let Some(name) = self.property("services") else {
            return Ok(None);
        };
        let found = self.profiles.section(SectionKind::Services, &name.value)?;
        let section = found.ok_or_else(|| {
            match self
                .profiles
                .why_ignored(SectionKind::Services, &name.value)
            {
                Some(fault) => name.invalid(&format!("its section is ignored: {fault}")),
                None => name.invalid("there is no such [services] section"),
            }
        })?;
        let property = section.sub_property(service.block, "endpoint_url");
        Ok(property.map(|property| setting_of("endpoint_url", &property)))
    }

    fn variable(&self, name: &'static str) -> Option<Setting> {
        Some(Setting {
            name,
            value: setting_variable(self.system, name)?,
            line: None,
        })
    }

    fn property(&self, name: &'static str) -> Option<Setting> {
        Some(setting_of(name, self.profile?.property(name)?))
    }
}

fn setting_of(name: &'static str, property: &Property) -> Setting {
    let value = property.value.trim().to_owned();
    Setting {
        name,
        value,
        line: Some(property.line.clone()),
    }
}

impl Setting {
    /// The error for a value that the setting cannot have.
    pub(crate) fn invalid(&self, problem: &str) -> SettingError {
        let place = self
            .line
            .as_ref()
            .map_or(String::new(), |line| format!(", set in {line}"));
        // A URL may hold a token, and before an '@' a password.
        let text = if self.value.contains('@') {
            "..".to_owned()
        } else {
            masked_url(&self.value)
        };
        let value = OneLine::short(&text);
        SettingError::new(self.name, format!("is {value:?}{place}: {problem}"))
    }

    /// Where it was found: the variable, or the property with file and line.
    pub(crate) fn place(&self) -> String {
        self.line.as_ref().map_or(self.name.to_owned(), |line| {
            format!("{} in {line}", self.name)
        })
    }

    fn log(&self) {
        log::debug!("{:?} comes from {}", masked_url(&self.value), self.place());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeSystem, assert_shown_safely, fuzz_text};

    #[test]
    fn an_invalid_value_is_shown_without_secrets() {
        for (url, shown) in [
            ("https://h/?token=hidden", "https://h/?.."),
            ("https://h/#hidden", "https://h/#.."),
            ("https://me:hidden@h", ".."),
        ] {
            let setting = Setting {
                name: "AWS_ENDPOINT_URL_STS",
                value: url.to_owned(),
                line: None,
            };
            let error = setting.invalid("has a query").to_string();
            assert_eq!(
                error,
                format!("AWS_ENDPOINT_URL_STS is \"{shown}\": has a query")
            );
        }
    }

    #[test]
    fn fuzz_settings() {
        let samples = [
            "true",
            " FALSE\n",
            "https://me:password@example.com/\r",
            "\u{202e}",
            "us-east-1",
        ];
        fuzz_text(&samples, |text| {
            let system =
                FakeSystem::new(&[("AWS_ENDPOINT_URL", text), ("AWS_USE_FIPS_ENDPOINT", text)]);
            let profiles = Profiles::load(&system).unwrap();
            let settings = Settings::new(&system, &profiles).unwrap();
            let url = settings.endpoint_url(Service::STS).unwrap();
            assert_eq!(
                url.as_ref().map_or("", |url| url.value.as_str()),
                text.trim()
            );
            if let Err(error) = settings.fips() {
                assert_shown_safely(&error.to_string());
                assert!(
                    !text.contains('@') || !error.to_string().contains("password"),
                    "{error}"
                );
            }
        });
    }
}
