//! Calls over bare sockets.

#[path = "raw.rs"]
mod raw;

pub fn main() {
    let endpoint = harness::variable("ENDPOINT_NAME");
    harness::run(|| {
        let mut raw = raw::Raw::new(&endpoint);
        Box::new(move |body| raw.call(body).len())
    });
}
