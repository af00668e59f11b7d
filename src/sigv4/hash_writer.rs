//! Writes text into a hash.

use std::fmt;

use sha2::digest::Update;

/// Bytes collected before the hash is updated. One update costs as much as copying a few hundred bytes, and most
/// canonical requests are shorter than this.
const BUFFER_BYTES: usize = 512;

/// A buffered [`fmt::Write`] over SHA-256 or HMAC-SHA256. It never fails.
pub(super) struct HashWriter<'h, H> {
    hash: &'h mut H,
    buffer: [u8; BUFFER_BYTES],
    /// The length of the text in the buffer.
    filled: usize,
}

impl<H: Update> HashWriter<'_, H> {
    /// Updates `hash` with the text that `write` writes.
    #[expect(
        clippy::expect_used,
        reason = "no method of the writer returns an error"
    )]
    pub(super) fn update(hash: &mut H, write: impl FnOnce(&mut HashWriter<'_, H>) -> fmt::Result) {
        // Passed by reference, because moving the writer copies its buffer.
        let mut writer = HashWriter {
            hash,
            buffer: [0; BUFFER_BYTES],
            filled: 0,
        };
        write(&mut writer).expect("writing to a HashWriter does not fail");
        writer.flush();
    }

    fn flush(&mut self) {
        let (filled, _) = self.buffer.split_at(self.filled);
        self.hash.update(filled);
        self.filled = 0;
    }

    #[cold]
    fn write_past_buffer(&mut self, bytes: &[u8]) {
        self.flush();
        self.hash.update(bytes);
    }
}

impl<H: Update> fmt::Write for HashWriter<'_, H> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let bytes = text.as_bytes();
        match self
            .buffer
            .get_mut(self.filled..)
            .and_then(|free| free.get_mut(..bytes.len()))
        {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => self.write_past_buffer(bytes),
        }
        Ok(())
    }

    // Half of the writes are separators, and the default implementation copies each as a string.
    #[inline]
    fn write_char(&mut self, character: char) -> fmt::Result {
        match (self.buffer.get_mut(self.filled), u8::try_from(character)) {
            (Some(place), Ok(byte)) if byte.is_ascii() => {
                *place = byte;
                self.filled += 1;
                Ok(())
            }
            _ => self.write_str(character.encode_utf8(&mut [0; 4])),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn writes_of_any_length_give_the_hash_of_the_whole_text() {
        let text = "0123456789abcdef".repeat(300);
        let whole = Sha256::digest(text.as_bytes());
        for length in [1, 7, 64, 511, 512, 513, 4800] {
            let mut hash = Sha256::new();
            HashWriter::update(&mut hash, |writer| {
                let mut pieces = text.as_bytes().chunks(length);
                pieces.try_for_each(|piece| writer.write_str(std::str::from_utf8(piece).unwrap()))
            });
            assert_eq!(hash.finalize(), whole, "{length} bytes per write");
        }
    }

    #[test]
    fn single_characters_give_the_hash_of_the_whole_text() {
        let text = "aé\u{7f}\u{80}\u{1234}\u{1f600}".repeat(60);
        let mut hash = Sha256::new();
        HashWriter::update(&mut hash, |writer| {
            text.chars().try_for_each(|it| writer.write_char(it))
        });
        assert_eq!(hash.finalize(), Sha256::digest(text.as_bytes()));
    }
}
