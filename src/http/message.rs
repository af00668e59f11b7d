use std::borrow::Cow;

use ureq::http::{HeaderMap, Uri};

use super::Timings;
use crate::text::is_secret_header;

/// Scheme, host and port of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whether the scheme is `https`.
    pub(crate) tls: bool,
    /// Lower-case host, and the port when it is not the default of the scheme: the value of the Host header.
    pub(crate) authority: String,
}

impl Origin {
    /// Splits a URL into its origin and the rest: path and query.
    ///
    /// `None` unless the URL is `http://` or `https://` with a valid host and port, without user information, without a
    /// fragment, and with visible ASCII characters only.
    pub(crate) fn split_url(url: &str) -> Option<(Self, String)> {
        if !url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
        {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri
            .authority()
            .filter(|authority| !authority.host().is_empty())?;
        // User information stands before the host, so that the prefix does not match.
        let authority = match authority.as_str().strip_prefix(authority.host())? {
            "" => authority.host().to_owned(),
            port => with_port(authority.host(), port.strip_prefix(':')?, tls)?,
        };
        let origin = Self {
            tls,
            authority: authority.to_ascii_lowercase(),
        };
        // `[]` is a host for the parser.
        if origin.host().is_empty() {
            None
        } else {
            Some((origin, uri.path_and_query()?.to_string()))
        }
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The port, given or the default of the scheme.
    pub(crate) fn port(&self) -> u16 {
        let after_host = self
            .authority
            .rsplit_once(']')
            .map_or(&*self.authority, |(_, rest)| rest);
        let port = after_host
            .rsplit_once(':')
            .and_then(|(_, port)| port_number(port));
        port.unwrap_or_else(|| default_port(self.tls))
    }

    /// The host without its port; an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        match self.authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => self.authority.split(':').next().unwrap_or(&self.authority),
        }
    }
}

/// Drops the port when it is the default of the scheme.
fn with_port(host: &str, port: &str, tls: bool) -> Option<String> {
    let port = port_number(port)?;
    Some(if port == default_port(tls) {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    })
}

/// The port of a URL: a number without a sign, and not 0.
pub(super) fn port_number(text: &str) -> Option<u16> {
    let port = text.parse().ok()?;
    if port == 0 || text.starts_with('+') {
        None
    } else {
        Some(port)
    }
}

pub(super) fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// A request that is complete but for `content-length`, which the transport adds.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    /// Percent-encoded, with the query if there is one.
    pub(crate) path: &'a str,
    /// Lower-case names in the order of writing, `host` among them. The values hold no control characters.
    pub(crate) headers: Vec<(&'static str, &'a str)>,
    pub(crate) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Names and values of the secret headers.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.headers.iter().flat_map(|&(name, value)| {
            let secrets = match name {
                "authorization" => secrets_of_authorization(value),
                _ if is_secret_header(name) => [Some(value), None],
                _ => [None, None],
            };
            secrets
                .into_iter()
                .flatten()
                .map(move |secret| (name, secret))
        })
    }
}

/// Of a signature: its digits, and a key id that does not look like one, since it may be a secret key in the wrong place.
/// The scope is no secret. Of other schemes: the complete value.
fn secrets_of_authorization(value: &str) -> [Option<&str>; 2] {
    let Some((before, signature)) = value.rsplit_once("Signature=") else {
        return [Some(value), None];
    };
    let key_id = before
        .split_once("Credential=")
        .and_then(|(_, credential)| key_id_of(credential));
    let is_secret = |id: &str| !id.bytes().all(is_key_id_byte);
    [Some(signature), key_id.filter(|id| is_secret(id))]
}

/// The part before the scope `/20260101/us-east-1/sagemaker/aws4_request`. A secret key may hold slashes.
fn key_id_of(credential: &str) -> Option<&str> {
    let (credential, _) = credential.split_once("/aws4_request")?;
    let mut parts = credential.rsplitn(4, '/');
    parts.nth(3)
}

/// Source: the access key ids of AWS, upper-case letters and digits.
fn is_key_id_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

/// Status and headers of a response, and how long the exchange took until they were there.
#[derive(Debug)]
#[allow(
    unreachable_pub,
    reason = "Rust 1.88 takes the types of a sealed trait for unreachable"
)]
pub struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) timings: Timings,
}

/// Response headers.
#[derive(Clone, Default)]
pub(crate) struct Headers(pub(super) HeaderMap);

/// Shows the number of headers: values may be the caller's secrets.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Headers({})", self.0.len())
    }
}

impl Headers {
    /// The first value of the header with this lower-case name. One that is not UTF-8 is read as Latin-1, the historical
    /// encoding of HTTP (RFC 9110, section 5.5).
    pub(crate) fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        // Responses have about ten headers: to look at each is faster than to hash the name.
        let (_, value) = self.0.iter().find(|(known, _)| known.as_str() == name)?;
        let value = value.as_bytes();
        Some(match std::str::from_utf8(value) {
            Ok(value) => value.into(),
            Err(_) => value.iter().copied().map(char::from).collect(),
        })
    }

    /// Like [`get`](Self::get), as an owned text.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(Cow::into_owned)
    }

    #[cfg(test)]
    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        let name: ureq::http::HeaderName = name.parse().unwrap();
        self.0
            .append(name, ureq::http::HeaderValue::from_bytes(value).unwrap());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_that_looks_like_a_secret_key_is_secret() {
        let secrets = |id: &str| {
            let value = format!(
                "AWS4-HMAC-SHA256 Credential={id}/20260101/us-east-1/sagemaker/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature=0123abcd"
            );
            let found = secrets_of_authorization(&value);
            found.map(|secret| secret.map(str::to_owned))
        };
        let signature = Some("0123abcd".to_owned());
        assert_eq!(secrets("AKIDEXAMPLE"), [signature.clone(), None]);
        for secret in ["wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "akid"] {
            assert_eq!(
                secrets(secret),
                [signature.clone(), Some(secret.to_owned())]
            );
        }
        assert_eq!(
            secrets_of_authorization("Bearer a"),
            [Some("Bearer a"), None]
        );
    }

    #[test]
    fn headers_are_found_by_name_first_value_first() {
        let mut headers = Headers::default();
        headers.push("a", b"\xe9");
        headers.push("b", b"");
        headers.push("a", b"2");
        assert_eq!(headers.get("a").as_deref(), Some("é"));
        assert_eq!(headers.get("b").as_deref(), Some(""));
        assert_eq!(headers.get("c"), None);
    }

    #[test]
    fn a_url_is_split_into_origin_and_path() {
        for (url, origin, host, path) in [
            (
                "https://Example.com",
                "https://example.com",
                "example.com",
                "/",
            ),
            (
                "HTTPS://example.com:443/",
                "https://example.com",
                "example.com",
                "/",
            ),
            (
                "http://example.com:443?a=b",
                "http://example.com:443",
                "example.com",
                "/?a=b",
            ),
            ("http://[::1]:80/x", "http://[::1]", "::1", "/x"),
            ("http://[::1]:81", "http://[::1]:81", "::1", "/"),
        ] {
            let (split, rest) = Origin::split_url(url).unwrap();
            assert_eq!(
                format!("{}://{}", split.scheme(), split.authority),
                origin,
                "{url}"
            );
            assert_eq!((split.host(), rest.as_str()), (host, path), "{url}");
        }
    }
}
