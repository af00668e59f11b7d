//! Step 4: the signature and the `Authorization` header.

use std::fmt;

use super::encoding::HexDigest;
use super::{ALGORITHM, CanonicalRequest, Scope};

/// The HMAC-SHA256 of a string to sign, made by [`SigningKey::sign`](super::SigningKey::sign).
///
/// `Display` writes its 64 lower-case hex digits. `Debug` hides them, because a signature is valid for several minutes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    digits: HexDigest,
}

impl Signature {
    pub(super) fn new(mac: [u8; 32]) -> Self {
        Self {
            digits: HexDigest::new(mac),
        }
    }

    /// The 64 lower-case hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.digits.as_str()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// The value of the `Authorization` header. `Display` writes it; `Debug` hides the signature.
///
/// ```text
/// AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa0..
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    /// The ID of the access key from which the signing key was derived. Not a secret.
    pub access_key_id: &'a str,
    /// The credential scope. Must be the one in the string to sign.
    pub scope: Scope<'a>,
    /// The signed canonical request; gives `SignedHeaders`.
    pub canonical_request: &'a CanonicalRequest<'a>,
    /// The signature of the string to sign.
    pub signature: Signature,
}

impl Authorization<'_> {
    /// Writes the value into `writer`, without allocating.
    ///
    /// # Errors
    ///
    /// Only the errors of `writer`.
    pub fn write_to<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
        writer.write_str(ALGORITHM)?;
        writer.write_str(" Credential=")?;
        writer.write_str(self.access_key_id)?;
        writer.write_char('/')?;
        self.scope.write_to(writer)?;
        writer.write_str(", SignedHeaders=")?;
        self.canonical_request.write_signed_headers(writer)?;
        writer.write_str(", Signature=")?;
        writer.write_str(self.signature.as_str())
    }
}

impl fmt::Display for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}
