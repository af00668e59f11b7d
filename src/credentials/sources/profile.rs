//! The selected profile of the shared files.

use super::assume_role::{Proof, Role, assume_role};
use super::plan::{Base, NamedSource, Plan};
use super::{container, environment, imds, login, process, web_identity};
use crate::aws::Credentials;
use crate::credentials::context::{Context, ProviderError};
use crate::credentials::shown::quoted;
use crate::error::CredentialsError;

pub(in crate::credentials) fn load(context: &Context<'_>) -> Result<Credentials, ProviderError> {
    let profiles = context.profiles()?;
    // An unusable file may have the credentials.
    profiles.check_files()?;
    // Fails if AWS_PROFILE names a missing profile; a missing default profile is fine.
    profiles.selected()?;
    let name = profiles.selected_name();
    let plan = Plan::of(profiles, name)?;
    let mut credentials = base(context, &plan.base).map_err(|error| in_profile(error, &plan))?;
    let what = format!("profile {}", quoted(name));
    for role in &plan.roles {
        credentials = assume(context, role, &credentials).map_err(|error| error.within(&what))?;
    }
    Ok(credentials)
}

fn assume(
    context: &Context<'_>,
    role: &Role,
    credentials: &Credentials,
) -> Result<Credentials, ProviderError> {
    credentials.check().map_err(CredentialsError::new)?;
    assume_role(context, role, Proof::Credentials(credentials))
}

/// A source named by a role or `credential_source` must have credentials.
fn in_profile(error: ProviderError, plan: &Plan) -> ProviderError {
    let profile = format!("profile {}", quoted(&plan.base_profile));
    match error {
        ProviderError::NotConfigured(reason)
            if plan.roles.is_empty() && !matches!(plan.base, Base::Named(_)) =>
        {
            ProviderError::NotConfigured(format!("{profile}: {reason}"))
        }
        error => ProviderError::Failed(error.into_failure().within(profile)),
    }
}

fn base(context: &Context<'_>, base: &Base) -> Result<Credentials, ProviderError> {
    match base {
        Base::Keys(credentials) => Ok(credentials.clone()),
        Base::Named(NamedSource::Environment) => environment::load(context),
        Base::Named(NamedSource::Container) => container::load(context),
        Base::Named(NamedSource::InstanceMetadata) => imds::load(context),
        Base::WebIdentity { role, token_file } => web_identity::assume(context, token_file, role),
        Base::Sso(sso) => sso.load(context),
        Base::Login { session } => Ok(login::load(context, session)?),
        Base::Process { command_line } => Ok(process::load(context, command_line)?),
    }
}
