//! Asynchronous inference: the members of a request, and its result in a peer in place of Amazon S3.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod members;
mod results;
#[path = "../support/mod.rs"]
mod support;
mod waits;

use std::sync::Arc;

use sagemaker_invoke::error::AsyncResultErrorKind;
use sagemaker_invoke::{AsyncTicket, Client, Config, Error};
use support::{FakeSystem, Peer, response};

const NO_SUCH_KEY: &str = "<Error><Code>NoSuchKey</Code><Message>No such key.</Message></Error>";

fn ticket() -> AsyncTicket {
    AsyncTicket {
        inference_id: Some("i-1".to_owned()),
        failure_location: Some("s3://bucket/failures/1.out".to_owned()),
        ..AsyncTicket::new("s3://bucket/results/1.out")
    }
}

/// A client of Amazon S3 at the peer, whose sleeps return at once.
fn client(peer: &Peer) -> (Client, Arc<FakeSystem>) {
    let system = Arc::new(FakeSystem::on_loopback(&[]));
    let config = Config {
        s3_endpoint_url: Some(peer.url()),
        system: Arc::<FakeSystem>::clone(&system),
        ..peer.config()
    };
    (Client::new(config).unwrap(), system)
}

fn missing() -> Vec<u8> {
    response(404, &[], NO_SUCH_KEY)
}

fn kind(error: &Error) -> AsyncResultErrorKind {
    let Error::AsyncResult(error) = error else {
        unreachable!("{error:?}")
    };
    assert_eq!(error.ticket, ticket());
    error.kind
}
