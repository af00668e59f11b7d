//! Every source against a peer that refuses, stalls, drips, floods, or says something else.

use std::time::{Duration, Instant};

use sagemaker_invoke::{CallOptions, Client, Config, Error, InvokeEndpoint};

use super::sources::sso_world;
use super::support::{Connection, Peer, response};
use super::{World, told};

/// A source that asks the peer at this URL, and what an error calls it.
type MakeWorld = fn(&str) -> World;

const SOURCES: [(&str, MakeWorld); 5] = [
    ("container", |url| World::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)])),
    ("instance metadata", |url| {
        let on = ("AWS_EC2_METADATA_DISABLED", "false");
        World::new(&[on, ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)])
    }),
    ("AssumeRole of", |url| {
        let config = "[default]\nrole_arn = arn:r\nsource_profile = default\n\
                      aws_access_key_id = AKIABASE\naws_secret_access_key = topsecretbase\n";
        World::new(&[("AWS_ENDPOINT_URL_STS", url)]).with_config(config)
    }),
    ("AssumeRoleWithWebIdentity of", |url| {
        let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
        World::new(&[("AWS_ENDPOINT_URL_STS", url), token, ("AWS_ROLE_ARN", "arn:r")])
            .with_file("/token", "topsecrettoken")
    }),
    ("the SSO portal", |url| sso_world(&[("AWS_ENDPOINT_URL_SSO", url)])),
];

/// What the peer does with a request, and what an error may say of it.
type Serve = fn(Connection);

const FAULTS: [(&str, Serve); 9] = [
    ("closes", |mut connection| {
        connection.request();
        connection.close();
    }),
    ("resets", |mut connection| {
        connection.request();
        connection.reset();
    }),
    ("talks no HTTP", |mut connection| connection.always("topsecretgarbage\n\n")),
    ("says a page", |mut connection| connection.always(response(200, &[], "<html>topsecretpage</html>\n"))),
    ("says nothing in 200", |mut connection| connection.always(response(200, &[], ""))),
    ("says an unknown JSON", |mut connection| {
        connection.always(response(200, &[], r#"{"AccessKeyId":"topsecretid","a":[1]}"#));
    }),
    ("announces too much", |mut connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx");
        connection.stall();
    }),
    ("floods", |mut connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        // A bounded flood, a hundred times the limit of an answer.
        for _ in 0..400 {
            connection.say([&b"10000\r\n"[..], &[b'x'; 65_536], b"\r\n"].concat());
        }
    }),
    ("fails", |mut connection| connection.always(response(500, &[], "topsecretfailure"))),
];

fn outcome(world: World, timeout: Option<Duration>) -> (Error, Duration) {
    let base = super::support::config("http://127.0.0.1:1");
    let config = Config::from_host(world.shared()).unwrap();
    let config = Config { endpoint: base.endpoint, proxy: base.proxy, ..config };
    let begun_at = Instant::now();
    let options = CallOptions { timeout, ..CallOptions::default() };
    let error =
        Client::new(config).unwrap().invoke_with(&InvokeEndpoint::new("e", b"b"), &options).unwrap_err();
    (error, begun_at.elapsed())
}

#[test]
fn every_fault_is_an_error_that_names_the_source_and_shows_nothing_of_the_answer() {
    std::thread::scope(|scope| {
        for (source, world) in SOURCES {
            scope.spawn(move || {
                for (fault, serve) in FAULTS {
                    let peer = Peer::new(serve);
                    let (error, elapsed) = outcome(world(&peer.url()), None);
                    let text = told(&error);
                    assert!(matches!(error, Error::Credentials(_)), "{source} {fault}: {text}");
                    assert!(text.contains(source), "{source} {fault}: {text}");
                    assert!(!text.contains("topsecret"), "{source} {fault}: {text}");
                    assert!(elapsed < Duration::from_secs(60), "{source} {fault}: a guard against a hang");
                    assert!(peer.connections() >= 1, "{source} {fault}");
                }
            });
        }
    });
}

#[test]
fn a_peer_that_stalls_or_drips_ends_with_the_time_of_the_call() {
    let stalls: [(&str, Serve); 2] = [
        ("stalls", |mut connection| connection.stall()),
        ("drips", |mut connection| {
            connection.request();
            connection.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
            // Longer than the call, shorter than the peer's patience.
            for _ in 0..12 {
                connection.say("x");
                std::thread::sleep(Duration::from_millis(50));
            }
        }),
    ];
    for (source, world) in SOURCES {
        for (fault, serve) in stalls {
            let peer = Peer::new(serve);
            let (error, elapsed) = outcome(world(&peer.url()), Some(Duration::from_millis(400)));
            let text = told(&error);
            assert!(matches!(error, Error::Timeout(_)), "{source} {fault}: {text}");
            assert!(text.contains("timed out preparing the request"), "{source} {fault}: {text}");
            assert!(elapsed < Duration::from_secs(10), "{source} {fault}: a guard against a hang");
        }
    }
}

#[test]
fn nobody_at_the_address_is_an_error_and_off_ec2_just_no_source() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for (source, world) in SOURCES {
        let (error, _) = outcome(world(&format!("http://{address}")), None);
        let text = error.to_string();
        assert!(text.contains(&format!("could not connect to {address}")), "{source}: {text}");
        let is_list = text.starts_with("no source has credentials");
        assert_eq!(is_list, source == "instance metadata", "{text}");
    }
}
