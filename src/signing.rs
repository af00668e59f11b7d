//! From a request's own headers to the signed ones: host, date, session token, Authorization.

use std::sync::{Mutex, PoisonError};

use crate::credentials::{Credentials, Secret};
use crate::http::HttpRequest;
use crate::sigv4::{
    AmzDate, Authorization, CanonicalRequest, Payload, Request, Scope, SigningKey, StringToSign,
};

/// Signs the requests of one service in one region and keeps the day's signing key.
#[derive(Debug)]
pub(crate) struct Signer {
    region: String,
    service: &'static str,
    kept_key: Mutex<Option<KeptKey>>,
}

/// A signing key and what it was derived from.
#[derive(Debug)]
struct KeptKey {
    day: String,
    secret_access_key: Secret,
    key: SigningKey,
}

impl Signer {
    pub(crate) fn new(region: impl Into<String>, service: &'static str) -> Self {
        Self { region: region.into(), service, kept_key: Mutex::new(None) }
    }

    /// Hands the request on with the headers that a signature needs, and the signature.
    ///
    /// The request's headers are sorted by name and hold neither `host` nor any `x-amz-` header.
    pub(crate) fn signed<T>(
        &self,
        request: HttpRequest<'_>,
        host: &str,
        credentials: &Credentials,
        amz_date: AmzDate,
        hand_on: impl FnOnce(&HttpRequest<'_>) -> T,
    ) -> T {
        // Bound anew, so that the headers may live as short as what is added to them.
        let mut request = request;
        let token = credentials.session_token.as_ref().map(|token| ("x-amz-security-token", token.expose()));
        let own = [("host", host), ("x-amz-date", amz_date.as_str())].into_iter().chain(token);
        insert_at_host(&mut request.headers, own);
        let authorization = self.authorization(&request, credentials, amz_date);
        request.headers.push(("authorization", &authorization));
        hand_on(&request)
    }

    fn authorization(
        &self,
        request: &HttpRequest<'_>,
        credentials: &Credentials,
        amz_date: AmzDate,
    ) -> String {
        let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
        let to_sign = Request {
            query,
            headers: &request.headers,
            payload: Payload::Bytes(request.body),
            ..Request::new(request.method, path)
        };
        let scope = Scope { amz_date, region: &self.region, service: self.service };
        let canonical_request = CanonicalRequest::new(&to_sign);
        let string_to_sign = StringToSign::new(&canonical_request, scope);
        let signature = self.key(&credentials.secret_access_key, scope).sign(&string_to_sign);
        let authorization = Authorization {
            access_key_id: &credentials.access_key_id,
            scope,
            canonical_request: &canonical_request,
            signature,
        };
        // All headers of this service together make about 400 bytes.
        let mut text = String::with_capacity(512);
        // Writing to a String cannot fail.
        let _ = authorization.write_to(&mut text);
        text
    }

    fn key(&self, secret_access_key: &Secret, scope: Scope<'_>) -> SigningKey {
        let mut kept = self.kept_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(it) = &*kept
            && it.day == scope.amz_date.day()
            && it.secret_access_key == *secret_access_key
        {
            return it.key.clone();
        }
        let key = SigningKey::derive(secret_access_key.expose(), scope);
        let day = scope.amz_date.day().to_owned();
        *kept = Some(KeptKey { day, secret_access_key: secret_access_key.clone(), key: key.clone() });
        key
    }
}

/// Puts `own`, sorted headers from `host` to `x-amz-*`, where they belong among the operation's headers: behind
/// `accept` and `content-type`, before every `x-amzn-*`.
pub(crate) fn insert_at_host<'a>(
    headers: &mut Vec<(&'a str, &'a str)>,
    own: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let at = headers.partition_point(|(name, _)| *name < "host");
    headers.splice(at..at, own);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorization(signer: &Signer, secret: &str, seconds: u64) -> String {
        let request = HttpRequest {
            method: "POST",
            path: "/endpoints/e/invocations",
            headers: vec![("accept", "a"), ("x-amzn-sagemaker-session-id", "s")],
            unsigned_headers: &[],
            body: b"body",
        };
        let credentials = Credentials::new("AKID", secret).with_session_token("token");
        let amz_date = AmzDate::from_unix_seconds(seconds).unwrap();
        signer.signed(request, "h", &credentials, amz_date, |signed| {
            let names: Vec<_> = signed.headers.iter().map(|header| header.0).collect();
            let sorted =
                ["accept", "host", "x-amz-date", "x-amz-security-token", "x-amzn-sagemaker-session-id"];
            assert_eq!(names, [&sorted[..], &["authorization"]].concat());
            signed.headers.last().unwrap().1.to_owned()
        })
    }

    #[test]
    fn the_kept_key_never_outlives_its_day_or_its_secret() {
        let fresh = |secret, seconds| authorization(&Signer::new("r", "s"), secret, seconds);
        let kept = Signer::new("r", "s");
        for (secret, seconds) in [("a", 0), ("a", 5), ("b", 5), ("b", 86_400), ("a", 86_399), ("a", 0)] {
            assert_eq!(authorization(&kept, secret, seconds), fresh(secret, seconds));
        }
    }
}
