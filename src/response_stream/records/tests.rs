use std::io::{BufReader, Read};

use super::*;
use crate::testing::{Random, fuzz};

/// Gives the bytes in random pieces.
struct Pieces<'a> {
    left: &'a [u8],
    random: Random,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = usize::try_from(1 + self.random.next() % 5)
            .unwrap()
            .min(buffer.len());
        self.left.read(&mut buffer[..bytes])
    }
}

/// The events of a body, whole and in three hundred different sets of pieces, which must give the same.
fn events(body: &[u8]) -> Vec<Event> {
    let whole = read_events(&mut &*body);
    for seed in 1..=300 {
        let pieces = Pieces {
            left: body,
            random: Random(seed),
        };
        assert_eq!(
            read_events(&mut BufReader::with_capacity(8, pieces)),
            whole,
            "seed {seed}"
        );
    }
    whole
}

fn read_events(body: &mut impl BufRead) -> Vec<Event> {
    let mut reader = RecordReader::default();
    std::iter::from_fn(|| reader.next_event(body).unwrap().cloned()).collect()
}

fn records(body: &str) -> Vec<String> {
    events(body.as_bytes())
        .into_iter()
        .map(|event| String::from_utf8(event.data).unwrap())
        .collect()
}

/// What each model server sends.
#[test]
fn the_records_of_model_servers() {
    let cases: [(&str, &str, &[&str]); 12] = [
        (
            "TGI",
            "data:{\"a\":1}\n\n:\n\ndata:{\"a\":2}\n\n",
            &["{\"a\":1}", "{\"a\":2}"],
        ),
        (
            "vLLM",
            "data: {\"a\":1}\n\n: keep-alive\n\ndata: [DONE]\n\n",
            &["{\"a\":1}"],
        ),
        (
            "an error before the end",
            "data: {\"error\":{}}\n\ndata: [DONE]\n\n",
            &["{\"error\":{}}"],
        ),
        ("DJL", "{\"a\":1}\n{\"a\":2}\n", &["{\"a\":1}", "{\"a\":2}"]),
        (
            "DJL, blank lines",
            "\n\n{\"a\":1}\n\n \n{\"a\":2}\n",
            &["{\"a\":1}", "{\"a\":2}"],
        ),
        ("DJL, DONE as a line", "{\"a\":1}\n[DONE]\n", &["{\"a\":1}"]),
        (
            "no line end",
            "data: {\"a\":1}\n\ndata: {\"a\":2}",
            &["{\"a\":1}", "{\"a\":2}"],
        ),
        (
            "no line end, JSON lines",
            "{\"a\":1}\n{\"a\":2}",
            &["{\"a\":1}", "{\"a\":2}"],
        ),
        (
            "CR LF",
            "data: {\"a\":1}\r\n\r\ndata: {\"a\":2}\r\n\r\n",
            &["{\"a\":1}", "{\"a\":2}"],
        ),
        ("CR", "data: 1\r\rdata: 2\r\r", &["1", "2"]),
        ("byte order mark", "\u{feff}data: 1\n\n", &["1"]),
        ("not ASCII", "data: \"é\u{1f600}\"\n\n", &["\"é\u{1f600}\""]),
    ];
    for (name, body, expected) in cases {
        assert_eq!(records(body), expected, "{name}");
    }
}

/// The examples of the HTML standard, section 9.2.6.
#[test]
fn the_examples_of_the_standard() {
    assert_eq!(
        records("data: YHOO\ndata: +2\ndata: 10\n\n"),
        ["YHOO\n+2\n10"]
    );
    let body = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    let found = events(body.as_bytes());
    let found: Vec<_> = found
        .iter()
        .map(|event| (event.id.as_str(), event.data.as_slice()))
        .collect();
    assert_eq!(
        found,
        [
            ("1", &b"first event"[..]),
            ("", b"second event"),
            ("", b" third event")
        ]
    );
    assert_eq!(records("data\n\ndata\ndata\n\n"), ["", "\n"]);
    assert_eq!(records("data:test\n\ndata: test\n\n"), ["test", "test"]);
}

#[test]
fn an_event_has_its_fields() {
    let body = b"event: token\nid: 7\nretry: 1500\ndata: a\n\ndata: b\n\nretry: 5\nretry: x\nretry: +6\nid: a\0b\ndata: c\n\n";
    let event = |event: &str, data: &[u8], retry| Event {
        event: event.to_owned(),
        data: data.to_vec(),
        id: "7".to_owned(),
        retry,
    };
    assert_eq!(
        events(body),
        [
            event("token", b"a", Some(1500)),
            event("", b"b", None),
            event("", b"c", Some(5))
        ]
    );
}

/// Within an event, a line without a known field is ignored, as the standard says; elsewhere it is a record.
#[test]
fn unknown_fields_do_not_end_an_event() {
    assert_eq!(records("data: a\nmood: good\ndata: b\n\n"), ["a\nb"]);
}

#[test]
fn an_event_without_data_is_none() {
    assert_eq!(records("event: ping\n\nid: 1\n\n: comment\n\n"), [""; 0]);
}

#[test]
fn what_follows_the_last_record_is_read() {
    let mut body: &[u8] = b"data: [DONE]\n\ndata: late\n\n";
    assert_eq!(
        RecordReader::default().next_record(&mut body).unwrap(),
        None
    );
    assert_eq!(body, b"");
}

#[test]
fn a_record_over_the_limit_is_an_error() {
    for body in [
        "data: 12345678901\n\n",
        "data: 123456\ndata: 78901\n\n",
        "{\"a\":123456789012}\n",
        "12345678901234567",
    ] {
        let mut reader = RecordReader::new(10);
        let error = reader.next_record(&mut body.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{body}");
    }
}

#[test]
fn fuzz_records() {
    let samples = [
        "data: {\"a\":1}\n\n: keep-alive\n\ndata: [DONE]\n\n",
        "event: token\r\nid: 7\r\nretry: 1500\r\ndata: a\r\ndata\r\n\r\n",
        "{\"a\":1}\n\n{\"a\":2}\r{}",
    ];
    let mut seed = 0;
    fuzz(&samples, |body| {
        seed += 1;
        let pieces = Pieces {
            left: body,
            random: Random(seed),
        };
        assert_eq!(
            read_events(&mut BufReader::with_capacity(8, pieces)),
            read_events(&mut &*body)
        );
    });
}

/// [`Read`] and [`BufRead`] may be interrupted by a signal, and read again.
#[test]
fn an_interrupted_read_is_tried_again() {
    struct Interrupted<'a>(&'a [u8], bool);
    impl std::io::Read for Interrupted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                Err(io::ErrorKind::Interrupted.into())
            } else {
                self.0.read(buffer)
            }
        }
    }
    let body = b"data: a\n\ndata: b\n\ndata: [DONE] \n\n";
    let mut reader = BufReader::with_capacity(4, Interrupted(body, false));
    assert_eq!(read_events(&mut reader), read_events(&mut &body[..]));
    let mut stream = crate::ResponseStream::from_reader(Interrupted(body, false));
    assert_eq!(stream.next_record().unwrap(), Some(&b"a"[..]));
    assert_eq!(stream.next_record().unwrap(), Some(&b"b"[..]));
    assert_eq!(stream.next_record().unwrap(), None);
}
