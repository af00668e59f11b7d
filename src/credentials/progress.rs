//! The current step of a search, for the errors of calls that time out.

use std::sync::{Mutex, PoisonError};

/// The current step of a search, shared with the threads waiting for it.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Option<String>>);

impl Progress {
    /// Begins a step.
    pub(super) fn begin(&self, step: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(step.to_owned());
    }

    /// The current step.
    pub(super) fn step(&self) -> String {
        let step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        step.clone()
            .unwrap_or_else(|| "the search for credentials".to_owned())
    }
}
