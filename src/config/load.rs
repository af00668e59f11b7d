//! From the environment and the shared files to a configuration.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::Config;
use super::origins::Provenance;
use super::settings::{Found, Service, Settings};
use crate::endpoint::Endpoint;
use crate::error::ConfigError;
use crate::host::Host;
use crate::profile::{Platform, Profiles, expand_home};

pub(super) fn config(host: Arc<dyn Host>) -> Result<Config, ConfigError> {
    let profiles = Profiles::load(&*host)?;
    let settings = Settings::new(&*host, &profiles)?;
    check_retry_mode(settings)?;
    let region = settings.text(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region");
    let (endpoint, endpoint_found) = endpoint(settings)?;
    let ca_bundle = settings.text(&["AWS_CA_BUNDLE"], "ca_bundle");
    let max_attempts = settings.text(&["AWS_MAX_ATTEMPTS"], "max_attempts");
    let mut config = Config { endpoint, ..Config::default() };
    config.region = region.as_ref().map(|found| found.value.clone());
    config.ca_bundle_pem = ca_bundle.as_ref().map(|found| read_ca_bundle(&*host, found)).transpose()?;
    if let Some(found) = &max_attempts {
        config.retry.max_attempts = parse_max_attempts(found)?;
    }
    config.retry.correct_clock =
        !settings.flag("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "disable_clock_skew_correction")?;
    let found = [
        ("region", &region),
        ("endpoint", &endpoint_found),
        ("ca_bundle_pem", &ca_bundle),
        ("retry.max_attempts", &max_attempts),
    ];
    let found: Vec<_> =
        found.into_iter().filter_map(|(field, found)| Some((field, found.as_ref()?))).collect();
    config.provenance = Provenance::new(&config, &found);
    Ok(Config { host, ..config })
}

/// The endpoint and what decided it.
fn endpoint(settings: Settings<'_>) -> Result<(Endpoint, Option<Found>), ConfigError> {
    let (fips_names, dual_stack_names) = (
        ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
    );
    let fips = settings.flag(fips_names.0, fips_names.1)?;
    let dual_stack = settings.flag(dual_stack_names.0, dual_stack_names.1)?;
    let (variable, property) = if fips { fips_names } else { dual_stack_names };
    let variant = settings.text(&[variable], property);
    match settings.endpoint_url(Service::SAGEMAKER_RUNTIME)? {
        None => Ok((Endpoint::Aws { fips, dual_stack }, variant)),
        Some(found) if fips || dual_stack => {
            let other = variant.map(|variant| variant.origin).unwrap_or_default();
            Err(found.refused(&format!("an endpoint URL has no such variants as {other} asks for")))
        }
        Some(found) => Ok((Endpoint::Url(found.value.clone()), Some(found))),
    }
}

fn parse_max_attempts(found: &Found) -> Result<u32, ConfigError> {
    let number: Result<NonZeroU32, _> = found.value.parse();
    number.map(NonZeroU32::get).map_err(|_| found.refused("can only be a number from 1 on"))
}

/// Source: the modes of the SDKs. Ours is `standard`.
fn check_retry_mode(settings: Settings<'_>) -> Result<(), ConfigError> {
    match settings.text(&["AWS_RETRY_MODE"], "retry_mode") {
        Some(found)
            if !["standard", "adaptive", "legacy"].contains(&found.value.to_ascii_lowercase().as_str()) =>
        {
            Err(found.refused("can only be standard, adaptive or legacy"))
        }
        _ => Ok(()),
    }
}

fn read_ca_bundle(host: &dyn Host, found: &Found) -> Result<Vec<u8>, ConfigError> {
    let path = expand_home(host, Platform::CURRENT, &found.value);
    host.read_file(&path).map_err(|error| found.refused("the file cannot be read").with_source(error))
}
