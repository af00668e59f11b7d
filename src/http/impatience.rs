//! Reads that do not wait: ureq's reader takes no time limit of its own for one read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// The threads that read what has arrived and do not wait for more.
#[derive(Debug, Default)]
pub(super) struct Impatience {
    threads: Mutex<Vec<ThreadId>>,
    /// Their number, which spares the reads of all others the lock.
    count: AtomicUsize,
}

impl Impatience {
    pub(super) fn on_this_thread(&self, read: impl FnOnce()) {
        let here = thread::current().id();
        self.threads().push(here);
        self.count.fetch_add(1, Ordering::Relaxed);
        read();
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.threads().retain(|thread| *thread != here);
    }

    pub(super) fn is_here(&self) -> bool {
        // A thread sees its own change, and no other one matters to it.
        self.count.load(Ordering::Relaxed) > 0 && self.threads().contains(&thread::current().id())
    }

    fn threads(&self) -> MutexGuard<'_, Vec<ThreadId>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
