//! A role for a token that somebody else issued, such as Kubernetes: EKS service accounts work so.

use super::Credentials;
use super::context::{Context, Refusal};
use super::sts::{Proof, Role, assume_role};
use crate::error::CredentialsError;

/// As the variables say.
pub(super) fn load(context: &Context<'_>) -> Result<Credentials, Refusal> {
    let Some(token_file) = context.variable("AWS_WEB_IDENTITY_TOKEN_FILE") else {
        return Err(Refusal::not_configured("AWS_WEB_IDENTITY_TOKEN_FILE is not set"));
    };
    let arn = context.variable("AWS_ROLE_ARN").ok_or_else(|| {
        CredentialsError::new("AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not")
    })?;
    let role = Role::new(arn, context.variable("AWS_ROLE_SESSION_NAME"));
    Ok(assume(context, &token_file, &role)?)
}

/// The file is read anew each time, as its token is replaced from time to time.
pub(super) fn assume(
    context: &Context<'_>,
    token_file: &str,
    role: &Role,
) -> Result<Credentials, CredentialsError> {
    let token = context.read_file(token_file, "the web identity token")?;
    let token = zeroize::Zeroizing::new(token);
    let token = std::str::from_utf8(&token).map(str::trim).unwrap_or_default();
    if token.is_empty() {
        let problem = format!("the web identity token in {token_file} is empty or not a text");
        return Err(CredentialsError::new(problem));
    }
    assume_role(context, role, Proof::WebIdentity(token))
}
