//! The steps to the credentials of a profile: the source of the first ones, and the roles assumed with them.
//!
//! Sans IO. Source: the AWS SDKs and Tools reference guide, "Assume role credential provider", and for the order
//! within a profile the official SDK for Rust.

#[cfg(test)]
mod tests;

use super::assume_role::Role;
use super::sso::Sso;
use crate::aws::Credentials;
use crate::aws::profile::{Profiles, Section, SectionKind};
use crate::credentials::context::ProviderError;
use crate::credentials::shown::{quoted, shown};
use crate::error::CredentialsError;

/// The steps to the credentials of a profile.
#[derive(Clone, Debug)]
pub(in crate::credentials) struct Plan {
    pub(in crate::credentials) base: Base,
    /// The profile with the properties of `base`.
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

/// A value of `credential_source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::credentials) enum NamedSource {
    Environment,
    Container,
    InstanceMetadata,
}

impl Plan {
    pub(in crate::credentials) fn of(
        profiles: &Profiles,
        selected: &str,
    ) -> Result<Self, ProviderError> {
        let mut roles = Vec::new();
        let mut visited: Vec<&str> = Vec::new();
        let mut profile = Profile::selected(profiles, selected)?;
        let base = loop {
            if visited.contains(&profile.name) {
                return Err(loop_at(profile.name).into());
            }
            visited.push(profile.name);
            let is_source = visited.len() > 1;
            // The keys of a source profile win over its own role.
            if is_source
                && profile.has_whole_keys()
                && let Some(keys) = profile.keys()?
            {
                break Base::Keys(keys);
            }
            let Some(role) = profile.role() else {
                break profile.base(is_source)?;
            };
            roles.push(role);
            match profile.source()? {
                Some(source) => profile = source,
                None => break profile.base(true)?,
            }
        };
        roles.reverse();
        Ok(Self {
            base,
            base_profile: profile.name.to_owned(),
            roles,
        })
    }
}

/// Why the section of this profile does not count, if there is one.
fn ignored_profile(profiles: &Profiles, name: &str) -> Option<String> {
    let fault = profiles.why_ignored(SectionKind::Profile, name)?;
    Some(format!(
        "the section of the profile {} is ignored: {fault}",
        quoted(name)
    ))
}

fn loop_at(name: &str) -> CredentialsError {
    CredentialsError::new(format!("source_profile leads back to {}", quoted(name)))
}

/// A profile of the shared files.
#[derive(Clone, Copy)]
struct Profile<'a> {
    profiles: &'a Profiles,
    name: &'a str,
    section: &'a Section,
}

impl<'a> Profile<'a> {
    fn selected(profiles: &'a Profiles, name: &'a str) -> Result<Self, ProviderError> {
        if let Some(section) = profiles.profile(name)? {
            return Ok(Self {
                profiles,
                name,
                section,
            });
        }
        let files = profiles.files();
        let problem = ignored_profile(profiles, name)
            .unwrap_or_else(|| format!("there is no profile {} in: {files}", quoted(name)));
        Err(ProviderError::not_configured(problem))
    }

