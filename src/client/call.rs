//! One call: its deadline, its attempts, and the waits between them.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::target::Target;
use crate::error::{Error, ServiceErrorKind};
use crate::http::{Cause, Timings, TransportError};
use crate::retry::{
    Attempts, DEFAULT_MAX_ATTEMPTS, Failure, FailureKind, RetryPolicy, is_transient,
};
use crate::sigv4::AmzDate;
use crate::system::{System, fraction};

/// How often a wait checks for a shutdown.
const SHUTDOWN_LATENCY: Duration = Duration::from_millis(100);

/// The value of `amz-sdk-request` for the first attempt under the default policy.
const USUAL_REQUEST_INFO: &str = "attempt=1; max=3";

/// What one call does differently from the client's configuration. Made with update syntax: a new field is a minor
/// release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// Time limit of the whole call; the shorter of this and [`Timeouts::call`](crate::Timeouts::call) applies.
    pub timeout: Option<Duration>,
    /// Replaces the client's retry policy; `None` keeps it.
    pub retry: Option<RetryPolicy>,
}

/// An attempt that failed, and whether what the service refused has been corrected since: the clock or the credentials.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) error: Error,
    pub(super) is_corrected: bool,
}

impl<E: Into<Error>> From<E> for AttemptError {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            is_corrected: false,
        }
    }
}

/// The state of a call between its attempts.
#[derive(Debug)]
pub(super) struct Call<'a> {
    system: &'a dyn System,
    is_shut_down: &'a AtomicBool,
    attempts: Attempts<'a>,
    started_at: Instant,
    deadline: Option<Instant>,
    /// For log lines.
    pub(super) endpoint_name: &'a str,
    /// The same for all attempts of the call.
    invocation_id: InvocationId,
    /// The error of an earlier attempt that may have run the model.
    earlier_may_have_run: Option<Error>,
}

impl<'a> Call<'a> {
    pub(super) fn begin(
        system: &'a dyn System,
        is_shut_down: &'a AtomicBool,
        attempts: Attempts<'a>,
        timeout: Option<Duration>,
        process_id: u32,
    ) -> Self {
        let started_at = system.instant();
        let deadline = timeout.and_then(|timeout| started_at.checked_add(timeout));
        let invocation_id = InvocationId::new(system, process_id);
        Self {
            system,
            is_shut_down,
            attempts,
            started_at,
            deadline,
            endpoint_name: "",
            invocation_id,
            earlier_may_have_run: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn started_at(&self) -> Instant {
        self.started_at
    }

    pub(super) fn attempts_begun(&self) -> u32 {
        self.attempts.count()
    }

    pub(super) fn policy(&self) -> &RetryPolicy {
        self.attempts.policy()
    }

    pub(super) fn invocation_id(&self) -> &str {
        self.invocation_id.as_str()
    }

    /// Begins an attempt and returns the time, unless the call is over.
    pub(super) fn begin_attempt(&mut self, target: &Target) -> Result<Instant, Error> {
        if self.is_shut_down.load(Ordering::SeqCst) {
            return Err(self.ended_by(Cause::ShutDown, target));
        }
        let is_first = self.attempts.begin() == 1;
        let now = if is_first && self.deadline.is_none() {
            self.started_at
        } else {
            self.system.instant()
        };
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.attempts.withdraw();
            return Err(self.ended_by(Cause::TimedOut, target));
        }
        Ok(now)
    }

    /// The value of `amz-sdk-request`: the number of the attempt, and from the second one on the time until which an
    /// answer is of use.
    pub(super) fn request_info(
        &self,
        service_time: SystemTime,
        response_timeout: Option<Duration>,
    ) -> Cow<'static, str> {
        let (count, max) = (
            self.attempts.count().max(1),
            self.policy().max_attempts.max(1),
        );
        if (count, max) == (1, DEFAULT_MAX_ATTEMPTS) {
            return USUAL_REQUEST_INFO.into();
        }
        let expires_at = response_timeout.and_then(|timeout| service_time.checked_add(timeout));
        match expires_at.and_then(AmzDate::from_system_time) {
            Some(ttl) if count > 1 => format!("ttl={ttl}; attempt={count}; max={max}").into(),
            _ => format!("attempt={count}; max={max}").into(),
        }
    }

