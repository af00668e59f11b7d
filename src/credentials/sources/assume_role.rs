//! Roles of the Security Token Service (STS), over its Query protocol.
//!
//! Source: the STS API reference, AssumeRole and AssumeRoleWithWebIdentity, version 2011-06-15.

mod sts_error;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::sts_error::StsError;
use crate::aws::clock_skew::ClockSkew;
use crate::aws::xml::XmlDocument;
use crate::aws::{Credentials, Service, Signer};
use crate::credentials::call::{FailedAttempt, SourceCall};
use crate::credentials::context::{Context, ProviderError};
use crate::credentials::parse::date::time_of;
use crate::credentials::sender::{CallSettings, HttpResponse};
use crate::credentials::shown::shown;
use crate::error::CredentialsError;
use crate::http::Request;
use crate::retry::BACKOFF_BASE;
use crate::sigv4::{AmzDate, percent_encoded};

/// A role and the options for assuming it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::credentials) struct Role {
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
    /// In seconds, as the profile has it.
    pub(super) duration: Option<String>,
    /// Whether the profile has `mfa_serial`, which is not supported.
    pub(super) has_mfa: bool,
}

impl Role {
    pub(super) fn new(arn: impl Into<String>, session_name: Option<String>) -> Self {
        Self {
            arn: arn.into(),
            session_name,
            external_id: None,
            duration: None,
            has_mfa: false,
        }
    }
}

/// What identifies the caller.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// The request is signed with these.
    Credentials(&'a Credentials),
    /// The request has this token and is not signed.
    WebIdentity(&'a str),
}

impl Proof<'_> {
    fn action(self) -> &'static str {
        match self {
            Self::Credentials(_) => "AssumeRole",
            Self::WebIdentity(_) => "AssumeRoleWithWebIdentity",
        }
    }
}

/// Assumes a role.
pub(super) fn assume_role(
    context: &Context<'_>,
    role: &Role,
    proof: Proof<'_>,
) -> Result<Credentials, ProviderError> {
    let what = format!("{} of {}", proof.action(), shown(&role.arn));
    let region = context.region(&what)?;
    let (origin, base_path) = context.endpoint(Service::STS, region)?;
    let corrects_clock = context.settings()?.corrects_clock();
    let session_name = role
        .session_name
        .clone()
        .unwrap_or_else(|| session_name(context.system.now()));
    let secrets = match proof {
        Proof::Credentials(_) => Vec::new(),
        Proof::WebIdentity(token) => vec![("WebIdentityToken", token)],
    };
    let request = StsRequest {
        call: SourceCall {
            context,
            what: &what,
            origin: &origin,
            settings: CallSettings::SERVICE,
            secrets: &secrets,
        },
        path: format!("{base_path}/"),
        body: form(role, proof, &session_name),
        signer: Signer::new(region, "sts"),
        clock: if corrects_clock {
            context.clocks.of(&origin.authority)
        } else {
            None
        },
        has_corrected_clock: Cell::new(false),
        has_missed_key: Cell::new(false),
    };
    request.call.run(|| request.send(role, proof))
}

/// A request to STS, shared by its attempts.
struct StsRequest<'a> {
    call: SourceCall<'a>,
    path: String,
    body: String,
    signer: Signer,
    /// `None` if the setting forbids corrections.
    clock: Option<Arc<ClockSkew>>,
    /// Whether the clock was corrected after a refused attempt.
    has_corrected_clock: Cell<bool>,
    /// Whether an attempt was refused because STS could not retrieve the key of the identity provider.
    has_missed_key: Cell<bool>,
}

