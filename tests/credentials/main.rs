//! Credentials over real connections: containers, instance metadata, STS and SSO on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cache;
mod faults;
mod hostile;
mod sources;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use sagemaker_invoke::credentials::Provider;
use sagemaker_invoke::{Client, Config, Credentials, Error, InvokeEndpoint};
use support::{FakeSystem, Peer, response, sources, verify};

/// The credentials of every source in these tests.
const ID: &str = "ASIAGOOD";
const SECRET: &str = "good-secret-value";
const TOKEN: &str = "good-session-token";
/// Not the region of [`support::config`].
const REGION: &str = "eu-central-1";

/// A system with these variables and a region.
fn system(variables: &[(&str, &str)]) -> FakeSystem {
    FakeSystem::on_loopback(&[&[("AWS_REGION", REGION)], variables].concat())
}

/// A client configured by this system, with the peer in place of SageMaker.
fn client(system: FakeSystem, sagemaker: &Peer) -> Client {
    let config = Config::from_system(Arc::new(system)).unwrap();
    let base = sagemaker.config();
    Client::new(Config {
        endpoint: base.endpoint,
        timeouts: base.timeouts,
        proxy: base.proxy,
        ..config
    })
    .unwrap()
}

/// Makes one call and checks that it is signed with the credentials above.
fn check_credentials(system: FakeSystem) {
    let sagemaker = Peer::responding(response(200, &[], "answer"));
    client(system, &sagemaker)
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap();
    let requests = sagemaker.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("x-amz-security-token"), Some(TOKEN));
    assert!(requests[0].header("authorization").unwrap().contains(ID));
    verify(&requests[0], SECRET, REGION).unwrap();
}

/// The error of a call without credentials.
fn error_of(system: FakeSystem) -> Error {
    let sagemaker = Peer::responding(response(200, &[], "answer"));
    let error = client(system, &sagemaker)
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap_err();
    assert_eq!(sagemaker.connections(), 0, "a request was sent");
    assert!(!error.may_have_run());
    error
}

/// Display and Debug of an error, and its sources.
fn full_text(error: &dyn std::error::Error) -> String {
    let sources: String = sources(error).map(|source| format!("\n{source}")).collect();
    format!("{error}\n{error:?}{sources}")
}

/// An hour from now, in RFC 3339.
fn in_an_hour() -> String {
    let at = time::OffsetDateTime::from(SystemTime::now() + Duration::from_secs(3600));
    at.format(&time::format_description::well_known::Rfc3339)
        .unwrap()
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
fn the_first_call_loads_credentials_once_for_all_threads() {
    let container = Peer::responding(response(200, &[], json_credentials()));
    let sagemaker = Peer::responding(response(200, &[], "answer"));
    let url = format!("{}/credentials", container.url());
    let client = client(
        system(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]),
        &sagemaker,
    );
    assert_eq!((container.connections(), sagemaker.connections()), (0, 0));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap());
        }
    });
    assert_eq!(
        (container.requests().len(), sagemaker.requests().len()),
        (1, 16)
    );
}

