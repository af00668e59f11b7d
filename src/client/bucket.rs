//! One bucket of Amazon S3: its region, its host, and the connections to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::location::is_bucket_host_label;
use super::target::{transport_settings, user_agent};
use crate::aws::{Credentials, Service, Signer, region};
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::error::ConfigError;
use crate::http::{
    Body, BodyError, Headers, Limits, Origin, Request, ResponseHead, Transport, TransportError,
};
use crate::service::ErrorResponse;
use crate::sigv4::{AmzDate, EMPTY_PAYLOAD_SHA256};
use crate::text::Redactor;

/// Maximum size of an error's body.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// Buckets that a client keeps. Endpoints of one account usually share one.
const MAX_BUCKETS: usize = 16;

/// The buckets that the client has used, each in its region.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<String, Arc<Bucket>>>);

impl Buckets {
    /// The bucket, at first in the region of the client.
    pub(super) fn get(
        &self,
        config: &Config,
        region: &str,
        name: &str,
    ) -> Result<Arc<Bucket>, ConfigError> {
        if let Some(bucket) = self.lock().get(name) {
            return Ok(Arc::clone(bucket));
        }
        self.insert(config, region, name)
    }

    /// Remembers the region of a bucket.
    pub(super) fn insert(
        &self,
        config: &Config,
        region: &str,
        name: &str,
    ) -> Result<Arc<Bucket>, ConfigError> {
        let bucket = Arc::new(Bucket::new(config, region, name)?);
        let mut buckets = self.lock();
        if buckets.len() >= MAX_BUCKETS {
            buckets.clear();
        }
        buckets.insert(name.to_owned(), Arc::clone(&bucket));
        Ok(bucket)
    }

    pub(super) fn shut_down(&self) {
        self.lock()
            .values()
            .for_each(|bucket| bucket.transport.shut_down());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Bucket>>> {
        // A poisoned lock still holds whole entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Bucket {
    origin: Origin,
    /// What comes before the key.
    base_path: String,
    signer: Signer,
    transport: Transport,
    user_agent: String,
}

/// What Amazon S3 answered.
pub(super) enum Answer {
    Object(Box<Object>),
    Refused(S3Refusal),
}

pub(super) struct Object {
    pub(super) head: ResponseHead,
    pub(super) body: Body,
}

/// An answer that is not the object.
#[derive(Debug)]
pub(super) struct S3Refusal {
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    /// Where the bucket is.
    region: Option<String>,
    headers: Headers,
    /// Whether the body is empty.
    is_empty: bool,
    /// Whether the clock or the credentials were refused, and have been replaced since.
    pub(super) is_corrected: bool,
}

impl Answer {
    pub(super) fn headers(&self) -> &Headers {
        match self {
            Self::Object(object) => &object.head.headers,
            Self::Refused(refusal) => &refusal.headers,
        }
    }
}

impl Bucket {
    /// Opens nothing.
    fn new(config: &Config, region: &str, name: &str) -> Result<Self, ConfigError> {
        let (origin, base_path) = address(config, region, name)?;
        let transport_settings = transport_settings(config, &config.proxy, &origin)?;
        let transport = Transport::new(&origin, &transport_settings)?;
        let (signer, user_agent) = (Signer::new(region, "s3"), user_agent(config)?);
        Ok(Self {
            origin,
            base_path,
            signer,
            transport,
            user_agent,
        })
    }

    /// Requests the object at `path`.
    pub(super) fn object(
        &self,
        path: &str,
        credentials: &Credentials,
        amz_date: AmzDate,
        limits: &Limits,
        deadline: Option<Instant>,
    ) -> Result<Answer, TransportError> {
        let path = format!("{}{path}", self.base_path);
        let headers = vec![
            ("host", &*self.origin.authority),
            ("x-amz-content-sha256", EMPTY_PAYLOAD_SHA256),
        ];
        let mut request = Request {
            method: "GET",
            path: &path,
            headers,
            body: &[],
        };
        let signature = self.signer.sign(&request, credentials, amz_date);
        request.headers.extend(signature.headers());
        request.headers.push(("user-agent", &self.user_agent));
        let (head, mut body) = self.transport.send(&request, limits, deadline)?;
        if head.status == 200 {
            return Ok(Answer::Object(Box::new(Object { head, body })));
        }
        match body.read_whole(MAX_ERROR_BYTES) {
            Ok(content) => Ok(Answer::Refused(S3Refusal::read(head, &content, &request))),
            Err(BodyError::TooLarge(_)) => {
                let mut refusal = S3Refusal::read(head, b"", &request);
                refusal.is_empty = false;
                Ok(Answer::Refused(refusal))
            }
            Err(BodyError::Transport(error)) => Err(error),
        }
    }

    pub(super) fn authority(&self) -> &str {
        &self.origin.authority
    }

    /// The region of the bucket if it is another one.
    pub(super) fn other_region<'r>(&self, refusal: &'r S3Refusal) -> Option<&'r str> {
        refusal
            .region
            .as_deref()
            .filter(|region| *region != self.signer.region())
    }
}

