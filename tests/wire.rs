//! The exact bytes of a request.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use sagemaker_invoke::{Client, InvokeEndpoint};
use support::{Peer, REGION, SECRET_ACCESS_KEY, response, verify};

#[test]
fn smoke() {
    let peer = Peer::answering(response(200, &[("x-amzn-requestid", "r")], b"hello"));
    let client = Client::new(peer.config()).unwrap();
    for _ in 0..3 {
        let answer = client
            .invoke(&InvokeEndpoint { content_type: Some("text/csv"), ..InvokeEndpoint::new("e", b"1,2") })
            .unwrap();
        assert_eq!(answer.body, b"hello");
    }
    let request = &peer.requests()[0];
    println!("{}", String::from_utf8_lossy(&request.raw));
    verify(request, SECRET_ACCESS_KEY, REGION).unwrap();
    assert_eq!(peer.connections(), 1);
}
