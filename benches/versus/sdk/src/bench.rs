//! Calls with the official SDK: one caller blocks on a runtime of one thread, many are tasks of a runtime with a
//! thread for each core. Each is the faster way for its case.

use std::time::{Duration, Instant};

use aws_config::BehaviorVersion;
use aws_sdk_sagemakerruntime::Client;
use aws_sdk_sagemakerruntime::primitives::Blob;
use tokio::runtime::{Builder, Runtime};

pub fn main() {
    let endpoint = harness::variable("ENDPOINT_NAME");
    let one = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = one.block_on(client());
    let for_one = endpoint.clone();
    let call = move |body: &[u8]| one.block_on(call(&client, &for_one, body));
    harness::run_with(Box::new(call), |count, time| on_tasks(&endpoint, count, time));
}

async fn client() -> Client {
    Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
}

async fn call(client: &Client, endpoint: &str, body: &[u8]) -> usize {
    let call = client.invoke_endpoint().endpoint_name(endpoint).content_type("application/json");
    let answer = call.body(Blob::new(body)).send().await.expect("an answer");
    answer.body().map_or(0, |body| body.as_ref().len())
}

fn on_tasks(endpoint: &str, count: usize, time: Duration) -> f64 {
    let many: Runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
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
