//! Roles, by the Query protocol of the Security Token Service.
//!
//! Source: the STS API reference, AssumeRole and AssumeRoleWithWebIdentity, version 2011-06-15.

use std::time::{Duration, UNIX_EPOCH};

use crate::aws::xml::Document;
use crate::aws::{Credentials, Service, Signer};
use crate::credentials::call::{AttemptError, Call};
use crate::credentials::context::{Context, ProviderError};
use crate::credentials::parse::json::{shown, time_of};
use crate::credentials::sender::{CallLimits, HttpResponse};
use crate::error::CredentialsError;
use crate::http::Request;
use crate::retry::{BACKOFF_BASE, THROTTLING_BACKOFF_BASE, backoff_base_of_status};
use crate::sigv4::{AmzDate, percent_encoded};

/// A role and how it is to be assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::credentials) struct Role {
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
    /// In seconds, as the profile has it.
    pub(super) duration: Option<String>,
}

impl Role {
    pub(super) fn new(arn: impl Into<String>, session_name: Option<String>) -> Self {
        Self { arn: arn.into(), session_name, external_id: None, duration: None }
    }
}

/// How the caller identifies itself.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// By signing the request.
    Credentials(&'a Credentials),
    /// By a token in the request, which is not signed.
    WebIdentity(&'a str),
}

/// Assumes a role.
pub(super) fn assume_role(
    context: &Context<'_>,
    role: &Role,
    proof: Proof<'_>,
) -> Result<Credentials, ProviderError> {
    let action = match proof {
        Proof::Credentials(_) => "AssumeRole",
        Proof::WebIdentity(_) => "AssumeRoleWithWebIdentity",
    };
    let what = format!("{action} of {}", role.arn);
    let region = context.region(&what)?;
    let (origin, base_path) = context.endpoint(Service::STS, region)?;
    let path = format!("{base_path}/");
    let body = form(context, action, role, proof);
    let signer = Signer::new(region, "sts");
    let call = Call { context, what: &what, origin: &origin, limits: CallLimits::SERVICE };
    call.run(|| {
        let headers =
            vec![("content-type", "application/x-www-form-urlencoded"), ("host", origin.authority.as_str())];
        let mut request = Request { method: "POST", path: &path, headers, body: body.as_bytes() };
        let signature;
        if let Proof::Credentials(credentials) = proof {
            signature = signer.sign(&request, credentials, signing_date(context)?);
            request.headers.extend(signature.headers());
        }
        credentials_in(&call.send(&request)?)
    })
}

fn signing_date(context: &Context<'_>) -> Result<AmzDate, AttemptError> {
    AmzDate::from_system_time(context.system.now()).ok_or_else(|| {
        let problem = "the system's clock is before 1970 or after 9999";
        AttemptError::fatal(CredentialsError::new(problem))
    })
}

fn credentials_in(response: &HttpResponse) -> Result<Credentials, AttemptError> {
    let document = Document::parse(&response.body);
    if response.status == 200 {
        let document = document.ok_or_else(|| CredentialsError::new("the answer is not XML"));
        return document.and_then(|document| credentials_of(&document)).map_err(AttemptError::retryable);
    }
    let text = |path: &str| document.as_ref().and_then(|document| document.text(path)).map(shown);
    let code = text("Error/Code").unwrap_or_else(|| "no code".to_owned());
    let message = text("Error/Message").unwrap_or_else(|| "no message".to_owned());
    let problem = format!("refused with {code} (HTTP {}): {message}", response.status);
    let retry_base = backoff_base(response.status, &code);
    Err(AttemptError { error: CredentialsError::new(problem).into(), retry_base })
}

/// Source: the throttling codes of STS, and the error that AWS's documentation says to retry, because the identity
/// provider was not reached.
fn backoff_base(status: u16, code: &str) -> Option<Duration> {
    match code {
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            Some(THROTTLING_BACKOFF_BASE)
        }
        "IDPCommunicationError" => Some(BACKOFF_BASE),
        _ => backoff_base_of_status(status),
    }
}

fn credentials_of(document: &Document) -> Result<Credentials, CredentialsError> {
    let text = |name: &str| {
        let found = document.text(&format!("Credentials/{name}"));
        found.ok_or_else(|| CredentialsError::new(format!("the answer has no {name}")))
    };
    let expires_at = time_of(text("Expiration")?)
        .ok_or_else(|| CredentialsError::new("the answer has an expiry that is not a date"))?;
    let credentials = Credentials::new(text("AccessKeyId")?, text("SecretAccessKey")?);
    Ok(credentials.with_session_token(text("SessionToken")?).with_expiry(expires_at))
}

fn form(context: &Context<'_>, action: &str, role: &Role, proof: Proof<'_>) -> String {
    let session_name = role.session_name.clone().unwrap_or_else(|| {
        let since_1970 = context.system.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("sagemaker-invoke-{}", since_1970.as_millis())
    });
    let token = match proof {
        Proof::Credentials(_) => None,
        Proof::WebIdentity(token) => Some(token),
    };
    let fields = [
        ("Action", Some(action)),
        ("Version", Some("2011-06-15")),
        ("RoleArn", Some(&role.arn)),
        ("RoleSessionName", Some(&session_name)),
        ("ExternalId", role.external_id.as_deref()),
        ("DurationSeconds", role.duration.as_deref()),
        ("WebIdentityToken", token),
    ];
    let mut form = String::new();
    for (name, value) in fields.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        form.push_str(&percent_encoded(value));
    }
    form
}
