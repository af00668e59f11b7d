use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use super::encoding::{has_byte, write_canonical_query, write_canonical_uri};
use super::hash_writer::HashWriter;
use super::hex::hex_of;
use super::{Payload, Request};

/// The request in its one agreed spelling: a view that writes itself into whatever it is given.
///
/// `Display` writes the text that AWS's document shows; signing writes the same into SHA-256, so that no
/// intermediate text is built.
#[derive(Clone, Debug)]
pub struct CanonicalRequest<'a> {
    request: &'a Request<'a>,
    headers: SortedHeaders<'a>,
    payload: PayloadLine<'a>,
}

impl<'a> CanonicalRequest<'a> {
    /// Puts the headers in order and hashes the body.
    #[must_use]
    pub fn new(request: &'a Request<'a>) -> Self {
        Self {
            request,
            headers: SortedHeaders::of(request.headers),
            payload: PayloadLine::of(request.payload),
        }
    }

    /// Writes the canonical request.
    ///
    /// # Errors
    ///
    /// Only what `writer` gives.
    pub fn write_to<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
        writer.write_str(self.request.method)?;
        writer.write_char('\n')?;
        write_canonical_uri(self.request.path, self.request.path_style, writer)?;
        writer.write_char('\n')?;
        write_canonical_query(self.request.query, writer)?;
        writer.write_char('\n')?;
        self.write_headers(writer)?;
        writer.write_char('\n')?;
        self.write_signed_headers(writer)?;
        writer.write_char('\n')?;
        writer.write_str(self.payload.as_str())
    }

    /// Writes the names of the signed headers: lower-case, sorted, joined by semicolons.
    ///
    /// # Errors
    ///
    /// Only what `writer` gives.
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

    /// The SHA-256 of the canonical request.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        HashWriter::update(&mut hash, |writer| self.write_to(writer));
        hash.finalize().into()
    }

    /// The last line: the lower-case hex SHA-256 of the body, or the literal that stands for it.
    #[must_use]
    pub fn payload_hash(&self) -> &str {
        self.payload.as_str()
    }

    fn write_headers<W: fmt::Write>(&self, writer: &mut W) -> fmt::Result {
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
        if previous.is_some() { writer.write_char('\n') } else { Ok(()) }
    }
}

impl fmt::Display for CanonicalRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// The headers with lower-case names, sorted by name; those of one name stay in the order given.
#[derive(Clone, Debug)]
enum SortedHeaders<'a> {
    AsGiven(&'a [(&'a str, &'a str)]),
    Sorted(Vec<(Cow<'a, str>, &'a str)>),
}

impl<'a> SortedHeaders<'a> {
    fn of(headers: &'a [(&'a str, &'a str)]) -> Self {
        let is_lower_case = |(name, _): &(&str, &str)| is_lower_case(name);
        if headers.is_sorted_by(|left, right| left.0 <= right.0) && headers.iter().all(is_lower_case) {
            return Self::AsGiven(headers);
        }
        let mut sorted: Vec<_> = headers.iter().map(|(name, value)| (lower_case(name), *value)).collect();
        sorted.sort_by(|left, right| left.0.cmp(&right.0));
        Self::Sorted(sorted)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        let (as_given, sorted) = match self {
            Self::AsGiven(headers) => (*headers, &[][..]),
            Self::Sorted(headers) => (&[][..], headers.as_slice()),
        };
        as_given.iter().copied().chain(sorted.iter().map(|(name, value)| (&**name, *value)))
    }
}

#[derive(Clone, Debug)]
pub(super) enum PayloadLine<'a> {
    Hash([u8; 64]),
    Literal(&'a str),
}

impl<'a> PayloadLine<'a> {
    #[inline]
    pub(super) fn of(payload: Payload<'a>) -> Self {
        match payload {
            Payload::Bytes(bytes) => Self::Hash(hex_of(Sha256::digest(bytes).into())),
            Payload::Sha256(hash) => Self::Hash(hex_of(hash)),
            Payload::Literal(literal) => Self::Literal(literal),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Hash(hex) => hex,
            Self::Literal(literal) => literal.as_bytes(),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Hash(hex) => std::str::from_utf8(hex).unwrap_or_default(),
            Self::Literal(literal) => literal,
        }
    }
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if is_lower_case(name) { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) }
}

fn is_lower_case(name: &str) -> bool {
    !has_byte(name, |byte| byte.is_ascii_uppercase())
}

/// Writes the value without spaces at its ends and with each run of spaces as one; other white space stays.
fn write_trimmed<W: fmt::Write>(value: &str, writer: &mut W) -> fmt::Result {
    if !has_byte(value, |byte| byte == b' ') {
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
        CanonicalRequest::new(&Request { headers, ..Request::new("GET", "/") }).to_string()
    }

    #[test]
    fn headers_are_lower_cased_sorted_joined_and_trimmed() {
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
    fn no_headers_leave_their_lines_empty() {
        assert!(canonical(&[]).starts_with("GET\n/\n\n\n\ne3b0c442"));
    }

    #[test]
    fn the_payload_line_is_the_hash_or_the_literal() {
        let with = |payload| {
            let request = Request { payload, ..Request::new("PUT", "/") };
            CanonicalRequest::new(&request).payload_hash().to_owned()
        };
        let hash = Sha256::digest(b"body").into();
        assert_eq!(with(Payload::Bytes(b"body")), with(Payload::Sha256(hash)));
        assert_eq!(with(Payload::Literal("UNSIGNED-PAYLOAD")), "UNSIGNED-PAYLOAD");
    }
}
