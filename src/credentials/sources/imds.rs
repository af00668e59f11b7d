//! The metadata service of an EC2 instance (IMDS), version 2.
//!
//! Source: the EC2 user guide, "Use the Instance Metadata Service to access instance metadata", and the AWS SDKs and
//! Tools reference guide, "IMDS credential provider" and "static stability".

use std::time::Duration;

use crate::aws::Credentials;
use crate::aws::settings::Setting;
use crate::credentials::call::{FailedAttempt, SourceCall};
use crate::credentials::context::{Context, ProviderError, base_url, checked_region};
use crate::credentials::parse::json::JsonDocument;
use crate::credentials::sender::{CallSettings, HttpResponse};
use crate::credentials::shown::shown;
use crate::error::CredentialsError;
use crate::http::{Cause, Origin, Phase, Request, TransportError};
use crate::retry::BACKOFF_BASE;
use crate::system::fraction;
use crate::text::Redactor;

const IPV4_URL: &str = "http://169.254.169.254";
const IPV6_URL: &str = "http://[fd00:ec2::254]";
const ROLE_PATH: &str = "/latest/meta-data/iam/security-credentials/";
const REGION_PATH: &str = "/latest/meta-data/placement/region";
const WHAT: &str = "the instance metadata service";

/// Lifetime of the session token: the maximum of the service, as in the AWS SDKs.
const TOKEN_TTL_SECONDS: &str = "21600";

/// How much longer expired credentials are used: EC2 accepts them while its own refresh is late.
const EXTENSION: Duration = Duration::from_secs(10 * 60);
/// Added to it at random, so that the instances of a fleet do not all refresh at once.
const EXTENSION_JITTER: Duration = Duration::from_secs(5 * 60);

pub(in crate::credentials) fn load(context: &Context<'_>) -> Result<Credentials, ProviderError> {
    let outcome = Metadata::connect(context).and_then(|service| service.credentials());
    match (outcome, context.last_instance_credentials) {
        (Ok(credentials), _) => Ok(extend_expiry(context, credentials)),
        (Err(error), Some(last)) => {
            log::warn!(
                "the last credentials of the instance are still used: {}",
                error.into_failure()
            );
            Ok(extend_expiry(context, last.clone()))
        }
        (Err(error), None) => Err(error),
    }
}

/// The region of the instance.
pub(in crate::credentials) fn region(context: &Context<'_>) -> Result<String, ProviderError> {
    let service = Metadata::connect(context)?;
    let region = service
        .get(REGION_PATH)?
        .ok_or_else(|| not_found(REGION_PATH))?;
    match checked_region(region.trim()) {
        Ok(region) => Ok(region.to_owned()),
        Err(error) => Err(error.within(WHAT).into()),
    }
}

fn not_found(path: &str) -> CredentialsError {
    CredentialsError::new(format!("{WHAT} has no {path}"))
}

/// Extends the expiry of expired credentials.
fn extend_expiry(context: &Context<'_>, credentials: Credentials) -> Credentials {
    let now = context.system.now();
    if credentials
        .expires_at
        .is_none_or(|expires_at| expires_at > now)
    {
        return credentials;
    }
    let extension = EXTENSION + EXTENSION_JITTER.mul_f64(fraction(context.system.random()));
    match now.checked_add(extension) {
        Some(expires_at) => credentials.with_expiry(expires_at),
        None => credentials,
    }
}

/// The service, with a session token.
struct Metadata<'a> {
    context: &'a Context<'a>,
    origin: Origin,
    base_path: String,
    token: String,
}

