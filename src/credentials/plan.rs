//! What a profile asks for: where its first credentials come from, and the roles that are assumed with them in turn.
//!
//! Sans IO. Source: the AWS SDKs and Tools reference guide, "Assume role credential provider", and for the order
//! within a profile the official SDK for Rust.

use super::Credentials;
use super::context::Refusal;
use super::sso::Sso;
use super::sts::Role;
use crate::error::CredentialsError;
use crate::profile::{Profiles, Section};

/// The way to a profile's credentials.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) base: Base,
    /// The profile that `base` stands in.
    pub(super) base_profile: String,
    /// In the order in which they are assumed.
    pub(super) roles: Vec<Role>,
}

/// The first credentials.
#[derive(Clone, Debug)]
pub(super) enum Base {
    Keys(Credentials),
    Named(NamedSource),
    WebIdentity { role: Role, token_file: String },
    Sso(Sso),
    Login { session: String },
    Process { command_line: String },
}

/// What `credential_source` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedSource {
    Environment,
    Container,
    InstanceMetadata,
}

/// Where a role's own credentials come from.
enum Next<'a> {
    Profile(&'a str),
    /// The same profile.
    Here,
}

impl Plan {
    pub(super) fn of(profiles: &Profiles, selected: &str) -> Result<Self, Refusal> {
        let mut roles = Vec::new();
        let mut visited: Vec<&str> = Vec::new();
        let mut name = selected;
        let base = loop {
            let section = section(profiles, name, visited.last().copied())?;
            if visited.contains(&name) {
                return Err(CredentialsError::new(format!("source_profile leads back to {name:?}")).into());
            }
            visited.push(name);
            // From the second profile on, its keys win over the role that it asks for itself.
            if let (Some(keys), true) = (whole_keys(section), visited.len() > 1) {
                break Base::Keys(keys);
            }
            let Some(role) = role(section) else { break base(profiles, section, name, visited.len() > 1)? };
            let next = next(section, name).map_err(|error| error.within(format!("profile {name:?}")))?;
            roles.push(role);
            match next {
                Next::Here => break base(profiles, section, name, true)?,
                Next::Profile(next) => name = next,
            }
        };
        roles.reverse();
        Ok(Self { base, base_profile: name.to_owned(), roles })
    }
}

fn section<'a>(profiles: &'a Profiles, name: &str, from: Option<&str>) -> Result<&'a Section, Refusal> {
    match (profiles.profile(name), from) {
        (Some(section), _) => Ok(section),
        (None, None) => {
            let files = profiles.files();
            Err(Refusal::not_configured(format!("there is no profile {name:?} in: {files}")))
        }
        (None, Some(from)) => {
            let problem = format!("profile {from:?}: its source_profile {name:?} does not exist");
            Err(CredentialsError::new(problem).into())
        }
    }
}

/// The role that a profile asks for with other credentials; with a token it is web identity's.
fn role(section: &Section) -> Option<Role> {
    let arn = section.text("role_arn").filter(|_| section.text("web_identity_token_file").is_none())?;
    let owned = |name| section.text(name).map(str::to_owned);
    Some(Role {
        arn: arn.to_owned(),
        session_name: owned("role_session_name"),
        external_id: owned("external_id"),
        duration: owned("duration_seconds"),
    })
}

fn next<'a>(section: &'a Section, name: &str) -> Result<Next<'a>, CredentialsError> {
    match (section.text("source_profile"), section.text("credential_source")) {
        (Some(_), Some(_)) => {
            Err(CredentialsError::new("source_profile and credential_source exclude each other"))
        }
        (None, None) => Err(CredentialsError::new("role_arn needs a source_profile or a credential_source")),
        (Some(source), None) if source == name => Ok(Next::Here),
        (Some(source), None) => Ok(Next::Profile(source)),
        (None, Some(_)) => Ok(Next::Here),
    }
}

/// The credentials of a profile itself. One that another profile leans on must have some.
fn base(profiles: &Profiles, section: &Section, name: &str, is_needed: bool) -> Result<Base, Refusal> {
    let within = |error: CredentialsError| error.within(format!("profile {name:?}"));
    let owned = |property| section.text(property).map(str::to_owned);
    if let Some(source) = section.text("credential_source") {
        return Ok(Base::Named(named_source(source).map_err(within)?));
    }
    if let Some(token_file) = owned("web_identity_token_file") {
        let arn = section.text("role_arn").ok_or_else(|| {
            within(CredentialsError::new("web_identity_token_file needs a role_arn, and there is none"))
        })?;
        return Ok(Base::WebIdentity { role: Role::new(arn, owned("role_session_name")), token_file });
    }
    if let Some(sso) = sso(profiles, section).map_err(within)? {
        return Ok(Base::Sso(sso));
    }
    if let Some(session) = owned("login_session") {
        return Ok(Base::Login { session });
    }
    if let Some(command_line) = owned("credential_process") {
        return Ok(Base::Process { command_line });
    }
    match keys(section).map_err(within)? {
        Some(keys) => Ok(Base::Keys(keys)),
        None if is_needed => {
            Err(within(CredentialsError::new("it is a source and has no credentials")).into())
        }
        None => Err(Refusal::not_configured(format!("profile {name:?} has no credentials"))),
    }
}

fn named_source(name: &str) -> Result<NamedSource, CredentialsError> {
    let all = [
        ("Environment", NamedSource::Environment),
        ("EcsContainer", NamedSource::Container),
        ("Ec2InstanceMetadata", NamedSource::InstanceMetadata),
    ];
    let found = all.into_iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
    found.map(|(_, source)| source).ok_or_else(|| {
        let names = "Environment, EcsContainer or Ec2InstanceMetadata";
        CredentialsError::new(format!("credential_source is {name:?}, and can only be {names}"))
    })
}

