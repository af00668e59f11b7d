//! The token of an SSO session: read from the file written by `aws sso login`, and refreshed.
//!
//! Source: the AWS SDKs and Tools reference guide, "IAM Identity Center credential provider", and the SSO OIDC API,
//! CreateToken.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use crate::aws::Service;
use crate::credentials::call::{FailedAttempt, SourceCall};
use crate::credentials::context::{Context, ProviderError};
use crate::credentials::parse::date::{date_of, time_of};
use crate::credentials::parse::json::JsonDocument;
use crate::credentials::sender::{CallSettings, HttpResponse};
use crate::credentials::shown::{quoted, shown_path};
use crate::error::CredentialsError;
use crate::http::Request;
use crate::text::Secret;

/// A token with less time left than this is refreshed, as in the AWS SDK for Rust.
const TOKEN_REFRESH_WINDOW: Duration = Duration::from_secs(5 * 60);

/// Longest lifetime of a token. Source: the longest session of IAM Identity Center, 90 days.
const MAX_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// A token to show to the SSO portal.
#[derive(Clone, Debug)]
pub(in crate::credentials) struct Token {
    pub(in crate::credentials) text: Secret,
    pub(in crate::credentials) expires_at: SystemTime,
}

/// The name of the token's file, and the region that can refresh it.
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
    let is_expired = token.expires_at <= now;
    if token
        .expires_at
        .duration_since(now)
        .is_ok_and(|left| left > TOKEN_REFRESH_WINDOW)
    {
        return Ok(token);
    }
    let refresh = if session.is_named {
        Refresh::of(&cached, now)
    } else {
        None
    };
    let Some(refresh) = refresh else {
        return if is_expired {
            Err(expired(&path))
        } else {
            Ok(token)
        };
    };
    let refreshed = refresh
        .send(context, session.region)
        .map_err(ProviderError::into_failure);
    match refreshed.and_then(|refreshed| store(context, &path, cached, refreshed)) {
        Ok(token) => Ok(token),
        Err(error) if is_expired => Err(error.within(expired(&path))),
        Err(error) => {
            log::warn!(
                "the SSO token could not be refreshed and is used until it expires: {error}"
            );
            Ok(token)
        }
    }
}

fn expired(path: &Path) -> CredentialsError {
    CredentialsError::new(format!(
        "the SSO token in {} has expired: run `aws sso login`",
        shown_path(path)
    ))
}

fn read(context: &Context<'_>, path: &Path) -> Result<JsonDocument, CredentialsError> {
    let bytes = context.read(path).map_err(|error| {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "there is no SSO token, run `aws sso login`: cannot read",
            _ => "cannot read the SSO token in",
        };
        CredentialsError::new(format!("{problem} {}", shown_path(path))).with_source(error)
    })?;
    JsonDocument::parse(&Zeroizing::new(bytes), &what(path))
}

fn what(path: &Path) -> String {
    format!("the SSO token in {}", shown_path(path))
}

fn token_in(cached: &JsonDocument, path: &Path) -> Result<Token, CredentialsError> {
    let text = header_text(cached.required(&["accessToken"], &what(path))?, &what(path))?;
    let expiry = cached.required(&["expiresAt"], &what(path))?;
    let expires_at = time_of(expiry).ok_or_else(|| {
        CredentialsError::new(format!("{} has an expiry that is not a date", what(path)))
    })?;
    Ok(Token {
        text: text.into(),
        expires_at,
    })
}

/// The token goes into a header.
fn header_text<'a>(token: &'a str, what: &str) -> Result<&'a str, CredentialsError> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token);
    }
    Err(CredentialsError::new(format!(
        "{what} has characters that no token has"
    )))
}

/// The request for a new token.
struct Refresh {
    body: Zeroizing<String>,
    client_secret: Secret,
    refresh_token: Secret,
}

/// The response to a refresh. The service accepts a refresh token only once.
struct Refreshed {
    token: Result<Token, CredentialsError>,
    refresh_token: Option<Secret>,
}

impl Refresh {
    /// `None` when the file has no client or no refresh token, or the registration of the client has expired.
    fn of(cached: &JsonDocument, now: SystemTime) -> Option<Self> {
        let registration_expires_at = time_of(cached.text(&["registrationExpiresAt"])?)?;
        if registration_expires_at <= now {
            return None;
        }
        let client_secret = cached.text(&["clientSecret"])?;
        let refresh_token = cached.text(&["refreshToken"])?;
        let body = serde_json::json!({
            "clientId": cached.text(&["clientId"])?,
            "clientSecret": client_secret,
            "grantType": "refresh_token",
            "refreshToken": refresh_token,
        });
        Some(Self {
            body: Zeroizing::new(body.to_string()),
            client_secret: client_secret.into(),
            refresh_token: refresh_token.into(),
        })
    }

