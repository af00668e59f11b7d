//! The credentials endpoint of a container: an ECS task, an EKS pod, Lambda, Greengrass.
//!
//! Source: the AWS SDKs and Tools reference guide, "Container credential provider".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::aws::Credentials;
use crate::credentials::call::{FailedAttempt, SourceCall};
use crate::credentials::context::{Context, ProviderError};
use crate::credentials::parse::json::JsonDocument;
use crate::credentials::sender::{CallSettings, HttpResponse};
use crate::credentials::shown::shown;
use crate::error::CredentialsError;
use crate::http::{Cause, Origin, Phase, Request, TransportError};
use crate::service::ErrorResponse;

const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// The host of the relative URI: ECS.
const ECS_HOST: &str = "169.254.170.2";

/// Addresses allowed over plain HTTP, like loopback: ECS and EKS Pod Identity. Source: the AWS SDKs.
const CONTAINER_ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

const WHAT: &str = "the container's endpoint";

pub(in crate::credentials) fn load(context: &Context<'_>) -> Result<Credentials, ProviderError> {
    let (origin, path) = endpoint(context)?;
    let token = token(context)?;
    let mut headers = vec![
        ("accept", "application/json"),
        ("host", origin.authority.as_str()),
    ];
    headers.extend(token.as_deref().map(|token| ("authorization", token)));
    let request = Request {
        method: "GET",
        path: &path,
        headers,
        body: &[],
    };
    let settings = CallSettings::container(is_container_address);
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let call = SourceCall {
        context,
        what: WHAT,
        origin: &origin,
        settings,
        secrets: &[("query", query)],
    };
    call.run(|| credentials_in(&call.send(&request).map_err(unanswered)?))
}

/// With advice if the address was refused, which is the only lookup whose outcome is final.
fn unanswered(error: TransportError) -> FailedAttempt {
    if error.phase != Phase::Lookup || error.cause != Cause::Permanent {
        return error.into();
    }
    let advice =
        "; over plain HTTP the host must have loopback addresses only, or those of ECS and EKS";
    FailedAttempt::fatal(CredentialsError::from(error).followed_by(advice))
}

/// Whether the endpoint may have this address when it is called over plain HTTP.
fn is_container_address(address: IpAddr) -> bool {
    address.is_loopback() || CONTAINER_ADDRESSES.contains(&address)
}

/// Origin, and path with query.
fn endpoint(context: &Context<'_>) -> Result<(Origin, String), ProviderError> {
    let (setting, url) = match (context.variable(RELATIVE_URI), context.variable(FULL_URI)) {
        (Some(path), _) => (RELATIVE_URI, format!("http://{ECS_HOST}{path}")),
        (None, Some(url)) => (FULL_URI, url),
        (None, None) => {
            let reason = format!("neither {RELATIVE_URI} nor {FULL_URI} is set");
            return Err(ProviderError::not_configured(reason));
        }
    };
    Ok(checked_endpoint(setting, &url)?)
}

fn checked_endpoint(setting: &str, url: &str) -> Result<(Origin, String), CredentialsError> {
    match Origin::split_url(url) {
        Some((origin, _)) if setting == RELATIVE_URI && origin.authority != ECS_HOST => {
            Err(CredentialsError::new(format!("{setting} is not a path")))
        }
        // The addresses of a name are checked when it is looked up for the connection.
        Some((origin, _))
            if !origin.tls
                && origin
                    .host()
                    .parse()
                    .is_ok_and(|it| !is_container_address(it)) =>
        {
            let problem =
                "is an http:// URL of a host that is neither loopback nor ECS's nor EKS's";
            Err(CredentialsError::new(format!("{setting} {problem}")))
        }
        Some((origin, path)) => Ok((origin, path)),
        None => Err(CredentialsError::new(format!(
            "{setting} is not a URL with a host"
        ))),
    }
}

