use std::io::{BufRead, Read};

use super::*;
use crate::error::StreamErrorKind;

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
    let error = stream.read(&mut [0; 8]).unwrap_err().downcast::<Error>().unwrap();
    assert!(error.may_have_run());
    assert!(stream.finish().is_err());
}

#[test]
fn a_record_over_the_limit_ends_the_stream() {
    let options = StreamOptions { max_bytes: 10, ..StreamOptions::plain() };
    let mut stream =
        ResponseStream::new(Box::new(parts::PlainReader(&b"data: 12345678901\n\ndata: a\n\n"[..])), options);
    for _ in 0..2 {
        let error = stream.next_record().unwrap_err();
        assert!(matches!(&error, Error::Stream(error) if error.kind == StreamErrorKind::TooLarge), "{error}");
    }
    assert!(stream.next_part().is_err());
}
