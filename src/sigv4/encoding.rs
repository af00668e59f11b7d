use std::borrow::Cow;
use std::fmt;

use super::PathStyle;

/// Upper-case digits, as the canonical form demands.
const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Writes `text` with everything percent-encoded but RFC 3986's unreserved characters, `A-Z a-z 0-9 - _ . ~`.
///
/// This is the encoding of a URI label of AWS's REST protocols and of each name and value of a canonical query.
///
/// # Errors
///
/// Only what `writer` gives.
pub fn percent_encode<W: fmt::Write>(text: &str, writer: &mut W) -> fmt::Result {
    encode_bytes(text.as_bytes(), is_unreserved, writer)
}

/// Writes the path as the canonical URI.
pub(super) fn write_canonical_uri<W: fmt::Write>(
    path: &str,
    style: PathStyle,
    writer: &mut W,
) -> fmt::Result {
    let path = if path.is_empty() { "/" } else { path };
    if !style.normalize || is_normal(path) {
        return write_path(path, style, writer);
    }
    for segment in normal_segments(path) {
        writer.write_char('/')?;
        write_path(segment, style, writer)?;
    }
    let ends_in_directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if ends_in_directory || normal_segments(path).next().is_none() { writer.write_char('/') } else { Ok(()) }
}

fn write_path<W: fmt::Write>(path: &str, style: PathStyle, writer: &mut W) -> fmt::Result {
    let is_kept = |byte| is_unreserved(byte) | (byte == b'/');
    if !style.encode_again || !has_byte(path, |byte| !is_kept(byte)) {
        return writer.write_str(path);
    }
    encode_bytes(path.as_bytes(), is_kept, writer)
}

/// Whether normalising would leave the path as it is; may say no to one that it would.
fn is_normal(path: &str) -> bool {
    let may_change = |(byte, next): (&u8, &u8)| (*byte == b'/') & ((*next == b'/') | (*next == b'.'));
    let bytes = path.as_bytes();
    // To the end whatever is found, so that it becomes vector instructions.
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    path.starts_with('/') && !pairs.fold(false, |found, pair| found | may_change(pair))
}

/// The segments that are left when empty ones and `.` are dropped and `..` takes away the one before it.
fn normal_segments(path: &str) -> impl Iterator<Item = &str> {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    kept.into_iter()
}

/// Writes the query with each name and value decoded and encoded anew, sorted by encoded name, then value.
pub(super) fn write_canonical_query<W: fmt::Write>(query: &str, writer: &mut W) -> fmt::Result {
    if query.is_empty() {
        return Ok(());
    }
    let mut parameters: Vec<_> =
        query.split('&').filter(|pair| !pair.is_empty()).map(encode_parameter).collect();
    parameters.sort_unstable();
    for (index, (name, value)) in parameters.iter().enumerate() {
        if index > 0 {
            writer.write_char('&')?;
        }
        writer.write_str(name)?;
        writer.write_char('=')?;
        writer.write_str(value)?;
    }
    Ok(())
}

fn encode_parameter(pair: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (encode_decoded(name), encode_decoded(value))
}

fn encode_decoded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_unreserved) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len());
    // Writing to a String cannot fail.
    let _ = encode_bytes(&decode(text), is_unreserved, &mut encoded);
    Cow::Owned(encoded)
}

/// Percent-decodes; an escape that is not one stays as it stands.
fn decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high * 16 + low);
                    rest = after;
                }
                _ => decoded.push(b'%'),
            },
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    decoded
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Without branches, for [`has_byte`].
fn is_unreserved(byte: u8) -> bool {
    let is_mark = (byte == b'-') | (byte == b'_') | (byte == b'.') | (byte == b'~');
    byte.is_ascii_digit() | (byte | 0x20).is_ascii_lowercase() | is_mark
}

/// Looks at 16 bytes at a time, which become one vector; the last 16 may overlap those before them. To look for
/// capitals, spaces and what is to be encoded byte after byte would be 6 % of the time of signing.
pub(super) fn has_byte(text: &str, is_wanted: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let is_in = |chunk: &[u8; 16]| chunk.iter().fold(false, |found, byte| found | is_wanted(*byte));
    match bytes.last_chunk() {
        Some(last) => bytes.as_chunks().0.iter().any(is_in) || is_in(last),
        None => bytes.iter().any(|byte| is_wanted(*byte)),
    }
}

/// Writes runs of kept bytes whole, so that plain text costs one write.
fn encode_bytes<W: fmt::Write>(bytes: &[u8], keep: impl Fn(u8) -> bool, writer: &mut W) -> fmt::Result {
    let mut rest = bytes;
    while !rest.is_empty() {
        let plain_length = rest.iter().position(|byte| !keep(*byte)).unwrap_or(rest.len());
        let (plain, tail) = rest.split_at(plain_length);
        writer.write_str(std::str::from_utf8(plain).unwrap_or_default())?;
        rest = tail;
        if let Some((&byte, tail)) = rest.split_first() {
            writer.write_char('%')?;
            writer.write_char(upper_hex_digit(byte >> 4))?;
            writer.write_char(upper_hex_digit(byte & 0xf))?;
            rest = tail;
        }
    }
    Ok(())
}

fn upper_hex_digit(value: u8) -> char {
    HEX_UPPER.get(usize::from(value)).copied().map_or('0', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(path: &str, encode_again: bool, normalize: bool) -> String {
        let mut text = String::new();
        write_canonical_uri(path, PathStyle { encode_again, normalize }, &mut text).unwrap();
        text
    }

    fn query(query: &str) -> String {
        let mut text = String::new();
        write_canonical_query(query, &mut text).unwrap();
        text
    }

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for length in 0..50 {
            assert!(!has_byte(&"a".repeat(length), |byte| byte == b' '));
            for at in 0..length {
                let text = format!("{} {}", "a".repeat(at), "a".repeat(length - at - 1));
                assert!(has_byte(&text, |byte| byte == b' '), "{text:?}");
            }
        }
    }

    #[test]
    fn what_rfc_3986_leaves_unreserved_is_66_characters() {
        let kept: String = (0..=u8::MAX).filter(|byte| is_unreserved(*byte)).map(char::from).collect();
        assert_eq!(kept, "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");
    }

    #[test]
    fn a_path_is_encoded_once_more_or_left() {
        assert_eq!(uri("/a%20b/~c:d", true, true), "/a%2520b/~c%3Ad");
        assert_eq!(uri("/a%20b/~c:d", false, true), "/a%20b/~c:d");
        assert_eq!(uri("", true, true), "/");
    }

    #[test]
    fn normalising_resolves_dots_and_keeps_the_last_slash() {
        for (path, normal) in [
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/../..", "/"),
            ("/a/../b", "/b"),
            ("/a//b/", "/a/b/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a/.b/..c", "/a/.b/..c"),
            ("a", "/a"),
        ] {
            assert_eq!(uri(path, true, true), normal, "{path}");
        }
        assert_eq!(uri("/a/../b//", true, false), "/a/../b//");
    }

    #[test]
    fn a_query_is_decoded_encoded_and_sorted() {
        for (sent, canonical) in [
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a", "a=&a=1&a=2"),
            ("a=%7e%41+b", "a=~A%20b"),
            ("a=b=c", "a=b%3Dc"),
            ("a=%zz%", "a=%25zz%25"),
            ("&&a=1&", "a=1"),
            ("%C3%A9=\u{1234}", "%C3%A9=%E1%88%B4"),
        ] {
            assert_eq!(query(sent), canonical, "{sent}");
        }
    }
}
