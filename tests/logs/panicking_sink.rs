//! A log sink that panics: the search for credentials in which it does ends, and the next call searches again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use sagemaker_invoke::credentials::Provider;
use sagemaker_invoke::{CallOptions, Client, Config, Credentials, InvokeEndpoint};

use super::support::{Peer, in_own_process, response};

static PANICS: AtomicBool = AtomicBool::new(true);

struct Sink;

impl Log for Sink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        assert!(
            record.level() > Level::Warn || !PANICS.load(Ordering::SeqCst),
            "of the sink"
        );
    }

    fn flush(&self) {}
}

#[test]
fn a_search_ends_although_the_log_panics_with_it() {
    in_own_process(
        "panicking_sink::a_search_ends_although_the_log_panics_with_it",
        search_with_panics,
    );
}

fn search_with_panics() {
    log::set_logger(&Sink).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let peer = Peer::responding(response(200, &[], "answer"));
    let searches = AtomicUsize::new(0);
    let credentials = Provider::custom(move || match searches.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("of the provider"),
        _ => Ok(Some(Credentials::new("id", "secret"))),
    });
    let client = Client::new(Config {
        credentials,
        ..peer.config()
    })
    .unwrap();
    let request = InvokeEndpoint::new("e", b"body");
    assert!(catch_unwind(AssertUnwindSafe(|| client.invoke(&request))).is_err());
    PANICS.store(false, Ordering::SeqCst);
    let options = CallOptions {
        timeout: Some(std::time::Duration::from_secs(10)),
        ..CallOptions::default()
    };
    assert_eq!(
        client.invoke_with(&request, &options).unwrap().body,
        b"answer"
    );
}
