//! Calls active at a shutdown, and calls after it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::{Client, Error};

use super::request;
use super::support::{FakeSystem, Peer, response};

#[test]
fn shutdown_ends_active_calls_and_refuses_new_ones() {
    let stalled = Peer::new(|mut connection| connection.stall());
    let client = Client::new(stalled.config()).unwrap();
    let other_peer = Peer::responding(response(200, &[], "other"));
    let other = Client::new(other_peer.config()).unwrap();
    other.invoke(&request()).unwrap();
    let caller = thread::spawn({
        let client = client.clone();
        move || client.invoke(&request()).unwrap_err()
    });
    while stalled.connections() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(50));
    let began = Instant::now();
    client.shutdown();
    let error = caller.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(
        matches!(error, Error::ShutDown(_)) && error.may_have_run(),
        "{error:?}"
    );
    let error = client.invoke(&request()).unwrap_err();
    assert!(
        matches!(error, Error::ShutDown(_)) && !error.may_have_run() && error.attempts() == 0,
        "{error:?}"
    );
    assert_eq!(other.invoke(&request()).unwrap().body, b"other");
    assert_eq!(other_peer.connections(), 1);
}

#[test]
fn nothing_is_sent_for_credentials_after_a_shutdown() {
    let sts = Peer::responding(response(403, &[], "not asked"));
    let system = FakeSystem::on_loopback(&[
        ("AWS_REGION", "eu-central-1"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &sts.url()),
    ]);
    let client = Client::from_system(Arc::new(system)).unwrap();
    client.shutdown();
    let error = client.invoke(&request()).unwrap_err();
    assert!(matches!(error, Error::ShutDown(_)), "{error:?}");
    assert!(client.sign(&request()).is_err() && client.credentials().is_err());
    assert_eq!(sts.connections(), 0);
}

#[test]
fn a_call_after_a_shutdown_does_not_ask_for_a_region() {
    let client = Client::from_system(Arc::new(FakeSystem::on_loopback(&[]))).unwrap();
    client.shutdown();
    let error = client.invoke(&request()).unwrap_err();
    assert!(
        matches!(error, Error::ShutDown(_)) && !error.may_have_run(),
        "{error:?}"
    );
}
