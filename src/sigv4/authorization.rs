use std::fmt;

use super::hex::hex_of;
use super::{ALGORITHM, CanonicalRequest, Scope};

/// A signature; `Display` writes its 64 lower-case hex digits, `Debug` hides them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    hex: [u8; 64],
}

impl Signature {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self { hex: hex_of(bytes) }
    }

    /// The 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.hex).unwrap_or_default()
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

/// The value of the `Authorization` header; `Display` writes it, `Debug` hides the signature.
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    /// The access key's id, which is not a secret.
    pub access_key_id: &'a str,
    /// What the signature is good for.
    pub scope: Scope<'a>,
    /// The canonical request, which names the signed headers.
    pub canonical_request: &'a CanonicalRequest<'a>,
    /// The signature.
    pub signature: Signature,
}

impl Authorization<'_> {
    /// Writes the value.
    ///
    /// # Errors
    ///
    /// Only what `writer` gives.
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
