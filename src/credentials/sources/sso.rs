//! Credentials of IAM Identity Center for the token of a user who has signed in.
//!
//! Source: the SSO portal API, GetRoleCredentials.

use std::time::Duration;

use super::sso_token::{self, Session, Token};
use crate::aws::{Credentials, Service};
use crate::credentials::call::{FailedAttempt, SourceCall};
use crate::credentials::context::{Context, ProviderError};
use crate::credentials::parse::date::time_after_1970;
use crate::credentials::parse::json::JsonDocument;
use crate::credentials::sender::{CallSettings, HttpResponse};
use crate::credentials::shown::shown;
use crate::error::CredentialsError;
use crate::http::Request;
use crate::service::ErrorResponse;
use crate::sigv4::percent_encoded;

/// The SSO properties of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::credentials) struct Sso {
    /// The name of the `sso-session` section; `None` in the form without one.
    pub(super) session: Option<String>,
    pub(super) region: String,
    pub(super) start_url: String,
    /// Account and role; `None` in a profile for tokens only.
    pub(super) account_and_role: Option<(String, String)>,
}

const WHAT: &str = "the SSO portal";

impl Sso {
    pub(in crate::credentials) fn token(
        &self,
        context: &Context<'_>,
    ) -> Result<Token, CredentialsError> {
        let key = self.session.as_deref().unwrap_or(&self.start_url);
        let session = Session {
            key,
            region: &self.region,
            is_named: self.session.is_some(),
        };
        sso_token::load(context, session)
    }

    pub(super) fn load(&self, context: &Context<'_>) -> Result<Credentials, ProviderError> {
        let Some((account, role)) = &self.account_and_role else {
            let reason = "it is for SSO tokens: it has neither sso_account_id nor sso_role_name";
            return Err(ProviderError::not_configured(reason));
        };
        let token = self.token(context)?;
        let (origin, base_path) = context.endpoint(Service::SSO, &self.region)?;
        let (account, role) = (percent_encoded(account), percent_encoded(role));
        let path =
            format!("{base_path}/federation/credentials?account_id={account}&role_name={role}");
        let headers = vec![
            ("host", &*origin.authority),
            ("x-amz-sso_bearer_token", token.text.expose()),
        ];
        let request = Request {
            method: "GET",
            path: &path,
            headers,
            body: &[],
        };
        let call = SourceCall {
            context,
            what: WHAT,
            origin: &origin,
            settings: CallSettings::SERVICE,
            secrets: &[],
        };
        call.run(|| credentials_in(&call.send(&request)?))
    }
}

fn credentials_in(response: &HttpResponse) -> Result<Credentials, FailedAttempt> {
    if response.status != 200 {
        let problem = refusal(&response.error());
        return Err(FailedAttempt::refused(response.status, problem));
    }
    let document = JsonDocument::parse(&response.body, "its answer");
    document
        .and_then(|document| role_credentials(&document))
        .map_err(FailedAttempt::retryable)
}

fn refusal(response: &ErrorResponse) -> String {
    let status = response.status;
    let advice = if status == 401 {
        ", run `aws sso login`"
    } else {
        ""
    };
    let mut problem = format!("refused with HTTP {status}{advice}");
    if let Some(message) = &response.message {
        problem.push_str(": ");
        problem.push_str(&shown(message));
    }
    problem
}

fn role_credentials(document: &JsonDocument) -> Result<Credentials, CredentialsError> {
    let what = "its answer";
    let found = document
        .object("roleCredentials")
        .ok_or_else(|| CredentialsError::new(format!("{what} has no roleCredentials")))?;
    let milliseconds = found
        .number("expiration")
        .ok_or_else(|| CredentialsError::new(format!("{what} has no expiration")))?;
    let expires_at = time_after_1970(Duration::from_millis(milliseconds)).ok_or_else(|| {
        CredentialsError::new(format!("{what} has an expiration that is not a date"))
    })?;
    found.required(&["sessionToken"], what)?;
    Ok(found.credentials(what)?.with_expiry(expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use crate::testing::{assert_shown_safely, fuzz};

    fn problem(expiration: u64) -> String {
        let body = format!(
            r#"{{"roleCredentials":{{"accessKeyId":"a","secretAccessKey":"s","sessionToken":"t","expiration":{expiration}}}}}"#
        );
        let response = HttpResponse::new(200, Headers::default(), body);
        match credentials_in(&response) {
            Ok(credentials) => format!("{credentials:?}"),
            Err(failed) => failed.error.into_failure().to_string(),
        }
    }

    #[test]
    fn an_expiration_that_no_calendar_has_is_an_error() {
        for expiration in [253_402_300_800_000, u64::MAX - 1, u64::MAX] {
            assert_eq!(
                problem(expiration),
                "its answer has an expiration that is not a date"
            );
        }
    }

    #[test]
    fn fuzz_responses() {
        let samples = [
            r#"{"roleCredentials":{"accessKeyId":"a","secretAccessKey":"s","sessionToken":"t","expiration":1893456000000}}"#,
            r#"{"message":"Session token not found\n"}"#,
        ];
        fuzz(&samples, |body| {
            for status in [200, 401] {
                let response = HttpResponse::new(status, Headers::default(), body.to_vec());
                if let Err(failed) = credentials_in(&response) {
                    assert_shown_safely(&failed.error.into_failure().to_string());
                }
            }
        });
    }
}
