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

#[test]
fn a_section_that_is_ignored_is_not_called_missing() {
    let selected = |name, config: &str, credentials: &str| {
        let system = FakeSystem::new(&[("HOME", "/h"), ("AWS_PROFILE", name)])
            .with_file("/h/.aws/config", config)
            .with_file("/h/.aws/credentials", credentials);
        unix(&Profiles::load(&system).unwrap().selected().unwrap_err())
    };
    for (name, config, credentials, reason) in [
        (
            "in valid",
            "\n[profile in valid]\n",
            "",
            "config, line 2: a name with blanks must be quoted",
        ),
        (
            "foo",
            "[foo]\n",
            "",
            "config, line 1: in the config file, a section is [profile NAME]",
        ),
        (
            "foo",
            "[Profile foo]\n",
            "",
            "config, line 1: in the config file, a section is [profile NAME]",
        ),
        (
            "foo",
            "",
            "[profile foo]\n",
            "credentials, line 1: in the credentials file, a profile is [NAME]",
        ),
        (
            "a b",
            "",
            "[a b]\n",
            "credentials, line 1: a name with blanks must be quoted",
        ),
        (
            "f!",
            "[profile f!]\n",
            "",
            "config, line 1: a name with other characters",
        ),
    ] {
        let text = selected(name, config, credentials);
        let start = format!(
            "AWS_PROFILE names the profile {name:?}, whose section is ignored: /h/.aws/{reason}"
        );
        assert!(text.starts_with(&start), "{text}");
    }
    let text = selected("foo", "[sso-session foo!]\n[profile bar]\n", "");
    assert!(text.contains("which is in neither of"), "{text}");
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
