//! Resolves region and settings to scheme, host and base path.
//!
//! Source: the service's endpoint rule set, as botocore 1.44.5 ships it.

use std::fmt;

use crate::aws::Service;
use crate::aws::region::is_host_label;
use crate::error::ConfigError;
use crate::http::Origin;
use crate::text::{OneLine, masked_url};

/// Where requests go. Debug shows a URL without user information and query.
///
/// ```
/// use sagemaker_invoke::{Client, Config, Endpoint};
///
/// // A model container on this machine; no region and no credentials.
/// let endpoint = Endpoint::Container("http://127.0.0.1:8080".to_owned());
/// let client = Client::new(Config { endpoint, ..Config::default() })?;
/// # Ok::<(), sagemaker_invoke::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// AWS's own host in the configured region.
    Aws {
        /// The FIPS 140 validated host.
        fips: bool,
        /// The host that is also reachable over IPv6.
        dual_stack: bool,
    },
    /// A host of your own (a VPC endpoint, a gateway, a mock): `http://` or `https://`, a host, an optional port and an
    /// optional base path, to which `/endpoints/...` is appended. Requests are signed as for AWS.
    Url(String),
    /// A model container on this machine or in this network: `POST {url}/invocations`, unsigned, with no region
    /// and no credentials. An answer with a status other than 2xx becomes a ModelError, as it does behind SageMaker.
    Container(String),
}

impl Default for Endpoint {
    /// AWS's plain host.
    fn default() -> Self {
        Self::Aws {
            fips: false,
            dual_stack: false,
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws { fips, dual_stack } => f
                .debug_struct("Aws")
                .field("fips", fips)
                .field("dual_stack", dual_stack)
                .finish(),
            Self::Url(url) => f
                .debug_tuple("Url")
                .field(&shown(&masked_url(url)))
                .finish(),
            Self::Container(url) => f
                .debug_tuple("Container")
                .field(&shown(&masked_url(url)))
                .finish(),
        }
    }
}

/// A resolved endpoint.
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
                let authority =
                    Service::SAGEMAKER_RUNTIME.host(checked_region(region)?, *fips, *dual_stack);
                let origin = Origin {
                    tls: true,
                    authority,
                };
                Ok(ResolvedEndpoint {
                    origin,
                    base_path: String::new(),
                    is_container: false,
                })
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
        let problem = format!(
            "{:?} is not a region: letters, digits and hyphens, 63 at most",
            shown(region)
        );
        Err(ConfigError::new("region", problem))
    }
}

fn parse_url(url: &str, is_container: bool) -> Result<ResolvedEndpoint, ConfigError> {
    if url.contains('@') {
        // Not repeated: where user information ends is not certain.
        let problem = "holds a user name or password, which have no place there";
        return Err(ConfigError::new("endpoint URL", problem));
    }
    let (origin, path) = Origin::split_url(url).ok_or_else(|| {
        let rule = "is not http:// or https:// with a valid host and port and a path that is percent-encoded";
        invalid_url(url, rule)
    })?;
    if path.contains('?') {
        return Err(invalid_url(url, "has a query"));
    }
    if !is_container && is_invocation_path(&path) {
        let rule = "is the URL of an invocation: the endpoint name belongs in the request, and the endpoint URL ends before /endpoints";
        return Err(invalid_url(url, rule));
    }
    Ok(ResolvedEndpoint {
        origin,
        base_path: path.trim_end_matches('/').to_owned(),
        is_container,
    })
}

/// Whether the path is that of the invocation URL in the SageMaker console, `/endpoints/NAME/invocations`.
fn is_invocation_path(path: &str) -> bool {
    let Some((_, rest)) = path.rsplit_once("/endpoints/") else {
        return false;
    };
    matches!(
        rest.trim_end_matches('/').split_once('/'),
        Some((
            _,
            "invocations" | "async-invocations" | "invocations-response-stream"
        ))
    )
}

fn invalid_url(url: &str, problem: &str) -> ConfigError {
    ConfigError::new(
        "endpoint URL",
        format!("{:?} {problem}", shown(&masked_url(url))),
    )
}

