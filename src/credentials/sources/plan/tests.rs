use serde_json::{Value, json};

use super::*;
use crate::testing::FakeSystem;

/// The error texts of the official cases, and ours for the same problem.
const PROBLEMS: [(&str, &str); 14] = [
    (
        "profile must contain `source_profile`",
        "role_arn needs a source_profile or a credential_source",
    ),
    (
        "profile contained both source_profile and credential_source",
        "exclude each other",
    ),
    (
        "profile missing aws_secret_access_key",
        "aws_access_key_id is set without aws_secret_access_key",
    ),
    (
        "profile missing aws_access_key_id",
        "aws_secret_access_key is set without aws_access_key_id",
    ),
    (
        "profile `B` did not contain credential information",
        "profile \"B\": it is a source and has no",
    ),
    (
        "profile `A` did not contain credential information",
        "profile \"A\" has no credentials",
    ),
    (
        "could not find source profile B referenced from A",
        "profile \"A\": its source_profile \"B\" does not",
    ),
    ("No profiles were defined", "there is no profile \"A\" in"),
    (
        "profile formed an infinite loop",
        "source_profile leads back to \"A\"",
    ),
    (
        "`role_arn` was missing",
        "web_identity_token_file needs a role_arn",
    ),
    (
        "if `sso_role_name` is set, then `sso_account_id` must also be set",
        "sso_role_name is set without",
    ),
    (
        "if `sso_account_id` is set, then `sso_role_name` must also be set",
        "sso_account_id is set without",
    ),
    (
        "`sso_region` can only be specified in the [sso-session] config when a session name is given",
        "sso_region and sso_start_url belong into the sso-session section",
    ),
    (
        "sso-session named `oops` (referenced by profile `A`) was not found",
        "no section [sso-session oops]",
    ),
];

/// The plan in the format of the official cases.
fn shown(plan: &Plan) -> Value {
    let mut steps = vec![match &plan.base {
        Base::Keys(keys) => json!({"AccessKey": {
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key.expose(),
        }}),
        Base::Named(NamedSource::InstanceMetadata) => json!({"NamedSource": "Ec2InstanceMetadata"}),
        Base::Named(NamedSource::Container) => json!({"NamedSource": "EcsContainer"}),
        Base::Named(NamedSource::Environment) => json!({"NamedSource": "Environment"}),
        Base::WebIdentity { role, token_file } => json!({"WebIdentityToken": {
            "role_arn": role.arn,
            "role_session_name": role.session_name,
            "web_identity_token_file": token_file,
        }}),
        Base::Sso(sso) => json!({"Sso": {
            "sso_session": sso.session,
            "sso_region": sso.region,
            "sso_start_url": sso.start_url,
            "sso_account_id": sso.account_and_role.as_ref().map(|it| &it.0),
            "sso_role_name": sso.account_and_role.as_ref().map(|it| &it.1),
        }}),
        Base::Login { session } => json!({"Login": session}),
        Base::Process { command_line } => json!({"Process": command_line}),
    }];
    steps.extend(plan.roles.iter().map(|role| {
        json!({"AssumeRole": {
            "role_arn": role.arn,
            "role_session_name": role.session_name,
            "external_id": role.external_id,
        }})
    }));
    without_nulls(&Value::from(steps))
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, value)| !value.is_null() && *name != "account_id")
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        other => other.clone(),
    }
}

fn passes(case: &Value) -> Result<(), String> {
    let none = serde_json::Map::new();
    let [profiles, sso_sessions] =
        ["profiles", "sso_sessions"].map(|key| case["input"][key].as_object().unwrap_or(&none));
    let profiles = Profiles::from_sections(profiles, sso_sessions);
    let outcome = Plan::of(
        &profiles,
        case["input"]["selected_profile"].as_str().unwrap(),
    );
    match (outcome, &case["output"]["Error"]) {
        (Ok(plan), Value::Null) => {
            let (ours, theirs) = (shown(&plan), without_nulls(&case["output"]["ProfileChain"]));
            if ours == theirs {
                Ok(())
            } else {
                Err(format!("{ours} is not {theirs}"))
            }
        }
        (Err(refusal), Value::String(theirs)) => {
            let text = refusal.into_failure().to_string();
            let ours = PROBLEMS.iter().find(|(it, _)| it == theirs).unwrap().1;
            if text.contains(ours) {
                Ok(())
            } else {
                Err(format!("{text} does not contain {ours}"))
            }
        }
        (outcome, _) => Err(format!("{outcome:?}")),
    }
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_role_chains() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors");
    let file = std::fs::read(format!("{root}/profile/assume-role-tests.json")).unwrap();
    let cases: Value = serde_json::from_slice(&file).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 28);
    for case in cases {
        let docs = case["docs"].as_str().unwrap();
        if let Err(problem) = passes(case) {
            panic!("{docs}: {problem}");
        }
    }
}

fn plan(profiles: &Value) -> Result<Plan, String> {
    plan_with_sessions(profiles, &json!({}))
}

fn plan_with_sessions(profiles: &Value, sessions: &Value) -> Result<Plan, String> {
    let profiles =
        Profiles::from_sections(profiles.as_object().unwrap(), sessions.as_object().unwrap());
    Plan::of(&profiles, "A").map_err(|refusal| refusal.into_failure().to_string())
}

