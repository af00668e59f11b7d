//! Credentials in JSON: the format of containers, instances, programs and SSO.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::date::time_of;
use crate::aws::Credentials;
use crate::error::CredentialsError;

/// A JSON object. Names match in any case, as in the official SDK for Rust.
#[derive(Clone)]
pub(in crate::credentials) struct JsonDocument(Map<String, Value>);

/// Hides the values, which may be keys.
impl std::fmt::Debug for JsonDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JsonDocument({} members)", self.0.len())
    }
}

impl JsonDocument {
    /// The error has no text of the input.
    pub(in crate::credentials) fn parse(
        bytes: &[u8],
        what: &str,
    ) -> Result<Self, CredentialsError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(CredentialsError::new(format!(
                "{what} is not a JSON object"
            ))),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let problem = format!("{what} is not JSON at line {line}, column {column}");
                Err(CredentialsError::new(problem))
            }
        }
    }

    /// The first nonempty text among these members.
    pub(in crate::credentials) fn text(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.member(name)?.as_str().filter(|text| !text.is_empty()))
    }

    /// Whether one of these members is neither a text nor null.
    pub(in crate::credentials) fn has_other_than_text(&self, names: &[&str]) -> bool {
        let mut values = names.iter().filter_map(|name| self.member(name));
        values.any(|value| !value.is_string() && !value.is_null())
    }

    pub(in crate::credentials) fn number(&self, name: &str) -> Option<u64> {
        self.member(name)?.as_u64()
    }

    pub(in crate::credentials) fn object(&self, name: &str) -> Option<Self> {
        self.member(name)?.as_object().cloned().map(Self)
    }

    /// Replaces a member, keeping the case of its name, or adds it.
    pub(in crate::credentials) fn set(&mut self, name: &str, value: impl Into<Value>) {
        let key = self.key_of(name).unwrap_or(name).to_owned();
        self.0.insert(key, value.into());
    }

    pub(in crate::credentials) fn to_bytes(&self) -> Vec<u8> {
        Value::Object(self.0.clone()).to_string().into_bytes()
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(self.key_of(name)?)
    }

    /// The name as it is written here; one in exactly this case takes precedence.
    fn key_of(&self, name: &str) -> Option<&str> {
        match self.0.get_key_value(name) {
            Some((key, _)) => Some(key),
            None => self
                .0
                .keys()
                .map(String::as_str)
                .find(|key| key.eq_ignore_ascii_case(name)),
        }
    }

    /// The text of a member, or an error that names it.
    pub(in crate::credentials) fn required(
        &self,
        names: &[&str],
        what: &str,
    ) -> Result<&str, CredentialsError> {
        self.text(names).ok_or_else(|| {
            CredentialsError::new(format!(
                "{what} has no {}",
                names.first().unwrap_or(&"member")
            ))
        })
    }

    /// Key and secret key; session token and expiry if there are any.
    pub(in crate::credentials) fn credentials(
        &self,
        what: &str,
    ) -> Result<Credentials, CredentialsError> {
        let access_key_id = self.required(&["AccessKeyId"], what)?;
        let mut credentials =
            Credentials::new(access_key_id, self.required(&["SecretAccessKey"], what)?);
        credentials.session_token = self.text(&["SessionToken", "Token"]).map(Into::into);
        let expiry = self.text(&["Expiration", "ExpiresAt"]);
        credentials.expires_at = expiry.map(|text| expiry_of(text, what)).transpose()?;
        Ok(credentials)
    }

    /// Like [`credentials`](Self::credentials), but the session token and the expiry are required.
    pub(in crate::credentials) fn session_credentials(
        &self,
        what: &str,
    ) -> Result<Credentials, CredentialsError> {
        self.required(&["Token", "SessionToken"], what)?;
        self.required(&["Expiration", "ExpiresAt"], what)?;
        self.credentials(what)
    }
}

fn expiry_of(text: &str, what: &str) -> Result<SystemTime, CredentialsError> {
    time_of(text)
        .ok_or_else(|| CredentialsError::new(format!("{what} has an expiry that is not a date")))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::testing::{assert_shown_safely, fuzz};

    #[test]
    fn names_match_in_any_case() {
        let document = JsonDocument::parse(
            br#"{"ACCESSKEYID":"id","secretAccessKey":"s","token":"t","expiresAt":"2009-02-13T23:31:30Z"}"#,
            "it",
        )
        .unwrap();
        let credentials = document.session_credentials("it").unwrap();
        assert_eq!(credentials.access_key_id, "id");
        assert_eq!(credentials.session_token.unwrap().expose(), "t");
        assert_eq!(
            credentials.expires_at,
            Some(UNIX_EPOCH + Duration::from_secs(1_234_567_890))
        );
    }

    fn problem(json: &str) -> String {
        let document = JsonDocument::parse(json.as_bytes(), "the response");
        document
            .and_then(|document| document.session_credentials("the response"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_error_names_the_member_and_shows_no_value() {
        assert_eq!(problem("[]"), "the response is not a JSON object");
        assert_eq!(
            problem("{\"SecretAccessKey\":\"topsecret\","),
            "the response is not JSON at line 1, column 31"
        );
        assert_eq!(
            problem(r#"{"Token":"t"}"#),
            "the response has no Expiration"
        );
        assert_eq!(
            problem(r#"{"Token":"t","Expiration":"x","AccessKeyId":"a","SecretAccessKey":7}"#),
            "the response has no SecretAccessKey"
        );
        assert_eq!(
            problem(
                r#"{"Token":"t","Expiration":"x","AccessKeyId":"a","SecretAccessKey":"topsecret"}"#
            ),
            "the response has an expiry that is not a date"
        );
    }

    #[test]
    fn fuzz_json() {
        let samples = [
            r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"s","SessionToken":"t","Expiration":"2030-01-01T00:00:00Z"}"#,
            r#"{"roleCredentials":{"accessKeyId":"\u00e9\ud83d\ude00","expiration":1893456000000,"a":[[{}]],"b":1e9,"c":null}}"#,
        ];
        fuzz(&samples, |bytes| {
            let mut document = match JsonDocument::parse(bytes, "it") {
                Ok(document) => document,
                Err(error) => return assert_shown_safely(&error.to_string()),
            };
            let inner = document.object("roleCredentials");
            for document in [&document].into_iter().chain(&inner) {
                let (_, _) = (document.credentials("it"), document.number("expiration"));
                if let Err(error) = document.session_credentials("it") {
                    assert_shown_safely(&error.to_string());
                }
            }
            document.set("accessKeyId", "new");
            let written = JsonDocument::parse(&document.to_bytes(), "it").unwrap();
            assert_eq!(written.text(&["accessKeyId"]), Some("new"));
            assert!(written.0.keys().eq(document.0.keys()));
        });
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let deep = "[".repeat(100_000);
        assert!(JsonDocument::parse(deep.as_bytes(), "it").is_err());
    }
}
