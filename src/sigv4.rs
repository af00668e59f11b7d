//! AWS Signature Version 4 (SigV4), for any request to any AWS service.
//!
//! This module computes the `Authorization` header of a request, or a [presigned URL](Presign). It is independent of
//! the rest of the crate: it does no I/O, uses no HTTP types, and takes the time as an argument.
//!
//! # Example
//!
//! ```
//! use sagemaker_invoke::sigv4::{AmzDate, Authorization, CanonicalRequest, Request, Scope, SigningKey, StringToSign};
//!
//! let amz_date = AmzDate::from_unix_seconds(1_440_938_160).expect("a year before 10000");
//! let headers = [("Host", "example.amazonaws.com"), ("X-Amz-Date", amz_date.as_str())];
//! let request = Request { headers: &headers, ..Request::new("GET", "/") };
//!
//! let scope = Scope { amz_date, region: "us-east-1", service: "service" };
//! let canonical_request = CanonicalRequest::new(&request);
//! let string_to_sign = StringToSign::new(&canonical_request, scope);
//! let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", scope);
//! let signature = key.sign(&string_to_sign);
//!
//! assert_eq!(signature.to_string(), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
//! let authorization = Authorization { access_key_id: "AKIDEXAMPLE", scope, canonical_request: &canonical_request, signature };
//! assert!(authorization.to_string().starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/"));
//! ```
//!
//! This is the case `get-vanilla` of AWS's signing test suite.
//!
//! # Steps
//!
//! Each step of AWS's document is a type. `Display` of the first two writes the text to hash or sign; compare it with
//! the text that some services include in a SignatureDoesNotMatch error.
//!
//! 1. [`CanonicalRequest`] brings the [`Request`] into the form hashed by both sides: encoded path, sorted query,
//!    sorted and trimmed headers, and the SHA-256 hash of the body.
//! 2. [`StringToSign`] consists of the [algorithm](ALGORITHM), the time, the credential [`Scope`] and the hash of the
//!    canonical request.
//! 3. [`SigningKey`] is derived from the secret access key for the day, the region and the service of the scope. It can
//!    be cached for the day.
//! 4. [`SigningKey::sign`] returns the [`Signature`], and [`Authorization`] writes the value of the header. A presigned
//!    URL has the signature in its query instead; see [`Presign`].
//!
//! # Sending the request
//!
//! Sign the headers `host` and `x-amz-date`, every other `x-amz-*` header of the request, and `content-type` if there
//! is one. With temporary credentials, this includes the session token in `x-amz-security-token`. Leave out headers
//! that a proxy may change, such as `connection` and `user-agent`. Then send path, query, signed headers and body as
//! they were signed, together with `Authorization`.
//!
//! Amazon S3 differs in two points. The path style is [`PathStyle::S3`], and the header `x-amz-content-sha256` is
//! required: the hash of the body in lower-case hex, or [`EMPTY_PAYLOAD_SHA256`] without a body.
//!
//! # Limits
//!
//! - Signing has no errors. Names and values of headers that HTTP does not allow are signed as they are; the HTTP client
//!   has to reject them.
//! - Chunked uploads, event streams and SigV4A are not supported.
//! - `Debug` hides secret keys, signing keys, signatures, session tokens and bodies. `Display` of [`CanonicalRequest`]
//!   is the hashed text, and shows the values of all signed headers, with a session token among them.
//!
//! # Source
//!
//! "Create a signed AWS API request" in the AWS IAM User Guide,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. Tested with AWS's
//! signing test suite, and with random requests against the crate aws-sigv4 and, for presigned URLs, against botocore.

mod amz_date;
mod authorization;
mod canonical_request;
mod debug;
mod encoding;
mod hash_writer;
mod presign;
mod signing_key;
mod string_to_sign;

pub use amz_date::AmzDate;
pub use authorization::{Authorization, Signature};
pub use canonical_request::CanonicalRequest;
pub use encoding::{percent_encode, percent_encoded};
pub use presign::Presign;
pub use signing_key::SigningKey;
pub use string_to_sign::{Scope, StringToSign};

/// Signs a request in one call and returns the value of the header `Authorization`. All steps are done each time; a program
/// that signs often keeps the [`SigningKey`].
///
/// ```
/// use sagemaker_invoke::sigv4::{self, AmzDate, Request, Scope};
///
/// let amz_date = AmzDate::from_unix_seconds(1_440_938_160).expect("a year before 10000");
/// let headers = [("Host", "example.amazonaws.com"), ("X-Amz-Date", amz_date.as_str())];
/// let request = Request { headers: &headers, ..Request::new("GET", "/") };
/// let scope = Scope { amz_date, region: "us-east-1", service: "service" };
/// let authorization = sigv4::sign(&request, scope, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
/// assert!(authorization.ends_with("=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
/// ```
#[must_use]
pub fn sign(
    request: &Request<'_>,
    scope: Scope<'_>,
    access_key_id: &str,
    secret_access_key: &str,
) -> String {
    let canonical_request = &CanonicalRequest::new(request);
    let string_to_sign = StringToSign::new(canonical_request, scope);
    let signature = SigningKey::derive(secret_access_key, scope).sign(&string_to_sign);
    Authorization {
        access_key_id,
        scope,
        canonical_request,
        signature,
    }
    .to_string()
}

