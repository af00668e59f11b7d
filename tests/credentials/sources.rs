//! Each source over HTTP as it should be.

use std::sync::{Arc, Mutex};

use sagemaker_invoke::{Client, Config, InvokeEndpoint, Proxy};

use super::support::{Oracle, Peer, Received, aws_signature, response, time_of};
use super::{
    ID, SECRET, TOKEN, World, client, error_of, invoke_with_good_credentials, json_credentials, told,
    xml_credentials,
};

/// A path and what is answered there.
type Answer = (&'static str, fn() -> Vec<u8>);

/// Answers by the path of the request, up to its query.
fn peer_of(answers: &'static [Answer]) -> Peer {
    Peer::new(move |mut connection| {
        while let Some(request) = connection.request() {
            let path = request.path().split('?').next().unwrap_or_default().to_owned();
            let answer = answers.iter().find(|(candidate, _)| *candidate == path);
            connection.say(answer.map_or_else(|| response(404, &[], "no such path"), |(_, answer)| answer()));
        }
    })
}

fn container() -> Peer {
    peer_of(&[("/credentials", || response(200, &[], json_credentials()))])
}

fn instance() -> Peer {
    const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
    peer_of(&[
        ("/latest/api/token", || {
            response(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "metadatatoken")
        }),
        (ROLES, || response(200, &[], "a-role")),
        ("/latest/meta-data/iam/security-credentials/a-role", || response(200, &[], json_credentials())),
        ("/latest/meta-data/placement/region", || response(200, &[], "ap-south-2")),
    ])
}

fn sts() -> Peer {
    peer_of(&[("/", || {
        // Both actions have the same element names below their own.
        response(200, &[("content-type", "text/xml")], xml_credentials("AssumeRole"))
    })])
}

#[test]
fn a_container_gives_credentials_for_its_token() {
    let peer = container();
    let url = format!("{}/credentials?a=b", peer.url());
    let world = World::new(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
    ]);
    invoke_with_good_credentials(world.with_file("/token", "Bearer pod"));
    let request = &peer.requests()[0];
    assert_eq!(request.request_line, "GET /credentials?a=b HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Bearer pod"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("host").unwrap(), peer.address.to_string());
}

#[test]
fn an_instance_gives_credentials_by_version_2_of_its_metadata() {
    let peer = instance();
    let url = peer.url();
    let on = ("AWS_EC2_METADATA_DISABLED", "false");
    invoke_with_good_credentials(World::new(&[on, ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]));
    let requests = peer.requests();
    let lines: Vec<_> = requests.iter().map(|it| it.request_line.as_str()).collect();
    let roles = "/latest/meta-data/iam/security-credentials/";
    let (first, second, third) = (
        "PUT /latest/api/token HTTP/1.1".to_owned(),
        format!("GET {roles} HTTP/1.1"),
        format!("GET {roles}a-role HTTP/1.1"),
    );
    assert_eq!(lines, [first, second, third]);
    assert_eq!(requests[0].header("x-aws-ec2-metadata-token-ttl-seconds"), Some("21600"));
    assert!(requests[1..].iter().all(|it| it.header("x-aws-ec2-metadata-token") == Some("metadatatoken")));
}

