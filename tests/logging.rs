//! What a program's log says of a call: a line for each attempt, at level debug.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use sagemaker_invoke::{Client, InvokeEndpoint};
use support::{Peer, response};

/// The lines of this crate, each behind its target.
struct Book(Mutex<Vec<String>>);

static BOOK: Book = Book(Mutex::new(Vec::new()));

impl Log for Book {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sagemaker_invoke")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push(format!("{}: {}", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

#[test]
fn each_attempt_has_its_line_and_a_refusal_its_code() {
    log::set_logger(&BOOK).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let headers = [("x-amzn-errortype", "ThrottlingException")];
    let peer = Peer::new(move |mut connection| {
        connection.request().unwrap();
        connection.say(response(429, &headers, r#"{"message":"what the service says"}"#));
        connection.always(response(200, &[], "answer"));
    });
    Client::new(peer.config()).unwrap().invoke(&InvokeEndpoint::new("e", b"body")).unwrap();

    let lines = BOOK.0.lock().unwrap();
    let [failed, succeeded] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(
        failed.starts_with("sagemaker_invoke::call: attempt 1 failed, the next one follows in "),
        "{failed}"
    );
    assert!(failed.ends_with("s: HTTP 429 ThrottlingException"), "{failed}");
    assert!(succeeded.starts_with("sagemaker_invoke::call: attempt 2 succeeded: Timings"), "{succeeded}");
}
