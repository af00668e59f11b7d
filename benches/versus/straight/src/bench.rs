//! Calls with ureq and SigV4 by hand.

#[path = "straight.rs"]
mod straight;

use std::sync::Arc;

pub fn main() {
    let straight = Arc::new(straight::Straight::new());
    let endpoint = harness::variable("ENDPOINT_NAME");
    harness::run(|| {
        let (straight, endpoint) = (Arc::clone(&straight), endpoint.clone());
        Box::new(move |body| straight.call(&endpoint, body).len())
    });
}
