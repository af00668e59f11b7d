//! When a request may be sent again, and after what wait: pure values, randomness comes in.
//!
//! Attempts, backoff and token bucket are those of AWS's "Retry Behavior 2.1", the default of the AWS SDKs since
//! November 2026. What may be sent again at all is not: the SDKs send an inference again that may have run,
//! [`Resend`] makes that a choice.

#[cfg(test)]
mod tests;
mod token_bucket;

use std::time::Duration;

pub(crate) use self::token_bucket::TokenBucket;
use crate::error::{Error, Phase, ServiceErrorKind};

/// Default of [`RetryPolicy::max_attempts`], as in every AWS SDK.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 3;
/// Default of [`RetryPolicy::max_backoff`], as in every AWS SDK.
pub const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(20);
/// The first wait is at most this long, and each one after it at most twice the one before.
pub const BACKOFF_BASE: Duration = Duration::from_millis(50);
/// The same after throttling, and when a model is not ready.
pub const THROTTLING_BACKOFF_BASE: Duration = Duration::from_secs(1);
/// The service's own wish, `x-amz-retry-after`, is granted up to so much over our own wait.
pub const MAX_RETRY_AFTER_EXTRA: Duration = Duration::from_secs(5);
/// Under [`RetryPolicy::wait_until_ready`] the waits grow by half from 1 s to this: loading a model takes seconds at
/// the least and minutes at the most.
pub const MAX_READY_BACKOFF: Duration = Duration::from_secs(10);

/// A retry's price in tokens.
const RETRY_COST: u32 = 14;
/// A retry's price after throttling.
const THROTTLING_RETRY_COST: u32 = 5;

/// What may be sent again, how often, and how long to wait for a model that is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many requests one call may begin; 0 counts as 1. Default: [`DEFAULT_MAX_ATTEMPTS`].
    pub max_attempts: u32,
    /// After what a request may be sent again. Default: [`Resend::Rejected`].
    pub resend: Resend,
    /// The longest wait between two attempts, before what the service asks for. Default: [`DEFAULT_MAX_BACKOFF`].
    pub max_backoff: Duration,
    /// For how long since the beginning of the call a request is sent again while the service answers that the
    /// model is not ready. These attempts count against nothing else, and [`Resend`] does not forbid them.
    /// Default: none; ModelNotReadyException then counts as a refusal like any other.
    pub wait_until_ready: Option<Duration>,
    /// Sign with the time that the service's answers show when this machine's clock is off, and send a request
    /// that was refused for its time once more. Default: true.
    pub correct_clock: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            resend: Resend::default(),
            max_backoff: DEFAULT_MAX_BACKOFF,
            wait_until_ready: None,
            correct_clock: true,
        }
    }
}

/// After what a request may be sent again. Each allows what the ones before it allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resend {
    /// After nothing. The model runs at most once.
    Never,
    /// When no connection could be made, or the request was not written to its end. A certificate that is not to be
    /// trusted and a password that the proxy refused stay so: they are final. The model runs at most once.
    NotSent,
    /// Also when the service answered that it did not run the model: throttling, a model that is not ready, a clock
    /// that is off, credentials that had expired and could be renewed. The model runs at most once.
    #[default]
    Rejected,
    /// Also what the AWS SDKs send again: 500, 502, 503, 504, time-outs and broken connections after the request
    /// was written, answers that are not HTTP. **The model may run several times, and several may be paid for.**
    Any,
}

/// Why an attempt failed, as far as sending again is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    NotSent,
    Throttled,
    NotReady,
    /// Refused for its time or its credentials, which were put right since.
    PutRight,
    /// The model may have run.
    Unknown,
    Final,
}

