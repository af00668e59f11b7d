use std::fmt;

use sha2::digest::Update;

/// Small writes are gathered up to this many bytes: one hash update costs as much as copying a few hundred
/// bytes, and most canonical requests fit whole.
const BUFFER_BYTES: usize = 512;

/// Text in, into a hash or a MAC.
pub(super) struct HashWriter<'h, H> {
    hash: &'h mut H,
    buffer: [u8; BUFFER_BYTES],
    filled: usize,
}

impl<H: Update> HashWriter<'_, H> {
    /// Updates the hash with what `write` writes.
    pub(super) fn update(hash: &mut H, write: impl FnOnce(&mut HashWriter<'_, H>) -> fmt::Result) {
        // The writer stays where it is: moving it would cost as much as copying its buffer.
        let mut writer = HashWriter { hash, buffer: [0; BUFFER_BYTES], filled: 0 };
        // This writer never fails.
        let _ = write(&mut writer);
        writer.flush();
    }

    fn flush(&mut self) {
        self.hash.update(self.buffer.get(..self.filled).unwrap_or_default());
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
        match self.buffer.get_mut(self.filled..).and_then(|free| free.get_mut(..bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => self.write_past_buffer(bytes),
        }
        Ok(())
    }

    /// Separators are half of what is written; the default would copy each as a text.
    #[inline]
    fn write_char(&mut self, letter: char) -> fmt::Result {
        match (self.buffer.get_mut(self.filled), u8::try_from(letter)) {
            (Some(place), Ok(byte)) if byte.is_ascii() => {
                *place = byte;
                self.filled += 1;
                Ok(())
            }
            _ => self.write_str(letter.encode_utf8(&mut [0; 4])),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn any_cut_gives_the_hash_of_the_whole() {
        let text = "0123456789abcdef".repeat(300);
        let whole = Sha256::digest(text.as_bytes());
        for cut in [1, 7, 64, 511, 512, 513, 4800] {
            let mut hash = Sha256::new();
            HashWriter::update(&mut hash, |writer| {
                let mut pieces = text.as_bytes().chunks(cut);
                pieces.try_for_each(|piece| writer.write_str(std::str::from_utf8(piece).unwrap()))
            });
            assert_eq!(hash.finalize(), whole, "cut every {cut}");
        }
    }

    #[test]
    fn letters_give_the_hash_of_the_whole() {
        let text = "aé\u{7f}\u{80}\u{1234}\u{1f600}".repeat(60);
        let mut hash = Sha256::new();
        HashWriter::update(&mut hash, |writer| text.chars().try_for_each(|letter| writer.write_char(letter)));
        assert_eq!(hash.finalize(), Sha256::digest(text.as_bytes()));
    }
}
