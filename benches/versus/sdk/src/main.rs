//! One call with the official SDK, as its guide shows it.

use aws_config::BehaviorVersion;
use aws_sdk_sagemakerruntime::Client;
use aws_sdk_sagemakerruntime::primitives::Blob;

#[tokio::main]
async fn main() {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let call = Client::new(&config)
        .invoke_endpoint()
        .endpoint_name("small");
    let answer = call
        .content_type("application/json")
        .body(Blob::new([b'7'; 100]))
        .send()
        .await;
    assert_eq!(
        answer
            .expect("an answer")
            .body()
            .map(|body| body.as_ref().len()),
        Some(16)
    );
}
