//! ureq as it comes, without a signature.

pub struct Plain {
    agent: ureq::Agent,
    base: String,
}

impl Plain {
    pub fn new() -> Self {
        let base = std::env::var("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME").expect("a URL");
        Self {
            agent: agent(),
            base,
        }
    }

    pub fn call(&self, endpoint: &str, body: &[u8]) -> Vec<u8> {
        let mut answer = self.post(&format!("endpoints/{endpoint}/invocations"), body);
        answer
            .with_config()
            .limit(64 << 20)
            .read_to_vec()
            .expect("a body")
    }

    pub fn post(&self, path: &str, body: &[u8]) -> ureq::Body {
        let url = format!("{}/{path}", self.base);
        let request = self
            .agent
            .post(url)
            .header("content-type", "application/json");
        request.send(body).expect("an answer").into_body()
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
