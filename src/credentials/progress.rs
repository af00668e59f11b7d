//! The current step of a search, for the errors of calls that time out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sources::ProgramStderr;

/// The current step of a search, shared with the threads waiting for it.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Step>);

#[derive(Debug, Default)]
struct Step {
    name: Option<String>,
    /// Standard error of the program that runs in this step.
    stderr: Option<Arc<ProgramStderr>>,
}

impl Progress {
    /// Begins a step.
    pub(super) fn begin(&self, step: &str) {
        *self.lock() = Step {
            name: Some(step.to_owned()),
            stderr: None,
        };
    }

    /// Begins a step in which a program runs.
    pub(super) fn begin_program(&self, step: &str, stderr: &Arc<ProgramStderr>) {
        *self.lock() = Step {
            name: Some(step.to_owned()),
            stderr: Some(Arc::clone(stderr)),
        };
    }

    /// The name of the current step.
    pub(super) fn step(&self) -> String {
        self.lock()
            .name
            .clone()
            .unwrap_or_else(|| "the search for credentials".to_owned())
    }

    /// The end of what the running program has written to its standard error so far, redacted; `None` if no program
    /// runs. It may ask the user to log in.
    pub(super) fn program_wrote(&self) -> Option<String> {
        // Redaction takes time and happens without the lock.
        let stderr = self.lock().stderr.clone()?;
        Some(stderr.shown())
    }

    fn lock(&self) -> MutexGuard<'_, Step> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
