//! What is tolerated: names in quotes, indented comments, and faults where nothing is needed.

use std::io;

use super::*;
use crate::testing::{capture_log, captured_log};

const HOME: [(&str, &str); 1] = [("HOME", "/h")];

/// The profiles of a config file that may have faults.
fn tolerant(
    variables: &[(&str, &str)],
    config: impl Into<Vec<u8>>,
) -> Result<Profiles, ProfileError> {
    let variables = [&HOME, variables].concat();
    Profiles::load(&FakeSystem::new(&variables).with_file("/h/.aws/config", config))
}

#[test]
fn names_in_quotes_are_found() {
    let config = "[profile \"my prof\"] # it's a comment\na = 1\n\
                  [profile 'a#;b']\na = 2\n\
                  [sso-session 'My Corp'];\na = 3\n\
                  [profile \"plain\"]\na = 4\n[profile plain]\nb = 5\n\
                  [services \"s t\"]\na = 6\n";
    let profiles = load(config, "[\"my prof\"]\nb = 7\n").unwrap();
    let value = |kind, name, property| {
        profiles
            .section(kind, name)
            .unwrap()
            .unwrap()
            .text(property)
            .unwrap()
            .to_owned()
    };
    assert_eq!(value(SectionKind::Profile, "my prof", "a"), "1");
    assert_eq!(value(SectionKind::Profile, "my prof", "b"), "7");
    assert_eq!(value(SectionKind::Profile, "a#;b", "a"), "2");
    assert_eq!(value(SectionKind::SsoSession, "My Corp", "a"), "3");
    assert_eq!(value(SectionKind::Profile, "plain", "a"), "4");
    assert_eq!(value(SectionKind::Profile, "plain", "b"), "5");
    assert_eq!(value(SectionKind::Services, "s t", "a"), "6");
}

/// `region` and `aws_access_key_id` of a profile.
fn region_and_key(
    config: &str,
    credentials: &str,
    name: &str,
) -> Option<(Option<String>, Option<String>)> {
    let profiles = load(config, credentials).unwrap();
    let profile = profiles.profile(name).unwrap()?;
    let text = |property| profile.text(property).map(str::to_owned);
    Some((text("region"), text("aws_access_key_id")))
}

#[test]
fn names_are_found_as_the_aws_cli_writes_them() {
    // `aws configure` of AWS CLI 1.45 quotes a name with blanks in the config file, and no other name.
    let config = "[profile 'my profile']\nregion = blank\n\
                  [profile über]\nregion = umlaut\n\
                  [profile a'b]\nregion = quote\n\
                  [profile x]y]\nregion = bracket\n\
                  [profile 'Bob'\"'\"'s profile']\nregion = shell\n\
                  [profile 'x #y']\nregion = mark\n";
    let credentials = "[my profile]\naws_access_key_id = ID\n\
                       [über]\naws_access_key_id = ID\n\
                       [a'b]\naws_access_key_id = ID\n\
                       [x]y]\naws_access_key_id = ID\n\
                       [Bob's profile]\naws_access_key_id = ID\n\
                       [x #y]\naws_access_key_id = ID\n";
    for (name, region) in [
        ("my profile", "blank"),
        ("über", "umlaut"),
        ("a'b", "quote"),
        ("x]y", "bracket"),
        ("Bob's profile", "shell"),
        ("x #y", "mark"),
    ] {
        let expected = (Some(region.to_owned()), Some("ID".to_owned()));
        assert_eq!(
            region_and_key(config, credentials, name),
            Some(expected),
            "{name}"
        );
    }
    let sessions = load("[sso-session Ünï]\na = 1\n[services s!]\na = 2\n", "").unwrap();
    let value = |kind, name| sessions.section(kind, name).unwrap().unwrap().text("a");
    assert_eq!(value(SectionKind::SsoSession, "Ünï"), Some("1"));
    assert_eq!(value(SectionKind::Services, "s!"), Some("2"));
}

#[test]
fn in_each_file_the_most_exact_header_has_the_name() {
    let key = |credentials: &str, name| region_and_key("", credentials, name).map(|(_, key)| key);
    let id = |text: &str| Some(Some(text.to_owned()));
    let quoted = "[\"my profile\"]\naws_access_key_id = QUOTED\n";
    let bare = "[my profile]\naws_access_key_id = BARE\n";
    // Version 0.2 of this crate advised to quote names in the credentials file. For the AWS CLI the quotes are a part
    // of the name.
    assert_eq!(key(quoted, "my profile"), id("QUOTED"));
    assert_eq!(key(quoted, "\"my profile\""), id("QUOTED"));
    for both in [[quoted, bare].concat(), [bare, quoted].concat()] {
        assert_eq!(key(&both, "my profile"), id("BARE"));
        assert_eq!(key(&both, "\"my profile\""), id("QUOTED"));
    }
    let valid = "['plain']\naws_access_key_id = QUOTED\n[plain]\naws_access_key_id = VALID\n";
    assert_eq!(key(valid, "plain"), id("VALID"));
    // The AWS CLI takes the word `profile` as a part of the name in the credentials file.
    let prefixed = "[profile foo]\naws_access_key_id = PREFIXED\n";
    assert_eq!(key(prefixed, "profile foo"), id("PREFIXED"));
    assert_eq!(key(prefixed, "foo"), None);
    // A name of blanks or without characters is none.
    assert_eq!(key("[]\n[\"\"]\n", ""), None);
}

