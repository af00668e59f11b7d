//! Calls with ureq.

#[path = "plain.rs"]
mod plain;

use std::sync::Arc;

pub fn main() {
    let plain = Arc::new(plain::Plain::new());
    let endpoint = harness::variable("ENDPOINT_NAME");
    harness::run(|| {
        let (plain, endpoint) = (Arc::clone(&plain), endpoint.clone());
        Box::new(move |body| plain.call(&endpoint, body).len())
    });
}
