//! Shared code of the integration tests: one loopback server with optional TLS, an independent check of signatures, a
//! fake system, a random generator, a log capture, an encoder of event streams, and processes for single
//! tests.
#![allow(dead_code, unused_imports, reason = "each test crate uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and its output is for the tester"
)]

pub(crate) mod event_stream;
#[path = "../../src/testing/fake_system.rs"]
mod fake_system;
pub(crate) mod log;
mod oracle;
mod peer;
mod process;
#[path = "../../src/testing/random.rs"]
pub(crate) mod random;
pub(crate) mod tls;

use std::error::Error;
use std::time::Duration;

use sagemaker_invoke::{Config, Credentials, Endpoint, Proxy, Timeouts, system};

pub(crate) use fake_system::FakeSystem;
pub(crate) use oracle::{Oracle, aws_signature, aws_signature_with, time_of, verify, verify_for};
pub(crate) use peer::{ClosedPort, Connection, Peer, Received, Wire};
pub(crate) use process::{
    descriptors, in_own_process, own_threads, peak_kilobytes, resident_kilobytes, test_command,
    turn,
};

/// The example key of AWS's documentation.
pub(crate) const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "us-east-1";

/// A configuration with static credentials, no proxy, and time limits that only a broken test reaches.
pub(crate) fn config(url: &str) -> Config {
    Config {
        region: Some(REGION.to_owned()),
        credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).into(),
        endpoint: Endpoint::Url(url.to_owned()),
        proxy: Proxy::Off,
        timeouts: Timeouts {
            connect: Some(Duration::from_secs(5)),
            send: Some(Duration::from_secs(5)),
            response: Some(Duration::from_secs(5)),
            read: Some(Duration::from_secs(5)),
            stream: Some(Duration::from_secs(5)),
            call: None,
        },
        ..Config::default()
    }
}

/// A complete response with `content-length`.
pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut text = format!(
        "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n",
        body.as_ref().len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    [text.as_bytes(), b"\r\n", body.as_ref()].concat()
}

/// The sources of an error, outermost first.
pub(crate) fn sources(error: &dyn Error) -> impl Iterator<Item = &dyn Error> {
    std::iter::successors(error.source(), |&error| error.source())
}
