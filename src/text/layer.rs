//! A text without one or more layers of escapes, and where each of its bytes came from.

use std::borrow::Cow;

/// How often a text is unescaped: a URL in a JSON text that a gateway wraps into JSON is escaped three times.
const MAX_ESCAPES: usize = 3;

/// Maximum bytes of a character reference after its ampersand: `#x10ffff;` with zeros before.
const MAX_REFERENCE_BYTES: usize = 16;

pub(super) struct Layer<'a> {
    bytes: Cow<'a, [u8]>,
    /// For each byte, and for the end, the offset in the original text; empty for the original text itself.
    origins: Vec<usize>,
}

impl<'a> Layer<'a> {
    /// The text, and what is left of it after each time that it is unescaped.
    pub(super) fn all(text: &'a [u8]) -> impl Iterator<Item = Self> {
        let outermost = Self {
            bytes: Cow::Borrowed(text),
            origins: Vec::new(),
        };
        std::iter::successors(Some(outermost), Self::unescaped).take(1 + MAX_ESCAPES)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The offset in the original text.
    pub(super) fn origin(&self, offset: usize) -> usize {
        self.origins.get(offset).copied().unwrap_or(offset)
    }

    /// The text with percent-encoding, JSON's escapes and XML's references undone once; `None` if it has none.
    fn unescaped(&self) -> Option<Self> {
        if !self
            .bytes
            .iter()
            .any(|byte| matches!(byte, b'%' | b'\\' | b'&'))
        {
            return None;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut origins = Vec::with_capacity(self.bytes.len() + 1);
        let mut offset = 0;
        while let Some(rest @ [first, ..]) = self.bytes.get(offset..) {
            let length = match unescape(rest, &mut bytes) {
                Some(length) => length,
                None => {
                    bytes.push(*first);
                    1
                }
            };
            origins.resize(bytes.len(), self.origin(offset));
            offset += length;
        }
        origins.push(self.origin(offset));
        (bytes.len() < self.bytes.len()).then_some(Self {
            bytes: Cow::Owned(bytes),
            origins,
        })
    }
}

/// Undoes the escape at the beginning of a text, and returns its length.
fn unescape(text: &[u8], bytes: &mut Vec<u8>) -> Option<usize> {
    match text {
        [b'%', digits @ ..] => {
            bytes.push(u8::try_from(number(digits.get(..2)?, 16)?).ok()?);
            Some(3)
        }
        [b'\\', b'u', digits @ ..] => {
            push(char::from_u32(number(digits.get(..4)?, 16)?)?, bytes);
            Some(6)
        }
        [b'\\', letter, ..] => {
            bytes.push(match letter {
                b'"' | b'\'' | b'\\' | b'/' => *letter,
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            });
            Some(2)
        }
        [b'&', name @ ..] => {
            let end = name
                .iter()
                .take(MAX_REFERENCE_BYTES)
                .position(|byte| *byte == b';')?;
            push(referenced(name.get(..end)?)?, bytes);
            Some(end + 2)
        }
        _ => None,
    }
}

fn referenced(name: &[u8]) -> Option<char> {
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?),
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?),
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    // The parser of the standard library also takes a sign.
    if digits.starts_with('+') {
        None
    } else {
        u32::from_str_radix(digits, radix).ok()
    }
}

fn push(character: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}
