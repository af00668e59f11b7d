use std::io::{BufRead, Read};

use super::*;
use crate::error::StreamErrorKind;
use crate::testing::{assert_shown_safely, fuzz_text};

#[test]
fn a_stream_over_any_reader_gives_parts_and_records() {
    let mut stream = ResponseStream::from_reader(&b"data: a\n\ndata: b\n\n"[..]);
    assert_eq!(stream.next_record().unwrap(), Some(&b"a"[..]));
    assert_eq!(stream.next_part().unwrap(), Some(&b"data: b\n\n"[..]));
    assert_eq!(stream.next_part().unwrap(), None);
    let summary = stream.summary();
    assert_eq!((summary.parts, summary.bytes), (1, 18));
    assert!(summary.time_to_first_part.is_some());
}

#[test]
fn each_reader_goes_on_where_the_last_one_stopped() {
    let mut stream = ResponseStream::from_reader(&b"abcdef"[..]);
    let mut two = [0; 2];
    stream.read_exact(&mut two).unwrap();
    assert_eq!(&two, b"ab");
    assert_eq!(stream.fill_buf().unwrap(), b"cdef");
    stream.consume(1);
    assert_eq!(stream.next_part().unwrap(), Some(&b"def"[..]));
    assert_eq!(stream.fill_buf().unwrap(), b"");
}

#[test]
fn a_read_into_no_room_does_not_wait() {
    struct Never;
    impl Read for Never {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("read")
        }
    }
    assert_eq!(ResponseStream::from_reader(Never).read(&mut []).unwrap(), 0);
}

#[test]
fn the_error_of_a_reader_stays() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let mut stream = ResponseStream::from_reader((&b"data: a\n\n"[..]).chain(Broken));
    let all: Vec<_> = stream.records().collect();
    assert!(
        matches!(all.as_slice(), [Ok(record), Err(Error::ConnectionLost(_))] if record == b"a"),
        "{all:?}"
    );
    assert!(stream.next_part().is_err() && stream.next_record().is_err());
    let error = stream
        .read(&mut [0; 8])
        .unwrap_err()
        .downcast::<Error>()
        .unwrap();
    assert!(error.may_have_run());
    assert!(stream.finish().is_err());
}

#[test]
fn a_record_over_the_limit_ends_the_stream() {
    let options = StreamOptions {
        max_bytes: 10,
        ..StreamOptions::plain()
    };
    let mut stream = ResponseStream::new(
        Box::new(PlainReader(&b"data: 12345678901\n\ndata: a\n\n"[..])),
        options,
    );
    for _ in 0..2 {
        let error = stream.next_record().unwrap_err();
        assert!(
            matches!(&error, Error::Stream(error) if error.kind == StreamErrorKind::TooLarge),
            "{error}"
        );
    }
    assert!(stream.next_part().is_err());
}

/// Frames whose checksums are right: their names and payloads come from the input.
#[test]
fn fuzz_streams() {
    let samples = [
        "event\nPayloadPart\ndata: a\n\ndata: b\n\n",
        "exception\nModelStreamError\n{\"Message\":\"m\",\"ErrorCode\":\"ModelInvocationTimeExceeded\"}",
        "exception\nInternalStreamFailure\nno JSON",
        "error\n\u{202e}\n",
    ];
    fuzz_text(&samples, |text| {
        let mut lines = text.splitn(3, '\n');
        let [kind, name, payload] = [(); 3].map(|()| lines.next().unwrap_or_default());
        let name_header = match kind {
            "exception" => ":exception-type",
            "error" => ":error-message",
            _ => ":event-type",
        };
        let frame = frame(
            &[(":message-type", kind), (name_header, name)],
            payload.as_bytes(),
        );
        for bytes in [frame.repeat(2), text.as_bytes().to_vec()] {
            let reader = Box::new(PlainReader(io::Cursor::new(bytes)));
            let options = StreamOptions {
                is_framed: true,
                max_bytes: 4096,
                ..StreamOptions::plain()
            };
            let last = ResponseStream::new(reader, options).records().last();
            if let Some(Err(error)) = last {
                assert_shown_safely(&error.to_string());
                assert_shown_safely(&format!("{error:?}"));
            }
        }
    });
}

/// A frame with text headers.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    for (name, value) in headers {
        content.push(u8::try_from(name.len()).unwrap());
        content.extend_from_slice(name.as_bytes());
        content.push(7);
        content.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        content.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + content.len() + payload.len()).unwrap();
    let mut frame = [total, u32::try_from(content.len()).unwrap()]
        .map(u32::to_be_bytes)
        .concat();
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend([&content, payload].concat());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

fn framed(bytes: Vec<u8>) -> ResponseStream {
    let options = StreamOptions {
        is_framed: true,
        ..StreamOptions::plain()
    };
    ResponseStream::new(Box::new(PlainReader(io::Cursor::new(bytes))), options)
}

const EVENT: (&str, &str) = (":message-type", "event");
const PART: (&str, &str) = (":event-type", "PayloadPart");

#[test]
fn parts_may_differ_in_their_headers() {
    let frames = [
        frame(&[EVENT, PART], b"a"),
        frame(&[PART, EVENT], b"b"),
        frame(&[EVENT, PART], b"c"),
    ];
    let mut stream = framed(frames.concat());
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), stream.summary().parts), ("abc", 3));
}

#[test]
fn headers_that_differ_from_the_last_ones_are_checked() {
    let other_events = frame(&[EVENT, (":event-type", "PayloadPaRt")], b"skipped");
    for wrong in [&[][..], &[EVENT], &[PART], &[EVENT, PART, EVENT]] {
        let wrong = frame(wrong, b"b");
        assert!(framed(wrong.clone()).next_part().is_err());
        let mut stream =
            framed([frame(&[EVENT, PART], b"a"), other_events.clone(), wrong].concat());
        assert_eq!(stream.next_part().unwrap(), Some(&b"a"[..]));
        let error = stream.next_part().unwrap_err();
        assert!(
            matches!(&error, Error::Stream(it) if it.kind == StreamErrorKind::InvalidFrame),
            "{error}"
        );
    }
}
