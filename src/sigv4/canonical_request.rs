//! Step 1: the canonical request.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use super::encoding::{HexDigest, contains_byte, write_canonical_query, write_canonical_uri};
use super::hash_writer::HashWriter;
use super::{Payload, Request};

/// The canonical request: the form of a request that client and service hash alike.
///
/// It borrows the request and writes itself. `Display` gives the text of AWS's document:
///
/// ```text
/// HTTP method
/// canonical URI
/// canonical query string
/// canonical headers, a line each
///
/// signed headers
/// hashed payload
/// ```
///
/// [`hash`](Self::hash) writes the same text into SHA-256 without keeping it. `Display` shows the values of all headers, a
/// session token included; `Debug` hides those.
#[derive(Clone, Debug)]
pub struct CanonicalRequest<'a> {
    request: &'a Request<'a>,
    headers: SortedHeaders<'a>,
    payload: HashedPayload<'a>,
}

impl<'a> CanonicalRequest<'a> {
    /// Sorts the headers and hashes the body.
    ///
    /// Allocates only if the names of the headers are not sorted or not in lower case.
    #[must_use]
    pub fn new(request: &'a Request<'a>) -> Self {
        Self {
            request,
            headers: SortedHeaders::new(request.headers),
            payload: HashedPayload::new(request.payload),
        }
    }

    /// Writes the canonical request into `writer`.
    ///
    /// # Errors
    ///
    /// Only the errors of `writer`.
    pub fn write_to<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
        writer.write_str(self.request.method)?;
        writer.write_char('\n')?;
        write_canonical_uri(self.request.path, self.request.path_style, writer)?;
        writer.write_char('\n')?;
        write_canonical_query(self.request.query, writer)?;
        writer.write_char('\n')?;
        self.write_canonical_headers(writer)?;
        writer.write_char('\n')?;
        self.write_signed_headers(writer)?;
        writer.write_char('\n')?;
        writer.write_str(self.payload.as_str())
    }

    /// Writes the names of the signed headers into `writer`: in lower case, sorted, separated by semicolons.
    ///
    /// # Errors
    ///
    /// Only the errors of `writer`.
    pub fn write_signed_headers<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
        let mut previous = None;
        for (name, _) in self.headers.iter() {
            if previous != Some(name) {
                if previous.is_some() {
                    writer.write_char(';')?;
                }
                writer.write_str(name)?;
                previous = Some(name);
            }
        }
        Ok(())
    }

    /// The SHA-256 hash of the canonical request.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        HashWriter::update(&mut hash, |writer| self.write_to(writer));
        hash.finalize().into()
    }

    /// The last line: the SHA-256 hash of the body in lower-case hex, or the literal of [`Payload::Literal`].
    ///
    /// Amazon S3 requires the same value in the header `x-amz-content-sha256`.
    #[must_use]
    pub fn payload_hash(&self) -> &str {
        self.payload.as_str()
    }

    fn write_canonical_headers<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
        let mut previous = None;
        for (name, value) in self.headers.iter() {
            if previous == Some(name) {
                writer.write_char(',')?;
            } else {
                if previous.is_some() {
                    writer.write_char('\n')?;
                }
                writer.write_str(name)?;
                writer.write_char(':')?;
            }
            write_trimmed(value, writer)?;
            previous = Some(name);
        }
        if previous.is_some() {
            writer.write_char('\n')
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for CanonicalRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// The headers with names in lower case, sorted by name. Headers of the same name keep their order.
#[derive(Clone)]
pub(super) enum SortedHeaders<'a> {
    AsGiven(&'a [(&'a str, &'a str)]),
    Sorted(Vec<(Cow<'a, str>, &'a str)>),
}

impl<'a> SortedHeaders<'a> {
    fn new(headers: &'a [(&'a str, &'a str)]) -> Self {
        let is_sorted = headers.is_sorted_by(|left, right| left.0 <= right.0);
        if is_sorted && headers.iter().all(|(name, _)| is_lower_case(name)) {
            return Self::AsGiven(headers);
        }
        let mut sorted: Vec<_> = headers
            .iter()
            .map(|(name, value)| (lower_case(name), *value))
            .collect();
        sorted.sort_by(|left, right| left.0.cmp(&right.0));
        Self::Sorted(sorted)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        let (as_given, sorted) = match self {
            Self::AsGiven(headers) => (*headers, &[][..]),
            Self::Sorted(headers) => (&[][..], headers.as_slice()),
        };
        as_given
            .iter()
            .copied()
            .chain(sorted.iter().map(|(name, value)| (&**name, *value)))
    }
}

/// The last line of the canonical request, `HashedPayload` in AWS's document.
#[derive(Clone, Debug)]
enum HashedPayload<'a> {
    Hash(HexDigest),
    Literal(&'a str),
}

impl<'a> HashedPayload<'a> {
    #[inline]
    fn new(payload: Payload<'a>) -> Self {
        match payload {
            Payload::Bytes(bytes) => Self::Hash(HexDigest::new(Sha256::digest(bytes).into())),
            Payload::Sha256(hash) => Self::Hash(HexDigest::new(hash)),
            Payload::Literal(literal) => Self::Literal(literal),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Hash(hash) => hash.as_str(),
            Self::Literal(literal) => literal,
        }
    }
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if is_lower_case(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_ascii_lowercase())
    }
}

fn is_lower_case(name: &str) -> bool {
    !contains_byte(name, |byte| byte.is_ascii_uppercase())
}

/// `Trim` of AWS's document: drops spaces at both ends and writes each run of spaces as one. Tabs are kept.
fn write_trimmed<W: fmt::Write>(value: &str, writer: &mut W) -> fmt::Result {
    if !contains_byte(value, |byte| byte == b' ') {
        return writer.write_str(value);
    }
    for (index, word) in value.split(' ').filter(|word| !word.is_empty()).enumerate() {
        if index > 0 {
            writer.write_char(' ')?;
        }
        writer.write_str(word)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(headers: &[(&str, &str)]) -> String {
        CanonicalRequest::new(&Request {
            headers,
            ..Request::new("GET", "/")
        })
        .to_string()
    }

    fn payload_hash(payload: Payload<'_>) -> String {
        let request = Request {
            payload,
            ..Request::new("PUT", "/")
        };
        CanonicalRequest::new(&request).payload_hash().to_owned()
    }

    #[test]
    fn headers_are_lowercased_sorted_joined_and_trimmed() {
        let text = canonical(&[
            ("X-B", "  two   words "),
            ("x-b", ""),
            ("Host", "h"),
            ("X-b", "last"),
            ("x-A", "\ta"),
        ]);
        assert!(
            text.starts_with("GET\n/\n\nhost:h\nx-a:\ta\nx-b:two words,,last\n\nhost;x-a;x-b\n"),
            "{text}"
        );
    }

    #[test]
    fn without_headers_their_lines_are_empty() {
        assert!(canonical(&[]).starts_with("GET\n/\n\n\n\ne3b0c442"));
    }

    #[test]
    fn the_last_line_is_the_hash_of_the_payload_or_the_literal() {
        let hash = Sha256::digest(b"body");
        assert_eq!(payload_hash(Payload::Bytes(b"body")), hex::encode(hash));
        assert_eq!(
            payload_hash(Payload::Sha256(hash.into())),
            hex::encode(hash)
        );
        assert_eq!(
            payload_hash(Payload::Literal("UNSIGNED-PAYLOAD")),
            "UNSIGNED-PAYLOAD"
        );
    }
}
