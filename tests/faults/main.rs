//! Faults of endpoints, connections and clocks: which error follows, what is retried, and that the client stays usable.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod early_responses;
mod responses;
mod retries;
mod shutdown;
#[path = "../support/mod.rs"]
mod support;
mod time_limits;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use sagemaker_invoke::{
    Client, Config, Error, InvokeEndpoint, InvokeEndpointResponse, RetryPolicy,
};
use support::{FakeSystem, Peer, Received, response};

fn request() -> InvokeEndpoint<'static> {
    InvokeEndpoint::new("e", b"body")
}

/// A system whose clocks are advanced by sleeps only.
fn system(random: u64) -> Arc<FakeSystem> {
    Arc::new(
        FakeSystem::on_loopback(&[])
            .with_stopped_clock()
            .with_random(random),
    )
}

/// Sends these responses to the first requests, and 200 to all later ones.
fn peer_with(responses: Vec<Vec<u8>>) -> Peer {
    Peer::responding_with(move |_, number| match responses.get(number) {
        Some(response) => response.clone(),
        None => response(200, &[], "answer"),
    })
}

struct Run {
    result: Result<InvokeEndpointResponse, Error>,
    requests: Vec<Arc<Received>>,
    slept: Duration,
}

impl Run {
    /// The values of this header, one for each request.
    fn header(&self, name: &str) -> Vec<&str> {
        self.requests
            .iter()
            .map(|request| request.header(name).unwrap())
            .collect()
    }
}

/// One call with this policy to a peer with these responses. All attempts must share one connection.
fn run(responses: Vec<Vec<u8>>, system: &Arc<FakeSystem>, retry: RetryPolicy) -> Run {
    let peer = peer_with(responses);
    let config = Config {
        system: Arc::<FakeSystem>::clone(system),
        retry,
        ..peer.config()
    };
    let result = Client::new(config).unwrap().invoke(&request());
    assert!(peer.connections() <= 1);
    Run {
        result,
        requests: peer.requests(),
        slept: system.slept(),
    }
}
