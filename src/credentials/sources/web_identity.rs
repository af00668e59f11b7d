//! A role for a token of another issuer, such as the service accounts of EKS.

use zeroize::Zeroizing;

use super::assume_role::{Proof, Role, assume_role};
use crate::aws::Credentials;
use crate::credentials::context::{Context, ProviderError};
use crate::credentials::shown::shown;
use crate::error::CredentialsError;

/// The role and the token file of the environment variables.
pub(in crate::credentials) fn load(context: &Context<'_>) -> Result<Credentials, ProviderError> {
    let Some(token_file) = context.variable("AWS_WEB_IDENTITY_TOKEN_FILE") else {
        return Err(ProviderError::not_configured(
            "AWS_WEB_IDENTITY_TOKEN_FILE is not set",
        ));
    };
    let arn = context.variable("AWS_ROLE_ARN").ok_or_else(|| {
        CredentialsError::new("AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not")
    })?;
    let role = Role::new(arn, context.variable("AWS_ROLE_SESSION_NAME"));
    assume(context, &token_file, &role)
}

/// The file is read at each search, because its token is replaced regularly.
pub(super) fn assume(
    context: &Context<'_>,
    token_file: &str,
    role: &Role,
) -> Result<Credentials, ProviderError> {
    let token = Zeroizing::new(context.read_file(token_file, "the web identity token")?);
    match std::str::from_utf8(&token).map(str::trim) {
        Ok(token) if !token.is_empty() => assume_role(context, role, Proof::WebIdentity(token)),
        _ => {
            let file = shown(token_file);
            let problem = format!("the web identity token in {file} is empty or not a text");
            Err(CredentialsError::new(problem).into())
        }
    }
}
