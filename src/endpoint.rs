//! From region and settings to scheme, host and base path.
//!
//! Source: the service's endpoint rule set, as botocore 1.44.5 ships it.

use crate::aws::Service;
use crate::aws::region::is_host_label;
use crate::error::ConfigError;
use crate::http::Origin;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
                let authority = Service::SAGEMAKER_RUNTIME.host(checked_region(region)?, *fips, *dual_stack);
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

fn parse_url(url: &str, is_container: bool) -> Result<ResolvedEndpoint, ConfigError> {
    let invalid = |problem: &str| ConfigError::new("endpoint URL", format!("{url:?} {problem}"));
    if url.contains('@') {
        // Not repeated, because it may hold a password.
        let problem = "holds a user name or password, which have no place there";
        return Err(ConfigError::new("endpoint URL", problem));
    }
    let (origin, path) = Origin::split_url(url).ok_or_else(|| {
        invalid("is not http:// or https:// with a valid host and port and a path that is percent-encoded")
    })?;
    if path.contains('?') {
        return Err(invalid("has a query"));
    }
    Ok(ResolvedEndpoint { origin, base_path: path.trim_end_matches('/').to_owned(), is_container })
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