fn sso(profiles: &Profiles, section: &Section) -> Result<Option<Sso>, CredentialsError> {
    let all = ["sso_session", "sso_account_id", "sso_role_name", "sso_region", "sso_start_url"];
    let [session, account, role, region, start_url] = all.map(|name| section.text(name).map(str::to_owned));
    if [&session, &account, &role, &region, &start_url].into_iter().all(Option::is_none) {
        return Ok(None);
    }
    let account_and_role = match (account, role) {
        (Some(account), Some(role)) => Some((account, role)),
        (None, None) => None,
        (Some(_), None) => return Err(CredentialsError::new("sso_account_id is set without sso_role_name")),
        (None, Some(_)) => return Err(CredentialsError::new("sso_role_name is set without sso_account_id")),
    };
    let (region, start_url) = match &session {
        None => (region, start_url),
        Some(_) if region.is_some() || start_url.is_some() => {
            let problem = "sso_region and sso_start_url belong into the sso-session section that it names";
            return Err(CredentialsError::new(problem));
        }
        Some(name) => {
            let section = profiles
                .sso_session(name)
                .ok_or_else(|| CredentialsError::new(format!("there is no section [sso-session {name}]")))?;
            let owned = |name| section.text(name).map(str::to_owned);
            (owned("sso_region"), owned("sso_start_url"))
        }
    };
    let missing = |name| CredentialsError::new(format!("SSO needs {name}, and there is none"));
    let region = region.ok_or_else(|| missing("sso_region"))?;
    let start_url = start_url.ok_or_else(|| missing("sso_start_url"))?;
    Ok(Some(Sso { session, region, start_url, account_and_role }))
}

fn whole_keys(section: &Section) -> Option<Credentials> {
    keys(section).ok().flatten()
}

fn keys(section: &Section) -> Result<Option<Credentials>, CredentialsError> {
    let text = |name| section.text(name).map(str::trim);
    let credentials = match (text("aws_access_key_id"), text("aws_secret_access_key")) {
        (None, None) => return Ok(None),
        (Some(_), None) => {
            return Err(CredentialsError::new("aws_access_key_id is set without aws_secret_access_key"));
        }
        (None, Some(_)) => {
            return Err(CredentialsError::new("aws_secret_access_key is set without aws_access_key_id"));
        }
        (Some(id), Some(secret)) => Credentials::new(id, secret),
    };
    Ok(Some(match text("aws_session_token") {
        Some(token) => credentials.with_session_token(token),
        None => credentials,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The words of the official cases and ours for the same problem.
    const PROBLEMS: [(&str, &str); 14] = [
        ("profile must contain `source_profile`", "role_arn needs a source_profile or a credential_source"),
        ("profile contained both source_profile and credential_source", "exclude each other"),
        ("profile missing aws_secret_access_key", "aws_access_key_id is set without aws_secret_access_key"),
        ("profile missing aws_access_key_id", "aws_secret_access_key is set without aws_access_key_id"),
        ("profile `B` did not contain credential information", "profile \"B\": it is a source and has no"),
        ("profile `A` did not contain credential information", "profile \"A\" has no credentials"),
        (
            "could not find source profile B referenced from A",
            "profile \"A\": its source_profile \"B\" does not",
        ),
        ("No profiles were defined", "there is no profile \"A\" in"),
        ("profile formed an infinite loop", "source_profile leads back to \"A\""),
        ("`role_arn` was missing", "web_identity_token_file needs a role_arn"),
        ("if `sso_role_name` is set, then `sso_account_id` must also be set", "sso_role_name is set without"),
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

    /// The plan in the form of the official cases.
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
        let sections = |key: &str| case["input"][key].as_object().cloned().unwrap_or_default();
        let profiles = Profiles::from_sections(&sections("profiles"), &sections("sso_sessions"));
        let outcome = Plan::of(&profiles, case["input"]["selected_profile"].as_str().unwrap());
        match (outcome, &case["output"]["Error"]) {
            (Ok(plan), Value::Null) => {
                let (ours, theirs) = (shown(&plan), without_nulls(&case["output"]["ProfileChain"]));
                if ours == theirs { Ok(()) } else { Err(format!("{ours} is not {theirs}")) }
            }
            (Err(refusal), Value::String(theirs)) => {
                let text = refusal.into_failure().to_string();
                let ours = PROBLEMS.iter().find(|(it, _)| it == theirs).unwrap().1;
                if text.contains(ours) { Ok(()) } else { Err(format!("{text} does not contain {ours}")) }
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
        let profiles = Profiles::from_sections(profiles.as_object().unwrap(), &serde_json::Map::new());
        Plan::of(&profiles, "A").map_err(|refusal| refusal.into_failure().to_string())
    }

    #[test]
    fn a_role_may_lean_on_any_base() {
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
            assert_eq!((found.roles.len(), found.roles[0].duration.as_deref()), (1, Some("900")));
        }
    }

    #[test]
    fn a_source_must_be_one_that_there_is() {
        let text = plan(&json!({"A": {"role_arn": "a", "credential_source": "Moon"}})).unwrap_err();
        assert!(text.contains("credential_source is \"Moon\", and can only be"), "{text}");
        let text = plan(&json!({"A": {"sso_session": "s", "sso_account_id": "1"}})).unwrap_err();
        assert!(text.contains("profile \"A\": sso_account_id is set without sso_role_name"), "{text}");
    }
}