impl<'a> Metadata<'a> {
    fn connect(context: &'a Context<'a>) -> Result<Self, ProviderError> {
        let disabled = context.variable("AWS_EC2_METADATA_DISABLED");
        if disabled.is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            return Err(ProviderError::not_configured(
                "AWS_EC2_METADATA_DISABLED is true",
            ));
        }
        let (origin, base_path) = endpoint(context)?;
        let mut service = Self {
            context,
            origin,
            base_path,
            token: String::new(),
        };
        service.token = service.new_token()?;
        Ok(service)
    }

    fn new_token(&self) -> Result<String, ProviderError> {
        let ttl = ("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL_SECONDS);
        let response = self.call("PUT", "/latest/api/token", ttl, |response| {
            match response.status {
                200 => Ok(()),
                status => Err(refusal_of_token(status)),
            }
        })?;
        match String::from_utf8(response.body) {
            Ok(token) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(token)
            }
            _ => Err(CredentialsError::new(format!("{WHAT} gave no session token")).into()),
        }
    }

    /// `None` when there is no such path.
    fn get(&self, path: &str) -> Result<Option<String>, ProviderError> {
        let token = ("x-aws-ec2-metadata-token", self.token.as_str());
        let response = self.call("GET", path, token, |response| match response.status {
            200 | 404 => Ok(()),
            status => Err(failed(status)),
        })?;
        let is_found = response.status == 200;
        Ok(if is_found {
            Some(String::from_utf8_lossy(&response.body).into_owned())
        } else {
            None
        })
    }

    fn call(
        &self,
        method: &'static str,
        path: &str,
        header: (&'static str, &str),
        check: impl Fn(&HttpResponse) -> Result<(), ProviderError>,
    ) -> Result<HttpResponse, ProviderError> {
        let path = format!("{}{path}", self.base_path);
        let headers = vec![("host", self.origin.authority.as_str()), header];
        let request = Request {
            method,
            path: &path,
            headers,
            body: &[],
        };
        let settings = CallSettings::INSTANCE_METADATA;
        let call = SourceCall {
            context: self.context,
            what: WHAT,
            origin: &self.origin,
            settings,
            secrets: &[],
        };
        call.run(|| {
            let response = call
                .send(&request)
                .map_err(|error| unanswered(error, method))?;
            let retry_base = backoff_base(response.status);
            check(&response).map_err(|error| FailedAttempt { error, retry_base })?;
            Ok(response)
        })
    }

    fn credentials(&self) -> Result<Credentials, ProviderError> {
        // Without a role there is no such path, or an empty list.
        let roles = self.get(ROLE_PATH)?;
        let first_line = roles.as_deref().and_then(|roles| roles.lines().next());
        let Some(role) = first_line.map(str::trim).filter(|role| !role.is_empty()) else {
            return Err(ProviderError::not_configured(
                "no role is attached to the instance",
            ));
        };
        if !is_role_name(role) {
            return Err(
                CredentialsError::new(format!("{WHAT} gave an invalid name of a role")).into(),
            );
        }
        let path = format!("{ROLE_PATH}{role}");
        // The service could repeat its token as the name of a role.
        let answer = self
            .get(&path)?
            .ok_or_else(|| not_found(&self.redactor().redact(&path)))?;
        credentials_in(&answer, || self.redactor()).map_err(|error| error.within(WHAT).into())
    }

    /// Removes the session token from foreign text.
    fn redactor(&self) -> Redactor {
        Redactor::new([("x-aws-ec2-metadata-token", self.token.as_str())])
    }
}

/// Source: the characters of IAM's role names. Anything else does not come from the metadata service.
fn is_role_name(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// Outside EC2 the service does not exist. In a container one network hop too far away, it does not respond to the
/// first request.
fn unanswered(error: TransportError, method: &str) -> FailedAttempt {
    let is_unreachable = error.phase < Phase::Send || error.cause == Cause::TimedOut;
    if is_unreachable && method == "PUT" {
        let mut reason = reason_of(&error);
        if error.phase >= Phase::Send {
            // The service responded to the connection, and its answer was dropped on the way.
            reason.push_str(
                "; in a container, the hop limit of the instance's metadata options must be 2",
            );
        }
        FailedAttempt::fatal(ProviderError::NotConfigured(reason))
    } else {
        FailedAttempt::fatal(CredentialsError::from(error))
    }
}

/// The error and its sources in one text.
fn reason_of(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", reason_of(source)),
        None => error.to_string(),
    }
}

/// Source: the user guide. The services of other clouds respond with 404 or 405 at the same address.
fn refusal_of_token(status: u16) -> ProviderError {
    match status {
        403 => {
            let problem = "refused a session token (HTTP 403): it is switched off in the instance's metadata options";
            CredentialsError::new(problem).into()
        }
        404 | 405 => {
            let address = "the address of EC2's instance metadata service";
            ProviderError::not_configured(format!(
                "{address} answers HTTP {status}: it is another service"
            ))
        }
        status => failed(status),
    }
}

fn failed(status: u16) -> ProviderError {
    CredentialsError::new(format!("it answered HTTP {status}")).into()
}

