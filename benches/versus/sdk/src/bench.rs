//! Calls with the official SDK: one caller blocks on a runtime of one thread, and so does the reader of a stream; many
//! callers are tasks of a runtime with a thread for each core. Each is the faster way for its case.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::BehaviorVersion;
use aws_sdk_sagemakerruntime::Client;
use aws_sdk_sagemakerruntime::primitives::Blob;
use aws_sdk_sagemakerruntime::types::ResponseStream;
use tokio::runtime::{Builder, Runtime};

pub fn main() {
    let endpoint = harness::variable("ENDPOINT_NAME");
    let one = Arc::new(
        Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime"),
    );
    let client = one.block_on(client());
    let (for_one, for_streams) = (endpoint.clone(), endpoint.clone());
    let (streams, stream_client) = (Arc::clone(&one), client.clone());
    let call = move |body: &[u8]| one.block_on(call(&client, &for_one, body));
    let read_stream = move |body: &[u8], on_part: &mut dyn FnMut(&[u8])| {
        streams.block_on(read_stream(&stream_client, &for_streams, body, on_part));
    };
    let threads = |count, time| on_tasks(&endpoint, count, time);
    harness::run_with(Box::new(call), threads, Box::new(read_stream));
}

async fn client() -> Client {
    Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
}

async fn call(client: &Client, endpoint: &str, body: &[u8]) -> usize {
    let call = client
        .invoke_endpoint()
        .endpoint_name(endpoint)
        .content_type("application/json");
    let answer = call.body(Blob::new(body)).send().await.expect("an answer");
    answer.body().map_or(0, |body| body.as_ref().len())
}

async fn read_stream(client: &Client, endpoint: &str, body: &[u8], on_part: &mut dyn FnMut(&[u8])) {
    let call = client
        .invoke_endpoint_with_response_stream()
        .endpoint_name(endpoint);
    let call = call.content_type("application/json").body(Blob::new(body));
    let mut stream = call.send().await.expect("a stream").body;
    while let Some(event) = stream.recv().await.expect("an event") {
        if let ResponseStream::PayloadPart(part) = event {
            on_part(part.bytes().map_or(&[], |bytes| bytes.as_ref()));
        }
    }
}

fn on_tasks(endpoint: &str, count: usize, time: Duration) -> f64 {
    let many: Runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    many.block_on(async {
        let client = client().await;
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let (client, endpoint) = (client.clone(), endpoint.to_owned());
                tokio::spawn(async move {
                    call(&client, &endpoint, &[b'7'; 100]).await;
                    let (begun_at, mut calls) = (Instant::now(), 0_u32);
                    while begun_at.elapsed() < time {
                        call(&client, &endpoint, &[b'7'; 100]).await;
                        calls += 1;
                    }
                    f64::from(calls) / begun_at.elapsed().as_secs_f64()
                })
            })
            .collect();
        let mut total = 0.0;
        for task in tasks {
            total += task.await.expect("a caller");
        }
        total
    })
}
