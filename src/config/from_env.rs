//! Reads a configuration from the environment and the shared files.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::{Config, to_app_name};
use crate::aws::Service;
use crate::aws::profile::Profiles;
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
    check_retry_mode(settings);
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
    read_ca_bundle(settings, &mut config);
    config.app_name = app_name(settings);
    if let Some(max_attempts) = settings.text(&["AWS_MAX_ATTEMPTS"], "max_attempts") {
        config.retry.max_attempts = parse_max_attempts(&max_attempts)?;
    }
    config.retry.correct_clock = settings.corrects_clock();
    Ok(Config { system, ..config })
}

fn endpoint(settings: Settings<'_>) -> Result<Endpoint, SettingError> {
    let fips = settings.fips()?;
    let dual_stack = settings.dual_stack()?;
    let Some(url) = settings.endpoint_url(Service::SAGEMAKER_RUNTIME)? else {
        return Ok(Endpoint::Aws {
            fips: fips.is_some(),
            dual_stack: dual_stack.is_some(),
        });
    };
    match fips.or(dual_stack) {
        None => Ok(Endpoint::Url(url.value)),
        Some(variant) => Err(url.invalid(&format!(
            "an endpoint URL has no variants, and {} asks for one",
            variant.place()
        ))),
    }
}

/// The name as it can be sent.
fn app_name(settings: Settings<'_>) -> Option<String> {
    let setting = settings.text(&["AWS_SDK_UA_APP_ID"], "sdk_ua_app_id")?;
    let name = to_app_name(&setting.value);
    if name != setting.value {
        log::debug!("{} is sent as {name}", setting.place());
    }
    Some(name)
}

fn parse_max_attempts(setting: &Setting) -> Result<u32, SettingError> {
    let number: Result<NonZeroU32, _> = setting.value.parse();
    number
        .map(NonZeroU32::get)
        .map_err(|_| setting.invalid("can only be a number from 1 on"))
}

/// Source: the modes of the SDKs. No call needs the setting, because ours is always `standard`.
fn check_retry_mode(settings: Settings<'_>) {
    let Some(mode) = settings.text(&["AWS_RETRY_MODE"], "retry_mode") else {
        return;
    };
    let known = ["standard", "adaptive", "legacy"];
    if !known.contains(&mode.value.to_ascii_lowercase().as_str()) {
        let error = mode.invalid("can only be standard, adaptive or legacy");
        log::warn!("{error}; the mode is standard");
    }
}

/// Connections without TLS work without the file, so it is an error of the others only.
fn read_ca_bundle(settings: Settings<'_>, config: &mut Config) {
    match settings.file("AWS_CA_BUNDLE", "ca_bundle", MAX_CA_BUNDLE_BYTES) {
        None => {}
        Some(Ok(pem)) => config.ca_bundle_pem = Some(pem),
        Some(Err(unreadable)) => {
            let error = unreadable.error();
            log::warn!("{error}; TLS connections will fail");
            config.deferred.ca_bundle = Some(unreadable);
        }
    }
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
    #[test]
    fn an_invalid_setting_that_calls_can_do_without_is_a_warning() {
        let variables = [
            ("AWS_RETRY_MODE", "never"),
            ("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "1"),
            ("AWS_CA_BUNDLE", "/none"),
        ];
        capture_log();
        let config = config(Arc::new(FakeSystem::new(&variables))).unwrap();
        assert!(config.retry.correct_clock);
        assert_eq!(config.ca_bundle_pem, None);
        let log = captured_log();
        let warnings: Vec<&str> = log
            .lines()
            .filter_map(|line| line.strip_prefix("WARN "))
            .collect();
        assert_eq!(
            warnings,
            [
                "AWS_RETRY_MODE is \"never\": can only be standard, adaptive or legacy; the mode is standard",
                "AWS_CA_BUNDLE is \"/none\": the file cannot be read; TLS connections will fail",
                "AWS_DISABLE_CLOCK_SKEW_CORRECTION is \"1\": can only be true or false; a wrong clock is corrected",
            ]
        );
    }
}
