//! AssumeRole and instance metadata.

use std::sync::Arc;

use sagemaker_invoke::{Client, Config, Credentials, Error, InvokeEndpoint};

use super::server::{Moto, moto_url};
use super::support::{FakeSystem, turn};

const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn config(url: &str, keys: &Credentials) -> Config {
    let (id, secret) = (&keys.access_key_id, keys.secret_access_key.expose());
    let file = format!(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = user\nrole_session_name = test\n\
         [profile user]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    );
    let system = FakeSystem::on_loopback(&[("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", url)])
        .with_config(&file);
    Config::from_system(Arc::new(system)).unwrap()
}

// One test, because the server's state is shared.
#[test]
#[ignore = "needs a moto_server, run by .ci/run"]
fn credentials_of_an_assumed_role_are_accepted() {
    let moto = Moto::connect();
    let keys = moto.user("u", Some(ALLOW_ALL));
    moto.role("r", ALLOW_ALL, ALLOW_ALL);
    moto.check_signatures(true);
    let operation = InvokeEndpoint::new("e", b"body");

    let response = Client::new(config(&moto.url(), &keys))
        .unwrap()
        .invoke(&operation)
        .unwrap();
    assert_eq!(response.status, 200);

    let wrong_keys = Credentials::new(&keys.access_key_id, "wrong");
    let wrong = Client::new(config(&moto.url(), &wrong_keys))
        .unwrap()
        .invoke(&operation)
        .unwrap_err();
    assert!(matches!(wrong, Error::Credentials(_)), "{wrong}");
    assert!(
        wrong
            .to_string()
            .contains("AssumeRole of arn:aws:iam::123456789012:role/r: refused with"),
        "{wrong}"
    );

    // The endpoint checks signatures, too.
    let unknown = Credentials::new("AKIAUNKNOWN", "wrong").into();
    let config = Config {
        credentials: unknown,
        ..config(&moto.url(), &keys)
    };
    let refused = Client::new(config).unwrap().invoke(&operation).unwrap_err();
    assert_eq!(refused.status(), Some(403), "{refused}");
}

#[test]
#[ignore = "needs a moto_server, run by .ci/run"]
fn instance_metadata_has_credentials() {
    let _turn = turn();
    let url = moto_url();
    let on = ("AWS_EC2_METADATA_DISABLED", "false");
    let region = ("AWS_REGION", "eu-central-1");
    let system =
        FakeSystem::on_loopback(&[on, region, ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
    let client = Client::new(Config::from_system(Arc::new(system)).unwrap()).unwrap();
    let operation = InvokeEndpoint::new("e", b"body");
    let signed = client.sign(&operation).unwrap();
    assert!(signed.header("x-amz-security-token").is_some());
}
