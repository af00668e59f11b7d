//! The credentials endpoint of a container: an ECS task, an EKS pod, Lambda, Greengrass.
//!
//! Source: the AWS SDKs and Tools reference guide, "Container credential provider".

use super::Credentials;
use super::answer::{Answer, shown};
use super::context::{Context, Refusal};
use super::http::{Again, FailureKind, Miss, Way, may_be_container, send, with_attempts};
use crate::endpoint::split_url;
use crate::error::CredentialsError;
use crate::http::{HttpRequest, HttpResponse, Origin};
use crate::signing::insert_at_host;

const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// Where ECS answers the relative URI.
const ECS_ORIGIN: &str = "http://169.254.170.2";

pub(super) fn load(context: &Context<'_>) -> Result<Credentials, Refusal> {
    let Target { origin, path } = target(context)?;
    let token = token(context)?;
    let mut headers = vec![("accept", "application/json")];
    insert_at_host(&mut headers, [("host", origin.authority.as_str())]);
    headers.extend(token.as_deref().map(|token| ("authorization", token)));
    let request = HttpRequest { method: "GET", path: &path, headers, unsigned_headers: &[], body: &[] };
    let attempt = || {
        context.left("the container's endpoint").map_err(|error| Miss { error, again: Again::Never })?;
        let response = send(context, Way::Container, &origin, &request).map_err(|failure| {
            let again = if failure.kind == FailureKind::Final { Again::Never } else { Again::Soon };
            Miss { error: CredentialsError::from(failure), again }
        })?;
        credentials_in(&response)
    };
    let outcome = with_attempts(context, Way::Container, attempt);
    Ok(outcome.map_err(|error| error.within("the container's endpoint"))?)
}

/// Where the endpoint is.
struct Target {
    origin: Origin,
    /// With the query.
    path: String,
}

fn target(context: &Context<'_>) -> Result<Target, Refusal> {
    let (setting, url) = match (context.variable(RELATIVE_URI), context.variable(FULL_URI)) {
        (Some(relative), _) => (RELATIVE_URI, format!("{ECS_ORIGIN}{relative}")),
        (None, Some(url)) => (FULL_URI, url),
        (None, None) => {
            return Err(Refusal::not_configured(format!("neither {RELATIVE_URI} nor {FULL_URI} is set")));
        }
    };
    let refused = |problem: &str| CredentialsError::new(format!("{setting} {problem}"));
    let (origin, path) = split_url(&url)
        .filter(|(origin, _)| setting == FULL_URI || origin.authority == "169.254.170.2")
        .ok_or_else(|| refused("is not a URL with a host"))?;
    if !origin.tls && !may_be_container(&origin.authority) {
        return Err(
            refused("is an http:// URL of a host that is neither loopback nor ECS's nor EKS's").into()
        );
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Target { origin, path })
}

/// The value of the Authorization header. The file is read anew each time, as its token is replaced from time to time.
fn token(context: &Context<'_>) -> Result<Option<String>, CredentialsError> {
    const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    let (setting, token) = if let Some(path) = context.variable(TOKEN_FILE) {
        let content = context.read_file(&path, "the container's authorization token")?;
        (TOKEN_FILE, String::from_utf8(content).unwrap_or_default())
    } else if let Some(token) = context.host.variable(TOKEN).filter(|token| !token.trim().is_empty()) {
        (TOKEN, token)
    } else {
        return Ok(None);
    };
    // A line break would end the header and begin another.
    if token.is_empty() || !token.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        let problem = "holds no token, or one with a line break or other characters that no header can have";
        return Err(CredentialsError::new(format!("{setting} {problem}")));
    }
    Ok(Some(token))
}

fn credentials_in(response: &HttpResponse) -> Result<Credentials, Miss<CredentialsError>> {
    let what = "its answer";
    let answer = Answer::parse(&response.body, what);
    if response.status != 200 {
        let text = |name| answer.as_ref().ok().and_then(|answer| answer.text(&[name])).map(shown);
        let detail = [text("code"), text("message")].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let separator = if detail.is_empty() { "" } else { ": " };
        let problem = format!("it answered HTTP {}{separator}{detail}", response.status);
        let again = Again::after_status(response.status);
        return Err(Miss { error: CredentialsError::new(problem), again });
    }
    let read = |answer: Answer| match answer.text(&["Code"]) {
        Some(code) if code != "Success" => {
            Err(CredentialsError::new(format!("it answered with the code {}", shown(code))))
        }
        _ => answer.session_credentials(what),
    };
    answer.and_then(read).map_err(|error| Miss { error, again: Again::Soon })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::credentials::context::Place;
    use crate::credentials::http::fake::Silent;
    use crate::host::fake::FakeHost;

    /// The words of the official cases and ours for the same problem.
    const PROBLEMS: [(&str, &str); 2] = [
        ("No environment variables were set to configure ECS provider", "_RELATIVE_URI nor AWS_CONTAINER_"),
        ("URI did not specify a host", "is not a URL with a host"),
    ];

    fn with_context<T>(host: &FakeHost, look: impl FnOnce(&Context<'_>) -> T) -> T {
        look(&Context::new(host, &Silent, &Place::default(), None, None))
    }

    fn url(variables: &[(&str, &str)]) -> Result<String, String> {
        with_context(&FakeHost::new(variables), |context| match target(context) {
            Ok(it) => Ok(format!("{}://{}{}", it.origin.scheme(), it.origin.authority, it.path)),
            Err(refusal) => Err(refusal.into_failure().to_string()),
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
            let variables: Vec<_> =
                variables.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
            match (url(&variables), &case["result"]["Ok"]) {
                (Ok(url), Value::String(expected)) => assert_eq!(url, *expected, "{}", case["docs"]),
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
    fn a_target_off_this_machine_must_be_https() {
        assert!(url(&[(FULL_URI, "http://192.0.2.1/x")]).unwrap_err().contains("neither loopback"));
        assert_eq!(url(&[(FULL_URI, "https://192.0.2.1")]).unwrap(), "https://192.0.2.1/");
        assert_eq!(url(&[(FULL_URI, "http://[::1]:8080?a=b")]).unwrap(), "http://[::1]:8080/?a=b");
        for bad in ["@192.0.2.1/x", ".example.com/x", ":80:80/", " x"] {
            assert!(url(&[(RELATIVE_URI, bad)]).is_err() || bad.starts_with(' '), "{bad}");
        }
    }

    #[test]
    fn a_token_cannot_add_a_header() {
        let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t");
        let from_file = |content: &str| {
            let host = FakeHost::new(&[file]).with_file("/t", content);
            with_context(&host, token).map_err(|error| error.to_string())
        };
        assert_eq!(from_file("Bearer abc"), Ok(Some("Bearer abc".to_owned())));
        for bad in ["", "a\r\nx: y", "a\n", "\u{e9}"] {
            let text = from_file(bad).unwrap_err();
            assert!(text.starts_with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE holds no token"), "{text}");
        }
        let text = with_context(&FakeHost::new(&[file]), token).unwrap_err().to_string();
        assert_eq!(text, "the container's authorization token cannot be read from /t");
        let variable = FakeHost::new(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\nb")]);
        assert!(with_context(&variable, token).is_err());
    }
}
