//! `Debug` of requests, without secrets.

use std::fmt;

use super::Request;
use super::canonical_request::SortedHeaders;

/// Headers with values that authenticate the caller or hold the caller's own data.
const SECRET_HEADERS: [&str; 3] = [
    "authorization",
    "x-amz-security-token",
    "x-amzn-sagemaker-custom-attributes",
];

/// Parameters of a presigned URL that authenticate the caller.
const SECRET_PARAMETERS: [&str; 2] = ["x-amz-security-token", "x-amz-signature"];

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &masked_query(self.query))
            .field("headers", &ShownHeaders(|| self.headers.iter().copied()))
            .field("payload", &self.payload)
            .field("path_style", &self.path_style)
            .finish()
    }
}

impl fmt::Debug for SortedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ShownHeaders(|| self.iter()).fmt(f)
    }
}

/// A list of headers with secret values masked.
struct ShownHeaders<F>(F);

impl<'a, F: Fn() -> I, I: Iterator<Item = (&'a str, &'a str)>> fmt::Debug for ShownHeaders<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries((self.0)().map(|(name, value)| (name, masked_value(name, value))))
            .finish()
    }
}

fn masked_value<'a>(name: &str, value: &'a str) -> &'a str {
    if SECRET_HEADERS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
    {
        ".."
    } else {
        value
    }
}

/// The whole query is hidden, because names and values may be percent-encoded in many ways.
fn masked_query(query: &str) -> &str {
    let lower_case = query.to_ascii_lowercase().replace("%2d", "-");
    if SECRET_PARAMETERS
        .iter()
        .any(|secret| lower_case.contains(secret))
    {
        ".."
    } else {
        query
    }
}

#[cfg(test)]
mod tests {
    use crate::sigv4::{
        AmzDate, Authorization, CanonicalRequest, Request, Scope, SigningKey, StringToSign,
    };

    #[test]
    fn no_step_shows_a_token_or_a_signature() {
        let amz_date = AmzDate::from_unix_seconds(0).unwrap();
        let scope = Scope {
            amz_date,
            region: "us-east-1",
            service: "service",
        };
        let unsorted = [
            ("X-Amz-Security-Token", "secret"),
            ("Authorization", "secret"),
            ("Host", "shown"),
        ];
        let sorted = [("host", "shown"), ("x-amz-security-token", "secret")];
        for headers in [&unsorted[..], &sorted] {
            for query in [
                "a=shown",
                "X-Amz-Security-Token=secret",
                "x-amz%2dsignature=secret",
            ] {
                let request = Request {
                    query,
                    headers,
                    ..Request::new("GET", "/")
                };
                let canonical_request = CanonicalRequest::new(&request);
                let string_to_sign = StringToSign::new(&canonical_request, scope);
                let signature = SigningKey::derive("key", scope).sign(&string_to_sign);
                let authorization = Authorization {
                    access_key_id: "id",
                    scope,
                    canonical_request: &canonical_request,
                    signature,
                };
                let text = format!(
                    "{request:?} {canonical_request:#?} {string_to_sign:?} {authorization:?}"
                );
                assert!(text.contains("shown") && !text.contains("secret"), "{text}");
                assert!(!text.contains(signature.as_str()), "{text}");
            }
        }
    }
}