    fn text(&self, property: &str) -> Option<&'a str> {
        self.section.text(property)
    }

    fn owned(&self, property: &str) -> Option<String> {
        self.text(property).map(str::to_owned)
    }

    fn error(&self, problem: &str) -> CredentialsError {
        CredentialsError::new(format!("profile {}: {problem}", quoted(self.name)))
    }

    /// The role assumed with other credentials. A role with a token is assumed with the token alone.
    fn role(&self) -> Option<Role> {
        if self.text("web_identity_token_file").is_some() {
            return None;
        }
        Some(Role {
            arn: self.owned("role_arn")?,
            session_name: self.owned("role_session_name"),
            external_id: self.owned("external_id"),
            duration: self.owned("duration_seconds"),
            has_mfa: self.text("mfa_serial").is_some(),
        })
    }

    /// The profile with the credentials for the role; `None` if they are in this profile.
    fn source(&self) -> Result<Option<Self>, CredentialsError> {
        let name = match (self.text("source_profile"), self.text("credential_source")) {
            (Some(_), Some(_)) => {
                return Err(self.error("source_profile and credential_source exclude each other"));
            }
            (None, None) => {
                return Err(self.error("role_arn needs a source_profile or a credential_source"));
            }
            (None, Some(_)) => return Ok(None),
            (Some(name), None) => name,
        };
        if name == self.name {
            return Ok(None);
        }
        if let Some(section) = self.profiles.profile(name)? {
            return Ok(Some(Self {
                name,
                section,
                ..*self
            }));
        }
        let problem = ignored_profile(self.profiles, name)
            .unwrap_or_else(|| format!("its source_profile {} does not exist", quoted(name)));
        Err(self.error(&problem))
    }

    /// The credentials of the profile itself, which are required in a source.
    fn base(&self, is_source: bool) -> Result<Base, ProviderError> {
        if let Some(source) = self.text("credential_source") {
            return Ok(Base::Named(self.named_source(source)?));
        }
        if let Some(token_file) = self.owned("web_identity_token_file") {
            return Ok(self.web_identity(token_file)?);
        }
        if let Some(sso) = self.sso()? {
            return Ok(Base::Sso(sso));
        }
        if let Some(session) = self.owned("login_session") {
            return Ok(Base::Login { session });
        }
        if let Some(command_line) = self.owned("credential_process") {
            return Ok(Base::Process { command_line });
        }
        match self.keys()? {
            Some(keys) => Ok(Base::Keys(keys)),
            None => Err(self.without_credentials(is_source)),
        }
    }

    fn without_credentials(&self, is_source: bool) -> ProviderError {
        if is_source {
            return self.error("it is a source and has no credentials").into();
        }
        ProviderError::not_configured(format!("profile {} has no credentials", quoted(self.name)))
    }

    fn named_source(&self, value: &str) -> Result<NamedSource, CredentialsError> {
        match value.to_ascii_lowercase().as_str() {
            "environment" => Ok(NamedSource::Environment),
            "ecscontainer" => Ok(NamedSource::Container),
            "ec2instancemetadata" => Ok(NamedSource::InstanceMetadata),
            _ => {
                let names = "Environment, EcsContainer or Ec2InstanceMetadata";
                let problem = format!(
                    "credential_source is {}, and can only be {names}",
                    quoted(value)
                );
                Err(self.error(&problem))
            }
        }
    }

    fn web_identity(&self, token_file: String) -> Result<Base, CredentialsError> {
        match self.text("role_arn") {
            Some(arn) => {
                let role = Role::new(arn, self.owned("role_session_name"));
                Ok(Base::WebIdentity { role, token_file })
            }
            None => Err(self.error("web_identity_token_file needs a role_arn, and there is none")),
        }
    }

    fn sso(&self) -> Result<Option<Sso>, CredentialsError> {
        let all = [
            "sso_session",
            "sso_account_id",
            "sso_role_name",
            "sso_region",
            "sso_start_url",
        ];
        if all
            .into_iter()
            .all(|property| self.text(property).is_none())
        {
            return Ok(None);
        }
        let account_and_role = match (self.owned("sso_account_id"), self.owned("sso_role_name")) {
            (Some(account), Some(role)) => Some((account, role)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(self.error("sso_account_id is set without sso_role_name"));
            }
            (None, Some(_)) => {
                return Err(self.error("sso_role_name is set without sso_account_id"));
            }
        };
        Ok(Some(Sso {
            region: self.sso_property("sso_region")?,
            start_url: self.sso_property("sso_start_url")?,
            session: self.owned("sso_session"),
            account_and_role,
        }))
    }

    /// A property of the `sso-session` section, which the profile may repeat, as for the AWS CLI. Without a session it is a
    /// property of the profile.
    fn sso_property(&self, property: &str) -> Result<String, CredentialsError> {
        let own = self.text(property);
        let value = match self.text("sso_session") {
            None => own,
            Some(name) => {
                let in_session = self.sso_session(name)?.text(property);
                if own.is_some() && own != in_session {
                    return Err(self.contradiction(property));
                }
                in_session
            }
        };
        match value {
            Some(value) => Ok(value.to_owned()),
            None => Err(self.error(&format!("SSO needs {property}, and there is none"))),
        }
    }

    fn sso_session(&self, name: &str) -> Result<&'a Section, CredentialsError> {
        if let Some(section) = self.profiles.section(SectionKind::SsoSession, name)? {
            return Ok(section);
        }
        Err(self.error(
            &match self.profiles.why_ignored(SectionKind::SsoSession, name) {
                Some(fault) => format!(
                    "the section of the sso-session {} is ignored: {fault}",
                    quoted(name)
                ),
                None => format!("there is no section [sso-session {}]", shown(name)),
            },
        ))
    }

    fn contradiction(&self, property: &str) -> CredentialsError {
        let rule = "sso_region and sso_start_url belong into the sso-session section that it names";
        self.error(&format!(
            "{rule}, and its own {property} is not the same as there"
        ))
    }

    fn has_whole_keys(&self) -> bool {
        ["aws_access_key_id", "aws_secret_access_key"]
            .iter()
            .all(|name| self.section.property(name).is_some())
    }

    /// A part of the keys. A line break in it means that the next line is indented by mistake.
    fn key(&self, name: &str) -> Result<Option<&'a str>, CredentialsError> {
        let Some(property) = self.section.property(name) else {
            return Ok(None);
        };
        let value = property.value.trim();
        if value.contains(['\n', '\r']) {
            let line = &property.line;
            return Err(self.error(&format!(
                "{line}: {name} has a line break, as the next line is indented"
            )));
        }
        Ok(Some(value))
    }

    fn keys(&self) -> Result<Option<Credentials>, CredentialsError> {
        let (id, secret) = (
            self.key("aws_access_key_id")?,
            self.key("aws_secret_access_key")?,
        );
        let credentials = match (id, secret) {
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(self.error("aws_access_key_id is set without aws_secret_access_key"));
            }
            (None, Some(_)) => {
                return Err(self.error("aws_secret_access_key is set without aws_access_key_id"));
            }
            (Some(id), Some(secret)) => Credentials::new(id, secret),
        };
        Ok(Some(match self.key("aws_session_token")? {
            Some(token) => credentials.with_session_token(token),
            None => credentials,
        }))
    }
}
