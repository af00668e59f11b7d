//! What one writes in an hour: SigV4 by hand, sent by ureq.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

pub struct Straight {
    agent: ureq::Agent,
    base: String,
    access_key: String,
    secret_key: String,
    region: String,
}

impl Straight {
    pub fn new() -> Self {
        let variable = |name| std::env::var(name).expect(name);
        Self {
            agent: agent(),
            base: variable("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"),
            access_key: variable("AWS_ACCESS_KEY_ID"),
            secret_key: variable("AWS_SECRET_ACCESS_KEY"),
            region: variable("AWS_REGION"),
        }
    }

    pub fn call(&self, endpoint: &str, body: &[u8]) -> Vec<u8> {
        let path = format!("/endpoints/{endpoint}/invocations");
        let host = self.base.split("://").nth(1).expect("a URL");
        let now = OffsetDateTime::now_utc();
        let date = now
            .format(format_description!(
                "[year][month][day]T[hour][minute][second]Z"
            ))
            .expect("a date");
        let authorization = self.authorization(&path, host, &date, body);
        let mut response = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .header("x-amz-date", &date)
            .header("authorization", &authorization)
            .send(body)
            .expect("an answer");
        response
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_vec()
            .expect("a body")
    }

    fn authorization(&self, path: &str, host: &str, date: &str, body: &[u8]) -> String {
        let signed = "content-type;host;x-amz-date";
        let payload = hex::encode(Sha256::digest(body));
        let canonical = format!(
            "POST\n{path}\n\ncontent-type:application/json\nhost:{host}\nx-amz-date:{date}\n\n{signed}\n{payload}"
        );
        let scope = format!("{}/{}/sagemaker/aws4_request", &date[..8], self.region);
        let hash = hex::encode(Sha256::digest(&canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
        let key = hmac(format!("AWS4{}", self.secret_key).as_bytes(), &date[..8]);
        let key = hmac(
            &hmac(&hmac(&key, &self.region), "sagemaker"),
            "aws4_request",
        );
        let signature = hex::encode(hmac(&key, &to_sign));
        let access_key = &self.access_key;
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        )
    }
}

fn agent() -> ureq::Agent {
    use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

    let Ok(file) = std::env::var("AWS_CA_BUNDLE") else {
        return ureq::Agent::new_with_defaults();
    };
    let pem = std::fs::read(file).expect("a bundle");
    let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(it)) => Some(it),
            _ => None,
        })
        .collect();
    let roots = RootCerts::new_with_certs(&certificates);
    let tls = TlsConfig::builder().root_certs(roots).build();
    ureq::Agent::config_builder().tls_config(tls).build().into()
}

fn hmac(key: &[u8], data: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(data.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
