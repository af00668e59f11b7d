//! Time limits, and the phase in which they end a call.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sagemaker_invoke::credentials::Provider;
use sagemaker_invoke::error::{Phase, Sent};
use sagemaker_invoke::system::System as _;
use sagemaker_invoke::{
    AsyncInput, CallOptions, Client, Config, Credentials, Error, InvokeEndpoint,
    InvokeEndpointAsync, RetryPolicy, Timeouts,
};

use super::request;
use super::support::{FakeSystem, Peer, config, response};

/// Upper bound of the duration of a call with a limit of 200 ms, on a busy machine.
const MAX_DURATION: Duration = Duration::from_secs(3);

/// The phase in which a call to a peer that never responds times out. One of the limits must be 200 ms.
fn timed_out_phase(timeouts: Timeouts) -> Phase {
    let stalled = Peer::new(|mut connection| connection.stall());
    let client = Client::new(Config {
        timeouts,
        ..stalled.config()
    })
    .unwrap();
    let began = Instant::now();
    let error = client.invoke(&request()).unwrap_err();
    assert!(began.elapsed() < MAX_DURATION, "{error}");
    assert!(began.elapsed() >= Duration::from_millis(200), "{error}");
    assert!(
        matches!(error, Error::Timeout(_)) && error.may_have_run(),
        "{error:?}"
    );
    error.transport().unwrap().phase
}

#[test]
fn a_time_limit_ends_the_call_in_its_phase() {
    let long = Some(MAX_DURATION);
    let base = Timeouts {
        connect: long,
        send: long,
        response: long,
        read: long,
        stream: long,
        call: None,
    };
    let short = Some(Duration::from_millis(200));
    assert_eq!(
        timed_out_phase(Timeouts {
            response: short,
            ..base
        }),
        Phase::Wait
    );
    assert_eq!(
        timed_out_phase(Timeouts {
            call: short,
            ..base
        }),
        Phase::Wait
    );
}

#[test]
fn a_connect_limit_that_is_over_at_once_is_a_timeout() {
    let peer = Peer::responding(response(200, &[], "late"));
    let timeouts = Timeouts {
        connect: Some(Duration::from_nanos(1)),
        ..Timeouts::default()
    };
    let client = Client::new(Config {
        timeouts,
        ..peer.config()
    })
    .unwrap();
    for request in [request(), InvokeEndpoint::new("e", b"")] {
        let error = client.invoke(&request).unwrap_err();
        let Error::Timeout(transport) = &error else {
            panic!("{error:?}")
        };
        assert!(
            transport.phase < Phase::Send && !error.may_have_run(),
            "{error:?}"
        );
    }
    assert_eq!(peer.requests().len(), 0);
}

#[test]
fn the_connect_limit_includes_the_lookup() {
    let system = FakeSystem::on_loopback(&[]).with_lookup(|_, _| {
        thread::sleep(Duration::from_secs(1));
        Err(io::ErrorKind::NotFound.into())
    });
    let base = config("http://slow.test");
    let timeouts = Timeouts {
        connect: Some(Duration::from_millis(100)),
        ..base.timeouts
    };
    let retry = RetryPolicy {
        max_attempts: 1,
        ..Default::default()
    };
    let client = Client::new(Config {
        system: Arc::new(system),
        timeouts,
        retry,
        ..base
    })
    .unwrap();
    let began = Instant::now();
    let error = client.invoke(&request()).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(
        matches!(&error, Error::Timeout(it) if it.phase == Phase::Lookup),
        "{error:?}"
    );
    assert!(!error.may_have_run());
}

#[test]
fn the_timeout_of_call_options_applies() {
    let stalled = Peer::new(|mut connection| connection.stall());
    let client = Client::new(stalled.config()).unwrap();
    let options = CallOptions {
        timeout: Some(Duration::from_millis(100)),
        ..CallOptions::default()
    };
    let began = Instant::now();
    let error = client.invoke_with(&request(), &options).unwrap_err();
    assert!(
        matches!(error, Error::Timeout(_)) && began.elapsed() < MAX_DURATION,
        "{error:?}"
    );
    assert!(error.transport().unwrap().elapsed >= Duration::from_millis(100));
    let no_time = CallOptions {
        timeout: Some(Duration::ZERO),
        ..CallOptions::default()
    };
    let error = client.invoke_with(&request(), &no_time).unwrap_err();
    assert!(
        matches!(&error, Error::Timeout(it) if it.phase == Phase::Prepare && it.attempts == 0),
        "{error:?}"
    );
}