impl StsRequest<'_> {
    fn send(&self, role: &Role, proof: Proof<'_>) -> Result<Credentials, FailedAttempt> {
        let sent_at = self.call.context.system.now();
        let response = match proof {
            Proof::Credentials(credentials) => {
                self.send_signed(credentials, self.service_time(sent_at))?
            }
            Proof::WebIdentity(_) => self.call.send(&self.unsigned())?,
        };
        if response.status == 200 {
            return credentials_in(&response).map_err(FailedAttempt::retryable);
        }
        let refusal = StsError::new(&response);
        let retry_base = if refusal.is_of_clock() && self.correct_clock(&response, sent_at) {
            Some(Duration::ZERO)
        } else if refusal.is_of_missing_key() && !self.has_missed_key.replace(true) {
            Some(BACKOFF_BASE)
        } else {
            refusal.backoff_base()
        };
        Err(FailedAttempt {
            error: refusal.into_error(role.has_mfa).into(),
            retry_base,
        })
    }

    fn service_time(&self, now: SystemTime) -> SystemTime {
        self.clock
            .as_ref()
            .map_or(now, |clock| clock.service_time(now))
    }

    /// Corrects the clock by a refusal; false if the clock was right, and after the first correction.
    fn correct_clock(&self, response: &HttpResponse, sent_at: SystemTime) -> bool {
        let Some(clock) = &self.clock else {
            return false;
        };
        let (signed_for, received_at) =
            (clock.service_time(sent_at), self.call.context.system.now());
        let was_far_off = clock.learn(&response.headers, signed_for, sent_at, received_at);
        clock.may_sign_again(was_far_off, signed_for, sent_at)
            && !self.has_corrected_clock.replace(true)
    }

    fn unsigned(&self) -> Request<'_> {
        let content_type = ("content-type", "application/x-www-form-urlencoded");
        let headers = vec![content_type, ("host", self.call.origin.authority.as_str())];
        Request {
            method: "POST",
            path: &self.path,
            headers,
            body: self.body.as_bytes(),
        }
    }

    fn send_signed(
        &self,
        credentials: &Credentials,
        signed_for: SystemTime,
    ) -> Result<HttpResponse, FailedAttempt> {
        let date = AmzDate::from_system_time(signed_for).ok_or_else(|| {
            let problem = "the system's clock is before 1970 or after 9999";
            FailedAttempt::fatal(CredentialsError::new(problem))
        })?;
        let mut request = self.unsigned();
        let signature = self.signer.sign(&request, credentials, date);
        request.headers.extend(signature.headers());
        Ok(self.call.send(&request)?)
    }
}

fn credentials_in(response: &HttpResponse) -> Result<Credentials, CredentialsError> {
    let document = XmlDocument::parse(&response.body);
    credentials_of(&document.ok_or_else(|| CredentialsError::new("the response is not XML"))?)
}

fn credentials_of(document: &XmlDocument) -> Result<Credentials, CredentialsError> {
    let expires_at = time_of(member(document, "Expiration")?)
        .ok_or_else(|| CredentialsError::new("the response has an expiry that is not a date"))?;
    Ok(Credentials::new(
        member(document, "AccessKeyId")?,
        member(document, "SecretAccessKey")?,
    )
    .with_session_token(member(document, "SessionToken")?)
    .with_expiry(expires_at))
}

fn member<'a>(document: &'a XmlDocument, name: &str) -> Result<&'a str, CredentialsError> {
    let text = document.text(&format!("Credentials/{name}"));
    text.ok_or_else(|| CredentialsError::new(format!("the response has no {name}")))
}

/// The default name of a session.
fn session_name(now: SystemTime) -> String {
    // A clock before 1970 is wrong, and the name may repeat.
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("sagemaker-invoke-{}", since_1970.as_millis())
}

/// The body of the request.
fn form(role: &Role, proof: Proof<'_>, session_name: &str) -> String {
    let token = match proof {
        Proof::Credentials(_) => None,
        Proof::WebIdentity(token) => Some(token),
    };
    let fields = [
        ("Action", Some(proof.action())),
        ("Version", Some("2011-06-15")),
        ("RoleArn", Some(&role.arn)),
        ("RoleSessionName", Some(session_name)),
        ("ExternalId", role.external_id.as_deref()),
        ("DurationSeconds", role.duration.as_deref()),
        ("WebIdentityToken", token),
    ];
    let present = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let fields: Vec<String> = present
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    fields.join("&")
}