    /// Waits until the next attempt, or returns the error of the call when there is none.
    pub(super) fn wait_to_retry(&mut self, failed: AttemptError) -> Result<(), Error> {
        let error = failed.error.after(self.attempts.count(), self.elapsed());
        if self.is_shut_down.load(Ordering::SeqCst) {
            let error = error.into_shut_down();
            return Err(self.report(error));
        }
        let failure = Failure {
            kind: failure_kind(&error, failed.is_corrected),
            retry_after: error.retry_after(),
            elapsed: self.elapsed(),
        };
        let wait = match self.attempts.after(failure, fraction(self.system.random())) {
            Some(wait) if self.has_time_for(wait) => wait,
            _ => return Err(self.report(error)),
        };
        log::debug!(
            "{} ({}): attempt {} failed, the next one follows in {wait:.1?}: {}",
            self.endpoint_name,
            self.invocation_id(),
            self.attempts.count(),
            brief(&error)
        );
        if error.may_have_run() {
            self.earlier_may_have_run = Some(error);
        }
        wait_or_shut_down(self.system, self.is_shut_down, wait);
        Ok(())
    }

    /// `may_have_run` answers for the whole call, so an earlier error that may have run is returned instead of a later
    /// one that has not.
    fn report(&mut self, error: Error) -> Error {
        match self.earlier_may_have_run.take() {
            Some(earlier) if !error.may_have_run() => {
                earlier.after(self.attempts.count(), self.elapsed())
            }
            _ => error,
        }
    }

    /// Returns tokens to the bucket and adds the figures of the whole call.
    pub(super) fn succeed(&self, timings: &mut Timings) {
        self.attempts.succeeded();
        timings.attempts = self.attempts.count();
        timings.total = self.elapsed();
        log::debug!(
            "{} ({}): attempt {} succeeded: {timings:?}",
            self.endpoint_name,
            self.invocation_id(),
            timings.attempts
        );
    }

    fn elapsed(&self) -> Duration {
        self.system.instant().duration_since(self.started_at)
    }

    fn has_time_for(&self, wait: Duration) -> bool {
        let ends_at = self.system.instant().checked_add(wait);
        self.deadline
            .is_none_or(|deadline| ends_at.is_some_and(|ends_at| ends_at < deadline))
    }

    /// The error of a call that ends between two attempts.
    fn ended_by(&mut self, cause: Cause, target: &Target) -> Error {
        let ended = TransportError::before_sending(target.authority(), cause);
        let error = Error::from(ended).after(self.attempts.count(), self.elapsed());
        self.report(error)
    }
}

/// Waits, and ends early when the client is shut down.
pub(super) fn wait_or_shut_down(
    system: &dyn System,
    is_shut_down: &AtomicBool,
    mut left: Duration,
) {
    while !left.is_zero() && !is_shut_down.load(Ordering::SeqCst) {
        let step = left.min(SHUTDOWN_LATENCY);
        system.sleep(step);
        left -= step;
    }
}

/// Whether and when an attempt that failed so may be followed by another.
fn failure_kind(error: &Error, is_corrected: bool) -> FailureKind {
    match error {
        Error::Connect(error) if error.cause == Cause::Permanent => FailureKind::Final,
        Error::Connect(_) => FailureKind::NotSent,
        // The call's own deadline, before there was an attempt.
        Error::Timeout(error) if error.is_before_attempt() => FailureKind::Final,
        Error::Timeout(failed) | Error::ConnectionLost(failed) | Error::InvalidResponse(failed) => {
            if !failed.sent.is_whole() {
                return FailureKind::NotSent;
            }
            // An error response that is incomplete counts like a complete one.
            match error.kind() {
                Some(kind) => refusal_kind(&kind, error, is_corrected),
                None => FailureKind::MayHaveRun,
            }
        }
        Error::Service(service) => refusal_kind(&service.kind, error, is_corrected),
        _ => FailureKind::Final,
    }
}

/// The same for an error response.
fn refusal_kind(kind: &ServiceErrorKind, error: &Error, is_corrected: bool) -> FailureKind {
    match kind {
        ServiceErrorKind::Throttling => FailureKind::Throttled,
        ServiceErrorKind::ModelNotReady => FailureKind::NotReady,
        _ if is_corrected && !error.may_have_run() => FailureKind::Corrected,
        // A ModelError, with status 424, is not transient.
        _ if error.status().is_some_and(is_transient) && error.may_have_run() => {
            FailureKind::MayHaveRun
        }
        _ => FailureKind::Final,
    }
}

/// What the log shows of an error: of an answer only its status and code.
fn brief(error: &Error) -> String {
    match (error.status(), error.code()) {
        (Some(status), Some(code)) => format!("HTTP {status} {code}"),
        (Some(status), None) => format!("HTTP {status}"),
        (None, _) => error.to_string(),
    }
}

/// A random UUID, version 4, in its text form.
#[derive(Debug)]
struct InvocationId([u8; 36]);

