//! A peer that nobody here wrote: moto's server checks signatures with botocore's code.
//!
//! Where it differs from AWS, so that nothing here relies on it: it looks at no clock, its errors are XML, so that only
//! the status tells, and it refuses what boto3 signs rightly when the body or the Content-Type is empty or the body is
//! not UTF-8.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use sagemaker_invoke::credentials::Credentials;
use sagemaker_invoke::sigv4::{
    AmzDate, Authorization, CanonicalRequest, Payload, Request, Scope, SigningKey, StringToSign,
    percent_encode,
};
use sagemaker_invoke::{Client, Config, Endpoint, Error, InvokeEndpoint, InvokeEndpointResponse, Proxy};

const REGION: &str = "us-east-1";

/// Allows what the client does, and nothing else.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sagemaker:InvokeEndpoint","Resource":"*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;

/// A running `moto_server`. Signatures are no longer checked when it is dropped.
struct Moto {
    authority: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.check_signatures(false);
    }
}

impl Moto {
    fn connect() -> Self {
        let url = std::env::var("MOTO_URL").expect("MOTO_URL must be the URL of a running moto_server");
        let authority = url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let moto = Self { authority };
        moto.check_signatures(false);
        moto.post("/moto-api/reset", &[], "");
        moto
    }

    fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// One exchange; moto closes the connection after it.
    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut head = format!("POST {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            write!(head, "host: {}\r\n", self.authority).unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// From now on, or until now, each request needs a right signature and a permission.
    fn check_signatures(&self, on: bool) {
        let (status, body) = self.post("/moto-api/reset-auth", &[], if on { "0" } else { "inf" });
        assert_eq!(status, 200, "{body}");
    }

    /// A signed call of IAM or STS, with any key, since nobody checks it yet.
    fn query(&self, service: &str, parameters: &[(&str, &str)]) -> String {
        let mut body = String::new();
        for (name, value) in parameters {
            write!(body, "{name}=").unwrap();
            percent_encode(value, &mut body).unwrap();
            body.push('&');
        }
        let amz_date = AmzDate::from_system_time(SystemTime::now()).unwrap();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("host", self.authority.as_str()),
            ("x-amz-date", amz_date.as_str()),
        ];
        let payload = Payload::Bytes(body.as_bytes());
        let request = Request { headers: &headers, payload, ..Request::new("POST", "/") };
        let scope = Scope { amz_date, region: REGION, service };
        let canonical_request = &CanonicalRequest::new(&request);
        let string_to_sign = StringToSign::new(canonical_request, scope);
        let signature = SigningKey::derive("anything", scope).sign(&string_to_sign);
        let authorization =
            Authorization { access_key_id: "AKIDEXAMPLE", scope, canonical_request, signature }.to_string();
        let headers = [&headers[..], &[("authorization", authorization.as_str())]].concat();
        let (status, answer) = self.post("/", &headers, &body);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.query("iam", &[&[("Action", action), ("Version", "2010-05-08")], parameters].concat())
    }

    /// The key of a new user.
    fn user(&self, name: &str, policy: Option<&str>) -> Credentials {
        self.iam("CreateUser", &[("UserName", name)]);
        if let Some(policy) = policy {
            let parameters = [("UserName", name), ("PolicyName", "invoke"), ("PolicyDocument", policy)];
            self.iam("PutUserPolicy", &parameters);
        }
        let answer = self.iam("CreateAccessKey", &[("UserName", name)]);
        Credentials::new(element(&answer, "AccessKeyId"), element(&answer, "SecretAccessKey"))
    }

    /// The credentials of a session of a new role.
    fn session(&self, role: &str) -> Credentials {
        let parameters = [("RoleName", role), ("AssumeRolePolicyDocument", TRUST)];
        let arn = element(&self.iam("CreateRole", &parameters), "Arn");
        let parameters = [("RoleName", role), ("PolicyName", "invoke"), ("PolicyDocument", POLICY)];
        self.iam("PutRolePolicy", &parameters);
        let answer = self.query(
            "sts",
            &[
                ("Action", "AssumeRole"),
                ("Version", "2011-06-15"),
                ("RoleArn", &arn),
                ("RoleSessionName", "caller"),
            ],
        );
        Credentials::new(element(&answer, "AccessKeyId"), element(&answer, "SecretAccessKey"))
            .with_session_token(element(&answer, "SessionToken"))
    }

