//! Encodes responses whose body is an event stream.

/// The head of a streamed response of SageMaker.
pub(crate) const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\n\
    x-amzn-requestid: request-1\r\n\
    x-amzn-invoked-production-variant: blue\r\n\
    x-amzn-sagemaker-content-type: text/event-stream\r\n\
    content-type: application/vnd.amazon.eventstream\r\n\
    transfer-encoding: chunked\r\n\r\n";

pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Header type 7, a text.
const TEXT: u8 = 7;

/// A frame whose headers are texts.
pub(crate) fn frame(headers: &[(&str, &str)], payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(u8::try_from(name.len()).unwrap());
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(TEXT);
        encoded.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(encoded.len() + payload.as_ref().len() + 16).unwrap();
    let mut frame = total.to_be_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(encoded.len()).unwrap().to_be_bytes());
    add_checksum(&mut frame);
    frame.extend_from_slice(&encoded);
    frame.extend_from_slice(payload.as_ref());
    add_checksum(&mut frame);
    frame
}

fn add_checksum(bytes: &mut Vec<u8>) {
    let checksum = crc32fast::hash(bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
}

/// An event of this type.
pub(crate) fn event(event_type: &str, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let headers = [
        (":event-type", event_type),
        (":content-type", "application/octet-stream"),
        (":message-type", "event"),
    ];
    frame(&headers, payload)
}

/// A part of the body.
pub(crate) fn part(payload: impl AsRef<[u8]>) -> Vec<u8> {
    event("PayloadPart", payload)
}

/// An exception of this type.
pub(crate) fn exception(exception_type: &str, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let headers = [
        (":exception-type", exception_type),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    frame(&headers, payload)
}

/// A chunk of a chunked body.
pub(crate) fn chunk(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Each byte as a chunk.
pub(crate) fn chunk_per_byte(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| chunk([*byte])).collect()
}

/// A whole response with these frames, in one chunk.
pub(crate) fn stream_response(frames: &[Vec<u8>]) -> Vec<u8> {
    [STREAM_HEAD.as_bytes(), &chunk(frames.concat()), LAST_CHUNK].concat()
}
