//! Response streams over loopback connections: how they end, how long they wait, and what happens to their connections.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod connections;
mod container;
mod cuts;
mod exceptions;
mod load;
mod table;
mod time;

#[path = "../support/mod.rs"]
mod support;

use sagemaker_invoke::error::StreamErrorKind;
use sagemaker_invoke::{Client, Config, Error, InvokeEndpointWithResponseStream, ResponseStream};
use support::{Connection, Peer};

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    Complete,
    Failed(StreamErrorKind),
    ConnectionLost,
    TimedOut,
    ShutDown,
}

impl Ended {
    fn of(error: &Error) -> Self {
        match error {
            Error::Stream(error) => Self::Failed(error.kind),
            Error::ConnectionLost(_) => Self::ConnectionLost,
            Error::Timeout(_) => Self::TimedOut,
            Error::ShutDown(_) => Self::ShutDown,
            other => panic!("{other:?}"),
        }
    }
}

/// What a peer does after its response.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// Waits for the next request.
    Keep,
    Close,
    Reset,
    /// Sends nothing more, and leaves the connection open.
    Stall,
}

/// A peer that answers each request with the response given by `respond` for the name of the endpoint.
fn peer_by_name(respond: impl Fn(&str) -> (Vec<u8>, Then) + Send + Sync + 'static) -> Peer {
    Peer::new(move |connection| serve_by_name(connection, &respond))
}

fn serve_by_name(mut connection: Connection, respond: &impl Fn(&str) -> (Vec<u8>, Then)) {
    while let Some(request) = connection.request() {
        let name = request.path().split('/').nth(2).unwrap();
        let (bytes, then) = respond(name);
        connection.send(bytes);
        match then {
            Then::Keep => {}
            Then::Close => return connection.close(),
            Then::Reset => return connection.reset(),
            Then::Stall => return connection.stall(),
        }
    }
}

fn client(config: Config) -> Client {
    Client::new(config).unwrap()
}

fn request(name: &str) -> InvokeEndpointWithResponseStream<'_> {
    InvokeEndpointWithResponseStream::new(name, b"input")
}

fn open(client: &Client, name: &str) -> Result<ResponseStream, Error> {
    client.invoke(&request(name)).map(|response| response.body)
}

/// Reads parts to the end. Returns their bytes, and how the stream ended.
fn read_parts(stream: &mut ResponseStream) -> (Vec<u8>, Result<(), Error>) {
    let mut bytes = Vec::new();
    loop {
        match stream.next_part() {
            Ok(Some(part)) => bytes.extend_from_slice(part),
            Ok(None) => return (bytes, Ok(())),
            Err(error) => return (bytes, Err(error)),
        }
    }
}

fn ended(outcome: &Result<(), Error>) -> Ended {
    outcome.as_ref().err().map_or(Ended::Complete, Ended::of)
}
