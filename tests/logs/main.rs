//! Log records: one for each attempt, none with a secret, and log sinks that call the client or panic.
//!
//! A process has one logger, so each test with a logger runs in a process of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod calling_sink;
mod panicking_sink;
mod secrets;
#[path = "../support/mod.rs"]
mod support;

use log::LevelFilter;
use sagemaker_invoke::{Client, InvokeEndpoint};
use support::log::{capture, take};
use support::{Peer, in_own_process, response};

#[test]
fn each_attempt_is_logged_with_its_result() {
    in_own_process(
        "each_attempt_is_logged_with_its_result",
        check_lines_of_two_attempts,
    );
}

fn check_lines_of_two_attempts() {
    capture(LevelFilter::Debug);
    let headers = [("x-amzn-errortype", "ThrottlingException")];
    let peer = Peer::new(move |mut connection| {
        connection.request().unwrap();
        connection.send(response(
            429,
            &headers,
            r#"{"message":"the message of the service"}"#,
        ));
        connection.respond_to_all(response(200, &[], "answer"));
    });
    Client::new(peer.config())
        .unwrap()
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap();

    let lines = take()
        .into_iter()
        .filter(|line| line.target.starts_with("sagemaker_invoke"));
    let lines: Vec<String> = lines
        .map(|line| format!("{}: {}", line.target, line.text))
        .collect();
    let [failed, succeeded] = lines.as_slice() else {
        panic!("{lines:#?}")
    };
    let parts = |line: &str| {
        let line = line
            .strip_prefix("sagemaker_invoke::client::call: e (")
            .unwrap()
            .to_owned();
        let (invocation_id, text) = line.split_once("): ").unwrap();
        (invocation_id.to_owned(), text.to_owned())
    };
    let ((failed_id, failed), (succeeded_id, succeeded)) = (parts(failed), parts(succeeded));
    assert!(
        failed_id.len() == 36 && failed_id == succeeded_id,
        "{failed_id} {succeeded_id}"
    );
    assert!(
        failed.starts_with("attempt 1 failed, the next one follows in "),
        "{failed}"
    );
    assert!(
        failed.ends_with("s: HTTP 429 ThrottlingException"),
        "{failed}"
    );
    assert!(
        succeeded.starts_with("attempt 2 succeeded: Timings"),
        "{succeeded}"
    );
}
