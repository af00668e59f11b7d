//! Takes the secrets of a request out of what a server wrote.

#[cfg(test)]
mod tests;

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::layer::Layer;

/// Values from this length on are removed wherever they stand. Shorter ones occur by chance, so they are removed only
/// behind the name of their header.
const MIN_BYTES: usize = 8;

/// Maximum bytes between the name of a header and its value: `: `, `":"`, `\": \"`.
const MAX_SEPARATOR_BYTES: usize = 16;

/// How far behind the end of a kept text a secret may reach: 4 KiB, each byte of it escaped twice.
const MAX_ESCAPED_BYTES: usize = 64 * 1024;

const REPLACEMENT: &[u8] = b"..";

/// The secrets of one request, in the forms in which a server may repeat them: as they are, percent-encoded, escaped for
/// JSON or XML, or in Base64.
///
/// Escapes are undone layer by layer, so that each value is searched in one form whatever the server escaped. A search
/// reads each layer once, and for most bytes this is one lookup in a table: a ModelError of 1 MiB takes 1 to 20 ms.
pub(crate) struct Redactor {
    values: Vec<Vec<u8>>,
    /// Short values with the names of their headers.
    named_values: Vec<(&'static str, Vec<u8>)>,
    /// Whether a value, or the name of a short one, begins with this byte.
    is_first_byte: [bool; 256],
}

impl Default for Redactor {
    /// Removes nothing.
    fn default() -> Self {
        Self {
            values: Vec::new(),
            named_values: Vec::new(),
            is_first_byte: [false; 256],
        }
    }
}

impl Redactor {
    /// Takes the lower-case names of headers and their secret values.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = (&'static str, &'a str)>) -> Self {
        let mut redactor = Self::default();
        for (name, value) in secrets {
            redactor.add(name, value);
        }
        redactor
    }

    fn add(&mut self, name: &'static str, value: &str) {
        // A canonical request has single spaces, a form has plus signs for them.
        let canonical = value
            .split(' ')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let form = value.replace(' ', "+");
        for text in [value, &canonical, &form] {
            // A value that looks escaped is unescaped with the text around it.
            for layer in Layer::all(text.as_bytes()) {
                self.add_bytes(name, layer.bytes());
            }
            for bytes_before in alignments(text) {
                for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    self.add_bytes(name, &base64(&engine, text.as_bytes(), bytes_before));
                }
            }
        }
    }

    fn add_bytes(&mut self, name: &'static str, bytes: &[u8]) {
        let (Some(first), Some(first_of_name)) = (bytes.first(), name.as_bytes().first()) else {
            return;
        };
        if bytes.len() < MIN_BYTES {
            self.mark_first_byte(first_of_name.to_ascii_lowercase());
            self.mark_first_byte(first_of_name.to_ascii_uppercase());
            self.named_values.push((name, bytes.to_vec()));
        } else if !self.values.iter().any(|value| value == bytes) {
            self.mark_first_byte(*first);
            self.values.push(bytes.to_vec());
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    fn mark_first_byte(&mut self, byte: u8) {
        self.is_first_byte[usize::from(byte)] = true;
    }

    /// The text without the secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.redact_start(text.as_bytes(), usize::MAX)
    }

    /// The first bytes as text, without the secrets; also without a secret that begins in them and ends after them.
    #[expect(
        clippy::indexing_slicing,
        reason = "secrets are in order and within the text"
    )]
    pub(crate) fn redact_start(&self, bytes: &[u8], max_bytes: usize) -> String {
        let searched = &bytes[..bytes.len().min(max_bytes.saturating_add(MAX_ESCAPED_BYTES))];
        let end = bytes.len().min(max_bytes);
        let mut kept = Vec::with_capacity(end);
        let mut at = 0;
        for secret in self
            .secrets_in(searched)
            .iter()
            .take_while(|secret| secret.start < end)
        {
            kept.extend_from_slice(&bytes[at..secret.start]);
            kept.extend_from_slice(REPLACEMENT);
            at = secret.end;
        }
        kept.extend_from_slice(&bytes[at.min(end)..end]);
        String::from_utf8_lossy(&kept).into_owned()
    }

    /// Where secrets stand, in order and without overlaps.
    fn secrets_in(&self, text: &[u8]) -> Vec<Range<usize>> {
        if self.values.is_empty() && self.named_values.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        Layer::all(text).for_each(|layer| self.search(&layer, &mut found));
        found.sort_unstable_by_key(|secret| secret.start);
        let mut merged = Vec::new();
        found
            .into_iter()
            .for_each(|secret| push_merged(&mut merged, secret));
        merged
    }

    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    fn search(&self, layer: &Layer<'_>, found: &mut Vec<Range<usize>>) {
        let mut rest = layer.bytes();
        while let [first, tail @ ..] = rest {
            if self.is_first_byte[usize::from(*first)]
                && let Some(secret) = self.secret_at(rest)
            {
                let at = layer.bytes().len() - rest.len();
                push_merged(
                    found,
                    layer.origin(at + secret.start)..layer.origin(at + secret.end),
                );
            }
            // Also after a match, since another secret may begin within this one.
            rest = tail;
        }
    }

    /// The longest secret at the beginning of a text, or behind the name of a header at its beginning.
    fn secret_at(&self, text: &[u8]) -> Option<Range<usize>> {
        let lengths = self
            .values
            .iter()
            .filter_map(|value| length_at(text, value));
        match lengths.max() {
            Some(length) => Some(0..length),
            None => self
                .named_values
                .iter()
                .find_map(|(name, value)| named_value_at(text, name, value)),
        }
    }
}