#[test]
fn a_section_that_is_ignored_is_not_called_missing() {
    let selected = |name, config: &str, credentials: &str| {
        let system = FakeSystem::new(&[("HOME", "/h"), ("AWS_PROFILE", name)])
            .with_file("/h/.aws/config", config)
            .with_file("/h/.aws/credentials", credentials);
        capture_log();
        let text = unix(&Profiles::load(&system).unwrap().selected().unwrap_err());
        (text, unix(&captured_log()))
    };
    let config_rule = "in the config file, a section is [profile NAME]";
    let credentials_rule = "in the credentials file, a profile is [NAME] without the word profile";
    for (name, config, credentials, place, reason) in [
        (
            "in valid",
            "\n[profile in valid]\n",
            "",
            "config, line 2",
            "a name with blanks must be quoted",
        ),
        ("foo", "\n[foo]\n", "", "config, line 2", config_rule),
        ("foo bar", "[foo bar]\n", "", "config, line 1", config_rule),
        ("foo", "[Profile foo]\n", "", "config, line 1", config_rule),
        (
            "foo",
            "",
            "[profile foo]\n",
            "credentials, line 1",
            credentials_rule,
        ),
    ] {
        let (text, log) = selected(name, config, credentials);
        let expected = format!(
            "AWS_PROFILE names the profile {name:?}, whose section is ignored: /h/.aws/{place}: {reason}"
        );
        assert!(text.starts_with(&expected), "{text}");
        let expected = format!("WARN /h/.aws/{place}: the section is ignored: {reason}");
        assert!(log.starts_with(&expected), "{log}");
        // For the AWS CLI, quotes in the credentials file are a part of the name, so nothing advises them there.
        assert!(
            !text.contains("quote") || place.starts_with("config"),
            "{text}"
        );
    }
    let (text, _) = selected("foo", "[sso-session foo!]\n[profile bar]\n", "");
    assert!(text.contains("which is in neither of"), "{text}");
    let (text, _) = selected("prof", "", "[my prof]\n");
    assert!(text.contains("which is in neither of"), "{text}");
}

#[test]
fn a_file_that_a_variable_names_and_that_is_missing_is_empty_and_a_warning() {
    let config = "[default]\nregion = r\n";
    for (variable, path) in [
        ("AWS_CONFIG_FILE", "/typo"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/typo"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/h/.aws/config/no-directory"),
    ] {
        let system = FakeSystem::new(&[("HOME", "/h"), (variable, path)])
            .with_config(config)
            .with_unreadable("/h/.aws/config/no-directory", io::ErrorKind::NotADirectory);
        capture_log();
        let profiles = Profiles::load(&system).unwrap();
        profiles.check_files().unwrap();
        let path = path.replace('~', "/h");
        let expected = format!("{variable} names {path}, which does not exist");
        let missing: Vec<String> = profiles.missing_files().iter().map(unix).collect();
        assert_eq!(missing, [expected.as_str()]);
        let log = unix(&captured_log());
        assert_eq!(log, format!("WARN {expected}; it counts as empty\n"));

        let named = FakeSystem::new(&[("HOME", "/h"), (variable, &path), ("AWS_PROFILE", "p")]);
        let error = unix(&Profiles::load(&named).unwrap().selected().unwrap_err());
        assert!(error.ends_with(&format!("; {expected}")), "{error}");
    }
    capture_log();
    let profiles = Profiles::load(&FakeSystem::new(&HOME)).unwrap();
    assert!(profiles.missing_files().is_empty());
    assert_eq!(captured_log(), "");
}

#[test]
fn the_name_of_a_profile_is_not_empty() {
    for name in ["", " "] {
        let error = Profiles::load_selecting(&FakeSystem::new(&HOME), Some(name)).unwrap_err();
        assert_eq!(error.to_string(), "the name of the profile is empty");
    }
}

#[test]
fn an_indented_comment_is_skipped() {
    let config = "[default]\n  # first\na = 1\n  # rotated\n\t;x\nb =\n  # block\n  c = 2\nd = 3\n  -more # text\n";
    let profiles = load(config, "").unwrap();
    let default = profiles.selected().unwrap().unwrap();
    assert_eq!(default.text("a"), Some("1"));
    assert_eq!(*default.sub_property("b", "c").unwrap().value, "2");
    assert_eq!(default.text("d"), Some("3\n-more # text"));
}

