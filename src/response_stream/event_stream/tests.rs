use std::fs;
use std::path::{Path, PathBuf};

use aws_smithy_types::event_stream::{
    Header as SmithyHeader, HeaderValue as SmithyValue, Message as SmithyMessage,
};
use aws_smithy_types::{Blob, DateTime};

use super::*;
use crate::testing::{Random, fuzz};

/// One message with headers of every type, bytes 28 to 40 being the payload.
fn encode(message: &SmithyMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    aws_smithy_eventstream::frame::write_message_to(message, &mut bytes).unwrap();
    bytes
}

/// Decodes bytes that arrive in pieces of these sizes, and gives each message to `take`.
fn decode(
    bytes: &[u8],
    mut piece_bytes: impl FnMut() -> usize,
    mut take: impl FnMut(Message<'_>),
) -> Result<usize, FrameError> {
    let mut decoder = Decoder::new(u64::MAX);
    let mut left = bytes;
    loop {
        while let Some(place) = decoder.next_message()? {
            let message = Message::parse(decoder.bytes(place))?;
            message.check_headers()?;
            take(message);
        }
        if left.is_empty() {
            return Ok(decoder.pending().len());
        }
        let (piece, rest) = left.split_at(piece_bytes().clamp(1, left.len()));
        decoder.room(piece.len())[..piece.len()].copy_from_slice(piece);
        decoder.filled(piece.len());
        left = rest;
    }
}

fn decode_one(bytes: &[u8]) -> Result<Owned, FrameError> {
    let mut messages = Vec::new();
    let left = decode(bytes, || 1, |message| messages.push(Owned::new(message)))?;
    assert_eq!((messages.len(), left), (1, 0));
    Ok(messages.remove(0))
}

/// A message that outlives the decoder's buffer, headers in the form of the other implementation.
#[derive(Debug, PartialEq)]
struct Owned {
    headers: Vec<(String, SmithyValue)>,
    payload: Vec<u8>,
}

impl Owned {
    fn new(message: Message<'_>) -> Self {
        let headers = message.headers().map(|header| {
            let (name, value) = header.unwrap();
            (name.to_owned(), smithy_value(value))
        });
        Self {
            headers: headers.collect(),
            payload: message.payload.to_vec(),
        }
    }

    fn of_smithy(message: &SmithyMessage) -> Self {
        let headers = message.headers().iter();
        let headers =
            headers.map(|header| (header.name().as_str().to_owned(), header.value().clone()));
        Self {
            headers: headers.collect(),
            payload: message.payload().to_vec(),
        }
    }
}

fn smithy_value(value: HeaderValue<'_>) -> SmithyValue {
    match value {
        HeaderValue::Bool(value) => SmithyValue::Bool(value),
        HeaderValue::Byte(value) => SmithyValue::Byte(value),
        HeaderValue::Short(value) => SmithyValue::Int16(value),
        HeaderValue::Integer(value) => SmithyValue::Int32(value),
        HeaderValue::Long(value) => SmithyValue::Int64(value),
        HeaderValue::Bytes(value) => SmithyValue::ByteArray(value.to_vec().into()),
        HeaderValue::Text(value) => SmithyValue::String(value.to_owned().into()),
        HeaderValue::Timestamp(value) => SmithyValue::Timestamp(DateTime::from_millis(value)),
        HeaderValue::Uuid(value) => SmithyValue::Uuid(u128::from_be_bytes(value)),
    }
}

fn random_value(random: &mut Random) -> SmithyValue {
    let bits = random.next();
    let low = bits.to_le_bytes();
    match random.next() % 9 {
        0 => SmithyValue::Bool(bits > u64::MAX / 2),
        1 => SmithyValue::Byte(i8::from_le_bytes([low[0]])),
        2 => SmithyValue::Int16(i16::from_le_bytes([low[0], low[1]])),
        3 => SmithyValue::Int32(i32::from_le_bytes([low[0], low[1], low[2], low[3]])),
        4 => SmithyValue::Int64(i64::from_le_bytes(low)),
        5 => SmithyValue::ByteArray(low[..usize::from(low[0] % 9)].to_vec().into()),
        6 => SmithyValue::String(format!("{bits:x}é").into()),
        7 => SmithyValue::Timestamp(DateTime::from_millis(i64::from_le_bytes(low) >> 20)),
        _ => SmithyValue::Uuid(u128::from(bits) << 64 | u128::from(random.next())),
    }
}

fn random_message(random: &mut Random) -> SmithyMessage {
    let payload_bytes = match random.next() % 100 {
        0 => random.next() % 70_000,
        1..=20 => 0,
        _ => random.next() % 300,
    };
    let payload: Vec<u8> = (0..payload_bytes)
        .map(|_| random.next().to_le_bytes()[0])
        .collect();
    let headers = (0..random.next() % 20)
        .map(|index| SmithyHeader::new(format!("{index}:name"), random_value(random)))
        .collect();
    SmithyMessage::new_from_parts(headers, payload)
}

/// The encoder of AWS's SDK for Rust as the oracle: 100,000 messages, ten at a time, in random pieces.
#[test]
fn what_the_sdk_encodes_is_decoded() {
    let mut random = Random(13);
    for _ in 0..10_000 {
        let messages: Vec<_> = (0..10).map(|_| random_message(&mut random)).collect();
        let bytes: Vec<u8> = messages.iter().flat_map(encode).collect();
        let longest_piece = 1 + random.next() % 5000;
        let mut expected = messages.iter().map(Owned::of_smithy);
        let mut pieces = Random(longest_piece);
        let left = decode(
            &bytes,
            || usize::try_from(pieces.next() % longest_piece).unwrap(),
            |message| assert_eq!(Some(Owned::new(message)), expected.next()),
        );
        assert_eq!((left, expected.next()), (Ok(0), None));
    }
}

fn sample() -> Vec<u8> {
    let header = |name: &'static str, value: &'static str| {
        SmithyHeader::new(name, SmithyValue::String(value.into()))
    };
    encode(
        &SmithyMessage::new(&b"{\"token\":\"a\"}"[..])
            .add_header(header(":message-type", "event"))
            .add_header(header(":event-type", "PayloadPart"))
            .add_header(SmithyHeader::new(
                "blob",
                SmithyValue::ByteArray(Blob::new("b").into_inner().into()),
            )),
    )
}

#[test]
fn every_cut_leaves_bytes_behind() {
    let bytes = sample();
    for length in 1..bytes.len() {
        assert_eq!(
            decode(
                &bytes[..length],
                || 7,
                |_| panic!("a message of {length} bytes")
            ),
            Ok(length)
        );
    }
}

/// CRC-32 finds every burst of up to 32 bits.
#[test]
fn every_changed_byte_is_found() {
    let bytes = sample();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            assert!(
                decode(&changed, || 7, |_| ()).is_err(),
                "byte {place}, bit {bit}"
            );
        }
    }
}

