//! Credentials in environment variables.

use super::Credentials;
use crate::error::CredentialsError;
use crate::host::Host;

/// Reads the variables; one that is blank counts as not set.
pub(super) fn load(host: &dyn Host) -> Result<Credentials, CredentialsError> {
    let variable =
        |name: &str| host.variable(name).map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
    let Some(access_key_id) = variable("AWS_ACCESS_KEY_ID") else {
        return Err(CredentialsError::new(
            "no credentials: the environment variable AWS_ACCESS_KEY_ID is not set",
        ));
    };
    // The second name is what the oldest SDKs took, and the official Rust SDK takes it still.
    let secret =
        variable("AWS_SECRET_ACCESS_KEY").or_else(|| variable("SECRET_ACCESS_KEY")).ok_or_else(|| {
            CredentialsError::new(
                "no credentials: AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not",
            )
        })?;
    let credentials = Credentials::new(access_key_id, secret);
    Ok(match variable("AWS_SESSION_TOKEN") {
        Some(token) => credentials.with_session_token(token),
        None => credentials,
    })
}