/// The credentials come at the last moment: nothing has been sent, even if the request has no body that could be missing.
#[test]
fn a_deadline_between_signing_and_sending_sends_nothing() {
    let peer = Peer::responding(response(200, &[], "late"));
    let client = || {
        let system = Arc::new(FakeSystem::on_loopback(&[]).with_stopped_clock());
        let clock = Arc::clone(&system);
        let credentials = Provider::custom(move || {
            clock.sleep(Duration::from_secs(10));
            Ok(Some(Credentials::new("id", "secret")))
        });
        let timeouts = Timeouts {
            call: Some(Duration::from_secs(10)),
            ..Timeouts::default()
        };
        Client::new(Config {
            credentials,
            system,
            timeouts,
            ..peer.config()
        })
        .unwrap()
    };
    let errors = [
        client().invoke(&request()).unwrap_err(),
        client().invoke(&InvokeEndpoint::new("e", b"")).unwrap_err(),
        client()
            .invoke(&InvokeEndpointAsync::new("e", AsyncInput::S3("s3://b/k")))
            .unwrap_err(),
    ];
    for error in errors {
        let Error::Timeout(transport) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(
            (transport.phase, transport.sent),
            (Phase::Prepare, Sent::Nothing),
            "{error:?}"
        );
        assert!(!error.may_have_run() && error.attempts() == 1, "{error:?}");
        // The credentials were in time: their own timeout would be the source.
        assert!(error.source().is_none(), "{error:?}");
    }
    assert_eq!(peer.requests().len(), 0);
}

#[test]
fn a_slow_response_is_limited_by_the_call_limit_only() {
    let peer = Peer::new(|mut connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
        for _ in 0..100 {
            connection.send("x");
            thread::sleep(Duration::from_millis(10));
        }
        connection.stall();
    });
    let timeouts = Timeouts {
        read: Some(Duration::from_millis(500)),
        ..peer.config().timeouts
    };
    let client = Client::new(Config {
        timeouts,
        ..peer.config()
    })
    .unwrap();
    assert_eq!(client.invoke(&request()).unwrap().body.len(), 100);
    let options = CallOptions {
        timeout: Some(Duration::from_millis(200)),
        ..CallOptions::default()
    };
    let error = client.invoke_with(&request(), &options).unwrap_err();
    assert!(
        matches!(&error, Error::Timeout(it) if it.phase >= Phase::Wait),
        "{error:?}"
    );
}

#[test]
fn the_call_limit_applies_to_everything_that_needs_credentials() {
    let client = Client::new(Config {
        credentials: Provider::custom(|| {
            thread::sleep(Duration::from_secs(8));
            Ok(None)
        }),
        timeouts: Timeouts {
            call: Some(Duration::from_millis(200)),
            ..Timeouts::default()
        },
        ..config("http://127.0.0.1:1")
    })
    .unwrap();
    let began = Instant::now();
    let errors = [
        client.credentials().unwrap_err(),
        client.sign(&request()).unwrap_err(),
        client.bearer_token(Duration::from_secs(60)).unwrap_err(),
    ];
    assert!(began.elapsed() < MAX_DURATION, "{:?}", began.elapsed());
    for error in errors {
        assert!(
            matches!(error, Error::Timeout(_)) && !error.may_have_run(),
            "{error:?}"
        );
    }
}

#[test]
fn a_limit_over_100_years_is_no_limit() {
    let peer = Peer::responding(response(200, &[], "answer"));
    for limit in [Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
        let timeouts = Timeouts {
            connect: Some(limit),
            send: Some(limit),
            response: Some(limit),
            read: Some(limit),
            stream: Some(limit),
            call: Some(limit),
        };
        let client = Client::new(Config {
            timeouts,
            ..peer.config()
        })
        .unwrap();
        let body = vec![0; 1024 * 1024];
        let received = client.invoke(&InvokeEndpoint::new("e", &body)).unwrap();
        assert_eq!(received.body, b"answer");
    }
}