/// The value of the Authorization header. The file is read at each search, because its token is replaced regularly.
fn token(context: &Context<'_>) -> Result<Option<String>, CredentialsError> {
    const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    if let Some(path) = context.variable(TOKEN_FILE) {
        let content = context.read_file(&path, "the container's authorization token")?;
        return header_value(content, TOKEN_FILE).map(Some);
    }
    match context.system.variable(TOKEN) {
        Some(token) if !token.trim().is_empty() => {
            header_value(token.into_bytes(), TOKEN).map(Some)
        }
        _ => Ok(None),
    }
}

/// Refuses a token that is not a header value: a line break would begin another header.
fn header_value(token: Vec<u8>, setting: &str) -> Result<String, CredentialsError> {
    let is_valid = token
        .iter()
        .all(|byte| *byte == b' ' || byte.is_ascii_graphic());
    match String::from_utf8(token) {
        Ok(token) if is_valid && !token.is_empty() => Ok(token),
        _ => {
            let problem = "holds no token, or one with a line break or other characters that no header can have";
            Err(CredentialsError::new(format!("{setting} {problem}")))
        }
    }
}

fn credentials_in(response: &HttpResponse) -> Result<Credentials, FailedAttempt> {
    let what = "its answer";
    if response.status != 200 {
        let problem = refusal(&response.error());
        return Err(FailedAttempt::refused(response.status, problem));
    }
    let document = JsonDocument::parse(&response.body, what);
    let document = document.map_err(FailedAttempt::retryable)?;
    match document.text(&["Code"]) {
        Some(code) if code != "Success" => {
            let problem = format!("it answered with the code {}", response.shown(code));
            Err(FailedAttempt::retryable(CredentialsError::new(problem)))
        }
        _ => document
            .session_credentials(what)
            .map_err(FailedAttempt::retryable),
    }
}

