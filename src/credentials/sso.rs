//! Credentials of IAM Identity Center, for a token that the user signed in for.
//!
//! Source: the SSO portal API, GetRoleCredentials.

use std::time::{Duration, UNIX_EPOCH};

use super::Credentials;
use super::answer::{Answer, shown};
use super::context::{AwsService, Context, Refusal};
use super::http::{Again, FailureKind, Miss, Way, send, with_attempts};
use super::sso_token::{self, Session, Token};
use crate::error::CredentialsError;
use crate::http::{HttpRequest, HttpResponse};
use crate::signing::insert_at_host;
use crate::sigv4::percent_encode;

/// What a profile says of IAM Identity Center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sso {
    /// The name of the `sso-session` section; `None` in the form without one.
    pub(super) session: Option<String>,
    pub(super) region: String,
    pub(super) start_url: String,
    /// Account and role; `None` in a profile that is for tokens only.
    pub(super) account_and_role: Option<(String, String)>,
}

const WHAT: &str = "the SSO portal";

impl Sso {
    pub(super) fn token(&self, context: &Context<'_>) -> Result<Token, CredentialsError> {
        let key = self.session.as_deref().unwrap_or(&self.start_url);
        let session = Session { key, region: &self.region, is_named: self.session.is_some() };
        sso_token::load(context, session)
    }

    pub(super) fn load(&self, context: &Context<'_>) -> Result<Credentials, Refusal> {
        let Some((account, role)) = &self.account_and_role else {
            let reason = "it is for SSO tokens: it has neither sso_account_id nor sso_role_name";
            return Err(Refusal::not_configured(reason));
        };
        let token = self.token(context)?;
        let (origin, base_path) = context.endpoint(AwsService::SSO, &self.region)?;
        let path = format!(
            "{base_path}/federation/credentials?account_id={}&role_name={}",
            encoded(account),
            encoded(role)
        );
        let mut headers = vec![("x-amz-sso_bearer_token", token.text.expose())];
        insert_at_host(&mut headers, [("host", origin.authority.as_str())]);
        let request = HttpRequest { method: "GET", path: &path, headers, unsigned_headers: &[], body: &[] };
        let attempt = || {
            context.left(WHAT).map_err(|error| Miss { error, again: Again::Never })?;
            let response = send(context, Way::Service, &origin, &request).map_err(|failure| {
                let again = if failure.kind == FailureKind::Final { Again::Never } else { Again::Soon };
                Miss { error: CredentialsError::from(failure), again }
            })?;
            credentials_in(&response)
        };
        let outcome = with_attempts(context, Way::Service, attempt);
        Ok(outcome.map_err(|error| error.within(WHAT))?)
    }
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    // Writing to a String cannot fail.
    let _ = percent_encode(text, &mut encoded);
    encoded
}

fn credentials_in(response: &HttpResponse) -> Result<Credentials, Miss<CredentialsError>> {
    let answer = Answer::parse(&response.body, "its answer");
    if response.status != 200 {
        let message = answer.ok().and_then(|answer| answer.text(&["message"]).map(shown)).unwrap_or_default();
        let advice = if response.status == 401 { ", run `aws sso login`" } else { "" };
        let problem = format!("refused with HTTP {}{advice}: {message}", response.status);
        return Err(Miss {
            error: CredentialsError::new(problem.trim_end_matches(": ")),
            again: Again::after_status(response.status),
        });
    }
    let read = |answer: Answer| {
        let what = "its answer";
        let found = answer
            .object("roleCredentials")
            .ok_or_else(|| CredentialsError::new(format!("{what} has no roleCredentials")))?;
        let expiry = found.number("expiration").map(Duration::from_millis);
        let expires_at = expiry.and_then(|since_1970| UNIX_EPOCH.checked_add(since_1970));
        let expires_at =
            expires_at.ok_or_else(|| CredentialsError::new(format!("{what} has no expiration")))?;
        found.required(&["sessionToken"], what)?;
        Ok(found.credentials(what)?.with_expiry(expires_at))
    };
    answer.and_then(read).map_err(|error| Miss { error, again: Again::Soon })
}
