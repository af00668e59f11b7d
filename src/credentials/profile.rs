//! The selected profile of the shared files.

use super::context::{Context, Refusal};
use super::plan::{Base, NamedSource, Plan};
use super::sts::{Proof, assume_role};
use super::{Credentials, container, environment, instance_metadata, login, process, web_identity};
use crate::error::CredentialsError;

pub(super) fn load(context: &Context<'_>) -> Result<Credentials, Refusal> {
    let profiles = context.profiles()?;
    // Tells a named profile that is missing from a default that nobody wrote.
    profiles.selected()?;
    let name = profiles.selected_name();
    let plan = Plan::of(profiles, name)?;
    let base = base(context, &plan.base).map_err(|refusal| match refusal {
        // Other profiles lean on it, or it names a source itself.
        Refusal::NotConfigured(_) if !plan.roles.is_empty() || matches!(plan.base, Base::Named(_)) => {
            Refusal::Failed(refusal.into_failure().within(format!("profile {:?}", plan.base_profile)))
        }
        Refusal::NotConfigured(reason) => {
            Refusal::NotConfigured(format!("profile {:?}: {reason}", plan.base_profile))
        }
        Refusal::Failed(error) => Refusal::Failed(error.within(format!("profile {:?}", plan.base_profile))),
    })?;
    let mut credentials = base;
    for role in &plan.roles {
        let within = |error: CredentialsError| error.within(format!("profile {name:?}"));
        credentials.check().map_err(within)?;
        credentials = assume_role(context, role, Proof::Credentials(&credentials)).map_err(within)?;
    }
    Ok(credentials)
}

fn base(context: &Context<'_>, base: &Base) -> Result<Credentials, Refusal> {
    match base {
        Base::Keys(credentials) => Ok(credentials.clone()),
        Base::Named(NamedSource::Environment) => environment::load(context),
        Base::Named(NamedSource::Container) => container::load(context),
        Base::Named(NamedSource::InstanceMetadata) => instance_metadata::load(context),
        Base::WebIdentity { role, token_file } => Ok(web_identity::assume(context, token_file, role)?),
        Base::Sso(sso) => sso.load(context),
        Base::Login { session } => Ok(login::load(context, session)?),
        Base::Process { command_line } => Ok(process::load(context, command_line)?),
    }
}
