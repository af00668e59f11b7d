//! Credentials in JSON, as containers, instances, programs and SSO write them.

use std::time::SystemTime;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::aws::Credentials;
use crate::error::CredentialsError;
use crate::text::OneLine;

/// Maximum characters of a foreign text in an error.
const MAX_SHOWN_CHARACTERS: usize = 300;

/// A JSON object whose names are found in any case, as the official Rust SDK reads them.
#[derive(Clone)]
pub(in crate::credentials) struct Document(Map<String, Value>);

/// It holds keys.
impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({} members)", self.0.len())
    }
}

impl Document {
    /// The error holds nothing of the input.
    pub(in crate::credentials) fn parse(bytes: &[u8], what: &str) -> Result<Self, CredentialsError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(CredentialsError::new(format!("{what} is not a JSON object"))),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let problem = format!("{what} is not JSON at line {line}, column {column}");
                Err(CredentialsError::new(problem))
            }
        }
    }

    /// The first of these members with a text that is not empty.
    pub(in crate::credentials) fn text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.member(name)?.as_str().filter(|text| !text.is_empty()))
    }

    pub(in crate::credentials) fn number(&self, name: &str) -> Option<u64> {
        self.member(name)?.as_u64()
    }

    pub(in crate::credentials) fn object(&self, name: &str) -> Option<Self> {
        self.member(name)?.as_object().cloned().map(Self)
    }

    /// Replaces a member, keeping the case of its name, or adds it.
    pub(in crate::credentials) fn set(&mut self, name: &str, value: impl Into<Value>) {
        let present = self.0.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
        self.0.insert(present.unwrap_or_else(|| name.to_owned()), value.into());
    }

    pub(in crate::credentials) fn to_bytes(&self) -> Vec<u8> {
        Value::Object(self.0.clone()).to_string().into_bytes()
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value)
        })
    }

    /// The text of a member, or an error that names it.
    pub(in crate::credentials) fn required(
        &self,
        names: &[&str],
        what: &str,
    ) -> Result<&str, CredentialsError> {
        self.text(names).ok_or_else(|| {
            CredentialsError::new(format!("{what} has no {}", names.first().unwrap_or(&"member")))
        })
    }

    /// Key and secret key; session token and expiry if there are any.
    pub(in crate::credentials) fn credentials(&self, what: &str) -> Result<Credentials, CredentialsError> {
        let access_key_id = self.required(&["AccessKeyId"], what)?;
        let mut credentials = Credentials::new(access_key_id, self.required(&["SecretAccessKey"], what)?);
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
    time_of(text).ok_or_else(|| CredentialsError::new(format!("{what} has an expiry that is not a date")))
}

/// An RFC 3339 date. The first versions of the AWS CLI wrote `UTC` for its `Z`.
pub(in crate::credentials) fn time_of(text: &str) -> Option<SystemTime> {
    let parsed = match text.strip_suffix("UTC") {
        Some(date) => OffsetDateTime::parse(&format!("{date}Z"), &Rfc3339),
        None => OffsetDateTime::parse(text, &Rfc3339),
    };
    parsed.ok().map(SystemTime::from)
}

/// An instant as an RFC 3339 date, in whole seconds and UTC.
pub(in crate::credentials) fn date_of(instant: SystemTime) -> Option<String> {
    let date = OffsetDateTime::from(instant).replace_nanosecond(0).ok()?;
    date.format(&Rfc3339).ok()
}

/// A foreign text for an error: one line of bounded length.
pub(in crate::credentials) fn shown(text: &str) -> String {
    OneLine { text, max_characters: MAX_SHOWN_CHARACTERS }.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::testing::Random;

    #[test]
    fn names_are_found_in_any_case() {
        let document = Document::parse(
            br#"{"ACCESSKEYID":"id","secretAccessKey":"s","token":"t","expiresAt":"2009-02-13T23:31:30Z"}"#,
            "it",
        )
        .unwrap();
        let credentials = document.session_credentials("it").unwrap();
        assert_eq!(credentials.access_key_id, "id");
        assert_eq!(credentials.session_token.unwrap().expose(), "t");
        assert_eq!(credentials.expires_at, Some(UNIX_EPOCH + Duration::from_secs(1_234_567_890)));
    }

    #[test]
    fn an_error_names_the_member_and_shows_no_value() {
        let problem = |json: &str| {
            let document = Document::parse(json.as_bytes(), "the answer");
            document.and_then(|document| document.session_credentials("the answer")).unwrap_err().to_string()
        };
        assert_eq!(problem("[]"), "the answer is not a JSON object");
        assert_eq!(
            problem("{\"SecretAccessKey\":\"topsecret\","),
            "the answer is not JSON at line 1, column 31"
        );
        assert_eq!(problem(r#"{"Token":"t"}"#), "the answer has no Expiration");
        assert_eq!(
            problem(r#"{"Token":"t","Expiration":"x","AccessKeyId":"a","SecretAccessKey":7}"#),
            "the answer has no SecretAccessKey"
        );
        assert_eq!(
            problem(r#"{"Token":"t","Expiration":"x","AccessKeyId":"a","SecretAccessKey":"topsecret"}"#),
            "the answer has an expiry that is not a date"
        );
    }

    #[test]
    fn dates_are_read_and_written() {
        let instant = UNIX_EPOCH + Duration::from_secs(1_234_567_890);
        for text in ["2009-02-13T23:31:30Z", "2009-02-14T01:31:30+02:00", "2009-02-13T23:31:30UTC"] {
            assert_eq!(time_of(text), Some(instant), "{text}");
        }
        assert_eq!(time_of("2009-02-13"), None);
        assert_eq!(date_of(instant + Duration::from_millis(7)).as_deref(), Some("2009-02-13T23:31:30Z"));
    }

    #[test]
    fn any_bytes_are_parsed_without_a_panic() {
        let pieces: [&str; 14] = [
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"AccessKeyId\"",
            "\"SecretAccessKey\"",
            "\"Expiration\"",
            "\"a\"",
            "null",
            "1e9",
            "\u{1F600}",
            "\"\\ud800",
        ];
        let mut random = Random::new(6);
        for _ in 0..20_000 {
            let text: String = (0..random.below(12)).map(|_| *random.pick(&pieces)).collect();
            if let Ok(document) = Document::parse(text.as_bytes(), "it") {
                let _ = document.credentials("it");
            }
        }
        let deep = "[".repeat(100_000);
        assert!(Document::parse(deep.as_bytes(), "it").is_err());
    }
}
