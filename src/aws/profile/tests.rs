mod tolerance;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::aws::Service;
use crate::aws::settings::Settings;
use crate::testing::{FakeSystem, assert_shown_safely, fuzz};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors");

type Pairs = BTreeMap<String, BTreeMap<String, String>>;

fn load(config: &str, credentials: &str) -> Result<Profiles, ProfileError> {
    let system = FakeSystem::new(&[("HOME", "/h")])
        .with_file("/h/.aws/config", config)
        .with_file("/h/.aws/credentials", credentials);
    let profiles = Profiles::load(&system)?;
    profiles.check_all()?;
    Ok(profiles)
}

/// The sections that the SDKs find. The others have names for our lookup only.
fn strict_pairs(sections: &merge::Sections) -> Pairs {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    sections
        .iter()
        .filter(|(name, _)| header::is_identifier(name))
        .map(|(name, section)| (name.clone(), section.pairs().map(owned).collect()))
        .collect()
}

/// Builds sections from a JSON object of objects.
pub(super) fn sections(json: &serde_json::Map<String, Value>) -> merge::Sections {
    let sections = json.iter().map(|(name, properties)| {
        let properties = properties.as_object().unwrap().iter();
        let pairs = properties.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
        (name.clone(), Section::from_pairs(pairs))
    });
    sections.collect()
}

