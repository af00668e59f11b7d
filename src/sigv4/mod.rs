//! AWS Signature Version 4 for any request of any service: pure values, no IO, no HTTP crate, no clock.
//!
//! Each file is one step of AWS's document, and each step is a value that can be printed:
//!
//! 1. [`CanonicalRequest`]: the request in its one agreed spelling.
//! 2. [`StringToSign`]: algorithm, time, scope and the hash of the canonical request.
//! 3. [`SigningKey`]: the secret key bound to a day, a region and a service.
//! 4. [`Signature`] and [`Authorization`]: what goes on the wire.
//!
//! [`Template`] takes all steps at once for a request that is signed again and again with other bodies.
//!
//! ```
//! use sagemaker_invoke::sigv4::{AmzDate, Authorization, CanonicalRequest, Request, Scope, SigningKey, StringToSign};
//!
//! let amz_date = AmzDate::from_unix_seconds(1_440_938_160).expect("a year of four digits");
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
//! Signing cannot fail: a name or a value that HTTP does not allow is signed as it stands, and it is for
//! whoever sends the request to refuse it. Not here: presigned URLs, chunked uploads, event streams, SigV4A.
//!
//! Source: "Create a signed AWS API request" in the AWS IAM User Guide.

mod amz_date;
mod authorization;
mod canonical_request;
mod encoding;
mod hash_writer;
mod hex;
mod signing_key;
mod string_to_sign;
mod template;

pub use amz_date::AmzDate;
pub use authorization::{Authorization, Signature};
pub use canonical_request::CanonicalRequest;
pub use encoding::percent_encode;
pub use signing_key::SigningKey;
pub use string_to_sign::{Scope, StringToSign};
pub use template::Template;

/// The algorithm's name, first line of the string to sign and first word of the Authorization header.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The request to sign, as it will be on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The HTTP method in capitals.
    pub method: &'a str,
    /// The path as sent, percent-encoded; empty is signed as `/`.
    pub path: &'a str,
    /// The query as sent, without the question mark; empty when there is none. A `+` is read as a space.
    pub query: &'a str,
    /// The headers to sign, in any order and letter case; `host` and every `x-amz-*` that is sent belong here.
    /// A name that comes several times has its values joined by commas in the order given.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, or what stands for it.
    pub payload: Payload<'a>,
    /// How the path becomes the canonical URI.
    pub path_style: PathStyle,
}

impl<'a> Request<'a> {
    /// A request with no query, no headers, an empty body and [`PathStyle::default`].
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

/// What stands in the last line of the canonical request.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    /// The body: it is hashed here, once.
    Bytes(&'a [u8]),
    /// The SHA-256 of a body that the caller has hashed already.
    Sha256([u8; 32]),
    /// A literal, for services that define one, such as `UNSIGNED-PAYLOAD`.
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

/// How the path becomes the canonical URI. Every service but S3 takes the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathStyle {
    /// Percent-encode the path once more, so that a sent `%20` is signed as `%2520`. Default: true; S3: false.
    pub encode_again: bool,
    /// Resolve `.` and `..` and drop empty segments first. Default: true; S3: false.
    pub normalize: bool,
}

impl PathStyle {
    const DEFAULT: Self = Self { encode_again: true, normalize: true };
}

impl Default for PathStyle {
    fn default() -> Self {
        Self::DEFAULT
    }
}