#[test]
fn an_instance_knows_its_region() {
    let peer = instance();
    let url = peer.url();
    let on = ("AWS_EC2_METADATA_DISABLED", "false");
    let world = World::new(&[on, ("AWS_REGION", ""), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
    let config = Config::from_host(world.shared()).unwrap();
    assert_eq!((config.region.as_deref(), peer.connections()), (None, 0));
    assert_eq!(config.region_of_instance().unwrap().as_deref(), Some("ap-south-2"));
    let off = Config::from_host(World::new(&[]).shared()).unwrap();
    assert_eq!(off.region_of_instance().unwrap(), None);
}

#[test]
fn on_an_instance_nothing_has_to_be_set() {
    let (instance, sagemaker) = (instance(), Peer::answering(response(200, &[], "answer")));
    let (metadata_url, url) = (instance.url(), sagemaker.url());
    let world = World::new(&[
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_REGION", ""),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata_url),
        ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", &url),
    ]);
    let client = Client::from_host(world.shared()).unwrap();
    assert_eq!(instance.connections(), 0, "nothing is asked before the first call");
    for _ in 0..2 {
        client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
    }
    for request in sagemaker.requests() {
        crate::verify(&request, SECRET, "ap-south-2").unwrap();
    }
    let asked = |path: &str| instance.requests().iter().filter(|it| it.path() == path).count();
    assert_eq!(asked("/latest/meta-data/placement/region"), 1);
}

#[test]
fn without_any_region_the_first_call_says_where_it_looked() {
    let client = Client::from_host(World::new(&[("AWS_REGION", "")]).shared()).unwrap();
    let error = client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, crate::Error::Config(_)) && error.attempts() == 0, "{text}");
    for place in ["AWS_REGION", "profile", "instance metadata"] {
        assert!(text.contains(place), "{text}");
    }
}

/// Checks the signature of a request to STS with AWS's own signer.
fn verify_sts(request: &Received, secret_access_key: &str) {
    let authorization = request.header("authorization").unwrap();
    let (_, rest) = authorization.split_once("SignedHeaders=").unwrap();
    let (names, signature) = rest.split_once(", Signature=").unwrap();
    let signed: Vec<_> = names.split(';').map(|name| (name, request.header(name).unwrap())).collect();
    let expected = aws_signature(&Oracle {
        method: "POST",
        url: &format!("http://{}/", request.header("host").unwrap()),
        headers: &signed,
        body: &request.body,
        access_key_id: "AKIABASE",
        secret_access_key,
        region: "eu-central-1",
        service: "sts",
        time: time_of(request.header("x-amz-date").unwrap()).unwrap(),
    });
    assert_eq!(expected, signature);
    assert!(["content-type", "host", "x-amz-date"].iter().all(|name| names.contains(name)));
}

const ROLE: &str = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n\
                    [profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base-secret-value\n";

#[test]
fn a_role_is_assumed_with_a_signature_that_awss_own_signer_makes() {
    let peer = sts();
    let url = peer.url();
    invoke_with_good_credentials(World::new(&[("AWS_ENDPOINT_URL_STS", &url)]).with_config(ROLE));
    let request = &peer.requests()[0];
    verify_sts(request, "base-secret-value");
    let body = String::from_utf8(request.body.clone()).unwrap();
    assert!(body.starts_with("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A"), "{body}");
}

#[test]
fn a_web_identity_is_shown_unsigned() {
    let peer = sts();
    let url = peer.url();
    let world = World::new(&[
        ("AWS_ENDPOINT_URL_STS", &url),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
    ]);
    invoke_with_good_credentials(world.with_file("/token", "jwt+text"));
    let request = &peer.requests()[0];
    assert_eq!(request.header("authorization"), None);
    assert!(String::from_utf8(request.body.clone()).unwrap().ends_with("&WebIdentityToken=jwt%2Btext"));
}

#[test]
fn an_sso_portal_gives_credentials_for_the_cached_token() {
    let peer = peer_of(&[("/federation/credentials", || {
        let body = format!(
            r#"{{"roleCredentials":{{"accessKeyId":"{ID}","secretAccessKey":"{SECRET}","sessionToken":"{TOKEN}","expiration":4102444800000}}}}"#
        );
        response(200, &[], body)
    })]);
    let url = peer.url();
    invoke_with_good_credentials(sso_world(&[("AWS_ENDPOINT_URL_SSO", &url)]));
    let request = &peer.requests()[0];
    assert_eq!(request.path(), "/federation/credentials?account_id=123456789012&role_name=r");
    assert_eq!(request.header("x-amz-sso_bearer_token"), Some("ssoaccesstoken"));
}

/// The file is named by `printf work | sha1sum`.
pub(super) fn sso_world(variables: &[(&str, &str)]) -> World {
    let config = "[default]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = r\n\
                  [sso-session work]\nsso_region = us-west-2\nsso_start_url = https://s\n";
    let token = r#"{"accessToken":"ssoaccesstoken","expiresAt":"2100-01-01T00:00:00Z"}"#;
    let path = "/h/.aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json";
    World::new(variables).with_config(config).with_file(path, token)
}

#[test]
fn no_proxy_stands_before_metadata_and_the_configured_one_before_services() {
    let proxy = Peer::answering(response(502, &[], "the proxy was asked"));
    let container = container();
    let sts = sts();
    let proxied = |world: World, sagemaker: &Peer| {
        let base = sagemaker.config();
        let config = Config::from_host(world.shared()).unwrap();
        let proxy = Proxy::Url(proxy.url());
        Client::new(Config { endpoint: base.endpoint, timeouts: base.timeouts, proxy, ..config }).unwrap()
    };
    let sagemaker = Peer::answering(response(200, &[], "answer"));
    let operation = InvokeEndpoint::new("e", b"body");
    let url = format!("{}/credentials", container.url());
    let direct = proxied(World::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]), &sagemaker);
    assert!(direct.sign(&operation).unwrap().header("authorization").unwrap().contains(ID));
    assert_eq!((container.connections(), proxy.connections()), (1, 0));
    let url = sts.url();
    let through = proxied(World::new(&[("AWS_ENDPOINT_URL_STS", &url)]).with_config(ROLE), &sagemaker);
    assert!(through.sign(&operation).is_err());
    assert_eq!(sts.connections(), 0);
    assert!(proxy.connections() > 0);
}

