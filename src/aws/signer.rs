//! The signature of a request: `x-amz-date`, the session token and `authorization`.

use std::sync::{Mutex, PoisonError};

use super::Credentials;
use crate::http::Request;
use crate::sigv4::{
    self, AmzDate, Authorization, CanonicalRequest, PathStyle, Payload, Scope, SigningKey,
    StringToSign,
};
use crate::text::Secret;

/// Signs the requests of one service in one region and caches the signing key of the day.
#[derive(Debug)]
pub(crate) struct Signer {
    region: String,
    service: &'static str,
    cached_key: Mutex<Option<CachedKey>>,
}

/// A signing key and what it was derived from.
#[derive(Debug)]
struct CachedKey {
    day: String,
    secret_access_key: Secret,
    key: SigningKey,
}

/// The headers a signature adds to its request.
pub(crate) struct SignatureHeaders<'a> {
    amz_date: AmzDate,
    security_token: Option<&'a str>,
    authorization: String,
}

impl SignatureHeaders<'_> {
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let security_token = self
            .security_token
            .map(|token| ("x-amz-security-token", token));
        let date = ("x-amz-date", self.amz_date.as_str());
        [date]
            .into_iter()
            .chain(security_token)
            .chain([("authorization", self.authorization.as_str())])
    }
}

impl Signer {
    pub(crate) fn new(region: impl Into<String>, service: &'static str) -> Self {
        Self {
            region: region.into(),
            service,
            cached_key: Mutex::new(None),
        }
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Signs the request with all its headers, `host` among them, and its whole body.
    pub(crate) fn sign<'a>(
        &self,
        request: &Request<'_>,
        credentials: &'a Credentials,
        amz_date: AmzDate,
    ) -> SignatureHeaders<'a> {
        let security_token = credentials.session_token.as_ref().map(Secret::expose);
        let mut headers = Vec::with_capacity(request.headers.len() + 2);
        headers.extend_from_slice(&request.headers);
        headers.push(("x-amz-date", amz_date.as_str()));
        headers.extend(security_token.map(|token| ("x-amz-security-token", token)));
        // Sorted here, because the canonical request copies what is not.
        headers.sort_unstable_by_key(|(name, _)| *name);
        let authorization = self.authorization(request, &headers, credentials, amz_date);
        SignatureHeaders {
            amz_date,
            security_token,
            authorization,
        }
    }

    #[expect(clippy::expect_used, reason = "a String takes any text")]
    fn authorization(
        &self,
        request: &Request<'_>,
        headers: &[(&'static str, &str)],
        credentials: &Credentials,
        amz_date: AmzDate,
    ) -> String {
        let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
        let to_sign = sigv4::Request {
            query,
            headers,
            payload: Payload::Bytes(request.body),
            path_style: if self.service == "s3" {
                PathStyle::S3
            } else {
                PathStyle::default()
            },
            ..sigv4::Request::new(request.method, path)
        };
        let scope = Scope {
            amz_date,
            region: &self.region,
            service: self.service,
        };
        let canonical_request = CanonicalRequest::new(&to_sign);
        let string_to_sign = StringToSign::new(&canonical_request, scope);
        let signature = self
            .key(&credentials.secret_access_key, scope)
            .sign(&string_to_sign);
        let authorization = Authorization {
            access_key_id: &credentials.access_key_id,
            scope,
            canonical_request: &canonical_request,
            signature,
        };
        // The signed headers of SageMaker take about 400 bytes together.
        let mut value = String::with_capacity(512);
        authorization
            .write_to(&mut value)
            .expect("writing to a String does not fail");
        value
    }

    fn key(&self, secret_access_key: &Secret, scope: Scope<'_>) -> SigningKey {
        // A poisoned lock still holds a whole key.
        let mut cached = self
            .cached_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(it) = &*cached
            && it.day == scope.amz_date.day()
            && it.secret_access_key == *secret_access_key
        {
            return it.key.clone();
        }
        let key = SigningKey::derive(secret_access_key.expose(), scope);
        let day = scope.amz_date.day().to_owned();
        *cached = Some(CachedKey {
            day,
            secret_access_key: secret_access_key.clone(),
            key: key.clone(),
        });
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorization(signer: &Signer, secret: &str, seconds: u64) -> String {
        let request = Request {
            method: "POST",
            path: "/endpoints/e/invocations",
            headers: vec![
                ("accept", "a"),
                ("x-amzn-sagemaker-session-id", "s"),
                ("host", "h"),
            ],
            body: b"body",
        };
        let credentials = Credentials::new("AKID", secret).with_session_token("token");
        let signature = signer.sign(
            &request,
            &credentials,
            AmzDate::from_unix_seconds(seconds).unwrap(),
        );
        let headers: Vec<_> = signature.headers().collect();
        let names = headers.iter().map(|header| header.0);
        assert!(names.eq(["x-amz-date", "x-amz-security-token", "authorization"]));
        let authorization = headers[2].1;
        let signed = "SignedHeaders=accept;host;x-amz-date;x-amz-security-token;x-amzn-sagemaker-session-id,";
        assert!(authorization.contains(signed), "{authorization}");
        authorization.to_owned()
    }

    #[test]
    fn the_cached_key_is_not_used_for_another_day_or_secret() {
        let cached = Signer::new("r", "s");
        for (secret, seconds) in [
            ("a", 0),
            ("a", 5),
            ("b", 5),
            ("b", 86_400),
            ("a", 86_399),
            ("a", 0),
        ] {
            let fresh = authorization(&Signer::new("r", "s"), secret, seconds);
            assert_eq!(authorization(&cached, secret, seconds), fresh);
        }
    }
}