/// How many bytes of a value a text begins with: all of them, or as many as the text has. A server may have cut the text
/// within the value.
fn length_at(text: &[u8], value: &[u8]) -> Option<usize> {
    let length = value.len().min(text.len());
    if length >= MIN_BYTES && text.get(..length) == value.get(..length) {
        Some(length)
    } else {
        None
    }
}

/// Adds a range that does not begin before the last one.
fn push_merged(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.start <= range.start && range.start <= last.end => {
            last.end = last.end.max(range.end);
        }
        _ => ranges.push(range),
    }
}

/// A value behind the name of its header, in any case and also with underscores, as CGI spells it.
fn named_value_at(text: &[u8], name: &str, value: &[u8]) -> Option<Range<usize>> {
    let (head, tail) = text.split_at_checked(name.len())?;
    if !head
        .iter()
        .zip(name.bytes())
        .all(|(byte, of_name)| is_same_in_name(*byte, of_name))
    {
        return None;
    }
    let separators = tail
        .iter()
        .take(MAX_SEPARATOR_BYTES)
        .take_while(|byte| !byte.is_ascii_alphanumeric());
    // A value may itself begin with what separates.
    let mut starts = 1..=separators.count();
    let start = starts.find(|start| {
        tail.get(*start..)
            .is_some_and(|rest| rest.starts_with(value))
    })?;
    let start = name.len() + start;
    Some(start..start + value.len())
}

fn is_same_in_name(byte: u8, of_name: u8) -> bool {
    byte.eq_ignore_ascii_case(&of_name) || (byte == b'_' && of_name == b'-')
}

/// How many bytes, modulo 3, may stand before a value in what is encoded as Base64.
fn alignments(value: &str) -> Range<usize> {
    if value.len() < MIN_BYTES { 0..0 } else { 0..3 }
}

/// The Base64 characters of a value with this many bytes before it. Characters that also hold bits of its neighbours are
/// left out; they show less than a byte at each end.
fn base64(engine: &GeneralPurpose, value: &[u8], bytes_before: usize) -> Vec<u8> {
    let aligned = [&vec![0; bytes_before], value].concat();
    let mut characters = engine.encode(&aligned).into_bytes();
    characters.truncate(8 * aligned.len() / 6);
    characters.split_off((8 * bytes_before).div_ceil(6))
}