impl InvocationId {
    /// The process id makes those of a forked child differ, which may repeat the random bits of its parent.
    fn new(system: &dyn System, process_id: u32) -> Self {
        let bits = u128::from(system.random()) << 64 | u128::from(system.random());
        Self::from_bits(bits ^ u128::from(process_id))
    }

    #[expect(clippy::expect_used, reason = "16 bytes have 32 digits")]
    fn from_bits(bits: u128) -> Self {
        let bits = bits & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
        let mut digits = [0; 32];
        hex::encode_to_slice(bits.to_be_bytes(), &mut digits).expect("16 bytes have 32 digits");
        let mut text = [b'-'; 36];
        let places = text
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| !matches!(index, 8 | 13 | 18 | 23));
        for ((_, place), digit) in places.zip(digits) {
            *place = digit;
        }
        Self(text)
    }

    #[expect(clippy::expect_used, reason = "hex digits and hyphens are ASCII")]
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex digits and hyphens are ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ServiceError;
    use crate::http::{Headers, Phase, ResponseHead, Sent};
    use crate::text::Redactor;

    #[test]
    fn an_invocation_id_is_a_uuid_of_version_4() {
        let id = |bits| InvocationId::from_bits(bits).as_str().to_owned();
        assert_eq!(id(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(id(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            id(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            "01234567-89ab-4def-8123-456789abcdef"
        );
    }

    fn refusal(status: u16, code: &str) -> Error {
        let mut head = ResponseHead {
            status,
            headers: Headers::default(),
            timings: Timings::default(),
        };
        head.headers.push("x-amzn-errortype", code.as_bytes());
        Error::Service(Box::new(ServiceError::from_service(
            &head,
            b"{}",
            &Redactor::default(),
        )))
    }

    #[test]
    fn refusals_are_classified_by_code_and_status() {
        for (status, code, kind) in [
            (400, "ThrottlingException", FailureKind::Throttled),
            (503, "SlowDown", FailureKind::Throttled),
            (429, "ModelNotReadyException", FailureKind::NotReady),
            (500, "", FailureKind::MayHaveRun),
            (502, "", FailureKind::MayHaveRun),
            (503, "ServiceUnavailable", FailureKind::MayHaveRun),
            (504, "", FailureKind::MayHaveRun),
            (400, "ValidationError", FailureKind::Final),
            (403, "AccessDeniedException", FailureKind::Final),
            (424, "ModelError", FailureKind::Final),
            (530, "InternalDependencyException", FailureKind::Final),
            (413, "", FailureKind::Final),
            (501, "", FailureKind::Final),
        ] {
            assert_eq!(
                failure_kind(&refusal(status, code), false),
                kind,
                "{status} {code}"
            );
        }
        let expired = refusal(403, "ExpiredTokenException");
        assert_eq!(failure_kind(&expired, false), FailureKind::Final);
        assert_eq!(failure_kind(&expired, true), FailureKind::Corrected);
    }

    #[test]
    fn failed_exchanges_are_classified_by_what_was_sent() {
        let failure = |phase, sent, cause| {
            let error = TransportError::before_sending("h", cause);
            failure_kind(
                &Error::from(TransportError {
                    phase,
                    sent,
                    ..error
                }),
                false,
            )
        };
        assert_eq!(
            failure(Phase::Connect, Sent::Nothing, Cause::Failed),
            FailureKind::NotSent
        );
        assert_eq!(
            failure(Phase::Send, Sent::Partly, Cause::Failed),
            FailureKind::NotSent
        );
        assert_eq!(
            failure(Phase::Wait, Sent::Whole, Cause::Failed),
            FailureKind::MayHaveRun
        );
        assert_eq!(
            failure(Phase::Read, Sent::ResponseBegun, Cause::Failed),
            FailureKind::MayHaveRun
        );
        assert_eq!(
            failure(Phase::Send, Sent::Partly, Cause::TimedOut),
            FailureKind::NotSent
        );
        assert_eq!(
            failure(Phase::Wait, Sent::Whole, Cause::TimedOut),
            FailureKind::MayHaveRun
        );
        assert_eq!(
            failure(Phase::Prepare, Sent::Nothing, Cause::TimedOut),
            FailureKind::Final
        );
        assert_eq!(
            failure(Phase::Handshake, Sent::Nothing, Cause::Permanent),
            FailureKind::Final
        );
    }

    #[test]
    fn the_usual_request_info_is_that_of_the_default_policy() {
        assert_eq!(
            USUAL_REQUEST_INFO,
            format!("attempt=1; max={DEFAULT_MAX_ATTEMPTS}")
        );
    }
}
