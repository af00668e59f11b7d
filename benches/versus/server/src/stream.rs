//! Answers to InvokeEndpointWithResponseStream: frames of `application/vnd.amazon.eventstream`.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Frames are written in blocks of about this size, as long as nothing has to be paced.
const BLOCK_BYTES: usize = 1 << 20;

const HEAD: &str = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 2d9b4c6e-8f10-4a3b-9c5d-7e6f8a9b0c1d\r\n\
                    x-Amzn-Invoked-Production-Variant: AllTraffic\r\n\
                    X-Amzn-SageMaker-Content-Type: application/jsonlines\r\n\
                    Date: Mon, 23 Nov 2026 10:00:00 GMT\r\n\
                    Content-Type: application/vnd.amazon.eventstream\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";

/// Each payload of a paced stream begins with the time of its write.
const TIME_BYTES: usize = 8;

/// A stream as the body of its request describes it: `PAYLOAD_BYTES FRAMES FRAMES_PER_CHUNK GAP_MICROSECONDS`.
pub struct Stream {
    payload_bytes: usize,
    frames: usize,
    /// Frames that share a chunk of HTTP's chunked encoding.
    frames_per_chunk: usize,
    /// The pause before each frame; 0 to write as fast as the peer reads.
    gap: Duration,
}

impl Stream {
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut numbers = std::str::from_utf8(text).ok()?.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            payload_bytes: next()?,
            frames: next()?,
            frames_per_chunk: next()?.max(1),
            gap: Duration::from_micros(next()?.try_into().ok()?),
        })
    }

    pub fn write_to(&self, peer: &mut impl Write) -> io::Result<()> {
        peer.write_all(HEAD.as_bytes())?;
        if self.gap.is_zero() {
            self.write_blocks(peer)?;
        } else {
            self.write_paced(peer)?;
        }
        peer.write_all(b"0\r\n\r\n")?;
        peer.flush()
    }

    fn write_blocks(&self, peer: &mut impl Write) -> io::Result<()> {
        let payload = vec![b'7'; self.payload_bytes];
        let frame = frame(&payload);
        let chunks = (BLOCK_BYTES / (frame.len() * self.frames_per_chunk)).max(1);
        let chunk = chunk(&frame.repeat(self.frames_per_chunk));
        let (block, frames_per_block) = (chunk.repeat(chunks), chunks * self.frames_per_chunk);
        for _ in 0..self.frames / frames_per_block {
            peer.write_all(&block)?;
        }
        let left = self.frames % frames_per_block;
        peer.write_all(&chunk.repeat(left / self.frames_per_chunk))?;
        match left % self.frames_per_chunk {
            0 => Ok(()),
            left => peer.write_all(&self::chunk(&frame.repeat(left))),
        }
    }

    fn write_paced(&self, peer: &mut impl Write) -> io::Result<()> {
        let mut payload = vec![b'7'; self.payload_bytes.max(TIME_BYTES)];
        for _ in 0..self.frames {
            thread::sleep(self.gap);
            payload[..TIME_BYTES].copy_from_slice(&now().to_be_bytes());
            peer.write_all(&chunk(&frame(&payload)))?;
            peer.flush()?;
        }
        Ok(())
    }
}

/// Nanoseconds of the clock that all processes of this machine share.
fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the machine has a clock");
    u64::try_from(Duration::from(now).as_nanos()).expect("less than 584 years")
}

/// One `PayloadPart`.
fn frame(payload: &[u8]) -> Vec<u8> {
    let headers = [
        (":event-type", "PayloadPart"),
        (":content-type", "application/octet-stream"),
        (":message-type", "event"),
    ];
    let headers: Vec<u8> = headers
        .iter()
        .flat_map(|(name, value)| header(name, value))
        .collect();
    let mut frame = Vec::with_capacity(headers.len() + payload.len() + 16);
    frame.extend_from_slice(&number(headers.len() + payload.len() + 16));
    frame.extend_from_slice(&number(headers.len()));
    append_checksum(&mut frame);
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload);
    append_checksum(&mut frame);
    frame
}

/// A header of type 7, text.
fn header(name: &str, value: &str) -> Vec<u8> {
    let name_length = u8::try_from(name.len()).expect("a short name");
    let value_length = u16::try_from(value.len()).expect("a short value");
    [
        &[name_length],
        name.as_bytes(),
        &[7],
        &value_length.to_be_bytes(),
        value.as_bytes(),
    ]
    .concat()
}

fn append_checksum(frame: &mut Vec<u8>) {
    let checksum = crc32fast::hash(frame);
    frame.extend_from_slice(&checksum.to_be_bytes());
}

fn number(length: usize) -> [u8; 4] {
    u32::try_from(length)
        .expect("a frame of less than 4 GiB")
        .to_be_bytes()
}

fn chunk(content: &[u8]) -> Vec<u8> {
    [
        format!("{:x}\r\n", content.len()).as_bytes(),
        content,
        b"\r\n",
    ]
    .concat()
}
