//! The metadata service of an EC2 instance, version 2.
//!
//! Source: the EC2 user guide, "Use the Instance Metadata Service to access instance metadata", and the AWS SDKs and
//! Tools reference guide, "IMDS credential provider" and "static stability".

use std::time::Duration;

use super::Credentials;
use super::answer::{Answer, shown};
use super::context::{Context, Refusal};
use super::http::{Again, FailureKind, Miss, Way, send, with_attempts};
use crate::config::settings::Found;
use crate::endpoint::split_url;
use crate::error::CredentialsError;
use crate::host::fraction;
use crate::http::{HttpRequest, HttpResponse, Origin};

const IPV4_URL: &str = "http://169.254.169.254";
const IPV6_URL: &str = "http://[fd00:ec2::254]";
const ROLE_PATH: &str = "/latest/meta-data/iam/security-credentials/";
const REGION_PATH: &str = "/latest/meta-data/placement/region";
const WHAT: &str = "the instance metadata service";

/// For how long a session token is asked: the longest that there is, as in the AWS SDKs.
const TOKEN_TTL_SECONDS: &str = "21600";

/// Credentials that have expired are used for so much longer: EC2 takes them while its own renewal is late.
const STRETCH: Duration = Duration::from_secs(10 * 60);
/// Up to so much more, so that the instances of a fleet do not all ask again at once.
const STRETCH_JITTER: Duration = Duration::from_secs(5 * 60);

pub(super) fn load(context: &Context<'_>) -> Result<Credentials, Refusal> {
    let outcome = Service::find(context).and_then(|service| service.credentials());
    match (outcome, context.last_of_instance) {
        (Ok(credentials), _) => Ok(stretched(context, credentials)),
        (Err(refusal), Some(last)) => {
            let reason = refusal.into_failure();
            log::warn!("the instance's last credentials are used on: {reason}");
            Ok(stretched(context, last.clone()))
        }
        (Err(refusal), None) => Err(refusal),
    }
}

/// The region that the instance runs in.
pub(super) fn region(context: &Context<'_>) -> Result<String, Refusal> {
    let service = Service::find(context)?;
    let region = service.get(REGION_PATH)?.ok_or_else(|| no_path(REGION_PATH))?;
    Ok(region.trim().to_owned())
}

fn no_path(path: &str) -> CredentialsError {
    CredentialsError::new(format!("{WHAT} knows no {path}"))
}

/// Moves an expiry that has passed.
fn stretched(context: &Context<'_>, credentials: Credentials) -> Credentials {
    let now = context.host.now();
    if credentials.expires_at.is_none_or(|expires_at| expires_at > now) {
        return credentials;
    }
    let stretch = STRETCH + STRETCH_JITTER.mul_f64(fraction(context.host.random()));
    match now.checked_add(stretch) {
        Some(expires_at) => credentials.with_expiry(expires_at),
        None => credentials,
    }
}

/// The service, with a session token.
struct Service<'a> {
    context: &'a Context<'a>,
    origin: Origin,
    base_path: String,
    token: String,
}

impl<'a> Service<'a> {
    fn find(context: &'a Context<'a>) -> Result<Self, Refusal> {
        let is_disabled = |value: String| value.eq_ignore_ascii_case("true");
        if context.variable("AWS_EC2_METADATA_DISABLED").is_some_and(is_disabled) {
            return Err(Refusal::not_configured("AWS_EC2_METADATA_DISABLED is true"));
        }
        let (origin, base_path) = endpoint(context)?;
        let mut service = Self { context, origin, base_path, token: String::new() };
        service.token = service.new_token()?;
        Ok(service)
    }

    fn new_token(&self) -> Result<String, Refusal> {
        let headers = [("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL_SECONDS)];
        let response = with_attempts(self.context, Way::InstanceMetadata, || {
            self.attempt("PUT", "/latest/api/token", &headers, refusal_of_token)
        })?;
        let token = String::from_utf8(response.body).unwrap_or_default();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialsError::new(format!("{WHAT} gave no session token")).into());
        }
        Ok(token)
    }

