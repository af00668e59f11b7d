//! Calls with this crate.

use sagemaker_invoke::{Client, InvokeEndpoint, InvokeEndpointWithResponseStream};

pub fn main() {
    #[cfg(feature = "aws-lc")]
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::from_env().expect("a client");
    let endpoint = harness::variable("ENDPOINT_NAME");
    let new_caller = || -> harness::Caller {
        let (client, endpoint) = (client.clone(), endpoint.clone());
        Box::new(move |body| {
            let request = InvokeEndpoint {
                content_type: Some("application/json"),
                ..InvokeEndpoint::new(&endpoint, body)
            };
            client.invoke(&request).expect("an answer").body.len()
        })
    };
    let (for_streams, streamed) = (client.clone(), endpoint.clone());
    let read_stream = move |body: &[u8], on_part: &mut dyn FnMut(&[u8])| {
        let request = InvokeEndpointWithResponseStream {
            content_type: Some("application/json"),
            ..InvokeEndpointWithResponseStream::new(&streamed, body)
        };
        let mut stream = for_streams.invoke(&request).expect("a stream").body;
        while let Some(part) = stream.next_part().expect("a part") {
            on_part(part);
        }
    };
    harness::run_with_streams(new_caller, Box::new(read_stream));
}
