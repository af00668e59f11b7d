//! Waits for a result: until there is one, the time is over, or the client shuts down.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sagemaker_invoke::error::AsyncResultErrorKind;
use sagemaker_invoke::{AsyncResult, Client, Config, Error};

use super::support::{Peer, response, sources};
use super::{client, kind, missing, ticket};

#[test]
fn a_wait_goes_on_until_there_is_a_result() {
    // Each poll makes two requests.
    let peer = Peer::responding_with(|_, number| {
        if number < 13 {
            missing()
        } else {
            response(200, &[], "done")
        }
    });
    let (client, system) = client(&peer);
    let result = client
        .wait_for_async_result(&ticket(), Duration::from_secs(900))
        .unwrap();
    assert_eq!(
        result,
        AsyncResult::Ready {
            body: b"done".to_vec(),
            content_type: None
        }
    );
    assert_eq!(system.slept(), Duration::from_secs(1 + 2 + 4 + 8 + 15 + 15));
    assert!(
        peer.requests()
            .iter()
            .all(|received| received.request_line.starts_with("GET "))
    );
}

#[test]
fn a_wait_that_runs_out_of_time_returns_the_ticket() {
    let peer = Peer::responding_with(|_, _| missing());
    let (client, system) = client(&peer);
    let error = client
        .wait_for_async_result(&ticket(), Duration::from_secs(100))
        .unwrap_err();
    assert!(
        matches!(kind(&error), AsyncResultErrorKind::NotReady(_)),
        "{error}"
    );
    assert!(
        error.may_have_run() && error.to_string().starts_with("no result after 99."),
        "{error}"
    );
    assert!(
        system.slept() < Duration::from_secs(99),
        "{:?}",
        system.slept()
    );
    let error = client
        .wait_for_async_result(&ticket(), Duration::from_millis(900))
        .unwrap_err();
    assert!(
        matches!(kind(&error), AsyncResultErrorKind::NotReady(_)),
        "{error}"
    );
}

#[test]
fn a_wait_goes_on_after_transient_errors() {
    let count = AtomicUsize::new(0);
    let peer = Peer::new(move |mut connection| {
        while connection.request().is_some() {
            match count.fetch_add(1, Ordering::SeqCst) {
                0 => connection.send(response(503, &[], "<Error><Code>SlowDown</Code></Error>")),
                1 => return connection.reset(),
                2 => connection.send(response(500, &[], "no XML")),
                3 => connection.send(response(521, &[], "a gateway's own status")),
                4 => connection.send(response(429, &[], "")),
                5 => connection.send(missing()),
                _ => connection.send(response(200, &[], "done")),
            }
        }
    });
    let result = client(&peer)
        .0
        .wait_for_async_result(&ticket(), Duration::from_secs(900))
        .unwrap();
    assert_eq!(
        result,
        AsyncResult::Ready {
            body: b"done".to_vec(),
            content_type: None
        }
    );
    assert_eq!(peer.requests().len(), 7);
}

#[test]
fn the_last_error_of_a_wait_is_its_source() {
    let peer = Peer::responding_with(|_, _| response(500, &[], ""));
    let error = client(&peer)
        .0
        .wait_for_async_result(&ticket(), Duration::from_secs(5))
        .unwrap_err();
    assert!(
        matches!(kind(&error), AsyncResultErrorKind::NotReady(_)),
        "{error}"
    );
    let source = sources(&error).next().unwrap().to_string();
    assert!(source.contains("HTTP 500"), "{source}");
}

#[test]
fn a_slow_response_ends_with_the_wait() {
    let peer = Peer::new(|mut connection| connection.stall());
    let config = Config {
        s3_endpoint_url: Some(peer.url()),
        ..peer.config()
    };
    let client = Client::new(config).unwrap();
    let error = client
        .wait_for_async_result(&ticket(), Duration::from_millis(300))
        .unwrap_err();
    assert!(
        matches!(kind(&error), AsyncResultErrorKind::NotReady(_)),
        "{error}"
    );
    assert!(sources(&error).count() >= 2, "{error:?}");
}

#[test]
fn a_shutdown_ends_a_wait() {
    let peer = Peer::new(|mut connection| connection.stall());
    let config = Config {
        s3_endpoint_url: Some(peer.url()),
        ..peer.config()
    };
    let client = Client::new(config).unwrap();
    let waiting = client.clone();
    let thread = std::thread::spawn(move || {
        waiting.wait_for_async_result(&ticket(), Duration::from_secs(60))
    });
    while peer.connections() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    client.shutdown();
    assert!(matches!(thread.join().unwrap(), Err(Error::ShutDown(_))));
    assert!(matches!(
        client.async_result(&ticket()),
        Err(Error::ShutDown(_))
    ));
}
