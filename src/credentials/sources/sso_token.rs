//! The token of an SSO session, which `aws sso login` leaves in a file and which is refreshed here.
//!
//! Source: the AWS SDKs and Tools reference guide, "IAM Identity Center credential provider", and the SSO OIDC API,
//! CreateToken.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use crate::aws::Service;
use crate::credentials::call::{AttemptError, Call};
use crate::credentials::context::{Context, ProviderError};
use crate::credentials::parse::json::{Document, date_of, shown, time_of};
use crate::credentials::sender::{CallLimits, HttpResponse};
use crate::error::CredentialsError;
use crate::http::Request;
use crate::retry::backoff_base_of_status;
use crate::text::Secret;

/// A token with less time left than this is refreshed, as in the AWS SDK for Rust.
const REFRESH_WINDOW: Duration = Duration::from_secs(5 * 60);

/// A token to show to the SSO portal.
#[derive(Clone, Debug)]
pub(in crate::credentials) struct Token {
    pub(in crate::credentials) text: Secret,
    pub(in crate::credentials) expires_at: SystemTime,
}

/// Which token, and where it can be refreshed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session<'a> {
    /// The session's name, or the start URL in the form without a session: the file is named by it.
    pub(super) key: &'a str,
    pub(super) region: &'a str,
    /// Only a token of a named session can be refreshed.
    pub(super) is_named: bool,
}

/// Reads the token, and refreshes it when it is about to expire.
pub(super) fn load(context: &Context<'_>, session: Session<'_>) -> Result<Token, CredentialsError> {
    let name = format!("{}.json", hex::encode(Sha1::digest(session.key)));
    let path = context.below_aws(&["sso", "cache", &name])?;
    let cached = read(context, &path)?;
    let token = token_in(&cached, &path)?;
    let now = context.system.now();
    let left = token.expires_at.duration_since(now).unwrap_or_default();
    if left > REFRESH_WINDOW {
        return Ok(token);
    }
    let refresh = if session.is_named { Refresh::of(&cached, now) } else { None };
    let Some(refresh) = refresh else {
        return if left.is_zero() { Err(expired(&path)) } else { Ok(token) };
    };
    match refresh.send(context, session.region).map_err(ProviderError::into_failure) {
        Ok(refreshed) => store(context, &path, cached, &refreshed),
        Err(error) if left.is_zero() => Err(error.within(expired(&path))),
        Err(error) => {
            log::warn!("the SSO token could not be refreshed and is used until it expires: {error}");
            Ok(token)
        }
    }
}

fn expired(path: &Path) -> CredentialsError {
    CredentialsError::new(format!("the SSO token in {} has expired: run `aws sso login`", path.display()))
}

fn read(context: &Context<'_>, path: &Path) -> Result<Document, CredentialsError> {
    let bytes = context.read(path).map_err(|error| {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "there is no SSO token, run `aws sso login`: cannot read",
            _ => "cannot read the SSO token in",
        };
        CredentialsError::new(format!("{problem} {}", path.display())).with_source(error)
    })?;
    Document::parse(&Zeroizing::new(bytes), &what(path))
}

fn what(path: &Path) -> String {
    format!("the SSO token in {}", path.display())
}

fn token_in(cached: &Document, path: &Path) -> Result<Token, CredentialsError> {
    let text = cached.required(&["accessToken"], &what(path))?;
    // It goes into a header.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CredentialsError::new(format!("{} has characters that no token has", what(path))));
    }
    let expiry = cached.required(&["expiresAt"], &what(path))?;
    let expires_at = time_of(expiry)
        .ok_or_else(|| CredentialsError::new(format!("{} has an expiry that is not a date", what(path))))?;
    Ok(Token { text: text.into(), expires_at })
}

/// The request for a new token.
struct Refresh {
    body: Zeroizing<String>,
}

struct Refreshed {
    token: Token,
    refresh_token: Option<Secret>,
}

impl Refresh {
    /// `None` when the file does not hold all that it takes, or the registration of the client has expired.
    fn of(cached: &Document, now: SystemTime) -> Option<Self> {
        let registration_expires_at = time_of(cached.text(&["registrationExpiresAt"])?)?;
        if registration_expires_at <= now {
            return None;
        }
        let body = serde_json::json!({
            "clientId": cached.text(&["clientId"])?,
            "clientSecret": cached.text(&["clientSecret"])?,
            "grantType": "refresh_token",
            "refreshToken": cached.text(&["refreshToken"])?,
        });
        Some(Self { body: Zeroizing::new(body.to_string()) })
    }

    fn send(&self, context: &Context<'_>, region: &str) -> Result<Refreshed, ProviderError> {
        let (origin, base_path) = context.endpoint(Service::SSO_OIDC, region)?;
        let path = format!("{base_path}/token");
        let headers = vec![("content-type", "application/json"), ("host", origin.authority.as_str())];
        let request = Request { method: "POST", path: &path, headers, body: self.body.as_bytes() };
        let what = "refreshing the SSO token";
        let call = Call { context, what, origin: &origin, limits: CallLimits::SERVICE };
        call.run(|| {
            // Once the service has the refresh token, it may have used it up: a lost answer is not asked for again.
            let response = call.send(&request).map_err(AttemptError::fatal)?;
            refreshed(context, &response)
        })
    }
}

fn refreshed(context: &Context<'_>, response: &HttpResponse) -> Result<Refreshed, AttemptError> {
    let document = Document::parse(&response.body, "the answer");
    if response.status != 200 {
        let code = document.ok().and_then(|document| document.text(&["error"]).map(shown));
        let code = code.unwrap_or_default();
        let problem = format!("refused with {code:?} (HTTP {})", response.status);
        let retry_base = backoff_base_of_status(response.status);
        return Err(AttemptError { error: CredentialsError::new(problem).into(), retry_base });
    }
    document.and_then(|document| token_of_answer(context, &document)).map_err(AttemptError::fatal)
}

fn token_of_answer(context: &Context<'_>, document: &Document) -> Result<Refreshed, CredentialsError> {
    let text = document.required(&["accessToken"], "the answer")?;
    let lifetime = document.number("expiresIn").map(Duration::from_secs);
    let expires_at = lifetime.and_then(|lifetime| context.system.now().checked_add(lifetime));
    let expires_at = expires_at.ok_or_else(|| CredentialsError::new("the answer has no expiresIn"))?;
    let refresh_token = document.text(&["refreshToken"]).map(Into::into);
    Ok(Refreshed { token: Token { text: text.into(), expires_at }, refresh_token })
}

/// Writes the new token where the AWS CLI and the other SDKs find it.
fn store(
    context: &Context<'_>,
    path: &Path,
    mut cached: Document,
    refreshed: &Refreshed,
) -> Result<Token, CredentialsError> {
    cached.set("accessToken", refreshed.token.text.expose());
    if let Some(date) = date_of(refreshed.token.expires_at) {
        cached.set("expiresAt", date);
    }
    if let Some(refresh_token) = &refreshed.refresh_token {
        cached.set("refreshToken", refresh_token.expose());
    }
    if let Err(error) = context.system.replace_file(path, &Zeroizing::new(cached.to_bytes())) {
        log::warn!("the new SSO token could not be written to {}: {error}", path.display());
    }
    token_in(&cached, path)
}
