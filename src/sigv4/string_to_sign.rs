//! Step 2: the credential scope and the string to sign.

use std::fmt;

use super::encoding::HexDigest;
use super::{ALGORITHM, AmzDate, CanonicalRequest};

/// The credential scope of a signature, and the time of signing.
///
/// `Display` writes the scope: `YYYYMMDD/region/service/aws4_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The time of signing, equal to the value of the `X-Amz-Date` header. Most services reject a request that
    /// arrives more than 5 minutes later. Source: "AWS Signature Version 4 for API requests", AWS IAM User Guide.
    pub amz_date: AmzDate,
    /// The code of the region, for example `us-east-1`.
    pub region: &'a str,
    /// The signing name of the service: `sagemaker` for the SageMaker runtime, `s3` for Amazon S3.
    pub service: &'a str,
}

impl Scope<'_> {
    pub(super) fn write_to<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
        writer.write_str(self.amz_date.day())?;
        writer.write_char('/')?;
        writer.write_str(self.region)?;
        writer.write_char('/')?;
        writer.write_str(self.service)?;
        writer.write_str("/aws4_request")
    }
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// The string to sign: algorithm, time, credential scope and the hash of the canonical request, a line each.
///
/// `Display` writes it.
#[derive(Clone, Debug)]
pub struct StringToSign<'a> {
    scope: Scope<'a>,
    canonical_request_hash: HexDigest,
}

impl<'a> StringToSign<'a> {
    /// Hashes the canonical request with SHA-256.
    #[must_use]
    pub fn new(canonical_request: &CanonicalRequest<'_>, scope: Scope<'a>) -> Self {
        Self {
            scope,
            canonical_request_hash: HexDigest::new(canonical_request.hash()),
        }
    }

    pub(super) fn write_to<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
        writer.write_str(ALGORITHM)?;
        writer.write_char('\n')?;
        writer.write_str(self.scope.amz_date.as_str())?;
        writer.write_char('\n')?;
        self.scope.write_to(writer)?;
        writer.write_char('\n')?;
        writer.write_str(self.canonical_request_hash.as_str())
    }
}

impl fmt::Display for StringToSign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}