#[test]
fn a_name_that_leads_off_this_machine_is_not_asked_over_plain_http() {
    #[derive(Debug)]
    struct Names(Arc<dyn sagemaker_invoke::host::Host>, Mutex<u32>);
    impl sagemaker_invoke::host::Host for Names {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.variable(name)
        }
        fn read_file(&self, path: &std::path::Path) -> std::io::Result<Vec<u8>> {
            self.0.read_file(path)
        }
        fn lookup(&self, _: &str, port: u16) -> std::io::Result<Vec<std::net::SocketAddr>> {
            *self.1.lock().unwrap() += 1;
            Ok(vec![([192, 0, 2, 1], port).into()])
        }
    }
    let url = "http://rebound.example:8080/credentials";
    let world = World::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)]).shared();
    let names = Arc::new(Names(world, Mutex::default()));
    let config = Config::from_host(Arc::<Names>::clone(&names)).unwrap();
    let operation = InvokeEndpoint::new("e", b"body");
    let text = told(&Client::new(config).unwrap().sign(&operation).unwrap_err());
    assert!(text.contains("over plain HTTP the name must stand for loopback addresses only"), "{text}");
    assert_eq!(*names.1.lock().unwrap(), 1, "it would be the same again");
}

#[test]
fn a_process_that_hangs_ends_with_its_call() {
    let sagemaker = Peer::answering(response(200, &[], "answer"));
    let for_ever = if cfg!(windows) { "for /L %i in (0,0,1) do @rem" } else { "exec sleep 20" };
    let world = World::new(&[]).with_config(&format!("[default]\ncredential_process = {for_ever}\n"));
    let client = client(world, &sagemaker);
    let options = sagemaker_invoke::CallOptions {
        timeout: Some(std::time::Duration::from_millis(300)),
        ..Default::default()
    };
    let begun_at = std::time::Instant::now();
    let error = client.invoke_with(&InvokeEndpoint::new("e", b"body"), &options).unwrap_err();
    assert!(begun_at.elapsed() < std::time::Duration::from_secs(15), "a guard against a hang");
    let text = told(&error);
    assert!(matches!(error, sagemaker_invoke::Error::Timeout(_)), "{text}");
    assert!(text.contains("credential_process was not done after") && text.contains("preparing"), "{text}");
}

#[test]
fn a_missing_token_file_is_told_by_its_name() {
    let text = told(&error_of(World::new(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/gone"),
    ])));
    assert!(text.contains("the container's authorization token cannot be read from /gone"), "{text}");
}
