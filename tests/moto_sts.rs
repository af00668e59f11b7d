//! A role of STS and then a call of the model with its credentials, both checked by moto, which signs with botocore's
//! own code. Needs a running moto_server, whose address is in the environment variable `MOTO_URL`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sagemaker_invoke::{Client, Config, Credentials, Error, InvokeEndpoint};
use world::World;

const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// The address of the server, without which there is nothing to test.
fn moto() -> String {
    let url =
        std::env::var("MOTO_URL").unwrap_or_else(|_| panic!("MOTO_URL must name a running moto_server"));
    url.trim_end_matches('/').trim_start_matches("http://").to_owned()
}

/// A POST; moto finds the service by the scope of a signature that it does not check yet.
fn post(address: &str, path: &str, service: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    // moto reads a form as one also where it wants the text itself.
    let kind = if path == "/" { "application/x-www-form-urlencoded" } else { "text/plain" };
    let scope = format!("AKIASETUP/20260101/us-east-1/{service}/aws4_request");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\
         content-type: {kind}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
    assert!(status.starts_with('2'), "{path} {body}: {answer}");
    answer
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    sagemaker_invoke::sigv4::percent_encode(text, &mut encoded).unwrap();
    encoded
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    text.split_once(begin).unwrap().1.split_once(end).unwrap().0
}

/// A user and a role that may do everything; returns the user's keys and switches the checks on.
fn set_up(address: &str) -> (String, String) {
    post(address, "/moto-api/reset-auth", "moto", "inf");
    post(address, "/moto-api/reset", "moto", "");
    let iam = |form: &str| post(address, "/", "iam", &format!("{form}&Version=2010-05-08"));
    let policy = encoded(ALLOW_ALL);
    iam("Action=CreateUser&UserName=u");
    iam(&format!("Action=PutUserPolicy&UserName=u&PolicyName=p&PolicyDocument={policy}"));
    iam(&format!("Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={policy}"));
    iam(&format!("Action=PutRolePolicy&RoleName=r&PolicyName=p&PolicyDocument={policy}"));
    let keys = iam("Action=CreateAccessKey&UserName=u");
    let id = between(&keys, "<AccessKeyId>", "</AccessKeyId>").to_owned();
    let secret = between(&keys, "<SecretAccessKey>", "</SecretAccessKey>").to_owned();
    post(address, "/moto-api/reset-auth", "moto", "0");
    (id, secret)
}

fn config(address: &str, id: &str, secret: &str) -> Config {
    let url = format!("http://{address}");
    let file = format!(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = user\nrole_session_name = test\n\
         [profile user]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    );
    let world = World::new(&[("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", &url)]).with_config(&file);
    Config::from_host(world.shared()).unwrap()
}

/// One test, as the server has one state.
#[test]
#[ignore = "needs a moto_server, run by .ci/run"]
fn a_role_is_assumed_and_its_credentials_call_the_model_under_botocores_eyes() {
    let address = moto();
    let (id, secret) = set_up(&address);
    let operation = InvokeEndpoint::new("e", b"body");

    let answer = Client::new(config(&address, &id, &secret)).unwrap().invoke(&operation).unwrap();
    assert_eq!(answer.status, 200);

    let wrong = Client::new(config(&address, &id, "wrong")).unwrap().invoke(&operation).unwrap_err();
    assert!(matches!(wrong, Error::Credentials(_)), "{wrong}");
    assert!(
        wrong.to_string().contains("AssumeRole of arn:aws:iam::123456789012:role/r: refused with"),
        "{wrong}"
    );

    // The checks are on: a key that nobody has given is refused by the model's endpoint too.
    let unknown = Credentials::new("AKIAUNKNOWN", "wrong").into();
    let config = Config { credentials: unknown, ..config(&address, &id, &secret) };
    let refused = Client::new(config).unwrap().invoke(&operation).unwrap_err();
    assert_eq!(refused.status(), Some(403), "{refused}");
    post(&address, "/moto-api/reset-auth", "moto", "inf");
}

#[test]
#[ignore = "needs a moto_server, run by .ci/run"]
fn motos_instance_metadata_gives_credentials() {
    let url = format!("http://{}", moto());
    let on = ("AWS_EC2_METADATA_DISABLED", "false");
    let world = World::new(&[on, ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
    let client = Client::new(Config::from_host(world.shared()).unwrap()).unwrap();
    let operation = InvokeEndpoint::new("e", b"body");
    let signed = client.sign(&operation).unwrap();
    assert!(signed.header("x-amz-security-token").is_some());
}
