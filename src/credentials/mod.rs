//! Credentials and where they come from.

mod environment;

use std::fmt;
use std::time::SystemTime;

use zeroize::Zeroizing;

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

/// A text that is not shown by Debug and is wiped from memory on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Where a client's credentials come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Source {
    /// The environment variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    #[default]
    Environment,
    /// These.
    Static(Credentials),
}

impl From<Credentials> for Source {
    fn from(credentials: Credentials) -> Self {
        Self::Static(credentials)
    }
}

impl Source {
    pub(crate) fn load(&self, host: &dyn crate::host::Host) -> Result<Credentials, CredentialsError> {
        let credentials = match self {
            Self::Environment => environment::load(host)?,
            Self::Static(credentials) => credentials.clone(),
        };
        credentials.check()?;
        Ok(credentials)
    }
}
