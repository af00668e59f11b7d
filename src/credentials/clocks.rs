//! Corrections of this machine's clock, learned from the services that sources call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::aws::clock_skew::ClockSkew;

/// A correction for each host and port, kept from one search to the next.
#[derive(Debug, Default)]
pub(super) struct Clocks(Mutex<Vec<(String, Arc<ClockSkew>)>>);

impl Clocks {
    /// The correction for this host and port.
    pub(super) fn of(&self, authority: &str) -> Arc<ClockSkew> {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, clock)) = clocks.iter().find(|(known, _)| known == authority) {
            return Arc::clone(clock);
        }
        let clock = Arc::<ClockSkew>::default();
        clocks.push((authority.to_owned(), Arc::clone(&clock)));
        clock
    }

    /// The time of day with the correction of the first service, for dates of no service.
    pub(super) fn corrected(&self, now: SystemTime) -> SystemTime {
        let clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clocks.first().map_or(now, |(_, clock)| clock.service_time(now))
    }
}
