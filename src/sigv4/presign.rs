//! Presigned URLs: the signature in the query instead of the `Authorization` header.

use std::fmt;
use std::time::Duration;

use super::encoding::{percent_encoded, write_query};
use super::{ALGORITHM, CanonicalRequest, Request, Scope, SigningKey, StringToSign};

/// What presigning adds to a [`Request`].
///
/// A presigned URL carries its own permission: any program with the URL can send the request until it expires. Keep it
/// secret.
///
/// ```
/// use std::time::Duration;
/// use sagemaker_invoke::sigv4::{AmzDate, PathStyle, Payload, Presign, Request, Scope, SigningKey};
///
/// let request = Request {
///     payload: Payload::Literal("UNSIGNED-PAYLOAD"),
///     path_style: PathStyle::S3,
///     ..Request::new("GET", "/test.txt")
/// };
/// let amz_date = AmzDate::from_unix_seconds(1_369_353_600).expect("a year before 10000");
/// let scope = Scope { amz_date, region: "us-east-1", service: "s3" };
/// let presign = Presign {
///     host: "examplebucket.s3.amazonaws.com",
///     access_key_id: "AKIAIOSFODNN7EXAMPLE",
///     session_token: None,
///     scope,
///     expires_in: Duration::from_secs(86_400),
/// };
/// let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope);
/// let url = presign.url(&request, &key);
/// assert!(url.ends_with("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"));
/// ```
///
/// This is the example of "Authenticating Requests: Using Query Parameters" in the Amazon S3 API Reference.
///
/// To look at the steps, make the request that is signed, and go on as for a header:
///
/// ```
/// # use std::time::Duration;
/// # use sagemaker_invoke::sigv4::{AmzDate, CanonicalRequest, Presign, Request, Scope};
/// # let scope = Scope { amz_date: AmzDate::from_unix_seconds(0).unwrap(), region: "us-east-1", service: "sts" };
/// # let expires_in = Duration::from_secs(60);
/// # let presign = Presign { host: "h", access_key_id: "AKID", session_token: None, scope, expires_in };
/// # let request = Request::new("GET", "/");
/// let (headers, query) = (presign.headers(&request), presign.query(&request));
/// let signed = Request { headers: &headers, query: &query, ..request };
/// println!("{}", CanonicalRequest::new(&signed));
/// ```
#[derive(Clone, Copy)]
pub struct Presign<'a> {
    /// The host, with its port unless that is the default. Becomes the signed header `host`.
    pub host: &'a str,
    /// The ID of the access key from which the signing key was derived. Not a secret.
    pub access_key_id: &'a str,
    /// The session token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// The credential scope, and the time from which the URL is valid.
    pub scope: Scope<'a>,
    /// How long the URL is valid, in whole seconds; a fraction is dropped. AWS accepts up to 7 days, and ends the
    /// validity with that of the credentials.
    pub expires_in: Duration,
}

impl<'a> Presign<'a> {
    /// The signed headers: `host` and those of the request. The sender of the URL must send them unchanged.
    #[must_use]
    pub fn headers(&self, request: &Request<'a>) -> Vec<(&'a str, &'a str)> {
        [("host", self.host)]
            .into_iter()
            .chain(request.headers.iter().copied())
            .collect()
    }

    /// The signed query: the query of the request, encoded again, and the parameters of the signature, in the order of
    /// botocore.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a String takes any text")]
    pub fn query(&self, request: &Request<'a>) -> String {
        let mut query = String::with_capacity(512);
        write_query(request.query, &mut query).expect("writing to a String does not fail");
        let credential = format!("{}/{}", self.access_key_id, self.scope);
        let expires = self.expires_in.as_secs().to_string();
        let signed_headers = self.signed_headers(request);
        let parameters = [
            ("X-Amz-Algorithm", Some(ALGORITHM)),
            ("X-Amz-Credential", Some(&*credential)),
            ("X-Amz-Date", Some(self.scope.amz_date.as_str())),
            ("X-Amz-Expires", Some(&*expires)),
            ("X-Amz-SignedHeaders", Some(&*signed_headers)),
            ("X-Amz-Security-Token", self.session_token),
        ];
        for (name, value) in parameters {
            if let Some(value) = value {
                let separator = if query.is_empty() { "" } else { "&" };
                query.push_str(&format!("{separator}{name}={}", percent_encoded(value)));
            }
        }
        query
    }

    /// The presigned URL, over HTTPS.
    ///
    /// `key` must be derived for the [scope](Self::scope).
    #[must_use]
    pub fn url(&self, request: &Request<'a>, key: &SigningKey) -> String {
        let (headers, query) = (self.headers(request), self.query(request));
        let signed = Request {
            headers: &headers,
            query: &query,
            ..*request
        };
        let signature = key.sign(&StringToSign::new(
            &CanonicalRequest::new(&signed),
            self.scope,
        ));
        let path = if request.path.is_empty() {
            "/"
        } else {
            request.path
        };
        format!(
            "https://{}{path}?{query}&X-Amz-Signature={signature}",
            self.host
        )
    }

    #[expect(clippy::expect_used, reason = "a String takes any text")]
    fn signed_headers(&self, request: &Request<'a>) -> String {
        let headers = self.headers(request);
        let mut names = String::new();
        CanonicalRequest::new(&Request {
            headers: &headers,
            ..Request::new("", "")
        })
        .write_signed_headers(&mut names)
        .expect("writing to a String does not fail");
        names
    }
}

/// Hides the session token.
impl fmt::Debug for Presign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presign")
            .field("host", &self.host)
            .field("access_key_id", &self.access_key_id)
            .field("session_token", &self.session_token.map(|_| ".."))
            .field("scope", &self.scope)
            .field("expires_in", &self.expires_in)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::AmzDate;
    use super::*;

    fn presign() -> Presign<'static> {
        let amz_date = AmzDate::from_unix_seconds(0).unwrap();
        Presign {
            host: "h",
            access_key_id: "AKID",
            session_token: Some("hidden/+"),
            scope: Scope {
                amz_date,
                region: "r",
                service: "s",
            },
            expires_in: Duration::from_millis(1_999),
        }
    }

    #[test]
    fn the_query_of_the_request_comes_first_in_its_order() {
        let headers = [("X-B", "2"), ("a", "1")];
        let request = Request {
            query: "b=%7e&&a+",
            headers: &headers,
            ..Request::new("GET", "/")
        };
        assert_eq!(
            presign().query(&request),
            "b=~&a%20=&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F19700101%2Fr%2Fs%2Faws4_request\
             &X-Amz-Date=19700101T000000Z&X-Amz-Expires=1&X-Amz-SignedHeaders=a%3Bhost%3Bx-b\
             &X-Amz-Security-Token=hidden%2F%2B"
        );
    }

    #[test]
    fn debug_hides_the_session_token() {
        let text = format!("{:?}", presign());
        assert!(!text.contains("hidden") && text.contains("AKID"), "{text}");
    }
}
