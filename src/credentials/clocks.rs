//! Corrections of this machine's clock, learned from the services that sources call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::aws::clock_skew::ClockSkew;

/// A correction for each host and port, kept from one search to the next.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    known: Mutex<Vec<(String, Arc<ClockSkew>)>>,
    /// Whether the program has switched corrections off.
    is_off: bool,
}

impl Clocks {
    pub(super) fn new(corrects_clock: bool) -> Self {
        Self {
            known: Mutex::default(),
            is_off: !corrects_clock,
        }
    }

    /// The correction for this host and port; `None` if corrections are off.
    pub(super) fn of(&self, authority: &str) -> Option<Arc<ClockSkew>> {
        if self.is_off {
            return None;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, clock)) = known.iter().find(|(known, _)| known == authority) {
            return Some(Arc::clone(clock));
        }
        let clock = Arc::<ClockSkew>::default();
        known.push((authority.to_owned(), Arc::clone(&clock)));
        Some(clock)
    }

    /// The time of day with the correction of the first service, for dates of no service.
    pub(super) fn corrected(&self, now: SystemTime) -> SystemTime {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .first()
            .map_or(now, |(_, clock)| clock.service_time(now))
    }
}
