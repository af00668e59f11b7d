//! Credentials in environment variables.

use super::Credentials;
use super::context::{Context, Refusal};
use crate::error::CredentialsError;

/// Reads the variables; one that is blank counts as not set.
pub(super) fn load(context: &Context<'_>) -> Result<Credentials, Refusal> {
    let Some(access_key_id) = context.variable("AWS_ACCESS_KEY_ID") else {
        return Err(Refusal::not_configured("AWS_ACCESS_KEY_ID is not set"));
    };
    // The second name is what the oldest SDKs took, and the official Rust SDK takes it still.
    let secret = context.variable("AWS_SECRET_ACCESS_KEY").or_else(|| context.variable("SECRET_ACCESS_KEY"));
    let secret = secret.ok_or_else(|| {
        CredentialsError::new("AWS_ACCESS_KEY_ID is set in the environment, and AWS_SECRET_ACCESS_KEY is not")
    })?;
    let credentials = Credentials::new(access_key_id, secret);
    Ok(match context.variable("AWS_SESSION_TOKEN") {
        Some(token) => credentials.with_session_token(token),
        None => credentials,
    })
}