/// Origin and path of the endpoint that is set.
pub(super) fn endpoint_of(config: &Config) -> Result<Option<(Origin, String)>, ConfigError> {
    let Some(url) = &config.s3_endpoint_url else {
        return Ok(None);
    };
    match Origin::split_url(url) {
        Some((origin, path)) if !path.contains('?') => Ok(Some((origin, path))),
        _ => Err(ConfigError::new(
            "S3 endpoint URL",
            "is not an http:// or https:// URL without a query",
        )),
    }
}

/// Source: "Virtual hosting of buckets" in the Amazon S3 User Guide.
fn address(config: &Config, region: &str, name: &str) -> Result<(Origin, String), ConfigError> {
    if let Some((origin, path)) = endpoint_of(config)? {
        return Ok((origin, format!("{}/{name}", path.trim_end_matches('/'))));
    }
    let (fips, dual_stack) = match config.endpoint {
        Endpoint::Aws { fips, dual_stack } => (fips, dual_stack),
        _ => (false, false),
    };
    let host = Service::s3_host(region, fips, dual_stack);
    if is_bucket_host_label(name) {
        Ok((
            Origin {
                tls: true,
                authority: format!("{name}.{host}"),
            },
            String::new(),
        ))
    } else {
        Ok((
            Origin {
                tls: true,
                authority: host,
            },
            format!("/{name}"),
        ))
    }
}

impl S3Refusal {
    fn read(head: ResponseHead, body: &[u8], request: &Request<'_>) -> Self {
        let redactor = Redactor::new(request.secrets());
        let response = ErrorResponse::read(head.status, &head.headers, body, &redactor);
        let region = head
            .headers
            .owned("x-amz-bucket-region")
            .or_else(|| response.element("Error/Region").map(str::to_owned));
        let code = response.code.map(|code| code.name);
        let is_elsewhere = is_wrong_region(head.status, code.as_deref());
        let body_start = (!response.body.trim().is_empty()).then_some(response.body);
        Self {
            status: head.status,
            message: response.message.or(body_start),
            request_id: response.request_id,
            region: region.filter(|region| is_elsewhere && region::is_host_label(region)),
            code,
            is_empty: body.is_empty(),
            headers: head.headers,
            is_corrected: false,
        }
    }

    /// Whether the object may still come: S3 itself says that there is none. A gateway sends 404 for other reasons.
    pub(super) fn is_pending(&self) -> bool {
        let is_bare =
            self.code.is_none() && self.is_empty && self.headers.get("x-amz-request-id").is_some();
        self.status == 404 && (self.code.as_deref() == Some("NoSuchKey") || is_bare)
    }
}

/// Source: `S3RegionRedirectorv2` of botocore 1.44.5.
fn is_wrong_region(status: u16, code: Option<&str>) -> bool {
    let codes = [
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    ];
    matches!(status, 301 | 302 | 307) || code.is_some_and(|code| codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(endpoint: Endpoint, s3_url: Option<&str>, region: &str, bucket: &str) -> Option<String> {
        let s3_endpoint_url = s3_url.map(str::to_owned);
        let config = Config {
            endpoint,
            s3_endpoint_url,
            ..Config::default()
        };
        let (origin, path) = address(&config, region, bucket).ok()?;
        Some(format!("{}://{}{path}", origin.scheme(), origin.authority))
    }

    #[test]
    fn the_host_follows_region_variant_and_name() {
        for (fips, dual_stack, region, bucket, expected) in [
            (
                false,
                false,
                "us-east-1",
                "abc",
                "https://abc.s3.us-east-1.amazonaws.com",
            ),
            (
                false,
                false,
                "cn-north-1",
                "abc",
                "https://abc.s3.cn-north-1.amazonaws.com.cn",
            ),
            (
                false,
                false,
                "eu-west-1",
                "a.b",
                "https://s3.eu-west-1.amazonaws.com/a.b",
            ),
            (
                true,
                false,
                "us-east-1",
                "abc",
                "https://abc.s3-fips.us-east-1.amazonaws.com",
            ),
            (
                false,
                true,
                "us-east-1",
                "abc",
                "https://abc.s3.dualstack.us-east-1.amazonaws.com",
            ),
            (
                true,
                true,
                "us-gov-west-1",
                "abc",
                "https://abc.s3-fips.dualstack.us-gov-west-1.amazonaws.com",
            ),
        ] {
            let endpoint = Endpoint::Aws { fips, dual_stack };
            assert_eq!(
                url(endpoint, None, region, bucket).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn a_configured_url_has_the_bucket_in_its_path() {
        let with = |s3_url| url(Endpoint::default(), Some(s3_url), "us-east-1", "abc");
        assert_eq!(with("http://h:1").as_deref(), Some("http://h:1/abc"));
        assert_eq!(
            with("https://h/base/").as_deref(),
            Some("https://h/base/abc")
        );
        assert_eq!((with("h"), with("http://h/?q")), (None, None));
    }
}