#[test]
fn keys_in_the_environment_need_no_network() {
    let sagemaker = Peer::responding(response(200, &[], "answer"));
    let keys = [
        ("AWS_ACCESS_KEY_ID", ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", TOKEN),
    ];
    let client = client(system(&keys), &sagemaker);
    let signed_for = InvokeEndpoint::new("e", b"body");
    let signed = client.sign(&signed_for).unwrap();
    assert_eq!(signed.header("x-amz-security-token"), Some(TOKEN));
    assert_eq!(sagemaker.connections(), 0);
}

/// Refuses the first request because of expired credentials.
fn peer_with_expired_token() -> Peer {
    Peer::responding_with(|_, number| match number {
        0 => response(403, &[("x-amzn-errortype", "ExpiredTokenException")], "{}"),
        _ => response(200, &[], "answer"),
    })
}

#[test]
fn a_refused_expired_token_is_refreshed_and_the_request_retried() {
    let sagemaker = peer_with_expired_token();
    let searches = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&searches);
    let provider = Provider::custom(move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let expires_at = SystemTime::now() + Duration::from_secs(3600);
        Ok(Some(
            Credentials::new(format!("id{number}"), SECRET).with_expiry(expires_at),
        ))
    });
    let client = Client::new(Config {
        credentials: provider,
        ..sagemaker.config()
    })
    .unwrap();
    let received = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
    assert_eq!(received.timings.attempts, 2);
    let requests = sagemaker.requests();
    let ids: Vec<_> = requests
        .iter()
        .map(|it| it.header("authorization").unwrap().contains("id1"))
        .collect();
    assert_eq!(ids, [false, true]);
    verify(&requests[1], SECRET, support::REGION).unwrap();
    assert_eq!(searches.load(Ordering::SeqCst), 2);
}

#[test]
fn a_refused_static_token_is_not_retried() {
    let sagemaker = peer_with_expired_token();
    let error = Client::new(sagemaker.config())
        .unwrap()
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap_err();
    assert_eq!(
        (error.code(), error.attempts()),
        (Some("ExpiredTokenException"), 1)
    );
    assert_eq!(sagemaker.requests().len(), 1);
}

/// The Authorization header of a request signed with credentials of this provider. The environment has others.
fn authorization(provider: Provider) -> Result<String, Error> {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIACHAIN"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let base = support::config("http://127.0.0.1:1");
    let client = Client::new(Config {
        credentials: provider,
        system: Arc::new(system(&keys)),
        ..base
    })?;
    let operation = InvokeEndpoint::new("e", b"body");
    Ok(client
        .sign(&operation)?
        .header("authorization")
        .unwrap()
        .to_owned())
}

#[test]
fn a_custom_provider_is_used_alone_or_before_the_default_chain() {
    fn then_default_chain(provider: &Provider) -> Provider {
        Provider::Chain(vec![provider.clone(), Provider::DefaultChain])
    }
    let none = Provider::custom(|| Ok(None));
    let custom = Provider::custom(|| Ok(Some(Credentials::new("AKIACUSTOM", SECRET))));
    let failing = Provider::custom(|| Err("the vault is sealed".into()));
    assert!(
        authorization(custom.clone())
            .unwrap()
            .contains("AKIACUSTOM")
    );
    assert!(
        authorization(then_default_chain(&custom))
            .unwrap()
            .contains("AKIACUSTOM")
    );
    assert!(
        authorization(then_default_chain(&none))
            .unwrap()
            .contains("AKIACHAIN")
    );
    let text = full_text(&authorization(then_default_chain(&failing)).unwrap_err());
    assert!(
        text.contains("the custom provider failed") && text.contains("the vault is sealed"),
        "{text}"
    );
    let text = authorization(none).unwrap_err().to_string();
    assert_eq!(
        text,
        "no source has credentials\n  custom provider: it returned none"
    );
}

#[test]
fn instance_metadata_without_a_response_fails_within_its_limit() {
    // Inside a container, the hop limit of instance metadata can drop the responses on their way.
    let stalled = Peer::new(|mut connection| connection.stall());
    let begun_at = Instant::now();
    let url = stalled.url();
    let error = error_of(system(&[
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url),
    ]));
    // The limit of a response is one second.
    assert!(
        begun_at.elapsed() < Duration::from_millis(2500),
        "{:?}",
        begun_at.elapsed()
    );
    let text = error.to_string();
    assert!(
        text.starts_with(
            "no source has credentials\n  environment: AWS_ACCESS_KEY_ID is not set\n"
        ),
        "{text}"
    );
    let reason = "did not answer in time; in a container, the hop limit of the instance's metadata options must be 2";
    assert!(text.ends_with(reason), "{text}");
}
