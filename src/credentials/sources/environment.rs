//! Credentials in environment variables.

use crate::aws::Credentials;
use crate::credentials::context::{Context, ProviderError};
use crate::error::CredentialsError;

/// Reads the variables; a blank one counts as not set.
pub(in crate::credentials) fn load(context: &Context<'_>) -> Result<Credentials, ProviderError> {
    let Some(access_key_id) = context.variable("AWS_ACCESS_KEY_ID") else {
        return Err(ProviderError::not_configured(
            "AWS_ACCESS_KEY_ID is not set",
        ));
    };
    // The second name is from the oldest SDKs; the official SDK for Rust reads it as well.
    let secret = context
        .variable("AWS_SECRET_ACCESS_KEY")
        .or_else(|| context.variable("SECRET_ACCESS_KEY"));
    let secret = secret.ok_or_else(|| {
        CredentialsError::new(
            "AWS_ACCESS_KEY_ID is set in the environment, and AWS_SECRET_ACCESS_KEY is not",
        )
    })?;
    let credentials = Credentials::new(access_key_id, secret);
    Ok(match context.variable("AWS_SESSION_TOKEN") {
        Some(token) => credentials.with_session_token(token),
        None => credentials,
    })
}
