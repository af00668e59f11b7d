//! Credentials over real connections: containers, instance metadata, STS and SSO on loopback, good and bad.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod faults;
mod sources;
#[path = "../support/mod.rs"]
mod support;
#[path = "../world/mod.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use sagemaker_invoke::credentials::Source;
use sagemaker_invoke::host::{Host, System};
use sagemaker_invoke::{Client, Config, Credentials, Error, InvokeEndpoint};
use support::{Peer, response, verify};
use world::World;

/// What every good source in these tests gives.
const ID: &str = "ASIAGOOD";
const SECRET: &str = "good-secret-value";
const TOKEN: &str = "good-session-token";

/// A client of a world, and the peer that stands for SageMaker.
fn client(world: World, sagemaker: &Peer) -> Client {
    let config = Config::from_host(world.shared()).unwrap();
    let base = sagemaker.config();
    Client::new(Config { endpoint: base.endpoint, timeouts: base.timeouts, proxy: base.proxy, ..config })
        .unwrap()
}

/// Calls the model once and checks that the request was signed with the good credentials.
fn invoke_with_good_credentials(world: World) {
    let sagemaker = Peer::answering(response(200, &[], "answer"));
    client(world, &sagemaker).invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
    let requests = sagemaker.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("x-amz-security-token"), Some(TOKEN));
    assert!(requests[0].header("authorization").unwrap().contains(ID));
    verify(&requests[0], SECRET, "eu-central-1").unwrap();
}

/// Calls the model once in vain.
fn error_of(world: World) -> Error {
    let sagemaker = Peer::answering(response(200, &[], "answer"));
    let error = client(world, &sagemaker).invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
    assert_eq!(sagemaker.connections(), 0, "nothing is sent without credentials");
    assert!(!error.may_have_run());
    error
}

/// An error with all that caused it, as a program would print it.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error}\n{error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n{error}"));
        cause = error.source();
    }
    text
}

/// RFC 3339, an hour from now.
fn in_an_hour() -> String {
    let at = time::OffsetDateTime::from(System.now() + Duration::from_secs(3600));
    at.format(&time::format_description::well_known::Rfc3339).unwrap()
}

fn json_credentials() -> String {
    let expiration = in_an_hour();
    format!(
        r#"{{"Code":"Success","AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}","Token":"{TOKEN}","Expiration":"{expiration}"}}"#
    )
}

fn xml_credentials(action: &str) -> String {
    let expiration = in_an_hour();
    format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>{ID}</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>\
         <Expiration>{expiration}</Expiration></Credentials></{action}Result></{action}Response>"
    )
}

#[test]
fn a_client_asks_nobody_before_its_first_call_and_once_for_many_threads() {
    let container = Peer::answering(response(200, &[], json_credentials()));
    let sagemaker = Peer::answering(response(200, &[], "answer"));
    let url = format!("{}/credentials", container.url());
    let client = client(World::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]), &sagemaker);
    assert_eq!((container.connections(), sagemaker.connections()), (0, 0));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap());
        }
    });
    assert_eq!((container.requests().len(), sagemaker.requests().len()), (1, 16));
}

#[test]
fn static_keys_cost_no_network() {
    let sagemaker = Peer::answering(response(200, &[], "answer"));
    let keys = [("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_SESSION_TOKEN", TOKEN)];
    let client = client(World::new(&keys), &sagemaker);
    let signed_for = InvokeEndpoint::new("e", b"body");
    let signed = client.sign(&signed_for).unwrap();
    assert_eq!(signed.header("x-amz-security-token"), Some(TOKEN));
    assert_eq!(sagemaker.connections(), 0);
}

/// Answers the first request that the credentials have expired, and all the rest.
fn expiring_peer() -> Peer {
    let count = AtomicU32::new(0);
    Peer::new(move |mut connection| {
        while connection.request().is_some() {
            let expired = response(403, &[("x-amzn-errortype", "ExpiredTokenException")], "{}");
            let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
            connection.say(if is_first { expired } else { response(200, &[], "answer") });
        }
    })
}

#[test]
fn expired_credentials_are_renewed_once_and_the_request_sent_again() {
    let sagemaker = expiring_peer();
    let searches = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&searches);
    let source = Source::custom(move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let ends_at = SystemTime::now() + Duration::from_secs(3600);
        Ok(Some(Credentials::new(format!("id{number}"), SECRET).with_expiry(ends_at)))
    });
    let client = Client::new(Config { credentials: source, ..sagemaker.config() }).unwrap();
    let answer = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
    assert_eq!(answer.timings.attempts, 2);
    let requests = sagemaker.requests();
    let ids: Vec<_> = requests.iter().map(|it| it.header("authorization").unwrap().contains("id1")).collect();
    assert_eq!(ids, [false, true]);
    verify(&requests[1], SECRET, support::REGION).unwrap();
    assert_eq!(searches.load(Ordering::SeqCst), 2);
}

#[test]
fn expired_credentials_that_cannot_be_renewed_are_not_sent_again() {
    let sagemaker = expiring_peer();
    let error =
        Client::new(sagemaker.config()).unwrap().invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
    assert_eq!((error.code(), error.attempts()), (Some("ExpiredTokenException"), 1));
    assert_eq!(sagemaker.requests().len(), 1);
}

#[test]
fn a_source_of_ones_own_stands_alone_or_before_the_chain() {
    let sagemaker = Peer::answering(response(200, &[], "answer"));
    let keys = World::new(&[("AWS_ACCESS_KEY_ID", "AKIACHAIN"), ("AWS_SECRET_ACCESS_KEY", SECRET)]).shared();
    let id_of = |source: Source| {
        let config = Config { credentials: source, host: Arc::clone(&keys), ..sagemaker.config() };
        let operation = InvokeEndpoint::new("e", b"body");
        Client::new(config).unwrap().sign(&operation).map(|it| it.header("authorization").unwrap().to_owned())
    };
    let none = || Source::custom(|| Ok(None));
    let own = || Source::custom(|| Ok(Some(Credentials::new("AKIAOWN", SECRET))));
    let bad = || Source::custom(|| Err("the vault is sealed".into()));
    assert!(id_of(own()).unwrap().contains("AKIAOWN"));
    assert!(id_of(Source::List(vec![own(), Source::Chain])).unwrap().contains("AKIAOWN"));
    assert!(id_of(Source::List(vec![none(), Source::Chain])).unwrap().contains("AKIACHAIN"));
    let text = told(&id_of(Source::List(vec![bad(), Source::Chain])).unwrap_err());
    assert!(text.contains("the custom source failed") && text.contains("the vault is sealed"), "{text}");
    let text = id_of(none()).unwrap_err().to_string();
    assert_eq!(text, "no source has credentials\n  custom source: it gave none");
}

#[test]
fn off_ec2_the_chain_gives_up_soon() {
    // It takes the connection and says nothing, as an answer does that is lost on its way into a container.
    let silent = Peer::new(|mut connection| connection.stall());
    let begun_at = Instant::now();
    let url = silent.url();
    let error = error_of(World::new(&[
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url),
    ]));
    // The limit is the issue's own; a second is what the read may take.
    assert!(begun_at.elapsed() < Duration::from_millis(2500), "{:?}", begun_at.elapsed());
    let text = error.to_string();
    assert!(
        text.starts_with("no source has credentials\n  environment: AWS_ACCESS_KEY_ID is not set\n"),
        "{text}"
    );
    assert!(text.ends_with("did not answer in time"), "{text}");
}
