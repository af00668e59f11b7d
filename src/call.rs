//! One call: its deadline, its attempts, its waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Fault, Phase, Sent};
use crate::host::Host;
use crate::retry::{Attempts, Failure, RetryPolicy};
use crate::sigv4::AmzDate;
use crate::timings::Timings;

/// A wait looks this often whether the client was shut down meanwhile.
const SHUTDOWN_LATENCY: Duration = Duration::from_millis(100);

/// What one call does differently from the client's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// The whole call may take so long; the sooner of this and [`Timeouts::call`](crate::Timeouts::call) counts.
    pub timeout: Option<Duration>,
    /// What may be sent again; `None` for the client's policy.
    pub retry: Option<RetryPolicy>,
}

/// The state of a call between its attempts.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    host: &'a dyn Host,
    is_shut_down: &'a AtomicBool,
    authority: &'a str,
    attempts: Attempts<'a>,
    started_at: Instant,
    deadline: Option<Instant>,
    /// Tells the service which requests are attempts of one call.
    invocation_id: String,
}

impl<'a> Call<'a> {
    pub(crate) fn begin(
        host: &'a dyn Host,
        is_shut_down: &'a AtomicBool,
        authority: &'a str,
        attempts: Attempts<'a>,
        timeout: Option<Duration>,
    ) -> Self {
        let started_at = host.instant();
        let deadline = timeout.and_then(|timeout| started_at.checked_add(timeout));
        let invocation_id = invocation_id(host.random(), host.random());
        Self { host, is_shut_down, authority, attempts, started_at, deadline, invocation_id }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        self.attempts.policy()
    }

    pub(crate) fn invocation_id(&self) -> &str {
        &self.invocation_id
    }

    /// Begins an attempt, unless the call is over.
    pub(crate) fn begin_attempt(&mut self) -> Result<(), Error> {
        if self.is_shut_down.load(Ordering::Relaxed) {
            return Err(Error::ShutDown(self.fault()));
        }
        if self.deadline.is_some_and(|deadline| self.host.instant() >= deadline) {
            return Err(Error::Timeout(self.fault()));
        }
        self.attempts.begin();
        Ok(())
    }

    /// The value of `amz-sdk-request`: which attempt this is, and from the second on until when it is worth
    /// an answer.
    pub(crate) fn request_info(&self, service_time: SystemTime, response_timeout: Duration) -> String {
        let (count, max) = (self.attempts.count(), self.policy().max_attempts.max(1));
        let ttl = service_time.checked_add(response_timeout).and_then(AmzDate::from_system_time);
        match ttl.filter(|_| count > 1) {
            Some(ttl) => format!("ttl={ttl}; attempt={count}; max={max}"),
            None => format!("attempt={count}; max={max}"),
        }
    }

    /// Waits until the next attempt, or gives the error back when there is none.
    pub(crate) fn wait_to_retry(&mut self, error: Error, is_put_right: bool) -> Result<(), Error> {
        let error = error.after(self.attempts.count(), self.elapsed());
        if self.is_shut_down.load(Ordering::Relaxed) {
            return Err(error.into_shut_down());
        }
        let failure = Failure { error: &error, is_put_right, elapsed: self.elapsed() };
        let wait = self.attempts.after(failure, fraction(self.host.random()));
        let Some(wait) = wait.filter(|wait| self.has_time_for(*wait)) else {
            return Err(error);
        };
        log::debug!("attempt {} failed, the next one follows in {wait:.1?}: {error}", self.attempts.count());
        self.wait(wait);
        Ok(())
    }

    /// Gives tokens back and fills in what only the call knows.
    pub(crate) fn succeed(&self, timings: &mut Timings) {
        self.attempts.succeeded();
        timings.attempts = self.attempts.count();
        timings.total = self.elapsed();
        log::debug!("attempt {} succeeded: {timings:?}", timings.attempts);
    }

    fn elapsed(&self) -> Duration {
        self.host.instant().duration_since(self.started_at)
    }

    fn has_time_for(&self, wait: Duration) -> bool {
        let ends_at = self.host.instant().checked_add(wait);
        self.deadline.is_none_or(|deadline| ends_at.is_some_and(|ends_at| ends_at < deadline))
    }

    fn wait(&self, mut left: Duration) {
        while !left.is_zero() && !self.is_shut_down.load(Ordering::Relaxed) {
            let piece = left.min(SHUTDOWN_LATENCY);
            self.host.sleep(piece);
            left -= piece;
        }
    }

    fn fault(&self) -> Box<Fault> {
        Box::new(Fault {
            authority: self.authority.to_owned(),
            phase: Phase::Prepare,
            sent: Sent::Nothing,
            connection_reused: false,
            attempts: self.attempts.count(),
            elapsed: self.elapsed(),
            is_likely_payload_limit: false,
            source: None,
        })
    }
}

/// The sooner of two limits.
pub(crate) fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// From 0 to 1, both included.
fn fraction(random: u64) -> f64 {
    f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

/// A random UUID, version 4.
fn invocation_id(high: u64, low: u64) -> String {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_id_is_a_uuid_of_version_4() {
        assert_eq!(invocation_id(0, 0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(invocation_id(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            invocation_id(0x0123_4567_89ab_cdef, 0x0123_4567_89ab_cdef),
            "01234567-89ab-4def-8123-456789abcdef"
        );
    }

    #[test]
    fn a_fraction_spans_from_0_to_1() {
        assert_eq!((fraction(0), fraction(u64::MAX)), (0.0, 1.0));
    }
}