#[test]
fn a_fault_concerns_its_section_only() {
    for fault in [
        &b"no property\nb = 2\n"[..],
        b"b = \xff\n",
        b"= 1\n",
        b" = 1\n",
        b"[profile c\nb = 2\n",
        b"[\xff]\nb = 2\n",
    ] {
        capture_log();
        let config = [
            b"[default]\na = 1\n# \xff\n[profile b]\n",
            fault,
            b"[profile d]\na = 3\n",
        ]
        .concat();
        let profiles = tolerant(&[], config).unwrap();
        profiles.check_files().unwrap();
        assert_eq!(profiles.selected().unwrap().unwrap().text("a"), Some("1"));
        assert_eq!(profiles.profile("d").unwrap().unwrap().text("a"), Some("3"));
        let is_whole = |name| profiles.profile(name).is_ok();
        assert!(
            !is_whole("b") || !is_whole("c") || fault.starts_with(b"[\xff"),
            "{fault:?}"
        );
        let log = unix(&captured_log());
        assert!(log.contains("/h/.aws/config, line 5: "), "{log}");
    }
}

#[test]
fn a_fault_in_the_section_that_is_used_is_an_error() {
    for config in [
        "[default]\nno property\n[profile b]\n",
        "[default\n",
        "[default]\n[profile b]\n[default]\n= 1\n",
    ] {
        let profiles = tolerant(&[], config).unwrap();
        assert!(
            matches!(profiles.selected(), Err(ProfileError::Syntax(_))),
            "{config}"
        );
    }
    let config = "[profile a]\n[services s]\nno property\n";
    let profiles = tolerant(&[("AWS_PROFILE", "a")], config).unwrap();
    profiles.selected().unwrap();
    profiles.section(SectionKind::Services, "s").unwrap_err();
}

#[test]
fn a_default_file_that_cannot_be_read_is_a_warning_until_it_is_needed() {
    let broken = |variables: &[(&str, &str)]| {
        FakeSystem::new(&[&HOME, variables].concat())
            .with_file("/h/.aws/config", "[default]\na = 1\n[profile p]\n")
            .with_unreadable("/h/.aws/credentials", io::ErrorKind::PermissionDenied)
            .with_unreadable("/named", io::ErrorKind::PermissionDenied)
    };
    capture_log();
    let profiles = Profiles::load(&broken(&[])).unwrap();
    assert_eq!(profiles.selected().unwrap().unwrap().text("a"), Some("1"));
    let log = unix(&captured_log());
    assert!(
        log.contains("/h/.aws/credentials cannot be read: permission denied; the file is not used"),
        "{log}"
    );
    assert_eq!(
        unix(&profiles.check_files().unwrap_err()),
        "/h/.aws/credentials cannot be read"
    );

    for variable in [("AWS_PROFILE", "p"), ("AWS_CONFIG_FILE", "/named")] {
        assert!(matches!(
            Profiles::load(&broken(&[variable])),
            Err(ProfileError::Unreadable { .. })
        ));
    }
    assert!(Profiles::load_selecting(&broken(&[]), Some("p")).is_err());
}

#[test]
fn a_file_with_a_property_before_any_section_cannot_be_used() {
    let profiles = tolerant(&[], "a = 1\n[default]\n").unwrap();
    assert!(profiles.selected().unwrap().is_none());
    let text = "/h/.aws/config, line 1: a [section] must come before the first property";
    assert_eq!(unix(&profiles.check_files().unwrap_err()), text);
}

#[test]
fn below_a_home_that_is_no_directory_there_is_no_file() {
    let kind = io::ErrorKind::NotADirectory;
    let system = FakeSystem::new(&[("HOME", "/dev/null")])
        .with_unreadable("/dev/null/.aws/config", kind)
        .with_unreadable("/dev/null/.aws/credentials", kind);
    capture_log();
    Profiles::load(&system).unwrap().check_files().unwrap();
    let log = unix(&captured_log());
    assert!(
        log.contains("/dev/null/.aws/config cannot be read"),
        "{log}"
    );
}

#[test]
fn the_null_device_is_an_empty_file() {
    let device = Platform::CURRENT.null_device().to_str().unwrap();
    let variables = [
        ("AWS_CONFIG_FILE", device),
        ("AWS_SHARED_CREDENTIALS_FILE", device),
    ];
    let system = FakeSystem::new(&variables).with_unreadable(device, io::ErrorKind::InvalidInput);
    Profiles::load(&system).unwrap().check_files().unwrap();
}

#[test]
fn a_path_is_shown_on_one_line() {
    let path = "/a\nb\u{202e}/config";
    let system = |name| FakeSystem::new(&[("AWS_CONFIG_FILE", path), ("AWS_PROFILE", name)]);
    let unreadable = system("").with_unreadable(path, io::ErrorKind::PermissionDenied);
    let texts = [
        Profiles::load(&system("gone"))
            .unwrap()
            .selected()
            .unwrap_err(),
        Profiles::load(&system("").with_file(path, "[default\n"))
            .unwrap()
            .selected()
            .unwrap_err(),
        Profiles::load(&unreadable).unwrap_err(),
    ];
    for text in texts.map(|error| error.to_string()) {
        assert!(text.contains("/a b /config"), "{text:?}");
    }
}