    /// `None` when there is no such path.
    fn get(&self, path: &str) -> Result<Option<String>, Refusal> {
        let headers = [("x-aws-ec2-metadata-token", self.token.as_str())];
        let refusal = |response: &HttpResponse| match response.status {
            404 => None,
            status => Some(failed(status)),
        };
        let response = with_attempts(self.context, Way::InstanceMetadata, || {
            self.attempt("GET", path, &headers, refusal)
        })?;
        Ok((response.status == 200).then(|| String::from_utf8_lossy(&response.body).into_owned()))
    }

    /// One request; a status other than 200 is what `refusal` makes of it.
    fn attempt(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        refusal: impl Fn(&HttpResponse) -> Option<Refusal>,
    ) -> Result<HttpResponse, Miss<Refusal>> {
        let never = |error: CredentialsError| Miss { error: error.into(), again: Again::Never };
        self.context.left(WHAT).map_err(never)?;
        let path = format!("{}{path}", self.base_path);
        let mut all = vec![("host", self.origin.authority.as_str())];
        all.extend_from_slice(headers);
        let request = HttpRequest { method, path: &path, headers: all, unsigned_headers: &[], body: &[] };
        let response = send(self.context, Way::InstanceMetadata, &self.origin, &request);
        let response = response.map_err(|failure| {
            // Off EC2 nobody answers; and inside a container one hop too far away, the answer gets lost.
            let is_absent = matches!(failure.kind, FailureKind::Unreachable | FailureKind::Silent);
            let error = if is_absent && method == "PUT" {
                Refusal::NotConfigured(failure.reason())
            } else {
                Refusal::Failed(CredentialsError::from(failure).within(WHAT))
            };
            Miss { error, again: Again::Never }
        })?;
        match refusal(&response).filter(|_| response.status != 200) {
            None => Ok(response),
            Some(error) => Err(Miss { error, again: again_after(response.status) }),
        }
    }

    fn credentials(&self) -> Result<Credentials, Refusal> {
        let roles = self.get(ROLE_PATH)?;
        let role = roles.as_deref().and_then(|roles| roles.lines().next()).map(str::trim);
        let Some(role) = role.filter(|role| !role.is_empty()) else {
            return Err(Refusal::not_configured("no role is attached to the instance"));
        };
        // Source: the characters of IAM's role names. Anything else is not the metadata service's.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        if !role.bytes().all(is_name) {
            return Err(CredentialsError::new(format!("{WHAT} gave something that is no role's name")).into());
        }
        let path = format!("{ROLE_PATH}{role}");
        let answer = self.get(&path)?.ok_or_else(|| no_path(&path))?;
        credentials_in(&answer).map_err(|error| error.within(WHAT).into())
    }
}

/// Source: the meanings of the statuses in the user guide. Other clouds answer 404 or 405 at the same address.
fn refusal_of_token(response: &HttpResponse) -> Option<Refusal> {
    Some(match response.status {
        403 => {
            let problem =
                "refused a session token (HTTP 403): it is switched off in the instance's metadata options";
            CredentialsError::new(format!("{WHAT} {problem}")).into()
        }
        status @ (404 | 405) => {
            let authority = "the address of EC2's instance metadata service";
            Refusal::not_configured(format!("{authority} answers HTTP {status}, so it is another service's"))
        }
        status => failed(status),
    })
}

fn failed(status: u16) -> Refusal {
    CredentialsError::new(format!("{WHAT} answered HTTP {status}")).into()
}

/// Source: the AWS SDK for Rust, which tries these again.
fn again_after(status: u16) -> Again {
    match status {
        401 | 500..=599 => Again::Soon,
        _ => Again::Never,
    }
}