fn refusal(response: &ErrorResponse) -> String {
    let mut problem = format!("it answered HTTP {}", response.status);
    if let Some(code) = &response.code {
        problem.push_str(": ");
        problem.push_str(&code.name);
    }
    if let Some(message) = &response.message {
        problem.push_str(": ");
        problem.push_str(&shown(message));
    }
    problem
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::credentials::clocks::Clocks;
    use crate::credentials::context::AwsHosts;
    use crate::credentials::progress::Progress;
    use crate::credentials::sender::fake::NoNetwork;
    use crate::http::Headers;
    use crate::testing::{FakeSystem, assert_shown_safely, fuzz, fuzz_text};

    /// The error texts of the official cases, and ours for the same problem.
    const PROBLEMS: [(&str, &str); 2] = [
        (
            "No environment variables were set to configure ECS provider",
            "_RELATIVE_URI nor AWS_CONTAINER_",
        ),
        ("URI did not specify a host", "is not a URL with a host"),
    ];

    fn with_context<T>(system: &FakeSystem, look: impl FnOnce(&Context<'_>) -> T) -> T {
        look(&Context::new(
            system,
            &NoNetwork,
            &AwsHosts::default(),
            &Progress::default(),
            &Clocks::default(),
        ))
    }

    fn url(variables: &[(&str, &str)]) -> Result<String, String> {
        with_context(&FakeSystem::new(variables), |context| {
            match endpoint(context) {
                Ok((origin, path)) => {
                    Ok(format!("{}://{}{path}", origin.scheme(), origin.authority))
                }
                Err(error) => Err(error.into_failure().to_string()),
            }
        })
    }

    #[test]
    #[ignore = "reads ../shared, run by .ci/run"]
    fn the_official_cases() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors");
        let file = std::fs::read(format!("{root}/credential-chain/ecs-tests.json")).unwrap();
        let cases: Value = serde_json::from_slice(&file).unwrap();
        let cases = cases["tests"].as_array().unwrap();
        assert_eq!(cases.len(), 11);
        for case in cases {
            let variables = case["env"].as_object().unwrap();
            let variables: Vec<_> = variables
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect();
            match (url(&variables), &case["result"]["Ok"]) {
                (Ok(url), Value::String(expected)) => {
                    assert_eq!(url, *expected, "{}", case["docs"]);
                }
                (Err(text), Value::Null) => {
                    let theirs = case["result"]["ErrorContains"].as_str().unwrap();
                    let ours = PROBLEMS.iter().find(|(it, _)| *it == theirs).unwrap().1;
                    assert!(text.contains(ours), "{}: {text}", case["docs"]);
                }
                (outcome, _) => panic!("{}: {outcome:?}", case["docs"]),
            }
        }
    }

    #[test]
    fn a_remote_endpoint_must_be_https() {
        assert!(
            url(&[(FULL_URI, "http://192.0.2.1/x")])
                .unwrap_err()
                .contains("neither loopback")
        );
        assert_eq!(
            url(&[(FULL_URI, "https://192.0.2.1")]).unwrap(),
            "https://192.0.2.1/"
        );
        assert_eq!(
            url(&[(FULL_URI, "http://[::1]:8080?a=b")]).unwrap(),
            "http://[::1]:8080/?a=b"
        );
        for bad in ["@192.0.2.1/x", ".example.com/x", ":80:80/", " x"] {
            assert!(
                url(&[(RELATIVE_URI, bad)]).is_err() || bad.starts_with(' '),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_token_cannot_add_a_header() {
        let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t");
        let good = FakeSystem::new(&[file]).with_file("/t", "Bearer abc");
        assert_eq!(
            with_context(&good, token).unwrap().as_deref(),
            Some("Bearer abc")
        );
        for bad in ["", "a\r\nx: y", "a\n", "\u{e9}"] {
            let system = FakeSystem::new(&[file]).with_file("/t", bad);
            let text = with_context(&system, token).unwrap_err().to_string();
            assert!(
                text.starts_with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE holds no token"),
                "{text}"
            );
        }
        let text = with_context(&FakeSystem::new(&[file]), token)
            .unwrap_err()
            .to_string();
        assert_eq!(
            text,
            "the container's authorization token cannot be read from /t"
        );
        let two_lines =
            FakeSystem::new(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t\nx\u{1b}[1m")]);
        let text = with_context(&two_lines, token).unwrap_err().to_string();
        assert_eq!(
            text,
            "the container's authorization token cannot be read from /t x [1m"
        );
        let variable = FakeSystem::new(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\nb")]);
        assert!(with_context(&variable, token).is_err());
    }

    #[test]
    fn fuzz_responses() {
        let samples = [
            r#"{"Code":"Success","AccessKeyId":"id","SecretAccessKey":"s","Token":"t","Expiration":"2030-01-01T00:00:00Z"}"#,
            r#"{"code":"AccessDenied\n","message":"not\u0000allowed"}"#,
        ];
        fuzz(&samples, |body| {
            for status in [200, 429] {
                let response = HttpResponse::new(status, Headers::default(), body.to_vec());
                if let Err(failed) = credentials_in(&response) {
                    assert_shown_safely(&failed.error.into_failure().to_string());
                }
            }
        });
    }

    #[test]
    fn fuzz_urls_and_tokens() {
        let samples = [
            "http://127.0.0.1:80/v2?a=b",
            "/v2/credentials",
            "https://[::1]",
            "Bearer abc\r\nx: y",
        ];
        fuzz_text(&samples, |text| {
            for name in [FULL_URI, RELATIVE_URI] {
                if let Err(error) = url(&[(name, text)]) {
                    assert_shown_safely(&error);
                }
            }
            if let Ok(token) = header_value(text.as_bytes().to_vec(), "TOKEN") {
                assert_shown_safely(&token);
            }
        });
    }

    #[test]
    fn loopback_ecs_and_eks_are_allowed_over_plain_http() {
        for (address, is_allowed) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("169.254.170.2", true),
            ("169.254.170.23", true),
            ("fd00:ec2::23", true),
            ("169.254.169.254", false),
            ("10.0.0.1", false),
            ("::2", false),
        ] {
            assert_eq!(
                is_container_address(address.parse().unwrap()),
                is_allowed,
                "{address}"
            );
        }
    }
}
