//! Calls with this crate.

use sagemaker_invoke::{Client, InvokeEndpoint};

pub fn main() {
    #[cfg(feature = "aws-lc")]
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::from_env().expect("a client");
    let endpoint = harness::variable("ENDPOINT_NAME");
    harness::run(|| {
        let (client, endpoint) = (client.clone(), endpoint.clone());
        Box::new(move |body| {
            let request = InvokeEndpoint {
                content_type: Some("application/json"),
                ..InvokeEndpoint::new(&endpoint, body)
            };
            client.invoke(&request).expect("an answer").body.len()
        })
    });
}