fn shared(path: &str) -> Value {
    let text = std::fs::read(format!("{VECTORS}/{path}")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Error messages of the official cases, and ours.
const PROBLEMS: [(&str, &str); 8] = [
    (
        "Profile definition must end with ']'",
        "a section must end with ']'",
    ),
    (
        "Expected a profile definition",
        "a [section] must come before the first property",
    ),
    (
        "Property did not have a name",
        "a property must have a name before its '='",
    ),
    (
        "Expected an '=' sign defining a property",
        "a property must have an '='",
    ),
    (
        "Expected a property definition",
        "an indented line must continue a property",
    ),
    (
        "Expected a property definition, found continuation",
        "an indented line must continue a property",
    ),
    (
        "Expected an '=' sign defining a sub-property",
        "a sub-property must have a name and an '='",
    ),
    (
        "Sub-property did not have a name",
        "a sub-property must have a name and an '='",
    ),
];

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_parser_cases() {
    let cases = shared("profile/profile-parser-tests.json");
    let cases = cases["tests"].as_array().unwrap();
    assert_eq!(cases.len(), 65);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let file = |key: &str| case["input"][key].as_str().unwrap_or_default().to_owned();
        let outcome = load(&file("configFile"), &file("credentialsFile"));
        if let Some(problem) = case["output"]["errorContaining"].as_str() {
            let ours = PROBLEMS
                .iter()
                .find(|(theirs, _)| *theirs == problem)
                .unwrap()
                .1;
            let text = outcome.unwrap_err().to_string();
            assert!(text.contains(ours), "{name}: {text}");
            continue;
        }
        let profiles = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = |key: &str| -> Pairs {
            serde_json::from_value(case["output"]["config"][key].clone()).unwrap_or_default()
        };
        assert_eq!(
            strict_pairs(&profiles.merged.profiles),
            expected("profiles"),
            "{name}"
        );
        assert_eq!(
            strict_pairs(&profiles.merged.sso_sessions),
            expected("sso_sessions"),
            "{name}"
        );
    }
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_file_locations() {
    let cases = shared("profile/file-location-tests.json");
    let cases = cases["tests"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let platform = if case["platform"] == "windows" {
            Platform::Windows
        } else {
            Platform::Unix
        };
        let variables = case["environment"].as_object().unwrap();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let system = FakeSystem::new(&variables);
        let shown = |path: &Path| path.to_str().unwrap().to_owned();
        let files: Vec<_> = location::files(&system, platform).collect();
        let [config, credentials] = [0, 1].map(|index| shown(&files[index].1.path));
        assert_eq!(config, case["configLocation"], "{name}");
        assert_eq!(credentials, case["credentialsLocation"], "{name}");
        let profile = case["profile"].as_str().unwrap_or("default");
        assert_eq!(
            Profiles::load(&system).unwrap().selected_name(),
            profile,
            "{name}"
        );
    }
}

/// Replaces the path separators of Windows.
fn unix(shown: &impl ToString) -> String {
    shown.to_string().replace(std::path::MAIN_SEPARATOR, "/")
}

#[test]
fn the_credentials_file_wins_property_by_property_and_values_have_their_lines() {
    let profiles = load(
        "[default]\nregion = r\naws_access_key_id = from-config\n",
        "# keys\n[default]\naws_access_key_id = from-credentials\n",
    )
    .unwrap();
    let default = profiles.selected().unwrap().unwrap();
    assert_eq!(default.text("aws_access_key_id"), Some("from-credentials"));
    let line = |name| unix(&default.property(name).unwrap().line);
    assert_eq!(line("region"), "/h/.aws/config, line 2");
    assert_eq!(line("aws_access_key_id"), "/h/.aws/credentials, line 3");
}

#[test]
fn blocks_hold_sub_properties() {
    let profiles = load(
        "[services s]\nsts =\n  Endpoint_URL = http://sts ; no\n\n  a = b\nflat = x\n",
        "",
    )
    .unwrap();
    let services = profiles
        .section(SectionKind::Services, "s")
        .unwrap()
        .unwrap();
    let value = |block, name| {
        services
            .sub_property(block, name)
            .map(|found| found.value.to_string())
    };
    assert_eq!(value("sts", "endpoint_url").as_deref(), Some("http://sts"));
    assert_eq!(value("sts", "a").as_deref(), Some("b"));
    assert_eq!(
        (value("sts", "b"), value("flat", "x"), value("none", "x")),
        (None, None, None)
    );
}

#[test]
fn a_value_may_have_600_kib_of_continuation_lines() {
    let lines = 200 * 1024;
    let profiles = load(&format!("[default]\na = x\n{}", " y\n".repeat(lines)), "").unwrap();
    let default = profiles.selected().unwrap().unwrap();
    assert_eq!(
        default.text("a"),
        Some(&*format!("x{}", "\ny".repeat(lines)))
    );

    let block = " b = c\n".repeat(600 * 1024 / 7);
    let profiles = load(&format!("[services s]\nsts =\n{block} b = last\n"), "").unwrap();
    let property = profiles
        .section(SectionKind::Services, "s")
        .unwrap()
        .unwrap()
        .sub_property("sts", "b")
        .unwrap();
    assert_eq!(*property.value, "last");
}

#[test]
fn an_error_names_file_and_line_without_the_text_of_the_line() {
    let error = load("[default]\n\naws_secret_access_key: topsecret\n", "").unwrap_err();
    assert_eq!(
        unix(&error),
        "/h/.aws/config, line 3: a property must have an '='"
    );
    let system = FakeSystem::new(&[("HOME", "/h")])
        .with_file("/h/.aws/credentials", b"[default]\na = \xff\n");
    let error = Profiles::load(&system).unwrap().selected().unwrap_err();
    assert_eq!(
        unix(&error),
        "/h/.aws/credentials, line 2: the line is not UTF-8"
    );
}

#[test]
fn a_named_profile_must_exist_but_the_default_profile_may_be_missing() {
    let system = |name| FakeSystem::new(&[("HOME", "/h"), ("AWS_PROFILE", name)]);
    let error = Profiles::load(&system("gone"))
        .unwrap()
        .selected()
        .unwrap_err();
    let files = "/h/.aws/config, /h/.aws/credentials";
    let text = format!("AWS_PROFILE names the profile \"gone\", which is in neither of: {files}");
    assert_eq!(unix(&error), text);
    assert!(
        Profiles::load(&system(" "))
            .unwrap()
            .selected()
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_tilde_is_expanded_only_as_a_whole_component() {
    let system = FakeSystem::new(&[("HOME", "/h")]);
    let expanded = |path| {
        expand_home(&system, Platform::Unix, path)
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(expanded("~/x"), "/h/x");
    assert_eq!(expanded("~"), "/h");
    assert_eq!(expanded("~other/x"), "~other/x");
    assert_eq!(expanded("/~/x"), "/~/x");
}

/// Parses bytes as both files, and reads settings from them. The result may be an error.
fn parse_without_panic(bytes: &[u8]) {
    let system = FakeSystem::new(&[("HOME", "/h")])
        .with_file("/h/.aws/config", bytes)
        .with_file("/h/.aws/credentials", bytes);
    let profiles = match Profiles::load(&system) {
        Ok(profiles) => profiles,
        Err(error) => return assert_shown_safely(&error.to_string()),
    };
    for section in profiles
        .merged
        .profiles
        .values()
        .chain(profiles.merged.services.values())
    {
        let names: Vec<&str> = section.pairs().map(|(name, _)| name).collect();
        assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
        names
            .iter()
            .for_each(|name| drop(section.sub_property(name, "a")));
    }
    let settings = match Settings::new(&system, &profiles) {
        Ok(settings) => settings,
        Err(error) => return assert_shown_safely(&error.to_string()),
    };
    if let Err(error) = settings.fips() {
        assert_shown_safely(&error.to_string());
    }
    if let Err(error) = settings.endpoint_url(Service::STS) {
        assert_shown_safely(&error.to_string());
    }
}

#[test]
fn fuzz_shared_files() {
    let samples = [
        "[default]\nregion = us-east-1 # comment\nuse_fips_endpoint=true\nservices = s\n[services s]\nsts =\n  endpoint_url = http://h\n",
        "\u{feff}[profile \"a b\"]\r\naws_access_key_id=id;\r\n[default] ; c\r\nkey =\r\n\ta = 1\r\n\tb=2\r\n",
        "# c\n[profile default]\nIgnore_Configured_Endpoint_URLs = yes\n more\n[sso-session s]\nsso_region=r\n[x y]\n",
    ];
    fuzz(&samples, parse_without_panic);
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn botocores_files_do_not_panic_whole_or_cut() {
    let files: Vec<_> = std::fs::read_dir(format!("{VECTORS}/profile/botocore-cfg"))
        .unwrap()
        .collect();
    assert_eq!(files.len(), 15);
    let mut random = crate::testing::Random(5);
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        parse_without_panic(&bytes);
        for _ in 0..200 {
            let from = random.below(bytes.len() + 1);
            let to = from + random.below((bytes.len() - from).min(400) + 1);
            parse_without_panic(&bytes[from..to]);
            parse_without_panic(String::from_utf8_lossy(&bytes[from..to]).as_bytes());
        }
    }
}