#[test]
fn a_role_is_assumed_with_any_credentials() {
    for (property, value) in [
        ("credential_process", "command"),
        ("login_session", "arn"),
        ("credential_source", "ecscontainer"),
    ] {
        let found = plan(&json!({
            "A": {"role_arn": "a", "source_profile": "B", "duration_seconds": "900"},
            "B": {property: value},
        }))
        .unwrap();
        assert_eq!(found.base_profile, "B");
        assert_eq!(
            (found.roles.len(), found.roles[0].duration.as_deref()),
            (1, Some("900"))
        );
    }
}

#[test]
fn an_unknown_source_and_half_of_a_setting_are_errors() {
    let text = plan(&json!({"A": {"role_arn": "a", "credential_source": "Moon"}})).unwrap_err();
    assert!(
        text.contains("credential_source is \"Moon\", and can only be"),
        "{text}"
    );
    let text = plan(&json!({"A": {"sso_session": "s", "sso_account_id": "1"}})).unwrap_err();
    assert!(
        text.contains("profile \"A\": sso_account_id is set without sso_role_name"),
        "{text}"
    );
}

#[test]
fn a_profile_may_repeat_a_property_of_its_sso_session_and_not_contradict_it() {
    for (property, value) in [("sso_region", "us-west-2"), ("sso_start_url", "https://a")] {
        let plan = sso_plan(property, value).unwrap();
        let Base::Sso(sso) = plan.base else {
            panic!("{plan:?}")
        };
        assert_eq!(
            (sso.region.as_str(), sso.start_url.as_str()),
            ("us-west-2", "https://a")
        );
    }
    for (property, value) in [("sso_region", "us-west-1"), ("sso_start_url", "https://b")] {
        let text = sso_plan(property, value).unwrap_err();
        assert!(
            text.contains(&format!("its own {property} is not the same as there")),
            "{text}"
        );
    }
}

/// A profile with an SSO session and this property beside it.
fn sso_plan(property: &str, value: &str) -> Result<Plan, String> {
    let profile =
        json!({"sso_session": "s", "sso_account_id": "1", "sso_role_name": "r", property: value});
    let sessions = json!({"s": {"sso_region": "us-west-2", "sso_start_url": "https://a"}});
    plan_with_sessions(&json!({"A": profile}), &sessions)
}

fn plan_of_files(config: &str, credentials: &str) -> Result<Plan, String> {
    let system = FakeSystem::new(&[("HOME", "/h")])
        .with_file("/h/.aws/config", config)
        .with_file("/h/.aws/credentials", credentials);
    let profiles = Profiles::load(&system).unwrap();
    let outcome = Plan::of(&profiles, "default");
    outcome.map_err(|error| {
        error
            .into_failure()
            .to_string()
            .replace(std::path::MAIN_SEPARATOR, "/")
    })
}

#[test]
fn a_key_with_a_line_break_is_refused_with_its_line() {
    let keys = |end| {
        format!("[default]\naws_access_key_id = id\naws_secret_access_key = topsecret\n{end}")
    };
    let text = plan_of_files("", &keys("  region = r\n")).unwrap_err();
    let start =
        "profile \"default\": /h/.aws/credentials, line 3: aws_secret_access_key has a line break";
    assert!(
        text.starts_with(start) && !text.contains("topsecret"),
        "{text}"
    );
    plan_of_files("", &keys("  # a comment\n")).unwrap();

    let role = "[default]\nrole_arn = a\nsource_profile = b\n";
    let source = "[b]\nrole_arn = c\ncredential_source = Environment\n";
    let keys = "aws_access_key_id = id\n x\naws_secret_access_key = s\n";
    let text = plan_of_files(role, &format!("{source}{keys}")).unwrap_err();
    assert!(
        text.contains("line 4: aws_access_key_id has a line break"),
        "{text}"
    );
}

#[test]
fn a_section_is_found_by_its_quoted_name_or_the_error_says_why_not() {
    let sso = "[default]\nsso_session = My Corp\nsso_account_id = 1\nsso_role_name = r\n";
    let session = "\nsso_region = r\nsso_start_url = u\n";
    plan_of_files(&format!("{sso}[sso-session \"My Corp\"]{session}"), "").unwrap();
    let text = plan_of_files(&format!("{sso}[sso-session My Corp]{session}"), "").unwrap_err();
    let reason = |line| {
        format!("is ignored: /h/.aws/config, line {line}: a name with blanks must be quoted")
    };
    let expected = format!("the section of the sso-session \"My Corp\" {}", reason(5));
    assert!(text.contains(&expected), "{text}");

    let role = "[default]\nrole_arn = a\nsource_profile = my keys\n";
    let keys = "\naws_access_key_id = i\naws_secret_access_key = s\n";
    plan_of_files(&format!("{role}[profile 'my keys']{keys}"), "").unwrap();
    let text = plan_of_files(&format!("{role}[profile my keys]{keys}"), "").unwrap_err();
    let expected = format!("the section of the profile \"my keys\" {}", reason(4));
    assert!(text.contains(&expected), "{text}");

    let text = plan_of_files("", "[profile default]\n").unwrap_err();
    assert!(
        text.starts_with("the section of the profile \"default\" is ignored: /h/.aws/cred"),
        "{text}"
    );
}