/// A failed attempt and what was learned from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) error: &'a Error,
    /// The clock or the credentials that the service refused were corrected.
    pub(crate) is_put_right: bool,
    /// Since the call began.
    pub(crate) elapsed: Duration,
}

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    policy: RetryPolicy,
    bucket: &'a TokenBucket,
    /// How many were begun.
    count: u32,
    /// Those of them that waited for a model and count against nothing.
    waited_for_model: u32,
    was_put_right: bool,
    last_cost: Option<u32>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(policy: RetryPolicy, bucket: &'a TokenBucket) -> Self {
        Self { policy, bucket, count: 0, waited_for_model: 0, was_put_right: false, last_cost: None }
    }

    /// Begins an attempt and gives its number, from 1.
    pub(crate) fn begin(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// Takes back an attempt that was not made.
    pub(crate) fn withdraw(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Gives tokens back after a success.
    pub(crate) fn succeeded(&self) {
        self.bucket.put_back(self.last_cost.unwrap_or(1));
    }

    /// How long to wait before the next attempt, with `random` from 0 to 1; `None` when there is none.
    pub(crate) fn after(&mut self, failure: Failure<'_>, random: f64) -> Option<Duration> {
        let cause = cause_of(&failure);
        if let (Cause::NotReady, Some(limit)) = (cause, self.policy.wait_until_ready) {
            return self.after_not_ready(failure, limit, random);
        }
        if !self.allows(cause) || self.count - self.waited_for_model >= self.policy.max_attempts {
            return None;
        }
        let (base, cost) = match cause {
            Cause::Throttled | Cause::NotReady => (THROTTLING_BACKOFF_BASE, THROTTLING_RETRY_COST),
            _ => (BACKOFF_BASE, RETRY_COST),
        };
        if !self.bucket.take(cost) {
            return None;
        }
        self.last_cost = Some(cost);
        self.was_put_right |= cause == Cause::PutRight;
        let wait = self.backoff(base).mul_f64(random);
        Some(with_retry_after(wait, failure.error))
    }

    fn after_not_ready(&mut self, failure: Failure<'_>, limit: Duration, random: f64) -> Option<Duration> {
        let growth = 1.5_f64.powi(i32::try_from(self.waited_for_model).unwrap_or(i32::MAX));
        let longest = Duration::try_from_secs_f64(growth).unwrap_or(Duration::MAX).min(MAX_READY_BACKOFF);
        // At least half of it, so that a model that loads for minutes is not asked all the time.
        let wait = with_retry_after(longest.mul_f64(0.5 + random / 2.0), failure.error);
        if failure.elapsed.saturating_add(wait) > limit {
            return None;
        }
        self.waited_for_model += 1;
        Some(wait)
    }

    fn allows(&self, cause: Cause) -> bool {
        let least = match cause {
            Cause::NotSent => Resend::NotSent,
            Cause::Throttled | Cause::NotReady => Resend::Rejected,
            Cause::PutRight if !self.was_put_right => Resend::Rejected,
            Cause::Unknown => Resend::Any,
            Cause::PutRight | Cause::Final => return false,
        };
        self.policy.resend >= least
    }

    fn backoff(&self, base: Duration) -> Duration {
        let retries_before = (self.count - self.waited_for_model).saturating_sub(1);
        let factor = 2_u32.checked_pow(retries_before).unwrap_or(u32::MAX);
        base.saturating_mul(factor).min(self.policy.max_backoff)
    }
}

fn cause_of(failure: &Failure<'_>) -> Cause {
    match failure.error {
        Error::Connect(fault) if fault.is_permanent => Cause::Final,
        Error::Connect(_) => Cause::NotSent,
        // The call's own deadline, before there was an attempt to speak of.
        Error::Timeout(fault) if fault.phase == Phase::Prepare => Cause::Final,
        Error::Timeout(fault) | Error::Broken(fault) | Error::InvalidResponse(fault) => {
            if fault.sent.is_whole() { Cause::Unknown } else { Cause::NotSent }
        }
        Error::Service(error) => match error.kind {
            ServiceErrorKind::Throttling => Cause::Throttled,
            ServiceErrorKind::ModelNotReady => Cause::NotReady,
            _ if failure.is_put_right => Cause::PutRight,
            // Source: the transient status codes of AWS Retry Behavior 2.1. A ModelError is not among them.
            _ if matches!(error.status, 500 | 502 | 503 | 504) && error.may_have_run() => Cause::Unknown,
            _ => Cause::Final,
        },
        _ => Cause::Final,
    }
}

/// The service's wish, held between our own wait and a little more.
fn with_retry_after(wait: Duration, error: &Error) -> Duration {
    match error {
        Error::Service(error) => error
            .retry_after
            .map_or(wait, |wish| wish.clamp(wait, wait.saturating_add(MAX_RETRY_AFTER_EXTRA))),
        _ => wait,
    }
}