fn shown(text: &str) -> OneLine<'_> {
    OneLine::short(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_shown_safely, fuzz_text};

    fn resolved(endpoint: &Endpoint) -> String {
        match endpoint.resolve(Some("us-east-1")) {
            Ok(it) => format!(
                "{}://{}{}",
                it.origin.scheme(),
                it.origin.authority,
                it.base_path
            ),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_url_is_split_into_its_parts() {
        for (url, parts) in [
            ("https://Example.com", "https://example.com"),
            ("HTTPS://example.com:443/", "https://example.com"),
            ("http://example.com:443", "http://example.com:443"),
            (
                "http://127.0.0.1:8080/base/path//",
                "http://127.0.0.1:8080/base/path",
            ),
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
            "http://[]:81",
            "https://[::1]x",
            "https://ü/",
            "https://a/endpoints/churn-model/invocations",
            "https://a/base/endpoints/churn-model/async-invocations/",
        ] {
            let endpoint = Endpoint::Url(url.to_owned());
            assert!(
                endpoint.resolve(Some("us-east-1")).is_err(),
                "{url}: {}",
                resolved(&endpoint)
            );
        }
    }

    #[test]
    fn an_error_repeats_no_user_information_and_no_query() {
        for url in [
            "https://me:hidden@example.com",
            "me:hidden@example.com",
            "https://me:hid?den@example.com",
            "https://me:hidden@exa mple.com",
            "https://me:hidden%40example.com",
            "https://example.com/?token=hidden",
            "https://example.com?hidden",
            "https://exa mple.com/?token=hidden",
            "ftp://example.com/?token=hidden",
            "example.com/base?hidden",
            "https://example.com/#token=hidden",
            "https://example.com/hidden?mail=me@example.com",
        ] {
            for endpoint in [
                Endpoint::Url(url.to_owned()),
                Endpoint::Container(url.to_owned()),
            ] {
                let error = endpoint.resolve(Some("us-east-1")).unwrap_err();
                let text = format!("{error} {error:?}");
                assert!(
                    text.contains("endpoint URL") && !text.contains("hid"),
                    "{url}: {text}"
                );
            }
        }
        let error = Endpoint::Url("https://example.com/base?hidden".to_owned())
            .resolve(Some("r"))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"endpoint URL "https://example.com/base?.." has a query"#
        );
    }

    #[test]
    fn an_error_is_one_bounded_line() {
        let long = "x".repeat(100_000);
        for text in [format!("{long} "), "a\nb\u{202e}".to_owned()] {
            let of_url = Endpoint::Url(text.clone())
                .resolve(Some("r"))
                .unwrap_err()
                .to_string();
            let of_region = Endpoint::default()
                .resolve(Some(&text))
                .unwrap_err()
                .to_string();
            for error in [of_url, of_region] {
                assert!(
                    error.len() < 1_000 && error.is_ascii() && !error.contains('\n'),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn debug_shows_no_user_information_and_no_query() {
        let url = || "https://me:hidden@example.com/base?token=hidden".to_owned();
        assert_eq!(
            format!("{:?}", Endpoint::Url(url())),
            r#"Url("https://..@example.com/base?..")"#
        );
        assert_eq!(
            format!("{:?}", Endpoint::Container(url())),
            r#"Container("https://..@example.com/base?..")"#
        );
        assert_eq!(
            format!("{:?}", Endpoint::default()),
            "Aws { fips: false, dual_stack: false }"
        );
        let endpoint = Endpoint::Url("https://example.com/base".to_owned());
        assert_eq!(
            format!("{endpoint:?}"),
            r#"Url("https://example.com/base")"#
        );
    }

    #[test]
    fn fuzz_endpoints() {
        let samples = [
            "https://Example.com:443/base/path//",
            "http://[::1]:81/a%20b",
            "http://127.0.0.1:8080/?token=a#b",
            "https://me:secret@h",
            "us-gov-west-1",
            "aws-cn-global",
        ];
        fuzz_text(&samples, |text| {
            let endpoints = [
                Endpoint::default(),
                Endpoint::Aws {
                    fips: true,
                    dual_stack: true,
                },
            ];
            for endpoint in endpoints.iter().chain([&Endpoint::Url(text.to_owned())]) {
                for region in ["us-east-1", text] {
                    match endpoint.resolve(Some(region)) {
                        Ok(endpoint) => assert_can_be_sent(&endpoint),
                        Err(error) => assert_shown_safely(&error.to_string()),
                    }
                }
            }
        });
    }

    /// Fails unless the URL is read as the same endpoint, without anything that ends a header.
    fn assert_can_be_sent(endpoint: &ResolvedEndpoint) {
        let url = format!(
            "{}://{}{}",
            endpoint.origin.scheme(),
            endpoint.origin.authority,
            endpoint.base_path
        );
        assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url:?}");
        assert_eq!(
            parse_url(&url, endpoint.is_container).unwrap(),
            *endpoint,
            "{url}"
        );
        assert!(
            endpoint.origin.port() > 0 && !endpoint.origin.host().is_empty(),
            "{url}"
        );
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
