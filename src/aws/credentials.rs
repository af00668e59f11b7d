use std::fmt;
use std::time::SystemTime;

use crate::text::Secret;

/// An access key, possibly of a session. Debug shows the id of the key only, and memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The access key's id, which is not a secret.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token; `None` for the key of an IAM user.
    pub session_token: Option<Secret>,
    /// When the credentials expire; `None` when they do not, or when it is not known.
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

    /// Adds a session token.
    #[must_use]
    pub fn with_session_token(mut self, session_token: impl Into<Secret>) -> Self {
        self.session_token = Some(session_token.into());
        self
    }

    /// Adds an expiry.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// The id and the token go into headers, so they must be valid there.
    ///
    /// # Errors
    ///
    /// What is wrong, without any value.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let is_header_text =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_header_text(&self.access_key_id) {
            return Err("the access key id is empty or has characters other than visible ASCII");
        }
        if self.secret_access_key.expose().is_empty() {
            return Err("the secret access key is empty");
        }
        if self.session_token.as_ref().is_some_and(|token| !is_header_text(token.expose())) {
            return Err("the session token is empty or has characters other than visible ASCII");
        }
        Ok(())
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