fn endpoint(context: &Context<'_>) -> Result<(Origin, String), CredentialsError> {
    let settings = context.settings()?;
    let text = |variable, property| settings.text(&[variable], property);
    let url = text("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
    let mode = text("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
    let url = match (url, mode) {
        (Some(url), _) => url,
        (None, None) => built_in(IPV4_URL),
        (None, Some(mode)) if mode.value.eq_ignore_ascii_case("IPv4") => built_in(IPV4_URL),
        (None, Some(mode)) if mode.value.eq_ignore_ascii_case("IPv6") => built_in(IPV6_URL),
        (None, Some(mode)) => return Err(mode.refused("can only be IPv4 or IPv6").into()),
    };
    let (origin, path) = split_url(&url.value)
        .filter(|(_, path)| !path.contains('?'))
        .ok_or_else(|| url.refused("is not an http:// or https:// URL"))?;
    Ok((origin, path.trim_end_matches('/').to_owned()))
}

fn built_in(url: &str) -> Found {
    Found { name: "endpoint", value: url.to_owned(), origin: "default".to_owned() }
}

fn credentials_in(answer: &str) -> Result<Credentials, CredentialsError> {
    let what = "its answer";
    let answer = Answer::parse(answer.as_bytes(), what)?;
    match answer.text(&["Code"]) {
        None | Some("Success") => answer.session_credentials(what),
        Some("AssumeRoleUnauthorizedAccess") => {
            let problem = "EC2 may not assume the instance's role: look at the role's trust policy";
            Err(CredentialsError::new(format!("{problem} (AssumeRoleUnauthorizedAccess)")))
        }
        Some(code) => Err(CredentialsError::new(format!("it answered with the code {}", shown(code)))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::credentials::context::Place;
    use crate::credentials::http::fake::Silent;
    use crate::host::fake::FakeHost;

    /// Cases of settings that a program makes in code, which this crate has no room for: they must go on failing.
    const EXCEPTIONS: [&str; 2] = ["explicit endpoint override", "explicit mode override"];

    /// The words of the official cases and ours for the same problem.
    const PROBLEMS: [(&str, &str); 3] = [
        ("`error` is not a valid endpoint mode", "is \"error\": can only be IPv4 or IPv6"),
        ("`IPv7` is not a valid endpoint mode", "set in config, line 2: can only be IPv4 or IPv6"),
        ("invalid uri character", "is \"not a uri\": is not an http"),
    ];

    fn passes(case: &Value) -> Result<(), String> {
        let variables = case["env"].as_object().unwrap();
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let mut host = FakeHost::new(&variables);
        for (path, content) in case["fs"].as_object().unwrap() {
            host = host.with_file(path, content.as_str().unwrap());
        }
        let place = Place::default();
        let context = Context::new(&host, &Silent, &place, None, None);
        let outcome = endpoint(&context).map(|(origin, path)| {
            format!("{}://{}{path}/latest/api/token", origin.scheme(), origin.authority)
        });
        let is_same = match (&outcome, &case["result"]["Ok"]) {
            (Ok(url), Value::String(expected)) => url == expected,
            (Err(error), Value::Null) => {
                let theirs = case["result"]["Err"].as_str().unwrap();
                let ours = PROBLEMS.iter().find(|(it, _)| *it == theirs).unwrap().1;
                error.to_string().contains(ours)
            }
            _ => false,
        };
        if is_same { Ok(()) } else { Err(format!("{}: {outcome:?}", case["docs"])) }
    }

    #[test]
    #[ignore = "reads ../shared, run by .ci/run"]
    fn the_official_endpoint_cases() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/credential-chain");
        let file = std::fs::read(format!("{root}/imds-config/imds-endpoint-tests.json")).unwrap();
        let cases: Value = serde_json::from_slice(&file).unwrap();
        let cases = cases["tests"].as_array().unwrap();
        assert_eq!(cases.len(), 14);
        for case in cases {
            let is_exception = EXCEPTIONS.contains(&case["docs"].as_str().unwrap());
            assert_eq!(passes(case).is_err(), is_exception, "{:?}", passes(case));
        }
    }
}
