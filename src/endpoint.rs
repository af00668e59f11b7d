//! From region and settings to scheme, host and base path.
//!
//! Source: the service's endpoint rule set, as botocore 1.44.5 ships it.

use crate::error::ConfigError;
use crate::http::Origin;
use crate::region::{is_host_label, partition_of};

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS's own host in the configured region.
    Aws {
        /// The FIPS 140 validated host.
        fips: bool,
        /// The host that answers over IPv6 too.
        dual_stack: bool,
    },
    /// A host of your own (a VPC endpoint, a gateway, a mock): `http://` or `https://`, a host, an optional port
    /// and an optional base path that `/endpoints/...` is appended to. Requests are signed as for AWS.
    Url(String),
    /// A model container on this machine or in this network: `POST {url}/invocations`, unsigned, with no region
    /// and no credentials. What it answers with any status but 2xx is what SageMaker would wrap into a ModelError,
    /// and comes back as one.
    Container(String),
}

impl Default for Endpoint {
    /// AWS's plain host.
    fn default() -> Self {
        Self::Aws { fips: false, dual_stack: false }
    }
}

/// An endpoint with nothing left to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvedEndpoint {
    pub(crate) origin: Origin,
    /// Empty, or begins with a slash and does not end with one.
    pub(crate) base_path: String,
    pub(crate) is_container: bool,
}

impl Endpoint {
    pub(crate) fn resolve(&self, region: Option<&str>) -> Result<ResolvedEndpoint, ConfigError> {
        match self {
            Self::Aws { fips, dual_stack } => {
                let authority = aws_host(checked_region(region)?, *fips, *dual_stack);
                let origin = Origin { tls: true, authority };
                Ok(ResolvedEndpoint { origin, base_path: String::new(), is_container: false })
            }
            Self::Url(url) => {
                checked_region(region)?;
                parse_url(url, false)
            }
            Self::Container(url) => parse_url(url, true),
        }
    }
}

fn checked_region(region: Option<&str>) -> Result<&str, ConfigError> {
    let region = region.ok_or_else(|| {
        let problem = "is missing: set Config::region, AWS_REGION, or region in the profile";
        ConfigError::new("region", problem)
    })?;
    if is_host_label(region) {
        Ok(region)
    } else {
        let problem = format!("{region:?} is not a region: letters, digits and hyphens, 63 at most");
        Err(ConfigError::new("region", problem))
    }
}

fn aws_host(region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = partition_of(region);
    let suffix = if dual_stack { partition.dual_stack_dns_suffix } else { partition.dns_suffix };
    let service = match (fips, dual_stack, partition.id) {
        (false, _, _) | (true, false, "aws-us-gov") => "runtime.sagemaker",
        (true, false, "aws") => "runtime-fips.sagemaker",
        (true, _, _) => "runtime.sagemaker-fips",
    };
    format!("{service}.{region}.{suffix}")
}

fn parse_url(url: &str, is_container: bool) -> Result<ResolvedEndpoint, ConfigError> {
    let bad = |problem: &str| ConfigError::new("endpoint URL", format!("{url:?} {problem}"));
    if url.contains('@') {
        // Not repeated, because it may hold a password.
        let problem = "holds a user name or password, which have no place there";
        return Err(ConfigError::new("endpoint URL", problem));
    }
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("has no scheme: http:// or https://"))?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(bad("has another scheme than http or https")),
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let plain_path = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if !plain_path {
        return Err(bad("has a path with a query, a fragment, or characters that need percent-encoding"));
    }
    let authority = parse_authority(authority, tls).ok_or_else(|| bad("has no valid host and port"))?;
    let base_path = path.trim_end_matches('/').to_owned();
    Ok(ResolvedEndpoint { origin: Origin { tls, authority }, base_path, is_container })
}

/// The origin of a URL, and its path with the query, which may be empty; `None` for anything else than such a URL.
pub(crate) fn split_url(url: &str) -> Option<(Origin, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let tls = scheme.eq_ignore_ascii_case("https");
    let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(path_at)?;
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let is_http = tls || scheme.eq_ignore_ascii_case("http");
    let authority = parse_authority(authority, tls).filter(|_| is_plain && is_http)?;
    Some((Origin { tls, authority }, path))
}

/// Lower-cases the host and leaves the port out when it is the scheme's own.
fn parse_authority(authority: &str, tls: bool) -> Option<String> {
    let (host, port) = split_port(authority)?;
    let host = host.to_ascii_lowercase();
    let own_port = if tls { 443 } else { 80 };
    match port {
        Some(port) if port != own_port => Some(format!("{host}:{port}")),
        _ => Some(host),
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']').map(|end| end + 2)?,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(host_end)?;
    let bracketed = host.starts_with('[');
    let is_host_byte = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_')
            || (bracketed && b"[]:%".contains(&byte))
    };
    if host.is_empty() || !host.bytes().all(is_host_byte) {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((host, Some(digits.parse().ok().filter(|port| *port != 0)?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(endpoint: &Endpoint) -> String {
        match endpoint.resolve(Some("us-east-1")) {
            Ok(it) => format!("{}://{}{}", it.origin.scheme(), it.origin.authority, it.base_path),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn fips_has_three_spellings() {
        let host = |region, dual_stack| aws_host(region, true, dual_stack);
        assert_eq!(host("us-east-1", false), "runtime-fips.sagemaker.us-east-1.amazonaws.com");
        assert_eq!(host("us-gov-west-1", false), "runtime.sagemaker.us-gov-west-1.amazonaws.com");
        assert_eq!(host("cn-north-1", false), "runtime.sagemaker-fips.cn-north-1.amazonaws.com.cn");
        assert_eq!(host("us-east-1", true), "runtime.sagemaker-fips.us-east-1.api.aws");
    }

    #[test]
    fn a_url_is_taken_apart() {
        for (url, parts) in [
            ("https://Example.com", "https://example.com"),
            ("HTTPS://example.com:443/", "https://example.com"),
            ("http://example.com:443", "http://example.com:443"),
            ("http://127.0.0.1:8080/base/path//", "http://127.0.0.1:8080/base/path"),
            ("http://[::1]:80/x", "http://[::1]/x"),
            ("http://[::1]:81", "http://[::1]:81"),
        ] {
            assert_eq!(resolved(&Endpoint::Url(url.to_owned())), parts, "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_refused() {
        for url in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://:80",
            "https://a:b",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://a b",
            "https://a/b c",
            "https://a/?q",
            "https://a#f",
            "https://[::1",
            "https://[::1]x",
            "https://ü/",
        ] {
            let endpoint = Endpoint::Url(url.to_owned());
            assert!(endpoint.resolve(Some("us-east-1")).is_err(), "{url}: {}", resolved(&endpoint));
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let text = resolved(&Endpoint::Url("https://me:secret@example.com".to_owned()));
        assert!(text.contains("endpoint URL") && !text.contains("secret"), "{text}");
        let text = resolved(&Endpoint::Url("me:secret@example.com".to_owned()));
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn only_a_container_needs_no_region() {
        let url = || "http://localhost:8080".to_owned();
        assert!(Endpoint::Container(url()).resolve(None).is_ok());
        assert!(Endpoint::Url(url()).resolve(None).is_err());
        assert!(Endpoint::default().resolve(None).is_err());
        assert!(Endpoint::default().resolve(Some("evil.com/")).is_err());
    }
}
