//! Calls with ureq.

#[path = "frames.rs"]
mod frames;
#[path = "plain.rs"]
mod plain;

use std::sync::Arc;

pub fn main() {
    let plain = Arc::new(plain::Plain::new());
    let endpoint = harness::variable("ENDPOINT_NAME");
    let new_caller = || -> harness::Caller {
        let (plain, endpoint) = (Arc::clone(&plain), endpoint.clone());
        Box::new(move |body| plain.call(&endpoint, body).len())
    };
    let for_streams = Arc::clone(&plain);
    let path = format!("endpoints/{endpoint}/invocations-response-stream");
    let read_stream = move |body: &[u8], on_part: &mut dyn FnMut(&[u8])| {
        frames::read(for_streams.post(&path, body).into_reader(), on_part);
    };
    harness::run_with_streams(new_caller, Box::new(read_stream));
}
