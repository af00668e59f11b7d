//! A client of a running `moto_server`, whose URL is in the environment variable `MOTO_URL`.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::MutexGuard;
use std::time::{Duration, SystemTime};

use sagemaker_invoke::sigv4::{
    AmzDate, Authorization, CanonicalRequest, Payload, Request, Scope, SigningKey, StringToSign,
    percent_encode,
};
use sagemaker_invoke::{Client, Config, Credentials, Endpoint, Proxy};

use super::support::{REGION, turn};

/// One user at a time, because all share the state of the server. Drop disables the check of signatures.
pub(crate) struct Moto {
    authority: String,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.check_signatures(false);
    }
}

pub(crate) fn moto_url() -> String {
    let url = std::env::var("MOTO_URL").expect("MOTO_URL must be the URL of a running moto_server");
    url.trim_end_matches('/').to_owned()
}

impl Moto {
    /// Resets the state of the server.
    pub(crate) fn connect() -> Self {
        let moto = Self {
            authority: moto_url().strip_prefix("http://").unwrap().to_owned(),
            _turn: turn(),
        };
        moto.check_signatures(false);
        moto.post("/moto-api/reset", &[], "");
        moto
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// A client of SageMaker and Amazon S3 on this server.
    pub(crate) fn client(&self, credentials: &Credentials) -> Client {
        Client::new(Config {
            region: Some(REGION.to_owned()),
            credentials: credentials.clone().into(),
            endpoint: Endpoint::Url(self.url()),
            s3_endpoint_url: Some(self.url()),
            proxy: Proxy::Off,
            ..Config::default()
        })
        .unwrap()
    }

    /// Sets the next results of requests of one kind.
    pub(crate) fn set_results(&self, kind: &str, results: &str) {
        let body =
            format!(r#"{{"account_id":"123456789012","region":"{REGION}","results":[{results}]}}"#);
        let headers = [("content-type", "application/json")];
        let path = format!("/moto-api/static/sagemaker/{kind}");
        let (status, response) = self.post(&path, &headers, &body);
        assert_eq!(status, 201, "{response}");
    }

    /// One exchange on a new connection: status and body of the response.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut head = format!("POST {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            write!(head, "host: {}\r\n", self.authority).unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(
            head,
            "content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        let response = String::from_utf8(response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    /// Enables or disables the check of signatures and permissions.
    pub(crate) fn check_signatures(&self, on: bool) {
        let (status, body) = self.post("/moto-api/reset-auth", &[], if on { "0" } else { "inf" });
        assert_eq!(status, 200, "{body}");
    }

    /// Calls IAM or STS. The signature is made with an arbitrary key: moto reads the service from its scope and, while
    /// checks are disabled, ignores the rest.
    pub(crate) fn query(&self, service: &str, parameters: &[(&str, &str)]) -> String {
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
        let request = Request {
            headers: &headers,
            payload,
            ..Request::new("POST", "/")
        };
        let scope = Scope {
            amz_date,
            region: REGION,
            service,
        };
        let canonical_request = &CanonicalRequest::new(&request);
        let string_to_sign = StringToSign::new(canonical_request, scope);
        let signature = SigningKey::derive("anything", scope).sign(&string_to_sign);
        let authorization = Authorization {
            access_key_id: "AKIDEXAMPLE",
            scope,
            canonical_request,
            signature,
        }
        .to_string();
        let headers = [&headers[..], &[("authorization", authorization.as_str())]].concat();
        let (status, response) = self.post("/", &headers, &body);
        assert_eq!(status, 200, "{response}");
        response
    }

    fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.query(
            "iam",
            &[&[("Action", action), ("Version", "2010-05-08")], parameters].concat(),
        )
    }

    /// Creates a user and returns its credentials.
    pub(crate) fn user(&self, name: &str, policy: Option<&str>) -> Credentials {
        self.iam("CreateUser", &[("UserName", name)]);
        if let Some(policy) = policy {
            let parameters = [
                ("UserName", name),
                ("PolicyName", "invoke"),
                ("PolicyDocument", policy),
            ];
            self.iam("PutUserPolicy", &parameters);
        }
        let key = self.iam("CreateAccessKey", &[("UserName", name)]);
        Credentials::new(
            element(&key, "AccessKeyId"),
            element(&key, "SecretAccessKey"),
        )
    }

    /// Creates a role and returns its ARN.
    pub(crate) fn role(&self, name: &str, trust: &str, policy: &str) -> String {
        let parameters = [("RoleName", name), ("AssumeRolePolicyDocument", trust)];
        let arn = element(&self.iam("CreateRole", &parameters), "Arn");
        let parameters = [
            ("RoleName", name),
            ("PolicyName", "invoke"),
            ("PolicyDocument", policy),
        ];
        self.iam("PutRolePolicy", &parameters);
        arn
    }
}

/// The text of the first element with this name.
pub(crate) fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}
