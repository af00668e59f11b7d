use std::fmt;

use sha2::{Digest, Sha256};

/// Small writes are gathered up to this many bytes: one hash update costs as much as copying a few hundred
/// bytes, and most canonical requests fit whole.
const BUFFER_BYTES: usize = 1024;

/// Text in, SHA-256 out.
pub(super) struct Sha256Writer {
    hasher: Sha256,
    buffer: [u8; BUFFER_BYTES],
    filled: usize,
}

impl Sha256Writer {
    pub(super) fn new() -> Self {
        Self { hasher: Sha256::new(), buffer: [0; BUFFER_BYTES], filled: 0 }
    }

    pub(super) fn finish(mut self) -> [u8; 32] {
        self.flush();
        self.hasher.finalize().into()
    }

    fn flush(&mut self) {
        self.hasher.update(self.buffer.get(..self.filled).unwrap_or_default());
        self.filled = 0;
    }
}

impl fmt::Write for Sha256Writer {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let bytes = text.as_bytes();
        if bytes.len() > BUFFER_BYTES - self.filled {
            self.flush();
        }
        match self.buffer.get_mut(self.filled..self.filled + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => self.hasher.update(bytes),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn any_cut_gives_the_hash_of_the_whole() {
        let text = "0123456789abcdef".repeat(300);
        let whole: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        for cut in [1, 7, 64, 1023, 1024, 1025, 4800] {
            let mut writer = Sha256Writer::new();
            for piece in text.as_bytes().chunks(cut) {
                writer.write_str(std::str::from_utf8(piece).unwrap()).unwrap();
            }
            assert_eq!(writer.finish(), whole, "cut every {cut}");
        }
    }
}