    /// What the endpoint will answer next.
    fn queue(&self, result: &str) {
        let body = format!(r#"{{"account_id":"123456789012","region":"{REGION}","results":[{result}]}}"#);
        let headers = [("content-type", "application/json")];
        let (status, answer) = self.post("/moto-api/static/sagemaker/endpoint-results", &headers, &body);
        assert_eq!(status, 201, "{answer}");
    }

    fn client(&self, credentials: &Credentials) -> Client {
        Client::new(Config {
            region: Some(REGION.to_owned()),
            credentials: credentials.clone().into(),
            endpoint: Endpoint::Url(self.url()),
            proxy: Proxy::Off,
            ..Config::default()
        })
        .unwrap()
    }

    fn invoke(&self, credentials: &Credentials, request: &InvokeEndpoint<'_>) -> InvokeEndpointResponse {
        self.client(credentials).invoke(request).unwrap()
    }

    fn refuses(&self, credentials: &Credentials) {
        let error = self.client(credentials).invoke(&InvokeEndpoint::new("e", b"body")).unwrap_err();
        assert!(matches!(error, Error::Service(_)), "{error}");
        assert_eq!((error.status(), error.may_have_run()), (Some(403), false), "{error}");
    }
}

/// The text of the first element with this name.
fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

/// Every member, with spaces where a signer can go wrong.
fn every_member(body: &[u8]) -> InvokeEndpoint<'_> {
    InvokeEndpoint {
        content_type: Some("text/csv;  charset=utf-8"),
        accept: Some(" application/json "),
        custom_attributes: Some("  trace =  1,   end  "),
        target_model: Some("folder/model  v1.tar.gz "),
        target_variant: Some("blue"),
        target_container_hostname: Some("container-1"),
        inference_id: Some("id  with   spaces"),
        enable_explanations: Some(" `[0]`  > `0.8`"),
        inference_component_name: Some("component-1"),
        session_id: Some("NEW_SESSION"),
        prefix_aware_id: Some("prefix  1 "),
        ..InvokeEndpoint::new("Churn-model-2", body)
    }
}

fn right_keys_are_accepted(moto: &Moto, user: &Credentials, session: &Credentials) {
    let six_mebibytes = vec![b'x'; 6 * 1024 * 1024];
    for credentials in [user, session] {
        for request in [
            InvokeEndpoint::new("e", b"1,2,3"),
            InvokeEndpoint::new("e", "zwölf Boxkämpfer".as_bytes()),
            InvokeEndpoint::new("e", &six_mebibytes),
            InvokeEndpoint { accept: Some(""), ..InvokeEndpoint::new("e", b"1,2,3") },
            every_member(b"1,2,3"),
        ] {
            assert_eq!(moto.invoke(credentials, &request).status, 200, "{request:?}");
        }
    }
}

fn other_keys_are_refused(moto: &Moto, user: &Credentials, session: &Credentials) {
    let id = &user.access_key_id;
    let token = session.session_token.as_ref().unwrap().expose();
    moto.refuses(&Credentials::new(id, "another-secret"));
    moto.refuses(&Credentials::new("AKIAIOSFODNN7EXAMPLE", user.secret_access_key.clone()));
    moto.refuses(&Credentials::new(&session.access_key_id, "another-secret").with_session_token(token));
    moto.refuses(&session.clone().with_session_token(format!("{token}x")));
    moto.refuses(&Credentials::new(&session.access_key_id, session.secret_access_key.clone()));
}

/// What [`Client::sign`] gives is good for any other sender, as it is and not otherwise.
fn a_signed_request_is_good_as_it_is(moto: &Moto, user: &Credentials) {
    let request = every_member(b"1,2,3");
    let signed = moto.client(user).sign(&request).unwrap();
    let path = signed.url.strip_prefix(&moto.url()).unwrap();
    let headers: Vec<_> =
        signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let without = |name: &str| headers.iter().copied().filter(|header| header.0 != name).collect::<Vec<_>>();
    assert_eq!(moto.post(path, &headers, "1,2,3").0, 200);
    assert_eq!(moto.post(path, &headers, "1,2,4").0, 403);
    assert_eq!(moto.post(&path.replace("Churn", "churn"), &headers, "1,2,3").0, 403);
    let other_accept = [&without("accept")[..], &[("accept", "text/csv")]].concat();
    assert_eq!(moto.post(path, &other_accept, "1,2,3").0, 403);
}

#[test]
#[ignore = "needs a running moto_server, run by .ci/run"]
fn moto_accepts_our_signatures_and_no_others() {
    let moto = Moto::connect();
    let user = moto.user("caller", Some(POLICY));
    let stranger = moto.user("stranger", None);
    let session = moto.session("caller-role");
    moto.queue(
        r#"{"Body":"churn","ContentType":"text/plain","InvokedProductionVariant":"blue","CustomAttributes":"a"}"#,
    );
    moto.check_signatures(true);

    let answer = moto.invoke(&user, &InvokeEndpoint::new("first", b"1,2,3"));
    assert_eq!((answer.status, &answer.body[..]), (200, &b"churn"[..]));
    assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
    assert_eq!(answer.invoked_production_variant.as_deref(), Some("blue"));
    assert_eq!(answer.custom_attributes.as_deref(), Some("a"));

    right_keys_are_accepted(&moto, &user, &session);
    other_keys_are_refused(&moto, &user, &session);
    moto.refuses(&stranger);
    a_signed_request_is_good_as_it_is(&moto, &user);
}
