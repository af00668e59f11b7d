//! One call: its deadline, its attempts, its waits.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Fault};
use crate::host::{Host, fraction};
use crate::retry::{Attempts, DEFAULT_MAX_ATTEMPTS, Failure, RetryPolicy};
use crate::route::Route;
use crate::sigv4::AmzDate;
use crate::timings::Timings;

/// A wait looks this often whether the client was shut down meanwhile.
const SHUTDOWN_LATENCY: Duration = Duration::from_millis(100);

/// What `amz-sdk-request` says nearly always.
const USUAL_REQUEST_INFO: &str = "attempt=1; max=3";

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
    attempts: Attempts<'a>,
    started_at: Instant,
    deadline: Option<Instant>,
    /// Tells the service which requests are attempts of one call.
    invocation_id: InvocationId,
    /// An attempt that may have run the model, after which there was another.
    unsure: Option<Error>,
}

impl<'a> Call<'a> {
    pub(crate) fn begin(
        host: &'a dyn Host,
        is_shut_down: &'a AtomicBool,
        attempts: Attempts<'a>,
        timeout: Option<Duration>,
    ) -> Self {
        let started_at = host.instant();
        let deadline = timeout.and_then(|timeout| started_at.checked_add(timeout));
        let invocation_id = InvocationId::new(host.random(), host.random());
        Self { host, is_shut_down, attempts, started_at, deadline, invocation_id, unsure: None }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        self.attempts.policy()
    }

    pub(crate) fn invocation_id(&self) -> &str {
        self.invocation_id.as_str()
    }

    /// Begins an attempt, unless the call is over, and tells when.
    pub(crate) fn begin_attempt(&mut self, route: &Route) -> Result<Instant, Error> {
        if self.is_shut_down.load(Ordering::SeqCst) {
            return Err(Error::ShutDown(self.fault(route)));
        }
        let is_first = self.attempts.begin() == 1;
        let now = if is_first && self.deadline.is_none() { self.started_at } else { self.host.instant() };
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.attempts.withdraw();
            return Err(Error::Timeout(self.fault(route)));
        }
        Ok(now)
    }

    /// The value of `amz-sdk-request`: which attempt this is, and from the second on until when it is worth
    /// an answer.
    pub(crate) fn request_info(
        &self,
        service_time: SystemTime,
        response_timeout: Duration,
    ) -> Cow<'static, str> {
        let (count, max) = (self.attempts.count(), self.policy().max_attempts.max(1));
        let ttl = service_time.checked_add(response_timeout).and_then(AmzDate::from_system_time);
        match ttl.filter(|_| count > 1) {
            Some(ttl) => format!("ttl={ttl}; attempt={count}; max={max}").into(),
            None if (count, max) == (1, DEFAULT_MAX_ATTEMPTS) => USUAL_REQUEST_INFO.into(),
            None => format!("attempt={count}; max={max}").into(),
        }
    }

    /// Waits until the next attempt, or gives the error back when there is none.
    pub(crate) fn wait_to_retry(&mut self, error: Error, is_put_right: bool) -> Result<(), Error> {
        let error = error.after(self.attempts.count(), self.elapsed());
        if self.is_shut_down.load(Ordering::SeqCst) {
            return Err(self.telling(error.into_shut_down()));
        }
        let failure = Failure { error: &error, is_put_right, elapsed: self.elapsed() };
        let wait = self.attempts.after(failure, fraction(self.host.random()));
        let Some(wait) = wait.filter(|wait| self.has_time_for(*wait)) else {
            return Err(self.telling(error));
        };
        log::debug!(
            "attempt {} failed, the next one follows in {wait:.1?}: {}",
            self.attempts.count(),
            brief(&error)
        );
        if error.may_have_run() {
            self.unsure = Some(error);
        }
        self.wait(wait);
        Ok(())
    }

    /// An attempt that may have run outweighs a later one that has not: the caller asks of the call.
    fn telling(&mut self, error: Error) -> Error {
        match self.unsure.take() {
            Some(earlier) if !error.may_have_run() => earlier.after(self.attempts.count(), self.elapsed()),
            _ => error,
        }
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
        while !left.is_zero() && !self.is_shut_down.load(Ordering::SeqCst) {
            let piece = left.min(SHUTDOWN_LATENCY);
            self.host.sleep(piece);
            left -= piece;
        }
    }

    fn fault(&self, route: &Route) -> Box<Fault> {
        let fault = Fault::before_sending(&route.endpoint.origin.authority);
        Box::new(Fault { attempts: self.attempts.count(), elapsed: self.elapsed(), ..fault })
    }
}

/// What a log may hold of an error: nothing of the answer but its status and code.
fn brief(error: &Error) -> String {
    match error.status() {
        Some(status) => format!("HTTP {status} {}", error.code().unwrap_or_default()),
        None => error.to_string(),
    }
}

/// A random UUID, version 4, in its text form.
#[derive(Debug)]
struct InvocationId([u8; 36]);

impl InvocationId {
    fn new(high: u64, low: u64) -> Self {
        let bits = u128::from(high) << 64 | u128::from(low);
        let bits = bits & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
        let mut digits = [0; 32];
        // Fails only when the lengths do not match, and they do.
        let _ = hex::encode_to_slice(bits.to_be_bytes(), &mut digits);
        let mut text = [b'-'; 36];
        let places = text.iter_mut().enumerate().filter(|(index, _)| !matches!(index, 8 | 13 | 18 | 23));
        for ((_, place), digit) in places.zip(digits) {
            *place = digit;
        }
        Self(text)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_id_is_a_uuid_of_version_4() {
        assert_eq!(InvocationId::new(0, 0).as_str(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(InvocationId::new(u64::MAX, u64::MAX).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            InvocationId::new(0x0123_4567_89ab_cdef, 0x0123_4567_89ab_cdef).as_str(),
            "01234567-89ab-4def-8123-456789abcdef"
        );
    }

    #[test]
    fn the_usual_request_info_is_that_of_the_default_policy() {
        assert_eq!(USUAL_REQUEST_INFO, format!("attempt=1; max={DEFAULT_MAX_ATTEMPTS}"));
    }

    #[test]
    fn a_fraction_spans_from_0_to_1() {
        assert_eq!((fraction(0), fraction(u64::MAX)), (0.0, 1.0));
    }
}
