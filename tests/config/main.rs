//! The configuration from the environment and the shared files: precedence, errors for invalid values, and endpoints.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod endpoints;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sagemaker_invoke::credentials::Provider;
use sagemaker_invoke::{
    Client, Config, Credentials, Endpoint, Error, InvokeEndpoint, Proxy, Timeouts,
};
use support::FakeSystem;

/// The configuration, or the text of its error with `/` as separator of paths.
fn config(variables: &[(&str, &str)], file: &str) -> Result<Config, String> {
    let variables = [&[("AWS_REGION", "eu-central-1")], variables].concat();
    let system = FakeSystem::on_loopback(&variables)
        .with_config(file)
        .with_file("/h/pem", "certificates");
    Config::from_system(Arc::new(system))
        .map_err(|error| error.to_string().replace(std::path::MAIN_SEPARATOR, "/"))
}

fn region(variables: &[(&str, &str)], file: &str) -> String {
    config(variables, file).unwrap().region.unwrap()
}

fn corrects_clock(variables: &[(&str, &str)], file: &str) -> bool {
    config(variables, file).unwrap().retry.correct_clock
}

fn url(variables: &[(&str, &str)], file: &str) -> Option<String> {
    match config(variables, file).unwrap().endpoint {
        Endpoint::Url(url) => Some(url),
        _ => None,
    }
}

#[test]
fn the_environment_has_precedence_over_the_profile() {
    let file = "[default]\nregion = from-file\n";
    assert_eq!(
        region(
            &[("AWS_REGION", "one"), ("AWS_DEFAULT_REGION", "two")],
            file
        ),
        "one"
    );
    assert_eq!(
        region(&[("AWS_REGION", " "), ("AWS_DEFAULT_REGION", "two")], file),
        "two"
    );
    assert_eq!(region(&[("AWS_REGION", "")], file), "from-file");
}

#[test]
fn the_name_of_the_application_is_read_and_checked() {
    let file = "[default]\nsdk_ua_app_id = from-file\n";
    assert_eq!(
        config(&[], file).unwrap().app_name.as_deref(),
        Some("from-file")
    );
    let variable = ("AWS_SDK_UA_APP_ID", "from-variable");
    assert_eq!(
        config(&[variable], file).unwrap().app_name.as_deref(),
        Some("from-variable")
    );
    // As botocore does, which the AWS CLI is made with.
    let name = |value| {
        config(&[("AWS_SDK_UA_APP_ID", value)], "")
            .unwrap()
            .app_name
    };
    assert_eq!(name("my app"), Some("my-app".to_owned()));
    assert_eq!(
        name(" (über)\t/\u{1f680}#1 "),
        Some("--ber----#1".to_owned())
    );
    assert_eq!(name(&"x y".repeat(30)), Some("x-yx-y".repeat(8) + "x-"));
}

#[test]
fn only_the_selected_profile_is_used() {
    let file = "[default]\nregion = d\nmax_attempts = 7\n[profile p]\nmax_attempts = 9\n";
    let found = config(&[("AWS_PROFILE", "p"), ("AWS_REGION", "")], file).unwrap();
    assert_eq!((found.region, found.retry.max_attempts), (None, 9));
}

#[test]
fn the_endpoint_url_has_four_sources_and_a_switch() {
    let file = "[default]\nservices = s\nendpoint_url = http://profile\n\
                [services s]\nsagemaker_runtime =\n  endpoint_url = http://services\nsts =\n  endpoint_url = x\n";
    let specific = ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://specific");
    let global = ("AWS_ENDPOINT_URL", "http://global");
    assert_eq!(url(&[global, specific], file).unwrap(), "http://specific");
    assert_eq!(url(&[global], file).unwrap(), "http://global");
    assert_eq!(url(&[], file).unwrap(), "http://services");
    assert_eq!(
        url(&[], "[default]\nendpoint_url = http://profile\n").unwrap(),
        "http://profile"
    );
    assert_eq!(
        url(
            &[
                global,
                specific,
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")
            ],
            file
        ),
        None
    );
    assert_eq!(
        url(
            &[global],
            "[default]\nignore_configured_endpoint_urls = true\n"
        ),
        None
    );
}