#[test]
fn a_corrupted_length_is_found_with_the_prelude() {
    let mut bytes = sample();
    bytes[0] = 0x7f;
    assert_eq!(
        decode(&bytes[..12], || 1, |_| ()),
        Err(FrameError::PreludeChecksum)
    );
}

#[test]
fn a_message_over_the_limit_is_refused_with_its_prelude() {
    let bytes = sample();
    let mut decoder = Decoder::new(10);
    decoder.room(12).copy_from_slice(&bytes[..12]);
    decoder.filled(12);
    assert_eq!(decoder.next_message(), Err(FrameError::TooLarge(10)));
}

/// The buffer follows what arrived: a length of 2 GiB that is only announced costs nothing.
#[test]
fn memory_follows_what_arrives() {
    let mut prelude = (1_u32 << 31).to_be_bytes().to_vec();
    prelude.extend([0; 4]);
    prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
    let mut decoder = Decoder::new(u64::MAX);
    decoder.room(12).copy_from_slice(&prelude);
    decoder.filled(12);
    assert_eq!(decoder.next_message(), Ok(None));
    assert!(decoder.room(1).len() <= 32);
}

#[test]
fn a_header_name_may_be_there_once() {
    for count in [2, 40] {
        let header =
            |index: usize| SmithyHeader::new(format!("{}", index.max(1)), SmithyValue::Bool(true));
        let bytes = encode(&SmithyMessage::new_from_parts(
            (0..count).map(header).collect(),
            Vec::new(),
        ));
        assert_eq!(
            decode_one(&bytes),
            Err(FrameError::DuplicateHeader),
            "{count} headers"
        );
    }
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/eventstream")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_vectors_of_botocore() {
    let document = fs::read(vectors().join("botocore-eventstream.json")).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    let tests = document["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 15);
    for test in tests {
        let decoded = decode_one(&hex::decode(test["frame_hex"].as_str().unwrap()).unwrap());
        let Some(error) = test["error"].as_str() else {
            let decoded = decoded.unwrap();
            assert_eq!(
                hex::encode(decoded.payload),
                test["payload_hex"].as_str().unwrap(),
                "{test}"
            );
            assert_eq!(
                decoded.headers.len(),
                test["headers"].as_object().unwrap().len(),
                "{test}"
            );
            for (name, value) in decoded.headers {
                assert_eq!(json_of(&value), test["headers"][name], "{test}");
            }
            continue;
        };
        let expected: &[FrameError] = match error {
            "ChecksumMismatch" => &[FrameError::PreludeChecksum, FrameError::MessageChecksum],
            "DuplicateHeader" => &[FrameError::DuplicateHeader],
            "InvalidHeadersLength" => &[FrameError::Lengths],
            other => panic!("{other}"),
        };
        assert!(expected.contains(&decoded.unwrap_err()), "{test}");
    }
}

fn json_of(value: &SmithyValue) -> serde_json::Value {
    match value {
        SmithyValue::Bool(value) => (*value).into(),
        SmithyValue::Byte(value) => (*value).into(),
        SmithyValue::Int16(value) => (*value).into(),
        SmithyValue::Int32(value) => (*value).into(),
        SmithyValue::Int64(value) => (*value).into(),
        SmithyValue::ByteArray(value) => serde_json::json!({ "hex": hex::encode(value) }),
        SmithyValue::String(value) => value.as_str().into(),
        SmithyValue::Timestamp(value) => value.to_millis().unwrap().into(),
        SmithyValue::Uuid(value) => serde_json::json!({ "hex": hex::encode(value.to_be_bytes()) }),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_vectors_of_aws_sdk_go() {
    let encoded = vectors().join("aws-sdk-go-testdata/encoded");
    let positive = files(&encoded.join("positive"));
    assert_eq!(positive.len(), 5);
    for file in positive {
        let bytes = fs::read(&file).unwrap();
        let decoded = decode_one(&bytes).unwrap();
        let expected = aws_smithy_eventstream::frame::read_message_from(bytes.as_slice()).unwrap();
        assert_eq!(decoded, Owned::of_smithy(&expected), "{}", file.display());
    }
    let negative = files(&encoded.join("negative"));
    assert_eq!(negative.len(), 4);
    for file in negative {
        let decoded = fs::read_to_string(
            vectors()
                .join("aws-sdk-go-testdata/decoded/negative")
                .join(file.file_name().unwrap()),
        );
        let expected = match decoded.unwrap().trim() {
            "Prelude checksum mismatch" => FrameError::PreludeChecksum,
            "Message checksum mismatch" => FrameError::MessageChecksum,
            other => panic!("{other}"),
        };
        assert_eq!(
            decode_one(&fs::read(&file).unwrap()),
            Err(expected),
            "{}",
            file.display()
        );
    }
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_vectors_of_smithy_rs() {
    let files = files(&vectors().join("smithy-rs-test_data"));
    assert_eq!(files.len(), 11);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let decoded = decode_one(&bytes);
        match aws_smithy_eventstream::frame::read_message_from(bytes.as_slice()) {
            Ok(expected) if name.starts_with("valid_") => {
                assert_eq!(decoded, Ok(Owned::of_smithy(&expected)), "{name}");
            }
            Err(_) if name.starts_with("invalid_") => assert!(decoded.is_err(), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Makes both checksums right where the lengths allow it, so that what is behind them is tested too.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some((lengths, [a, b, c, d, ..])) = bytes.split_first_chunk_mut::<8>() {
        [*a, *b, *c, *d] = crc32fast::hash(lengths).to_be_bytes();
    }
    let length = bytes
        .first_chunk()
        .map_or(0, |length| u32::from_be_bytes(*length));
    let message = bytes.get_mut(..usize::try_from(length).unwrap());
    if let Some((content, checksum)) =
        message.and_then(|message| message.split_last_chunk_mut::<4>())
    {
        *checksum = crc32fast::hash(content).to_be_bytes();
    }
    bytes
}

#[test]
fn fuzz_frames() {
    let mut random = Random(1);
    let mut samples: Vec<Vec<u8>> = (0..20)
        .map(|_| encode(&random_message(&mut random)))
        .collect();
    samples.retain(|sample| sample.len() < 2000);
    samples.push(sample());
    fuzz(&samples, |bytes| {
        for bytes in [bytes, &with_checksums(bytes)] {
            let whole = decode(bytes, || usize::MAX, |message| drop(Owned::new(message)));
            let mut pieces = Random(1);
            let in_pieces = decode(
                bytes,
                || pieces.below(40),
                |message| drop(Owned::new(message)),
            );
            assert_eq!(whole, in_pieces);
        }
    });
}
