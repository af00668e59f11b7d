//! The floor of reading a stream: believes the lengths of each frame, and looks at nothing else.

use std::io::Read;

/// Grows for a larger frame.
const BUFFER_BYTES: usize = 64 << 10;

/// Lengths and their checksum, in front of the headers.
const PRELUDE_BYTES: usize = 12;

/// Behind the payload.
const CHECKSUM_BYTES: usize = 4;

pub fn read(mut body: impl Read, on_part: &mut dyn FnMut(&[u8])) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut begin, mut end) = (0, 0);
    loop {
        while let Some((total, headers)) = lengths(&buffer[begin..end]) {
            if end - begin < total {
                break;
            }
            on_part(&buffer[begin + PRELUDE_BYTES + headers..begin + total - CHECKSUM_BYTES]);
            begin += total;
        }
        buffer.copy_within(begin..end, 0);
        (begin, end) = (0, end - begin);
        if end == buffer.len() {
            buffer.resize(2 * end, 0);
        }
        match body.read(&mut buffer[end..]).expect("a part of the body") {
            0 => return,
            bytes => end += bytes,
        }
    }
}

/// Of the whole frame and of its headers.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let (total, rest) = bytes.split_first_chunk()?;
    let headers = rest.first_chunk()?;
    Some((
        u32::from_be_bytes(*total) as usize,
        u32::from_be_bytes(*headers) as usize,
    ))
}
