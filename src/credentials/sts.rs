//! Roles, by the security token service's Query protocol.
//!
//! Source: the STS API reference, AssumeRole and AssumeRoleWithWebIdentity, version 2011-06-15.

use std::time::UNIX_EPOCH;

use super::Credentials;
use super::answer::{shown, time_of};
use super::context::{AwsService, Context};
use super::http::{Again, FailureKind, Miss, Way, send, with_attempts};
use super::xml::Document;
use crate::error::CredentialsError;
use crate::http::{HttpRequest, HttpResponse, Origin};
use crate::signing::{Signer, insert_at_host};
use crate::sigv4::{AmzDate, percent_encode};

/// A role and how it is to be assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
    /// In seconds, as the profile says it.
    pub(super) duration: Option<String>,
}

impl Role {
    pub(super) fn new(arn: impl Into<String>, session_name: Option<String>) -> Self {
        Self { arn: arn.into(), session_name, external_id: None, duration: None }
    }
}

/// What shows who asks.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// A signature.
    Credentials(&'a Credentials),
    /// A token in the request, which is not signed.
    WebIdentity(&'a str),
}

/// Assumes a role.
pub(super) fn assume_role(
    context: &Context<'_>,
    role: &Role,
    proof: Proof<'_>,
) -> Result<Credentials, CredentialsError> {
    let action = match proof {
        Proof::Credentials(_) => "AssumeRole",
        Proof::WebIdentity(_) => "AssumeRoleWithWebIdentity",
    };
    let what = format!("{action} of {}", role.arn);
    let region = context.region(&what)?;
    let (origin, base_path) = context.endpoint(AwsService::STS, region)?;
    let call = Call {
        context,
        what: &what,
        origin,
        path: format!("{base_path}/"),
        body: form(context, action, role, proof),
        signer: Signer::new(region, "sts"),
        proof,
    };
    with_attempts(context, Way::Service, || call.attempt())
}

struct Call<'a> {
    context: &'a Context<'a>,
    what: &'a str,
    origin: Origin,
    path: String,
    body: String,
    signer: Signer,
    proof: Proof<'a>,
}

impl Call<'_> {
    fn attempt(&self) -> Result<Credentials, Miss<CredentialsError>> {
        let fail = |error: CredentialsError, again| Miss { error: error.within(self.what), again };
        self.context.left(self.what).map_err(|error| Miss { error, again: Again::Never })?;
        let response = self.send()?;
        let document = Document::parse(&response.body);
        if response.status == 200 {
            let found = document.ok_or_else(|| CredentialsError::new("the answer is not XML"));
            return found
                .and_then(|document| credentials_in(&document))
                .map_err(|error| fail(error, Again::Soon));
        }
        let code = document.as_ref().and_then(|it| it.text("Error/Code")).unwrap_or("no code");
        let message = document.as_ref().and_then(|it| it.text("Error/Message")).unwrap_or("no message");
        let (status, code) = (response.status, shown(code));
        let problem = format!("refused with {code} (HTTP {status}): {}", shown(message));
        Err(fail(CredentialsError::new(problem), again_after(status, &code)))
    }

    fn send(&self) -> Result<HttpResponse, Miss<CredentialsError>> {
        let mut request = HttpRequest {
            method: "POST",
            path: &self.path,
            headers: vec![("content-type", "application/x-www-form-urlencoded")],
            unsigned_headers: &[],
            body: self.body.as_bytes(),
        };
        let host = &self.origin.authority;
        let pass_on = |request: &HttpRequest<'_>| send(self.context, Way::Service, &self.origin, request);
        let outcome = match self.proof {
            Proof::WebIdentity(_) => {
                insert_at_host(&mut request.headers, [("host", host.as_str())]);
                pass_on(&request)
            }
            Proof::Credentials(credentials) => {
                let now = AmzDate::from_system_time(self.context.host.now()).ok_or_else(|| {
                    let problem = "the system's clock is before 1970 or after 9999";
                    Miss { error: CredentialsError::new(problem), again: Again::Never }
                })?;
                self.signer.signed(request, host, credentials, now, pass_on)
            }
        };
        outcome.map_err(|failure| {
            let again = if failure.kind == FailureKind::Final { Again::Never } else { Again::Soon };
            Miss { error: CredentialsError::from(failure).within(self.what), again }
        })
    }
}

/// Source of the last two: the throttling codes of STS, and the error that AWS's documentation says to retry, as the
/// identity provider was not reached.
fn again_after(status: u16, code: &str) -> Again {
    match code {
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            Again::Later
        }
        "IDPCommunicationError" => Again::Soon,
        _ => Again::after_status(status),
    }
}

fn form(context: &Context<'_>, action: &str, role: &Role, proof: Proof<'_>) -> String {
    let session_name = role.session_name.clone().unwrap_or_else(|| {
        let since_1970 = context.host.now().duration_since(UNIX_EPOCH).unwrap_or_default();
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
        // Writing to a String cannot fail.
        let _ = percent_encode(value, &mut form);
    }
    form
}

fn credentials_in(document: &Document) -> Result<Credentials, CredentialsError> {
    let text = |name: &str| {
        let found = document.text(&format!("Credentials/{name}"));
        found.ok_or_else(|| CredentialsError::new(format!("the answer has no {name}")))
    };
    let expires_at = time_of(text("Expiration")?)
        .ok_or_else(|| CredentialsError::new("the answer has an expiry that is not a date"))?;
    let credentials = Credentials::new(text("AccessKeyId")?, text("SecretAccessKey")?);
    Ok(credentials.with_session_token(text("SessionToken")?).with_expiry(expires_at))
}
