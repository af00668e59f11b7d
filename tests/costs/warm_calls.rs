//! Threads and lookups of warm calls. In a process of its own, because the calls of other tests start threads too.

use std::net::SocketAddr;
use std::sync::Arc;

use sagemaker_invoke::{Client, Config, Endpoint, InvokeEndpoint};

use super::support::{FakeSystem, Peer, in_own_process, own_threads, response};

#[test]
fn warm_calls_start_no_thread_and_do_no_lookup() {
    in_own_process(
        "warm_calls::warm_calls_start_no_thread_and_do_no_lookup",
        make_warm_calls,
    );
}

fn make_warm_calls() {
    let peer = Peer::responding(response(200, &[], "answer"));
    let system = FakeSystem::on_loopback(&[])
        .with_lookup(|_, port| Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]));
    let system = Arc::new(system);
    let endpoint = Endpoint::Url(format!("http://name.test:{}", peer.address.port()));
    let config = Config {
        endpoint,
        system: Arc::<FakeSystem>::clone(&system),
        // Expired at every call; an open connection needs no lookup.
        address_ttl: std::time::Duration::ZERO,
        ..peer.config()
    };
    let client = Client::new(config).unwrap();
    client.invoke(&InvokeEndpoint::new("e", b"first")).unwrap();
    // The threads of the first call have done their work and are about to end.
    while !own_threads().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    for _ in 0..1000 {
        client.invoke(&InvokeEndpoint::new("e", b"warm")).unwrap();
        assert_eq!(own_threads(), [""; 0]);
    }
    assert_eq!(system.lookups(), 1);
    assert_eq!(peer.connections(), 1);
    assert_eq!(peer.requests().len(), 1001);
}
