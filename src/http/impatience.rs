//! Reads that do not wait: ureq's reader takes no time limit of its own for one read.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// The threads that read what has arrived and do not wait for more.
#[derive(Debug, Default)]
pub(super) struct Impatience(Mutex<Vec<ThreadId>>);

impl Impatience {
    pub(super) fn on_this_thread(&self, read: impl FnOnce()) {
        let here = thread::current().id();
        self.threads().push(here);
        read();
        self.threads().retain(|thread| *thread != here);
    }

    pub(super) fn is_here(&self) -> bool {
        let threads = self.threads();
        !threads.is_empty() && threads.contains(&thread::current().id())
    }

    fn threads(&self) -> MutexGuard<'_, Vec<ThreadId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
