//! The result of `Client::sign`.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::http::{Origin, Request};
use crate::text::is_secret_header;

/// How long AWS accepts a signature. Source: "Elements of an AWS API request signature" in the AWS IAM User Guide.
pub(super) const SIGNATURE_LIFETIME: Duration = Duration::from_secs(300);

/// A signed request, made by [`Client::sign`](crate::Client::sign) and not sent.
///
/// To send it, use these headers and this body unchanged, and add no other `x-amz-` header. AWS rejects it if it
/// arrives more than 5 minutes after the time in its `x-amz-date` header. `Debug` and [`curl`](Self::curl) mask the
/// signature, the session token and the custom attributes.
///
/// ```
/// use sagemaker_invoke::{Client, Config, Credentials, InvokeEndpoint};
///
/// let client = Client::new(Config {
///     region: Some("eu-central-1".to_owned()),
///     credentials: Credentials::new("AKIDEXAMPLE", "secret").into(),
///     ..Config::default()
/// })?;
/// let request = InvokeEndpoint::new("churn-model", "1,2,3");
/// let signed = client.sign(&request)?;
/// assert_eq!(signed.url, "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/churn-model/invocations");
/// assert!(signed.header("authorization").is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 ")));
/// # Ok::<(), sagemaker_invoke::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct SignedRequest<'a> {
    /// The HTTP method, in upper case.
    pub method: &'static str,
    /// The URL: scheme, host, port if it is not the default, and path.
    pub url: String,
    /// Names in lower case and values, in the order in which this crate sends them. Without `content-length`, which the
    /// sender adds.
    pub headers: Vec<(String, String)>,
    /// The body, borrowed from the input.
    pub body: &'a [u8],
    /// Until when AWS accepts the signature, by the clock of AWS; `None` for a container, which checks none.
    pub expires_at: Option<SystemTime>,
}

impl<'a> SignedRequest<'a> {
    pub(crate) fn new(request: &Request<'_>, origin: &Origin, body: &'a [u8]) -> Self {
        let headers = request.headers.iter();
        Self {
            method: request.method,
            url: format!("{}://{}{}", origin.scheme(), origin.authority, request.path),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body,
            expires_at: None,
        }
    }

    /// Returns the value of a header, or `None` if there is none. `name` must be in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|(candidate, value)| (candidate == name).then_some(value.as_str()))
    }

    /// Returns a `curl` command for a POSIX shell, with secrets masked. It reads the body from standard input.
    #[must_use]
    pub fn curl(&self) -> String {
        self.curl_command(masked)
    }

    /// Like [`curl`](Self::curl), but with all secrets, so that the command works. Keep it secret: the signature is
    /// valid for 5 minutes, and the session token until the credentials expire.
    #[must_use]
    pub fn curl_with_secrets(&self) -> String {
        self.curl_command(|_, value| value)
    }

    fn curl_command(&self, shown: impl for<'v> Fn(&str, &'v str) -> &'v str) -> String {
        // Without --globoff, curl expands brackets and braces in the URL.
        let mut command = format!(
            "curl --globoff -X {} {}",
            self.method,
            shell_quoted(&self.url)
        );
        for (name, value) in &self.headers {
            let value = shown(name, value);
            // curl sends a header without a value for "name;", and removes its own header for "name:".
            let header = if value.is_empty() {
                format!("{name};")
            } else {
                format!("{name}: {value}")
            };
            command.push_str(&format!(" -H {}", shell_quoted(&header)));
        }
        for added_by_curl in ["accept", "content-type"] {
            if self.header(added_by_curl).is_none() {
                command.push_str(&format!(" -H '{added_by_curl}:'"));
            }
        }
        command.push_str(" --data-binary @-");
        command
    }
}

/// Masks the value of a secret header.
fn masked<'v>(name: &str, value: &'v str) -> &'v str {
    if is_secret_header(name) { "***" } else { value }
}

/// Quotes text for a POSIX shell: within single quotes, only the single quote itself is special.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name, masked(name, value)));
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &headers.collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> SignedRequest<'static> {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        SignedRequest {
            method: "POST",
            url: "https://h/p".to_owned(),
            headers: vec![
                header("accept", ""),
                header("x-amzn-sagemaker-target-model", "it's"),
                header("authorization", "hidden"),
                header("x-amz-security-token", "hidden"),
                header("x-amzn-sagemaker-custom-attributes", "hidden"),
            ],
            body: b"hidden",
            expires_at: None,
        }
    }

    #[test]
    fn the_command_is_quoted_for_a_shell_and_masked() {
        let command = request().curl();
        assert!(
            command.starts_with("curl --globoff -X POST 'https://h/p' -H 'accept;'"),
            "{command}"
        );
        assert!(
            command.contains(r"'x-amzn-sagemaker-target-model: it'\''s'"),
            "{command}"
        );
        assert!(
            command.ends_with("-H 'content-type:' --data-binary @-"),
            "{command}"
        );
        assert!(
            !command.contains("hidden")
                && request()
                    .curl_with_secrets()
                    .contains("'authorization: hidden'")
        );
    }

    #[test]
    fn brackets_and_braces_in_the_path_are_sent_as_they_are() {
        let url = "https://[::1]:8080/a[1-3]/{b,c}";
        let command = SignedRequest {
            url: url.to_owned(),
            ..request()
        }
        .curl();
        assert!(
            command.starts_with(&format!("curl --globoff -X POST '{url}' ")),
            "{command}"
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", request()).contains("hidden"));
    }
}
