//! A capture of the log records of the test process.

use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// A captured log record.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) thread: ThreadId,
    pub(crate) target: String,
    pub(crate) level: Level,
    pub(crate) text: String,
}

struct Capture(Mutex<Vec<Line>>);

static CAPTURE: Capture = Capture(Mutex::new(Vec::new()));

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Line {
                thread: std::thread::current().id(),
                target: record.target().to_owned(),
                level: record.level(),
                text: record.args().to_string(),
            });
    }

    fn flush(&self) {}
}

/// Starts to capture the records of all threads up to this level. Can be called once per process.
pub(crate) fn capture(level: LevelFilter) {
    log::set_logger(&CAPTURE).unwrap();
    log::set_max_level(level);
}

/// Removes and returns the captured records.
pub(crate) fn take() -> Vec<Line> {
    std::mem::take(&mut *CAPTURE.0.lock().unwrap_or_else(PoisonError::into_inner))
}
