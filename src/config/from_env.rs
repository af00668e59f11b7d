//! From the environment and the shared files to a configuration.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::{APP_NAME_RULE, Config, is_app_name};
use crate::aws::Service;
use crate::aws::profile::{Platform, Profiles, expand_home};
use crate::aws::settings::{Setting, Settings};
use crate::credentials::Provider;
use crate::endpoint::Endpoint;
use crate::http::SettingError;
use crate::system::System;

/// Maximum size of a CA bundle; those of Linux distributions have about 220 KiB.
const MAX_CA_BUNDLE_BYTES: u64 = 4 * 1024 * 1024;

pub(super) fn config(system: Arc<dyn System>) -> Result<Config, SettingError> {
    let profiles = Profiles::load(&*system)?;
    config_of(system, &profiles)
}

pub(super) fn profile_config(system: Arc<dyn System>, name: &str) -> Result<Config, SettingError> {
    let profiles = Profiles::load_selecting(&*system, Some(name))?;
    let config = config_of(system, &profiles)?;
    Ok(Config {
        credentials: Provider::Profile(name.to_owned()),
        ..config
    })
}

fn config_of(system: Arc<dyn System>, profiles: &Profiles) -> Result<Config, SettingError> {
    let settings = Settings::new(&*system, profiles)?;
    check_retry_mode(settings)?;
    let mut config = Config {
        endpoint: endpoint(settings)?,
        ..Config::default()
    };
    config.s3_endpoint_url = settings.endpoint_url(Service::S3)?.map(|url| url.value);
    config.region = settings
        .text(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region")
        .map(|found| found.value);
    if config.region.is_none() {
        profiles.check_files()?;
    }
    if let Some(path) = settings.text(&["AWS_CA_BUNDLE"], "ca_bundle") {
        config.ca_bundle_pem = Some(read_ca_bundle(&*system, &path)?);
    }
    if let Some(name) = settings.text(&["AWS_SDK_UA_APP_ID"], "sdk_ua_app_id") {
        if !is_app_name(&name.value) {
            return Err(name.invalid(APP_NAME_RULE));
        }
        config.app_name = Some(name.value);
    }
    if let Some(max_attempts) = settings.text(&["AWS_MAX_ATTEMPTS"], "max_attempts") {
        config.retry.max_attempts = parse_max_attempts(&max_attempts)?;
    }
    config.retry.correct_clock = !settings.flag(
        "AWS_DISABLE_CLOCK_SKEW_CORRECTION",
        "disable_clock_skew_correction",
    )?;
    Ok(Config { system, ..config })
}

fn endpoint(settings: Settings<'_>) -> Result<Endpoint, SettingError> {
    let fips = settings.flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?;
    let dual_stack = settings.flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?;
    let Some(url) = settings.endpoint_url(Service::SAGEMAKER_RUNTIME)? else {
        return Ok(Endpoint::Aws { fips, dual_stack });
    };
    let variant = match (fips, dual_stack) {
        (true, _) => settings.text(&["AWS_USE_FIPS_ENDPOINT"], "use_fips_endpoint"),
        (false, true) => settings.text(&["AWS_USE_DUALSTACK_ENDPOINT"], "use_dualstack_endpoint"),
        (false, false) => None,
    };
    match variant {
        None => Ok(Endpoint::Url(url.value)),
        Some(variant) => Err(url.invalid(&format!(
            "an endpoint URL has no variants, and {} asks for one",
            variant.place()
        ))),
    }
}

fn parse_max_attempts(setting: &Setting) -> Result<u32, SettingError> {
    let number: Result<NonZeroU32, _> = setting.value.parse();
    number
        .map(NonZeroU32::get)
        .map_err(|_| setting.invalid("can only be a number from 1 on"))
}

/// Source: the modes of the SDKs. Ours is `standard`.
fn check_retry_mode(settings: Settings<'_>) -> Result<(), SettingError> {
    let Some(mode) = settings.text(&["AWS_RETRY_MODE"], "retry_mode") else {
        return Ok(());
    };
    match mode.value.to_ascii_lowercase().as_str() {
        "standard" | "adaptive" | "legacy" => Ok(()),
        _ => Err(mode.invalid("can only be standard, adaptive or legacy")),
    }
}

fn read_ca_bundle(system: &dyn System, setting: &Setting) -> Result<Vec<u8>, SettingError> {
    let path = expand_home(system, Platform::CURRENT, &setting.value);
    system
        .read_file(&path, MAX_CA_BUNDLE_BYTES)
        .map_err(|error| {
            setting
                .invalid("the file cannot be read")
                .with_source(error)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeSystem, capture_log, captured_log};

    #[test]
    fn where_settings_come_from_is_logged_without_secrets() {
        let variables = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "http://me:secret@endpoint"),
            ("AWS_ENDPOINT_URL_S3", "http://s3/?token=secret"),
            ("AWS_SDK_UA_APP_ID", "app"),
            ("AWS_MAX_ATTEMPTS", "5"),
            ("AWS_RETRY_MODE", "standard"),
            ("AWS_USE_FIPS_ENDPOINT", "false"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false"),
            ("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "false"),
        ];
        capture_log();
        config(Arc::new(FakeSystem::new(&variables))).unwrap();
        let log = captured_log();
        for (name, _) in variables {
            assert!(log.contains(&format!("comes from {name}")), "{name}: {log}");
        }
        assert!(!log.contains("secret"), "{log}");
    }
}
