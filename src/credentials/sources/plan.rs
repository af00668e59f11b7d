//! What a profile asks for: where its first credentials come from, and the roles that are assumed with them in turn.
//!
//! Sans IO. Source: the AWS SDKs and Tools reference guide, "Assume role credential provider", and for the order
//! within a profile the official SDK for Rust.

#[cfg(test)]
mod tests;

use super::assume_role::Role;
use super::sso::Sso;
use crate::aws::Credentials;
use crate::aws::profile::{Profiles, Section};
use crate::credentials::context::ProviderError;
use crate::error::CredentialsError;

/// The way to a profile's credentials.
#[derive(Clone, Debug)]
pub(in crate::credentials) struct Plan {
    pub(in crate::credentials) base: Base,
    /// The profile that `base` stands in.
    pub(super) base_profile: String,
    /// In the order in which they are assumed.
    pub(super) roles: Vec<Role>,
}

/// The first credentials.
#[derive(Clone, Debug)]
pub(in crate::credentials) enum Base {
    Keys(Credentials),
    Named(NamedSource),
    WebIdentity { role: Role, token_file: String },
    Sso(Sso),
    Login { session: String },
    Process { command_line: String },
}

/// What `credential_source` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::credentials) enum NamedSource {
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
    pub(in crate::credentials) fn of(profiles: &Profiles, selected: &str) -> Result<Self, ProviderError> {
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

fn section<'a>(profiles: &'a Profiles, name: &str, from: Option<&str>) -> Result<&'a Section, ProviderError> {
    match (profiles.profile(name), from) {
        (Some(section), _) => Ok(section),
        (None, None) => {
            let files = profiles.files();
            Err(ProviderError::not_configured(format!("there is no profile {name:?} in: {files}")))
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
fn base(profiles: &Profiles, section: &Section, name: &str, is_needed: bool) -> Result<Base, ProviderError> {
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
        None => Err(ProviderError::not_configured(format!("profile {name:?} has no credentials"))),
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