    fn send(&self, context: &Context<'_>, region: &str) -> Result<Refreshed, ProviderError> {
        let (origin, base_path) = context.endpoint(Service::SSO_OIDC, region)?;
        let path = format!("{base_path}/token");
        let headers = vec![
            ("content-type", "application/json"),
            ("host", origin.authority.as_str()),
        ];
        let request = Request {
            method: "POST",
            path: &path,
            headers,
            body: self.body.as_bytes(),
        };
        let what = "refreshing the SSO token";
        let call = SourceCall {
            context,
            what,
            origin: &origin,
            settings: CallSettings::SERVICE,
            secrets: &[
                ("clientSecret", self.client_secret.expose()),
                ("refreshToken", self.refresh_token.expose()),
            ],
        };
        call.run(|| {
            // The service accepts a refresh token once, so a request whose response was lost is not sent again.
            let response = call.send(&request).map_err(FailedAttempt::fatal)?;
            refreshed(context, &response)
        })
    }
}

fn refreshed(context: &Context<'_>, response: &HttpResponse) -> Result<Refreshed, FailedAttempt> {
    let document = JsonDocument::parse(&response.body, "the response");
    if response.status != 200 {
        let document = document.ok();
        let code = document
            .as_ref()
            .and_then(|document| document.text(&["error"]))
            .unwrap_or("no code");
        let code = quoted(&response.redactor().redact(code));
        let problem = format!("refused with {code} (HTTP {})", response.status);
        return Err(FailedAttempt::refused(response.status, problem));
    }
    let document = document.map_err(FailedAttempt::fatal)?;
    let refresh_token = document.text(&["refreshToken"]).map(Into::into);
    Ok(Refreshed {
        token: token_in_response(context, &document),
        refresh_token,
    })
}

fn token_in_response(
    context: &Context<'_>,
    document: &JsonDocument,
) -> Result<Token, CredentialsError> {
    let what = "the response to the refresh of the SSO token";
    let text = header_text(document.required(&["accessToken"], what)?, what)?;
    let seconds = document
        .number("expiresIn")
        .ok_or_else(|| CredentialsError::new(format!("{what} has no expiresIn")))?;
    let expires_at = context
        .system
        .now()
        .checked_add(Duration::from_secs(seconds).min(MAX_LIFETIME))
        .ok_or_else(|| CredentialsError::new("the system's clock is at the end of its range"))?;
    Ok(Token {
        text: text.into(),
        expires_at,
    })
}

/// Writes the new tokens where the AWS CLI and the other SDKs find them. A new refresh token is written also when the
/// response has no usable access token, because the old one may not be accepted again.
fn store(
    context: &Context<'_>,
    path: &Path,
    mut cached: JsonDocument,
    refreshed: Refreshed,
) -> Result<Token, CredentialsError> {
    if let Some(refresh_token) = &refreshed.refresh_token {
        cached.set("refreshToken", refresh_token.expose());
    }
    if let Ok(token) = &refreshed.token {
        cached.set("accessToken", token.text.expose());
        if let Some(date) = date_of(token.expires_at) {
            cached.set("expiresAt", date);
        }
    }
    if let Err(error) = context
        .system
        .replace_file(path, &Zeroizing::new(cached.to_bytes()))
    {
        log::warn!(
            "the new SSO token could not be written to {}: {error}",
            shown_path(path)
        );
    }
    refreshed.token
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::clocks::Clocks;
    use crate::credentials::context::AwsHosts;
    use crate::credentials::progress::Progress;
    use crate::credentials::sender::fake::NoNetwork;
    use crate::http::Headers;
    use crate::testing::{FakeSystem, assert_shown_safely, fuzz};

    #[test]
    fn fuzz_tokens() {
        let samples = [
            r#"{"accessToken":"t","expiresAt":"2030-01-01T00:00:00Z","refreshToken":"r","clientId":"i","clientSecret":"s","registrationExpiresAt":"2030-01-01T00:00:00Z"}"#,
            r#"{"accessToken":"t","expiresIn":28800,"refreshToken":"r"}"#,
            r#"{"error":"invalid_grant\n"}"#,
        ];
        let system = FakeSystem::default().at(1_700_000_000);
        let (hosts, progress, clocks) =
            (AwsHosts::default(), Progress::default(), Clocks::default());
        let context = Context::new(&system, &NoNetwork, &hosts, &progress, &clocks);
        fuzz(&samples, |body| {
            for status in [200, 400] {
                let response = HttpResponse::new(status, Headers::default(), body.to_vec());
                match refreshed(&context, &response) {
                    Ok(refreshed) => check(refreshed.token),
                    Err(failed) => assert_shown_safely(&failed.error.into_failure().to_string()),
                }
            }
            if let Ok(cached) = JsonDocument::parse(body, "the file") {
                check(token_in(&cached, Path::new("/token.json")));
                let _ = Refresh::of(&cached, context.system.now());
            }
        });
    }

    fn check(token: Result<Token, CredentialsError>) {
        match token {
            Ok(token) => assert_shown_safely(token.text.expose()),
            Err(error) => assert_shown_safely(&error.to_string()),
        }
    }
}
