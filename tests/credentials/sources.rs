//! Each source over HTTP, with valid responses.

use std::sync::Arc;

use sagemaker_invoke::{Client, Config, Error, InvokeEndpoint, Proxy};

use super::support::{Peer, response, verify, verify_for};
use super::{
    FakeSystem, ID, REGION, SECRET, TOKEN, check_credentials, client, error_of, full_text,
    json_credentials, system, xml_credentials,
};

/// A path and its response.
type Route = (&'static str, fn() -> Vec<u8>);

/// Responds by the path of the request, without its query.
fn peer_with(routes: &'static [Route]) -> Peer {
    Peer::responding_with(move |request, _| {
        let path = request.path().split('?').next().unwrap_or_default();
        match routes.iter().find(|(candidate, _)| *candidate == path) {
            Some((_, response)) => response(),
            None => response(404, &[], "no such path"),
        }
    })
}

fn container() -> Peer {
    peer_with(&[("/credentials", || response(200, &[], json_credentials()))])
}

fn instance() -> Peer {
    const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
    peer_with(&[
        ("/latest/api/token", || {
            response(
                200,
                &[("x-aws-ec2-metadata-token-ttl-seconds", "21600")],
                "metadatatoken",
            )
        }),
        (ROLES, || response(200, &[], "a-role")),
        ("/latest/meta-data/iam/security-credentials/a-role", || {
            response(200, &[], json_credentials())
        }),
        ("/latest/meta-data/placement/region", || {
            response(200, &[], "ap-south-2")
        }),
    ])
}

fn sts() -> Peer {
    peer_with(&[("/", || {
        // The response to AssumeRoleWithWebIdentity differs only in the names of the outer elements.
        response(
            200,
            &[("content-type", "text/xml")],
            xml_credentials("AssumeRole"),
        )
    })])
}

#[test]
fn a_container_is_queried_with_its_token() {
    let peer = container();
    let url = format!("{}/credentials?a=b", peer.url());
    let system = system(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
    ]);
    check_credentials(system.with_file("/token", "Bearer pod"));
    let request = &peer.requests()[0];
    assert_eq!(request.request_line, "GET /credentials?a=b HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Bearer pod"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("host").unwrap(), peer.address.to_string());
}

#[test]
fn an_instance_is_queried_by_version_2_of_the_protocol() {
    let peer = instance();
    let url = peer.url();
    let on = ("AWS_EC2_METADATA_DISABLED", "false");
    check_credentials(system(&[on, ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]));
    let requests = peer.requests();
    let lines: Vec<_> = requests.iter().map(|it| it.request_line.as_str()).collect();
    let roles = "/latest/meta-data/iam/security-credentials/";
    let (first, second, third) = (
        "PUT /latest/api/token HTTP/1.1".to_owned(),
        format!("GET {roles} HTTP/1.1"),
        format!("GET {roles}a-role HTTP/1.1"),
    );
    assert_eq!(lines, [first, second, third]);
    assert_eq!(
        requests[0].header("x-aws-ec2-metadata-token-ttl-seconds"),
        Some("21600")
    );
    assert!(
        requests[1..]
            .iter()
            .all(|it| it.header("x-aws-ec2-metadata-token") == Some("metadatatoken"))
    );
}

#[test]
fn instance_metadata_has_the_region() {
    let peer = instance();
    let url = peer.url();
    let on = ("AWS_EC2_METADATA_DISABLED", "false");
    let variables = [
        on,
        ("AWS_REGION", ""),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url),
    ];
    let config = Config::from_system(Arc::new(system(&variables))).unwrap();
    assert_eq!((config.region.as_deref(), peer.connections()), (None, 0));
    assert_eq!(
        config.region_of_instance().unwrap().as_deref(),
        Some("ap-south-2")
    );
    let off = Config::from_system(Arc::new(system(&[]))).unwrap();
    assert_eq!(off.region_of_instance().unwrap(), None);
}

