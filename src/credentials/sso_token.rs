//! The token of an SSO session, which `aws sso login` leaves in a file and which is renewed here.
//!
//! Source: the AWS SDKs and Tools reference guide, "IAM Identity Center credential provider", and the SSO OIDC API,
//! CreateToken.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::Secret;
use super::answer::{Answer, date_of, shown, time_of};
use super::context::{AwsService, Context};
use super::http::{Again, Miss, Way, send, with_attempts};
use crate::error::CredentialsError;
use crate::http::HttpRequest;
use crate::signing::insert_at_host;

/// A token is renewed when it has less than this left, as in the AWS SDK for Rust.
const RENEWAL_WINDOW: Duration = Duration::from_secs(5 * 60);

/// A token to show to the SSO portal.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: Secret,
    pub(super) expires_at: SystemTime,
}

/// Which token, and from where it can be renewed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session<'a> {
    /// The session's name, or the start URL in the form without a session: the file is named by it.
    pub(super) key: &'a str,
    pub(super) region: &'a str,
    /// Only a token of a named session can be renewed.
    pub(super) is_named: bool,
}

/// Reads the token, and renews it when it is about to expire.
pub(super) fn load(context: &Context<'_>, session: Session<'_>) -> Result<Token, CredentialsError> {
    let digest = Sha1::digest(session.key);
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = context.below_aws(&["sso", "cache", &format!("{name}.json")])?;
    let cached = read(context, &path)?;
    let token = token_in(&cached, &path)?;
    let now = context.host.now();
    let left = token.expires_at.duration_since(now).unwrap_or_default();
    if left > RENEWAL_WINDOW {
        return Ok(token);
    }
    let renewal = Renewal::of(&cached, now).filter(|_| session.is_named);
    let Some(renewal) = renewal else {
        return if left.is_zero() { Err(expired(&path)) } else { Ok(token) };
    };
    match renewal.renew(context, session.region) {
        Ok(renewed) => keep(context, &path, cached, &renewed),
        Err(error) if left.is_zero() => Err(error.within(expired(&path))),
        Err(error) => {
            log::warn!("the SSO token could not be renewed and is used until it ends: {error}");
            Ok(token)
        }
    }
}

fn expired(path: &Path) -> CredentialsError {
    CredentialsError::new(format!("the SSO token in {} has expired: run `aws sso login`", path.display()))
}

fn read(context: &Context<'_>, path: &Path) -> Result<Answer, CredentialsError> {
    let bytes = context.host.read_file(path).map_err(|error| {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "there is no SSO token, run `aws sso login`: cannot read",
            _ => "cannot read the SSO token in",
        };
        CredentialsError::new(format!("{problem} {}", path.display())).with_source(error)
    })?;
    Answer::parse(&Zeroizing::new(bytes), &what(path))
}

fn what(path: &Path) -> String {
    format!("the SSO token in {}", path.display())
}

fn token_in(cached: &Answer, path: &Path) -> Result<Token, CredentialsError> {
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

/// What a renewal takes.
struct Renewal {
    body: Zeroizing<String>,
}

struct Renewed {
    token: Token,
    refresh_token: Option<Secret>,
}

impl Renewal {
    /// `None` when the file does not hold all of it, or the client's registration has ended.
    fn of(cached: &Answer, now: SystemTime) -> Option<Self> {
        let registration_ends_at = time_of(cached.text(&["registrationExpiresAt"])?)?;
        if registration_ends_at <= now {
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

    fn renew(&self, context: &Context<'_>, region: &str) -> Result<Renewed, CredentialsError> {
        let (origin, base_path) = context.endpoint(AwsService::SSO_OIDC, region)?;
        let path = format!("{base_path}/token");
        let mut headers = vec![("content-type", "application/json")];
        insert_at_host(&mut headers, [("host", origin.authority.as_str())]);
        let body = self.body.as_bytes();
        let request = HttpRequest { method: "POST", path: &path, headers, unsigned_headers: &[], body };
        with_attempts(context, Way::Service, || {
            let never = |error| Miss { error, again: Again::Never };
            context.left("renewing the SSO token").map_err(never)?;
            // Once the service has the refresh token, it may have used it up: a lost answer is not asked for again.
            let response = send(context, Way::Service, &origin, &request).map_err(|it| never(it.into()))?;
            let answer = Answer::parse(&response.body, "the answer");
            if response.status == 200 {
                return answer.and_then(|answer| renewed(context, &answer)).map_err(never);
            }
            let code = answer.ok().and_then(|answer| answer.text(&["error"]).map(shown)).unwrap_or_default();
            let problem = format!("refused with {code:?} (HTTP {})", response.status);
            Err(Miss { error: CredentialsError::new(problem), again: Again::after_status(response.status) })
        })
    }
}

fn renewed(context: &Context<'_>, answer: &Answer) -> Result<Renewed, CredentialsError> {
    let text = answer.required(&["accessToken"], "the answer")?;
    let lifetime = answer.number("expiresIn").map(Duration::from_secs);
    let expires_at = lifetime.and_then(|lifetime| context.host.now().checked_add(lifetime));
    let expires_at = expires_at.ok_or_else(|| CredentialsError::new("the answer has no expiresIn"))?;
    let refresh_token = answer.text(&["refreshToken"]).map(Into::into);
    Ok(Renewed { token: Token { text: text.into(), expires_at }, refresh_token })
}

/// Writes the renewed token where the AWS CLI and the other SDKs find it.
fn keep(
    context: &Context<'_>,
    path: &Path,
    mut cached: Answer,
    renewed: &Renewed,
) -> Result<Token, CredentialsError> {
    cached.set("accessToken", renewed.token.text.expose());
    if let Some(date) = date_of(renewed.token.expires_at) {
        cached.set("expiresAt", date);
    }
    if let Some(refresh_token) = &renewed.refresh_token {
        cached.set("refreshToken", refresh_token.expose());
    }
    if let Err(error) = context.host.replace_file(path, &Zeroizing::new(cached.to_bytes())) {
        log::warn!("the renewed SSO token could not be written to {}: {error}", path.display());
    }
    token_in(&cached, path)
}
