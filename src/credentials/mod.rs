//! Credentials, where they come from, and how they are kept.
//!
//! A client asks its [`Source`] at its first call and keeps the answer. The default, [`Source::Chain`], asks what the
//! AWS SDKs ask, in the order of the official SDK for Rust:
//!
//! | | source | configured by |
//! | --- | --- | --- |
//! | 1 | environment | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` |
//! | 2 | profile | `AWS_PROFILE`, else `default`, in the shared files: roles, web identity, SSO, `aws login`, `credential_process`, keys |
//! | 3 | web identity | `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME` |
//! | 4 | container | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI` |
//! | 5 | instance metadata | nothing; version 2 only, off by `AWS_EC2_METADATA_DISABLED` |
//!
//! The next source is asked only when one is not configured. A source that is configured and fails ends the search
//! with its error: credentials that were not meant are worse than none.
//!
//! Credentials that expire are renewed before they do, by one of the threads that use the client, while the others
//! go on with those that are still valid.

mod answer;
mod cache;
mod chain;
mod container;
mod context;
mod environment;
mod http;
mod instance_metadata;
mod login;
mod plan;
mod process;
mod profile;
mod secret;
mod source;
mod sso;
mod sso_token;
mod sts;
mod web_identity;
mod xml;

#[cfg(test)]
mod scenarios;

use std::fmt;
use std::time::SystemTime;

pub(crate) use self::cache::Cache;
pub(crate) use self::chain::region_of_instance;
pub use self::secret::Secret;
pub use self::source::{Provide, Source};
use crate::error::CredentialsError;

/// An access key, perhaps of a session. Debug shows the key's id only, and memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The access key's id, which is not a secret.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token; `None` for the key of an IAM user.
    pub session_token: Option<Secret>,
    /// When the credentials end; `None` when they do not, or when nobody said.
    pub expires_at: Option<SystemTime>,
}

impl Credentials {
    /// Credentials that do not expire.
    #[must_use]
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<Secret>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            expires_at: None,
        }
    }

    /// The same with a session token.
    #[must_use]
    pub fn with_session_token(mut self, session_token: impl Into<Secret>) -> Self {
        self.session_token = Some(session_token.into());
        self
    }

    /// The same with an end.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// The id and the token go into headers, so they must be able to.
    pub(crate) fn check(&self) -> Result<(), CredentialsError> {
        let is_header_text =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let fault = if !is_header_text(&self.access_key_id) {
            "the access key id is empty or has characters other than visible ASCII"
        } else if self.secret_access_key.expose().is_empty() {
            "the secret access key is empty"
        } else if self.session_token.as_ref().is_some_and(|token| !is_header_text(token.expose())) {
            "the session token is empty or has characters other than visible ASCII"
        } else {
            return Ok(());
        };
        Err(CredentialsError::new(fault))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &self.secret_access_key)
            .field("session_token", &self.session_token)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}