#[test]
fn an_instance_needs_no_settings() {
    let (instance, sagemaker) = (instance(), Peer::responding(response(200, &[], "answer")));
    let (metadata_url, url) = (instance.url(), sagemaker.url());
    let system = system(&[
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_REGION", ""),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata_url),
        ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", &url),
    ]);
    let client = Client::from_system(Arc::new(system)).unwrap();
    assert_eq!(instance.connections(), 0, "connected before the first call");
    for _ in 0..2 {
        client.invoke(&InvokeEndpoint::new("e", b"body")).unwrap();
    }
    for request in sagemaker.requests() {
        verify(&request, SECRET, "ap-south-2").unwrap();
    }
    let requests = instance.requests();
    let for_region = requests
        .iter()
        .filter(|it| it.path() == "/latest/meta-data/placement/region");
    assert_eq!(for_region.count(), 1);
}

#[test]
fn the_error_for_a_missing_region_names_all_sources() {
    let client = Client::from_system(Arc::new(system(&[("AWS_REGION", "")]))).unwrap();
    let error = client
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Config(_)) && error.attempts() == 0,
        "{text}"
    );
    for place in ["AWS_REGION", "profile", "instance metadata"] {
        assert!(text.contains(place), "{text}");
    }
}

const ROLE: &str = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n\
                    [profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base-secret-value\n";

#[test]
fn assume_role_is_signed_with_the_base_credentials() {
    let peer = sts();
    let url = peer.url();
    check_credentials(system(&[("AWS_ENDPOINT_URL_STS", &url)]).with_config(ROLE));
    let request = &peer.requests()[0];
    verify_for("sts", request, "base-secret-value", REGION).unwrap();
    let authorization = request.header("authorization").unwrap();
    assert!(
        authorization.contains("Credential=AKIABASE/"),
        "{authorization}"
    );
    assert!(
        authorization.contains("SignedHeaders=content-type;host;x-amz-date,"),
        "{authorization}"
    );
    let body = String::from_utf8(request.body.clone()).unwrap();
    assert!(
        body.starts_with("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A"),
        "{body}"
    );
}

#[test]
fn assume_role_with_web_identity_is_not_signed() {
    let peer = sts();
    let url = peer.url();
    let system = system(&[
        ("AWS_ENDPOINT_URL_STS", &url),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
    ]);
    check_credentials(system.with_file("/token", "jwt+text"));
    let request = &peer.requests()[0];
    assert_eq!(request.header("authorization"), None);
    assert!(
        String::from_utf8(request.body.clone())
            .unwrap()
            .ends_with("&WebIdentityToken=jwt%2Btext")
    );
}

#[test]
fn the_sso_portal_is_queried_with_the_cached_token() {
    let peer = peer_with(&[("/federation/credentials", || {
        let body = format!(
            r#"{{"roleCredentials":{{"accessKeyId":"{ID}","secretAccessKey":"{SECRET}","sessionToken":"{TOKEN}","expiration":4102444800000}}}}"#
        );
        response(200, &[], body)
    })]);
    let url = peer.url();
    check_credentials(sso_system(&[("AWS_ENDPOINT_URL_SSO", &url)]));
    let request = &peer.requests()[0];
    assert_eq!(
        request.path(),
        "/federation/credentials?account_id=123456789012&role_name=r"
    );
    assert_eq!(
        request.header("x-amz-sso_bearer_token"),
        Some("ssoaccesstoken")
    );
}

/// A system with an SSO session. The name of the token file is the output of `printf work | sha1sum`.
pub(super) fn sso_system(variables: &[(&str, &str)]) -> FakeSystem {
    let config = "[default]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = r\n\
                  [sso-session work]\nsso_region = us-west-2\nsso_start_url = https://s\n";
    let token = r#"{"accessToken":"ssoaccesstoken","expiresAt":"2100-01-01T00:00:00Z"}"#;
    let path = "/h/.aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json";
    system(variables).with_config(config).with_file(path, token)
}

/// The Authorization header made by a client with this system and proxy.
fn authorization_with_proxy(system: FakeSystem, proxy: &Peer) -> Result<String, Error> {
    let config = Config::from_system(Arc::new(system)).unwrap();
    let client = Client::new(Config {
        proxy: Proxy::Url(proxy.url()),
        ..config
    })?;
    let operation = InvokeEndpoint::new("e", b"body");
    Ok(client
        .sign(&operation)?
        .header("authorization")
        .unwrap()
        .to_owned())
}

#[test]
fn containers_are_called_directly_and_services_through_the_proxy() {
    let proxy = Peer::responding(response(502, &[], "proxy"));
    let (container, sts) = (container(), sts());
    let url = format!("{}/credentials", container.url());
    let in_container = system(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    assert!(
        authorization_with_proxy(in_container, &proxy)
            .unwrap()
            .contains(ID)
    );
    assert_eq!((container.connections(), proxy.connections()), (1, 0));
    let url = sts.url();
    let with_role = system(&[("AWS_ENDPOINT_URL_STS", &url)]).with_config(ROLE);
    authorization_with_proxy(with_role, &proxy).unwrap_err();
    assert_eq!(sts.connections(), 0);
    assert!(proxy.connections() > 0);
}

#[test]
fn a_container_name_with_a_remote_address_is_refused_over_plain_http() {
    let url = "http://rebound.example:8080/credentials";
    let system = system(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)])
        .with_lookup(|_, port| Ok(vec![([192, 0, 2, 1], port).into()]));
    let system = Arc::new(system);
    let config = Config::from_system(Arc::<FakeSystem>::clone(&system)).unwrap();
    let operation = InvokeEndpoint::new("e", b"body");
    let text = full_text(&Client::new(config).unwrap().sign(&operation).unwrap_err());
    assert!(
        text.contains("over plain HTTP the host must have loopback addresses only"),
        "{text}"
    );
    assert!(
        text.contains("the name has an address that is not allowed over plain HTTP"),
        "{text}"
    );
    assert_eq!(system.lookups(), 1, "a refused address is not retried");
}

