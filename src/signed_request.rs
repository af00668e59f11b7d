//! A signed request that has not been sent.

use std::fmt;

use crate::http::{HttpRequest, Origin};

/// Headers whose values open doors or hold what is the caller's own.
const SECRET_HEADERS: [&str; 3] =
    ["authorization", "x-amz-security-token", "x-amzn-sagemaker-custom-attributes"];

/// What would be sent: good for 5 minutes from the time in its `x-amz-date` header.
///
/// Whoever sends it must send these headers as they are, this body, and no other `x-amz-` header.
/// Debug and [`curl`](Self::curl) hide the signature, the session token and the custom attributes.
#[derive(Clone)]
#[non_exhaustive]
pub struct SignedRequest<'a> {
    /// The HTTP method.
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Lower-case names and values in the order in which this crate sends them; `content-length` is left to the sender.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> SignedRequest<'a> {
    pub(crate) fn new(request: &HttpRequest<'_>, origin: &Origin, body: &'a [u8]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            method: request.method,
            url: format!("{}://{}{}", origin.scheme(), origin.authority, request.path),
            headers: request.headers.iter().map(owned).collect(),
            body,
        }
    }

    /// The value of the header with this lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(candidate, value)| (candidate == name).then_some(value.as_str()))
    }

    /// The request as a `curl` command for a POSIX shell that takes the body from standard input, with secrets masked.
    #[must_use]
    pub fn curl(&self) -> String {
        self.curl_command(|name, value| if SECRET_HEADERS.contains(&name) { "***" } else { value })
    }

    /// The same with everything in it, so that it can be run. Treat it as a secret for 5 minutes, and the session
    /// token in it for as long as that is good.
    #[must_use]
    pub fn curl_with_secrets(&self) -> String {
        self.curl_command(|_, value| value)
    }

    fn curl_command(&self, shown: impl for<'v> Fn(&str, &'v str) -> &'v str) -> String {
        let mut command = format!("curl -X {} {}", self.method, quoted(&self.url));
        for (name, value) in &self.headers {
            let value = shown(name, value);
            // curl takes "name;" for a header without a value, and "name:" for one to leave out.
            let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
            command.push_str(&format!(" -H {}", quoted(&header)));
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

/// In single quotes, where a POSIX shell takes every character but the quote for itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = |(name, value): &(String, String)| {
            let shown = if SECRET_HEADERS.contains(&name.as_str()) { "***" } else { value };
            (name.clone(), shown.to_owned())
        };
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers.iter().map(masked).collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
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
        }
    }

    #[test]
    fn the_command_is_quoted_for_a_shell_and_masked() {
        let command = request().curl();
        assert!(command.starts_with("curl -X POST 'https://h/p' -H 'accept;'"), "{command}");
        assert!(command.contains(r"'x-amzn-sagemaker-target-model: it'\''s'"), "{command}");
        assert!(command.ends_with("-H 'content-type:' --data-binary @-"), "{command}");
        assert!(
            !command.contains("hidden") && request().curl_with_secrets().contains("'authorization: hidden'")
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", request()).contains("hidden"));
    }
}