/// The name of the algorithm: the first line of the string to sign and the first word of the `Authorization` header.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The SHA-256 hash of an empty body in lower-case hex: the last line of the canonical request, and the value of
/// `x-amz-content-sha256` for Amazon S3, if the request has no body.
pub const EMPTY_PAYLOAD_SHA256: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The request to sign, exactly as it is sent.
///
/// `Debug` hides the body, and headers and queries that hold secrets.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The HTTP method in upper case, for example `POST`.
    pub method: &'a str,
    /// The path as sent, percent-encoded, for example with [`percent_encode`]. An empty path is signed as `/`.
    pub path: &'a str,
    /// The query as sent, without the question mark. Empty if there is none. The order of parameters does not matter.
    /// A `+` is signed as a space, and a `%` without two hex digits as a literal `%`.
    pub query: &'a str,
    /// Names and values of the headers to sign, in any order and letter case. See [the module](self) for which.
    /// Values of the same name are joined by commas in this order.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, its hash, or a literal in place of the hash.
    pub payload: Payload<'a>,
    /// The conversion of the path to the canonical URI. Default: that of all services except Amazon S3.
    pub path_style: PathStyle,
}

impl<'a> Request<'a> {
    /// Creates a request with an empty query, no headers, an empty body and [`PathStyle::default`].
    ///
    /// Set the other fields with update syntax, as in the example of [the module](self).
    #[must_use]
    pub const fn new(method: &'a str, path: &'a str) -> Self {
        Self {
            method,
            path,
            query: "",
            headers: &[],
            payload: Payload::Bytes(&[]),
            path_style: PathStyle::DEFAULT,
        }
    }
}

/// The last line of the canonical request, `HashedPayload` in AWS's document.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// The body. [`CanonicalRequest::new`] hashes it.
    Bytes(&'a [u8]),
    /// The SHA-256 hash of the body, if the caller has computed it already.
    Sha256([u8; 32]),
    /// A literal defined by the service in place of the hash. Amazon S3 has `UNSIGNED-PAYLOAD`, for an unsigned body.
    /// Source: "Signature Calculations for the Authorization Header" in the Amazon S3 API Reference.
    Literal(&'a str),
}

impl std::fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Sha256(_) => f.write_str("Sha256(..)"),
            Self::Literal(literal) => f.debug_tuple("Literal").field(literal).finish(),
        }
    }
}

/// The conversion of the path to the canonical URI.
///
/// Both fields are true by default, which is right for every service except Amazon S3, which needs [`PathStyle::S3`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathStyle {
    /// Percent-encode the path of the request once more, so that `%20` becomes `%2520`. Default: true.
    pub encode_again: bool,
    /// Drop empty segments and `.`, and resolve `..`. Default: true. This changes only what is signed, not the path
    /// that is sent.
    pub normalize: bool,
}

impl PathStyle {
    /// The style of Amazon S3: the path is signed as it is sent, because an object key may contain `//`, `.` and `..`.
    ///
    /// Source: "Create a signed AWS API request" in the AWS IAM User Guide, where S3 is the exception to encoding twice
    /// and to normalizing.
    ///
    /// ```
    /// use sagemaker_invoke::sigv4::{CanonicalRequest, PathStyle, Request};
    ///
    /// let request = Request { path_style: PathStyle::S3, ..Request::new("GET", "/my-object//example%20photo.user") };
    /// assert!(CanonicalRequest::new(&request).to_string().starts_with("GET\n/my-object//example%20photo.user\n"));
    /// ```
    pub const S3: Self = Self {
        encode_again: false,
        normalize: false,
    };

    const DEFAULT: Self = Self {
        encode_again: true,
        normalize: true,
    };
}

impl Default for PathStyle {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_empty_payload_hash_is_the_hash_of_an_empty_body() {
        assert_eq!(hex::encode(Sha256::digest(b"")), EMPTY_PAYLOAD_SHA256);
        let request = Request::new("GET", "/");
        assert_eq!(
            CanonicalRequest::new(&request).payload_hash(),
            EMPTY_PAYLOAD_SHA256
        );
    }

    /// Signs a request to Amazon S3 with the key and the time of the examples in the Amazon S3 API Reference,
    /// "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk".
    fn s3_signature(request: &Request<'_>) -> String {
        let amz_date = AmzDate::from_unix_seconds(1_369_353_600).unwrap();
        let scope = Scope {
            amz_date,
            region: "us-east-1",
            service: "s3",
        };
        let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope);
        key.sign(&StringToSign::new(&CanonicalRequest::new(request), scope))
            .to_string()
    }

    #[test]
    fn the_get_object_example_of_s3() {
        let headers = [
            ("Host", "examplebucket.s3.amazonaws.com"),
            ("Range", "bytes=0-9"),
            ("x-amz-content-sha256", EMPTY_PAYLOAD_SHA256),
            ("x-amz-date", "20130524T000000Z"),
        ];
        let request = Request {
            headers: &headers,
            path_style: PathStyle::S3,
            ..Request::new("GET", "/test.txt")
        };
        let expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert_eq!(s3_signature(&request), expected);
    }

    #[test]
    fn the_put_object_example_of_s3_encodes_its_path_once() {
        let body = b"Welcome to Amazon S3.";
        let body_hash = hex::encode(Sha256::digest(body));
        let headers = [
            ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("Host", "examplebucket.s3.amazonaws.com"),
            ("x-amz-content-sha256", body_hash.as_str()),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        let mut request = Request {
            headers: &headers,
            payload: Payload::Bytes(body),
            path_style: PathStyle::S3,
            ..Request::new("PUT", "/test%24file.text")
        };
        let expected = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        assert_eq!(s3_signature(&request), expected);
        request.path_style = PathStyle::default();
        assert_ne!(s3_signature(&request), expected);
    }
}
