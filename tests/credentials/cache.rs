//! Calls that share a search, and a log that calls the client.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use log::{LevelFilter, Log, Metadata, Record};
use sagemaker_invoke::credentials::Provider;
use sagemaker_invoke::system::System;
use sagemaker_invoke::{CallOptions, Client, Config, Credentials, Error, InvokeEndpoint};

use super::support::{FakeSystem, Peer, response};
use super::{SECRET, system};

/// A guard against a hang.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_short_call_does_not_cut_the_search_of_others() {
    let sagemaker = Peer::responding(response(200, &[], "answer"));
    let searches = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&searches);
    let (answer, answers) = mpsc::channel();
    let answers = Mutex::new(answers);
    let provider = Provider::custom(move || {
        count.fetch_add(1, Ordering::SeqCst);
        answers.lock().unwrap().recv_timeout(PATIENCE)?;
        Ok(Some(Credentials::new("AKIDEXAMPLE", SECRET)))
    });
    let client = Client::new(Config {
        credentials: provider,
        ..sagemaker.config()
    })
    .unwrap();
    let call = |timeout: Option<Duration>| {
        let options = CallOptions {
            timeout,
            ..CallOptions::default()
        };
        client.invoke_with(&InvokeEndpoint::new("e", b"body"), &options)
    };
    std::thread::scope(|scope| {
        let unlimited: Vec<_> = (0..16).map(|_| scope.spawn(|| call(None))).collect();
        let error = call(Some(Duration::from_millis(200))).unwrap_err();
        assert!(matches!(error, Error::Timeout(_)), "{error}");
        answer.send(()).unwrap();
        for thread in unlimited {
            thread.join().unwrap().unwrap();
        }
    });
    assert_eq!(searches.load(Ordering::SeqCst), 1);
}

#[test]
fn a_region_that_instance_metadata_refuses_is_missing() {
    let metadata = Peer::responding(response(403, &[], ""));
    let url = metadata.url();
    let variables = [
        ("AWS_REGION", ""),
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url),
    ];
    let client = Client::from_system(Arc::new(system(&variables))).unwrap();
    let text = client
        .invoke(&InvokeEndpoint::new("e", b"body"))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("region is missing") && text.contains("HTTP 403"),
        "{text}"
    );
}

/// The id that the sink waits for: other tests log as well.
const SINK_ID: &str = "AKIDOFTHESINK";

/// A log sink that calls a client, and sends what the call returned.
struct Sink {
    client: OnceLock<Client>,
    results: OnceLock<Mutex<Sender<Result<Credentials, Error>>>>,
}

static SINK: Sink = Sink {
    client: OnceLock::new(),
    results: OnceLock::new(),
};

impl Log for Sink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if !record.args().to_string().contains(SINK_ID) {
            return;
        }
        let credentials = self.client.get().unwrap().credentials();
        // The test may have ended.
        let _ = self
            .results
            .get()
            .unwrap()
            .lock()
            .unwrap()
            .send(credentials);
    }

    fn flush(&self) {}
}

/// A client whose searches the sink sees, its clock, and what the sink's calls return.
fn client_of_sink() -> (
    Client,
    Arc<FakeSystem>,
    Receiver<Result<Credentials, Error>>,
) {
    let system = Arc::new(system(&[]).with_stopped_clock());
    let clock = Arc::clone(&system);
    let provider = Provider::custom(move || {
        let expires_at: SystemTime = clock.now() + Duration::from_secs(3600);
        Ok(Some(
            Credentials::new(SINK_ID, SECRET).with_expiry(expires_at),
        ))
    });
    let config = super::support::config("http://127.0.0.1:1");
    let config = Config {
        credentials: provider,
        system: Arc::<FakeSystem>::clone(&system),
        ..config
    };
    let client = Client::new(config).unwrap();
    let (results, received) = mpsc::channel();
    SINK.results.set(Mutex::new(results)).unwrap();
    assert!(SINK.client.set(client.clone()).is_ok());
    log::set_logger(&SINK).unwrap();
    log::set_max_level(LevelFilter::Debug);
    (client, system, received)
}

#[test]
fn a_log_sink_gets_valid_credentials_and_else_an_error() {
    let (client, system, received) = client_of_sink();
    assert_eq!(client.credentials().unwrap().access_key_id, SINK_ID);
    let error = received.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the search for credentials needs its own result"),
        "{error}"
    );
    // In the window of the early refresh the old credentials are still valid.
    system.sleep(Duration::from_secs(3400));
    client.credentials().unwrap();
    assert_eq!(
        received
            .recv_timeout(PATIENCE)
            .unwrap()
            .unwrap()
            .access_key_id,
        SINK_ID
    );
}
