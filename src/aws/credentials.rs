use std::fmt;
use std::time::SystemTime;

use crate::text::Secret;

/// Length of the key ids of AWS.
const KEY_ID_CHARACTERS: usize = 20;
/// A longer id with lower-case letters may be a secret key, which has 40 characters.
const MAX_MIXED_CASE_CHARACTERS: usize = 24;

/// An access key, possibly of a session. Debug shows the id of the key only, unless it looks like a secret key, and memory
/// is wiped on drop.
///
/// ```
/// use sagemaker_invoke::{Config, Credentials};
///
/// let session = Credentials::new("ASIAEXAMPLE", "wJalrXUt").with_session_token("token");
/// assert!(!format!("{session:?}").contains("wJalrXUt"));
/// let config = Config { credentials: session.into(), ..Config::default() };
/// ```
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
    /// Credentials without an expiry.
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

    /// The id of the key, or `..` if it does not look like one: the secret key may have been pasted in its place.
    pub(crate) fn shown_key_id(&self) -> String {
        let id = &self.access_key_id;
        let is_word = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_upper_case = !id.bytes().any(|byte| byte.is_ascii_lowercase());
        if !is_word || (id.len() > MAX_MIXED_CASE_CHARACTERS && !is_upper_case) {
            return "..".to_owned();
        }
        match id.get(..KEY_ID_CHARACTERS) {
            Some(start) if id.len() > KEY_ID_CHARACTERS => format!("{start}.."),
            _ => id.clone(),
        }
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
        if self
            .session_token
            .as_ref()
            .is_some_and(|token| !is_header_text(token.expose()))
        {
            return Err("the session token is empty or has characters other than visible ASCII");
        }
        Ok(())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.shown_key_id())
            .field("secret_access_key", &self.secret_access_key)
            .field("session_token", &self.session_token)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_shown_and_a_secret_in_its_place_is_not() {
        for (id, shown) in [
            ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
            ("ASIAIOSFODNN7EXAMPLE0123", "ASIAIOSFODNN7EXAMPLE.."),
            ("AKIDEXAMPLE", "AKIDEXAMPLE"),
            ("id_0", "id_0"),
            ("", ""),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ".."),
            ("wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY01", ".."),
            ("wJalrXUtnFEMIK7MDENGbPxRf", ".."),
            ("pass/word", ".."),
            ("a\nb", ".."),
            ("\u{e9}", ".."),
        ] {
            let credentials = Credentials::new(id, "s");
            assert_eq!(credentials.shown_key_id(), shown, "{id:?}");
            assert!(
                format!("{credentials:?}").contains(&format!("access_key_id: {shown:?}")),
                "{credentials:?}"
            );
        }
        let long = Credentials::new("A".repeat(128), "s");
        assert_eq!(long.shown_key_id(), format!("{}..", "A".repeat(20)));
    }
}