#[test]
fn the_deadline_of_the_call_ends_a_credential_process() {
    let sagemaker = Peer::responding(response(200, &[], "answer"));
    let endless = if cfg!(windows) {
        "for /L %i in (0,0,1) do @rem"
    } else {
        "exec sleep 20"
    };
    let system = system(&[]).with_config(&format!("[default]\ncredential_process = {endless}\n"));
    let client = client(system, &sagemaker);
    let options = sagemaker_invoke::CallOptions {
        timeout: Some(std::time::Duration::from_millis(300)),
        ..Default::default()
    };
    let begun_at = std::time::Instant::now();
    let error = client
        .invoke_with(&InvokeEndpoint::new("e", b"body"), &options)
        .unwrap_err();
    assert!(
        begun_at.elapsed() < std::time::Duration::from_secs(15),
        "a guard against a hang"
    );
    let text = full_text(&error);
    assert!(matches!(error, Error::Timeout(_)), "{text}");
    assert!(
        text.contains("credential_process was not done after") && text.contains("preparing"),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn a_call_that_ends_while_a_credential_process_runs_shows_what_it_wrote() {
    let sagemaker = Peer::responding(response(200, &[], "answer"));
    let config = "[default]\ncredential_process = \
                  echo \"please log in, not wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY hunter2\" >&2; exec sleep 20\n";
    let client = client(system(&[]).with_config(config), &sagemaker);
    let options = sagemaker_invoke::CallOptions {
        timeout: Some(std::time::Duration::from_millis(1500)),
        ..Default::default()
    };
    let error = client
        .invoke_with(&InvokeEndpoint::new("e", b"body"), &options)
        .unwrap_err();
    let text = full_text(&error);
    assert!(matches!(error, Error::Timeout(_)), "{text}");
    assert!(
        text.contains("the program still runs, and wrote: please log in, not .. .."),
        "{text}"
    );
    let client = format!("{client:?}");
    assert!(
        !text.contains("wJalr") && !client.contains("wJalr") && !client.contains("hunter2"),
        "{text} {client}"
    );
}

#[test]
fn the_error_for_a_missing_token_file_has_its_path() {
    let text = full_text(&error_of(system(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/gone"),
    ])));
    assert!(
        text.contains("the container's authorization token cannot be read from /gone"),
        "{text}"
    );
}
