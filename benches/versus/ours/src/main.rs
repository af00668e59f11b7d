//! One call with this crate.

use sagemaker_invoke::{Client, InvokeEndpoint};

fn main() -> Result<(), sagemaker_invoke::Error> {
    #[cfg(feature = "aws-lc")]
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::from_env()?;
    let response = client.invoke(&InvokeEndpoint {
        content_type: Some("application/json"),
        ..InvokeEndpoint::new("small", &[b'7'; 100])
    })?;
    assert_eq!(response.body.len(), 16);
    Ok(())
}