/// Source: the statuses retried by the AWS SDK for Rust.
fn backoff_base(status: u16) -> Option<Duration> {
    match status {
        401 | 500..=599 => Some(BACKOFF_BASE),
        _ => None,
    }
}

fn endpoint(context: &Context<'_>) -> Result<(Origin, String), CredentialsError> {
    let settings = context.settings()?;
    let url = settings.text(
        &["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
        "ec2_metadata_service_endpoint",
    );
    let mode = settings.text(
        &["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"],
        "ec2_metadata_service_endpoint_mode",
    );
    let url = match (url, mode) {
        (Some(url), _) => url,
        (None, None) => built_in(IPV4_URL),
        (None, Some(mode)) if mode.value.eq_ignore_ascii_case("IPv4") => built_in(IPV4_URL),
        (None, Some(mode)) if mode.value.eq_ignore_ascii_case("IPv6") => built_in(IPV6_URL),
        (None, Some(mode)) => return Err(mode.invalid("can only be IPv4 or IPv6").into()),
    };
    base_url(&url).ok_or_else(|| url.invalid("is not an http:// or https:// URL").into())
}

fn built_in(url: &str) -> Setting {
    Setting {
        name: "endpoint",
        value: url.to_owned(),
        line: None,
    }
}

fn credentials_in(
    answer: &str,
    redactor: impl Fn() -> Redactor,
) -> Result<Credentials, CredentialsError> {
    let what = "its answer";
    let document = JsonDocument::parse(answer.as_bytes(), what)?;
    match document.text(&["Code"]) {
        None | Some("Success") => document.session_credentials(what),
        Some("AssumeRoleUnauthorizedAccess") => {
            let problem = "EC2 may not assume the instance's role: check the role's trust policy";
            Err(CredentialsError::new(format!(
                "{problem} (AssumeRoleUnauthorizedAccess)"
            )))
        }
        Some(code) => Err(CredentialsError::new(format!(
            "it answered with the code {}",
            shown(&redactor().redact(code))
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::credentials::clocks::Clocks;
    use crate::credentials::context::AwsHosts;
    use crate::credentials::progress::Progress;
    use crate::credentials::sender::fake::NoNetwork;
    use crate::testing::{FakeSystem, assert_shown_safely, fuzz_text};

    /// Cases with settings missing from this crate, which must keep failing.
    const EXCEPTIONS: [&str; 2] = ["explicit endpoint override", "explicit mode override"];

    /// The official texts and ours for the same problem.
    const PROBLEMS: [(&str, &str); 3] = [
        (
            "`error` is not a valid endpoint mode",
            "is \"error\": can only be IPv4 or IPv6",
        ),
        (
            "`IPv7` is not a valid endpoint mode",
            "set in config, line 2: can only be IPv4 or IPv6",
        ),
        ("invalid uri character", "is \"not a uri\": is not an http"),
    ];

    fn passes(case: &Value) -> Result<(), String> {
        let variables = case["env"].as_object().unwrap();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let mut system = FakeSystem::new(&variables);
        for (path, content) in case["fs"].as_object().unwrap() {
            system = system.with_file(path, content.as_str().unwrap());
        }
        let (hosts, progress, clocks) =
            (AwsHosts::default(), Progress::default(), Clocks::default());
        let context = Context::new(&system, &NoNetwork, &hosts, &progress, &clocks);
        let outcome = endpoint(&context).map(|(origin, path)| {
            format!(
                "{}://{}{path}/latest/api/token",
                origin.scheme(),
                origin.authority
            )
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
        if is_same {
            Ok(())
        } else {
            Err(format!("{}: {outcome:?}", case["docs"]))
        }
    }

    #[test]
    fn fuzz_responses() {
        let samples = [
            r#"{"Code":"Success","AccessKeyId":"id","SecretAccessKey":"s","Token":"t","Expiration":"2030-01-01T00:00:00Z"}"#,
            r#"{"Code":"AssumeRoleUnauthorizedAccess"}"#,
            r#"{"Code":"\u202e\n"}"#,
        ];
        fuzz_text(&samples, |answer| {
            if let Err(error) = credentials_in(answer, Redactor::default) {
                assert_shown_safely(&error.to_string());
            }
            let _ = is_role_name(answer);
        });
    }

    #[test]
    #[ignore = "reads ../shared, run by .ci/run"]
    fn the_official_endpoint_cases() {
        let root = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../shared/vectors/credential-chain"
        );
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
