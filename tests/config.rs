//! Settings: the environment, the shared files, which of them wins, and what is said of a value that cannot be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use sagemaker_invoke::{Config, Endpoint};
use world::World;

/// With the separators of Unix.
fn shown(value: &impl ToString) -> String {
    value.to_string().replace(std::path::MAIN_SEPARATOR, "/")
}

fn config(variables: &[(&str, &str)], file: &str) -> Result<Config, String> {
    let world = World::new(variables).with_config(file).with_file("/h/pem", "certificates");
    Config::from_host(world.shared()).map_err(|error| shown(&error))
}

fn url(variables: &[(&str, &str)], file: &str) -> Option<String> {
    match config(variables, file).unwrap().endpoint {
        Endpoint::Url(url) => Some(url),
        _ => None,
    }
}

#[test]
fn the_environment_wins_over_the_profile_and_the_first_variable_over_the_second() {
    let file = "[default]\nregion = from-file\n";
    let region = |variables: &[(&str, &str)]| config(variables, file).unwrap().region.unwrap();
    assert_eq!(region(&[("AWS_REGION", "one"), ("AWS_DEFAULT_REGION", "two")]), "one");
    assert_eq!(region(&[("AWS_REGION", " "), ("AWS_DEFAULT_REGION", "two")]), "two");
    assert_eq!(region(&[("AWS_REGION", "")]), "from-file");
}

#[test]
fn only_the_selected_profile_counts() {
    let file = "[default]\nregion = d\nmax_attempts = 7\n[profile p]\nmax_attempts = 9\n";
    let found = config(&[("AWS_PROFILE", "p"), ("AWS_REGION", "")], file).unwrap();
    assert_eq!((found.region, found.retry.max_attempts), (None, 9));
}

#[test]
fn the_endpoint_url_has_four_places_and_a_switch() {
    let file = "[default]\nservices = s\nendpoint_url = http://profile\n\
                [services s]\nsagemaker_runtime =\n  endpoint_url = http://services\nsts =\n  endpoint_url = x\n";
    let specific = ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://specific");
    let global = ("AWS_ENDPOINT_URL", "http://global");
    assert_eq!(url(&[global, specific], file).unwrap(), "http://specific");
    assert_eq!(url(&[global], file).unwrap(), "http://global");
    assert_eq!(url(&[], file).unwrap(), "http://services");
    assert_eq!(url(&[], "[default]\nendpoint_url = http://profile\n").unwrap(), "http://profile");
    assert_eq!(url(&[global, specific, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")], file), None);
    assert_eq!(url(&[global], "[default]\nignore_configured_endpoint_urls = true\n"), None);
}

#[test]
fn fips_dual_stack_and_certificates_come_from_the_profile_too() {
    let file = "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = True\nca_bundle = ~/pem\n";
    let found = config(&[("AWS_USE_DUALSTACK_ENDPOINT", "false")], file).unwrap();
    assert_eq!(found.endpoint, Endpoint::Aws { fips: true, dual_stack: false });
    assert_eq!(found.ca_bundle_pem.as_deref(), Some(&b"certificates"[..]));
}

#[test]
fn the_correction_of_the_clock_has_a_switch() {
    let off = "[default]\ndisable_clock_skew_correction = true\n";
    let corrects =
        |variables: &[(&str, &str)], file: &str| config(variables, file).unwrap().retry.correct_clock;
    assert!(corrects(&[], "") && !corrects(&[], off));
    assert!(!corrects(&[("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "true")], ""));
    assert!(corrects(&[("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "false")], off));
}

#[test]
fn a_value_that_cannot_be_is_told_with_its_place() {
    let problem = |variables: &[(&str, &str)], file: &str| config(variables, file).unwrap_err();
    for (variables, file, text) in [
        (
            &[("AWS_USE_FIPS_ENDPOINT", "yes")][..],
            "",
            "AWS_USE_FIPS_ENDPOINT is \"yes\": can only be true or false",
        ),
        (
            &[],
            "[default]\nmax_attempts = 0\n",
            "max_attempts is \"0\", set in /h/.aws/config, line 2: can only be a number from 1 on",
        ),
        (
            &[("AWS_RETRY_MODE", "never")],
            "",
            "AWS_RETRY_MODE is \"never\": can only be standard, adaptive or legacy",
        ),
        (
            &[],
            "[default]\nca_bundle = /gone\n",
            "ca_bundle is \"/gone\", set in /h/.aws/config, line 2: the file cannot be read",
        ),
        (
            &[],
            "[default]\nservices = gone\n",
            "services is \"gone\", set in /h/.aws/config, line 2: there is no such [services] section",
        ),
        (
            &[("AWS_ENDPOINT_URL", "http://me:topsecret@x")],
            "[default]\nuse_fips_endpoint = true\n",
            "AWS_ENDPOINT_URL is \"..\": an endpoint URL has no such variants as use_fips_endpoint in /h/.aws/config, line 2 asks for",
        ),
        (
            &[("AWS_PROFILE", "gone")],
            "",
            "shared configuration cannot be used: AWS_PROFILE names the profile \"gone\", which is in neither of: /h/.aws/config, /h/.aws/credentials",
        ),
        (
            &[],
            "[default\n",
            "shared configuration cannot be used: /h/.aws/config, line 1: a section must end with ']'",
        ),
    ] {
        assert_eq!(problem(variables, file), text);
    }
}

#[test]
fn every_retry_mode_of_the_sdks_is_known() {
    for mode in ["standard", "Adaptive", "legacy"] {
        config(&[("AWS_RETRY_MODE", mode), ("AWS_MAX_ATTEMPTS", "5")], "").unwrap();
    }
}

#[test]
fn each_value_knows_where_it_came_from() {
    let file = "[default]\nmax_attempts = 4\nca_bundle = ~/pem\n";
    let mut found = config(&[], file).unwrap();
    let lines = |config: &Config| config.origins().iter().map(shown).collect::<Vec<_>>();
    assert_eq!(
        lines(&found),
        [
            "region = eu-central-1 (AWS_REGION)",
            "endpoint = Aws { fips: false, dual_stack: false } (default)",
            // The digest is sha256sum's.
            "ca_bundle_pem = 12 bytes, SHA-256 f78c06aa55a0e2d18b5653884184079a5e77f231af10d7cbdc121b5cb40ef187 (ca_bundle in /h/.aws/config, line 3)",
            "retry.max_attempts = 4 (max_attempts in /h/.aws/config, line 2)",
        ]
    );
    found.region = Some("us-east-1".to_owned());
    found.retry.max_attempts = 3;
    assert_eq!(lines(&found)[0], "region = us-east-1 (set by the program)");
    assert_eq!(lines(&found)[3], "retry.max_attempts = 3 (default)");
    assert_eq!(lines(&Config::default())[0], "region = none (default)");
}
