use std::fmt;

use super::hex::hex_of;
use super::{ALGORITHM, AmzDate, CanonicalRequest};

/// What a signature is good for: a day, a region and a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The time of signing; must equal the `X-Amz-Date` header. AWS takes it when it is at most 5 minutes off.
    pub amz_date: AmzDate,
    /// The region's code, `us-east-1` for example.
    pub region: &'a str,
    /// The service's signing name, `sagemaker` for SageMaker's runtime.
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

/// The text that the signature is made over; `Display` writes it.
#[derive(Clone, Debug)]
pub struct StringToSign<'a> {
    scope: Scope<'a>,
    canonical_request_hash: [u8; 64],
}

impl<'a> StringToSign<'a> {
    /// Hashes the canonical request.
    #[must_use]
    pub fn new(canonical_request: &CanonicalRequest<'_>, scope: Scope<'a>) -> Self {
        Self { scope, canonical_request_hash: hex_of(canonical_request.hash()) }
    }

    pub(super) fn write_to<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
        writer.write_str(ALGORITHM)?;
        writer.write_char('\n')?;
        writer.write_str(self.scope.amz_date.as_str())?;
        writer.write_char('\n')?;
        self.scope.write_to(writer)?;
        writer.write_char('\n')?;
        writer.write_str(std::str::from_utf8(&self.canonical_request_hash).unwrap_or_default())
    }
}

impl fmt::Display for StringToSign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}