#[test]
fn the_profile_sets_fips_dual_stack_and_certificates() {
    let file =
        "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = True\nca_bundle = ~/pem\n";
    let found = config(&[("AWS_USE_DUALSTACK_ENDPOINT", "false")], file).unwrap();
    assert_eq!(
        found.endpoint,
        Endpoint::Aws {
            fips: true,
            dual_stack: false
        }
    );
    assert_eq!(found.ca_bundle_pem.as_deref(), Some(&b"certificates"[..]));
}

#[test]
fn clock_correction_has_a_switch() {
    let off = "[default]\ndisable_clock_skew_correction = true\n";
    assert!(corrects_clock(&[], "") && !corrects_clock(&[], off));
    assert!(!corrects_clock(
        &[("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "true")],
        ""
    ));
    assert!(corrects_clock(
        &[("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "false")],
        off
    ));
    // A warning, which a unit test checks.
    assert!(corrects_clock(
        &[("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "1")],
        off
    ));
}

#[test]
fn an_unreadable_ca_bundle_stops_only_connections_that_need_it() {
    let system = |variables: &[(&str, &str)]| {
        let base = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
        ];
        let system = FakeSystem::on_loopback(&[&base, variables].concat());
        Arc::new(system.with_config("[profile gone]\nca_bundle = /gone\n"))
    };
    let operation = InvokeEndpoint::new("e", b"body");
    for (variable, expected) in [
        (
            ("AWS_CA_BUNDLE", "/none"),
            "AWS_CA_BUNDLE is \"/none\": the file cannot be read",
        ),
        (
            ("AWS_PROFILE", "gone"),
            "ca_bundle is \"/gone\", set in /h/.aws/config, line 2: the file cannot be read",
        ),
    ] {
        let http = ("AWS_ENDPOINT_URL", "http://localhost");
        let client = Client::from_system(system(&[variable, http])).unwrap();
        client.sign(&operation).unwrap();

        let error = Client::from_system(system(&[variable])).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        let text = error.to_string().replace(std::path::MAIN_SEPARATOR, "/");
        assert_eq!(text, expected);
        assert!(std::error::Error::source(&error).is_some());

        // Certificates that the program sets take precedence.
        let config = Config::from_system(system(&[variable])).unwrap();
        assert_eq!(config.ca_bundle_pem, None);
        let own = Config {
            ca_bundle_pem: Some(b"no certificate".to_vec()),
            ..config
        };
        let text = Client::new(own).unwrap_err().to_string();
        assert!(text.starts_with("CA bundle "), "{text}");
    }
}

#[test]
fn an_unreadable_ca_bundle_stops_a_credential_source_over_tls() {
    let system = FakeSystem::on_loopback(&[
        ("AWS_REGION", "eu-central-1"),
        ("AWS_CA_BUNDLE", "/none"),
        ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://localhost"),
        ("AWS_ENDPOINT_URL_STS", "https://127.0.0.1:1"),
    ])
    .with_config(
        "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = keys\n\
         [profile keys]\naws_access_key_id = id\naws_secret_access_key = key\n",
    );
    let client = Client::from_system(Arc::new(system)).unwrap();
    let error = client.sign(&InvokeEndpoint::new("e", b"body")).unwrap_err();
    let sources: Vec<String> = support::sources(&error).map(ToString::to_string).collect();
    assert!(
        sources
            .iter()
            .any(|text| { text.contains("AWS_CA_BUNDLE is \"/none\": the file cannot be read") }),
        "{error}: {sources:?}"
    );
}

#[test]
fn an_error_names_an_invalid_value_and_its_source() {
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
            &[],
            "[default]\nservices = gone\n",
            "services is \"gone\", set in /h/.aws/config, line 2: there is no such [services] section",
        ),
        (
            &[("AWS_ENDPOINT_URL", "http://me:topsecret@x")],
            "[default]\nuse_fips_endpoint = true\n",
            "AWS_ENDPOINT_URL is \"..\": an endpoint URL has no variants, and use_fips_endpoint in /h/.aws/config, line 2 asks for one",
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
        assert_eq!(config(variables, file).unwrap_err(), text);
    }
}

/// With keys and region. `HOME` is a folder of this machine.
fn client_of(home: &Path, variables: &[(&str, &str)]) -> Result<Client, Error> {
    let home = home.to_str().unwrap();
    let base = [
        ("HOME", home),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let variables = [&base, variables].concat();
    let client = Client::from_system(Arc::new(
        FakeSystem::on_loopback(&variables).with_real_files(),
    ))?;
    client.sign(&InvokeEndpoint::new("e", b"body"))?;
    Ok(client)
}

/// A home directory whose shared files have this content; `None` for a directory in place of each.
fn home_with(name: &str, content: Option<&[u8]>) -> PathBuf {
    let home = std::env::temp_dir().join(format!(
        "sagemaker-invoke-home-{name}-{}",
        std::process::id()
    ));
    for file in ["config", "credentials"].map(|file| home.join(".aws").join(file)) {
        match content {
            Some(content) => {
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, content).unwrap();
            }
            None => std::fs::create_dir_all(file).unwrap(),
        }
    }
    home
}

#[test]
fn a_shared_file_that_cannot_be_used_stops_a_client_only_if_it_is_needed() {
    let binary = vec![0xff; 4096];
    for (name, content) in [
        ("directory", None),
        ("binary", Some(&binary[..])),
        ("no-section", Some(b"region = r\n")),
        ("too-large", Some(&vec![b'#'; 2 * 1024 * 1024])),
    ] {
        let home = home_with(name, content);
        client_of(&home, &[]).unwrap();
        for needed in [
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_REGION", ""),
            ("AWS_PROFILE", "default"),
            ("AWS_CONFIG_FILE", "~/.aws/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        ] {
            let text = client_of(&home, &[needed]).unwrap_err().to_string();
            assert!(text.contains(".aws"), "{name}, {needed:?}: {text}");
        }
        std::fs::remove_dir_all(home).unwrap();
    }
    #[cfg(unix)]
    client_of(Path::new("/dev/null"), &[]).unwrap();
}

#[test]
fn a_named_profile_without_credentials_shows_that_the_credentials_file_is_missing() {
    let system = FakeSystem::on_loopback(&[
        ("AWS_REGION", "eu-central-1"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/typo"),
    ])
    .with_config("[profile p]\nregion = eu-west-1\n");
    let client = Client::new(Config {
        region: Some("eu-west-1".to_owned()),
        credentials: Provider::Profile("p".to_owned()),
        system: Arc::new(system),
        ..Config::default()
    })
    .unwrap();
    let error = client
        .sign(&InvokeEndpoint::new("e", b"body"))
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with(
            "profile \"p\" has no credentials; \
             AWS_SHARED_CREDENTIALS_FILE names /typo, which does not exist"
        ),
        "{error}"
    );
}

#[test]
fn the_name_of_a_profile_must_not_be_empty() {
    for name in ["", " "] {
        let error = Config::from_profile(name).unwrap_err().to_string();
        assert_eq!(error, "profile has an empty name");
    }
}

#[test]
fn an_invalid_line_stops_a_client_only_if_its_section_is_needed() {
    let home = home_with(
        "line",
        Some(b"[other]\n[profile other]\nno property\n[default]\n[profile a]\n"),
    );
    for variables in [
        &[][..],
        &[("AWS_PROFILE", "a")],
        &[("AWS_CONFIG_FILE", "~/.aws/config")],
    ] {
        client_of(&home, variables).unwrap();
    }
    let text = client_of(&home, &[("AWS_PROFILE", "other")])
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("line 3: a property must have an '='"),
        "{text}"
    );
    std::fs::remove_dir_all(home).unwrap();
}

#[test]
fn a_pseudo_region_is_a_region_with_fips() {
    let fips = Endpoint::Aws {
        fips: true,
        dual_stack: false,
    };
    for name in ["fips-us-east-1", "us-east-1-fips"] {
        let file = format!("[default]\nregion = {name}\n");
        for found in [
            config(&[("AWS_REGION", name)], ""),
            config(&[("AWS_REGION", "")], &file),
        ] {
            let found = found.unwrap();
            assert_eq!(
                (found.region.as_deref(), &found.endpoint),
                (Some("us-east-1"), &fips)
            );
        }
        let config = Config {
            region: Some(name.to_owned()),
            credentials: Credentials::new("id", "key").into(),
            ..Config::default()
        };
        let operation = InvokeEndpoint::new("e", b"body");
        let client = Client::new(config.clone()).unwrap();
        let text = format!("{:?}", client.sign(&operation).unwrap());
        assert!(
            text.contains("runtime-fips.sagemaker.us-east-1.amazonaws.com"),
            "{text}"
        );
        let with_url = Config {
            endpoint: Endpoint::Url("http://localhost".to_owned()),
            ..config
        };
        let text = Client::new(with_url).unwrap_err().to_string();
        assert!(text.contains("means a FIPS endpoint"), "{text}");
    }
}

#[test]
fn a_url_of_s3_is_checked_before_it_is_needed() {
    for url in ["nope", "ftp://s3", "http://s3/?a=b", "http://me:secret@s3"] {
        let config = Config {
            region: Some("us-east-1".to_owned()),
            s3_endpoint_url: Some(url.to_owned()),
            ..Config::default()
        };
        let text = Client::new(config).unwrap_err().to_string();
        assert!(
            text.contains("S3 endpoint URL is not") && !text.contains("secret"),
            "{text}"
        );
    }
}

#[test]
fn the_url_of_s3_has_a_variable_of_its_own() {
    let s3_url = |variables: &[(&str, &str)]| config(variables, "").unwrap().s3_endpoint_url;
    assert_eq!(s3_url(&[]), None);
    assert_eq!(
        s3_url(&[("AWS_ENDPOINT_URL", "http://all")]).as_deref(),
        Some("http://all")
    );
    let both = [
        ("AWS_ENDPOINT_URL", "http://all"),
        ("AWS_ENDPOINT_URL_S3", "http://s3"),
    ];
    assert_eq!(s3_url(&both).as_deref(), Some("http://s3"));
}

#[test]
fn every_retry_mode_of_the_sdks_is_accepted() {
    for mode in ["standard", "Adaptive", "legacy"] {
        config(&[("AWS_RETRY_MODE", mode), ("AWS_MAX_ATTEMPTS", "5")], "").unwrap();
    }
}

#[test]
fn invalid_settings_are_refused_by_the_constructor() {
    let base = support::config("http://127.0.0.1:1");
    let zero = Timeouts {
        read: Some(Duration::ZERO),
        ..base.timeouts
    };
    for bad in [
        Config {
            timeouts: zero,
            ..base.clone()
        },
        Config {
            region: None,
            ..base.clone()
        },
        Config {
            endpoint: Endpoint::Url("nonsense".to_owned()),
            ..base.clone()
        },
        Config {
            proxy: Proxy::Url("nonsense://".to_owned()),
            ..base.clone()
        },
        Config {
            proxy: Proxy::Url("socks5://localhost".to_owned()),
            ..base.clone()
        },
        Config {
            ca_bundle_pem: Some(b"not a certificate".to_vec()),
            ..base.clone()
        },
    ] {
        let error = Client::new(bad).unwrap_err();
        assert!(
            matches!(error, Error::Config(_)) && !error.may_have_run(),
            "{error:?}"
        );
    }
}
