//! Retries: which failures allow another attempt, and the wait before it. Pure values; randomness is an argument.
//!
//! ```
//! use std::time::Duration;
//!
//! use sagemaker_invoke::{CallOptions, Config, Resend, RetryPolicy};
//!
//! // For all calls of a client: wait up to five minutes for a model that is being loaded.
//! let patient = RetryPolicy { wait_until_ready: Some(Duration::from_secs(300)), ..RetryPolicy::default() };
//! let config = Config { retry: patient, ..Config::default() };
//!
//! // For one call: the model may run several times, so lost connections and 5xx may be retried.
//! let idempotent = RetryPolicy { resend: Resend::Any, max_attempts: 5, ..RetryPolicy::default() };
//! let options = CallOptions { retry: Some(idempotent), ..CallOptions::default() };
//! ```
//!
//! | a failure | `Never` | `NotSent` | `Rejected` | `Any` |
//! | --- | --- | --- | --- | --- |
//! | no connection, or lost before the request was complete and a response began | error | retried | retried | retried |
//! | throttling, model not ready, wrong clock, expired credentials | error | error | retried | retried |
//! | 500, 502, 503, 504; a timeout or a lost connection after the request was sent | error | error | error | retried |
//! | any other refusal; a rejected certificate or proxy password | error | error | error | error |
//!
//! `tests/fault_matrix.rs` breaks an exchange in every way at every place, on fresh and reused connections, under each
//! policy, and counts the whole requests at the server.
//!
//! The number of attempts, the backoff and the token bucket follow AWS's "Retry Behavior 2.1", the default of the AWS
//! SDKs since November 2026. One thing differs: the SDKs resend an inference that may have run, and here [`Resend`]
//! decides.

#[cfg(test)]
mod tests;
mod token_bucket;

use std::time::Duration;

pub(crate) use self::token_bucket::TokenBucket;

/// Default of [`RetryPolicy::max_attempts`], in requests. Source: AWS Retry Behavior 2.1.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 3;
/// Default of [`RetryPolicy::max_backoff`]. Source: AWS Retry Behavior 2.1.
pub const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(20);
/// Longest wait before the first retry; doubles with each further one. The actual wait is random, from zero to that.
/// Source: AWS Retry Behavior 2.1.
pub const BACKOFF_BASE: Duration = Duration::from_millis(50);
/// Like [`BACKOFF_BASE`], for throttled requests and models that are not ready. Source: AWS Retry Behavior 2.1.
pub const THROTTLING_BACKOFF_BASE: Duration = Duration::from_secs(1);
/// How far the header `x-amz-retry-after` can extend a wait. Source: AWS Retry Behavior 2.1.
pub const MAX_RETRY_AFTER_EXTRA: Duration = Duration::from_secs(5);
/// Longest wait between two attempts under [`RetryPolicy::wait_until_ready`]. The waits grow from 1 s by half each
/// time. Our own choice: loading a model takes between seconds and minutes.
pub const MAX_READY_BACKOFF: Duration = Duration::from_secs(10);

/// Tokens taken from the bucket by a retry. Source: AWS Retry Behavior 2.1.
const RETRY_COST: u32 = 14;
/// Tokens taken by a retry of a throttled request. Source: AWS Retry Behavior 2.1.
const THROTTLING_RETRY_COST: u32 = 5;

/// Which failures are retried, how often, and how long to wait for a model to become ready.
///
/// Made with update syntax: a new field is a minor release. Retries also stop at the call's deadline, and when the client's
/// token bucket is empty: it holds 500 tokens, a retry takes 14 (5 after throttling), and a success puts back what the
/// last retry took, or 1.
///
/// ```
/// use sagemaker_invoke::{Config, Resend, RetryPolicy};
///
/// // Retries lost connections and 5xx as well: for a model that may run several times.
/// let retry = RetryPolicy { resend: Resend::Any, max_attempts: 5, ..RetryPolicy::default() };
/// let config = Config { retry, ..Config::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Maximum number of requests of one call, including the first. 0 counts as 1.
    /// Default: [`DEFAULT_MAX_ATTEMPTS`].
    pub max_attempts: u32,
    /// Which failures are retried. Default: [`Resend::Rejected`].
    pub resend: Resend,
    /// Longest wait between two attempts; [`MAX_RETRY_AFTER_EXTRA`] comes on top if the service asks for a delay.
    /// Default: [`DEFAULT_MAX_BACKOFF`].
    pub max_backoff: Duration,
    /// Retry while the service answers ModelNotReadyException, until this time since the start of the call. These
    /// attempts neither count towards `max_attempts` nor take tokens, and [`Resend`] does not apply.
    /// Default: `None`, which retries ModelNotReadyException like throttling.
    pub wait_until_ready: Option<Duration>,
    /// Sign with the service's time, measured from the `Date` of its responses, and retry a request once if it was
    /// rejected for its time. Default: true.
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

/// Which failures are retried. Each variant includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Resend {
    /// No retries. The model runs at most once.
    Never,
    /// Retry if no connection could be made, or if it was lost before the request was
    /// complete and before a response began. Not retried: an untrusted
    /// certificate and a rejected proxy password. The model runs at most once.
    NotSent,
    /// Also retry if the service answered without running the model: throttling, a model not ready, a wrong clock,
    /// expired credentials that could be refreshed. The model runs at most once. The default.
    #[default]
    Rejected,
    /// Also retry what the AWS SDKs retry: status 500, 502, 503 and 504, time-outs and lost connections after the
    /// request was written, and responses that are not HTTP. **The model may run, and be billed, several times.**
    Any,
}

/// Why an attempt failed, as far as retries are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The service did not receive the complete request, and did not begin to respond.
    NotSent,
    /// The service rejected the request because there are too many.
    Throttled,
    /// The model is still loading.
    NotReady,
    /// The service rejected the time or the credentials, and they have been corrected.
    Corrected,
    /// The model may have run.
    MayHaveRun,
    /// Another attempt would fail in the same way.
    Final,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// The delay requested by the service.
    pub(crate) retry_after: Option<Duration>,
    /// The time since the start of the call.
    pub(crate) elapsed: Duration,
}

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    policy: RetryPolicy,
    bucket: &'a TokenBucket,
    /// The attempts begun so far.
    count: u32,
    /// Those of them that found the model not ready, and do not count towards the limit.
    waited_for_model: u32,
    /// Whether a retry after [`FailureKind::Corrected`] was granted; a call gets one.
    was_corrected: bool,
    /// The tokens taken by the last retry.
    last_cost: Option<u32>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(policy: RetryPolicy, bucket: &'a TokenBucket) -> Self {
        Self {
            policy,
            bucket,
            count: 0,
            waited_for_model: 0,
            was_corrected: false,
            last_cost: None,
        }
    }

    /// Begins an attempt and returns its number, from 1.
    pub(crate) fn begin(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// Takes back the last [`begin`](Self::begin), for an attempt that did not take place.
    pub(crate) fn withdraw(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Puts tokens back after a success.
    pub(crate) fn succeeded(&self) {
        self.bucket.put_back(self.last_cost.unwrap_or(1));
    }

    /// Returns the wait before the next attempt, or `None` if the failure is the call's result. `random` is from 0 to 1.
    pub(crate) fn after(&mut self, failure: Failure, random: f64) -> Option<Duration> {
        if let (FailureKind::NotReady, Some(limit)) = (failure.kind, self.policy.wait_until_ready) {
            return self.after_not_ready(failure, limit, random);
        }
        if !self.allows(failure.kind)
            || self.count - self.waited_for_model >= self.policy.max_attempts
        {
            return None;
        }
        let (base, cost) = match failure.kind {
            FailureKind::Throttled | FailureKind::NotReady => {
                (THROTTLING_BACKOFF_BASE, THROTTLING_RETRY_COST)
            }
            _ => (BACKOFF_BASE, RETRY_COST),
        };
        if !self.bucket.take(cost) {
            return None;
        }
        self.last_cost = Some(cost);
        self.was_corrected |= failure.kind == FailureKind::Corrected;
        let wait = self.backoff(base).mul_f64(random);
        Some(with_retry_after(wait, failure.retry_after))
    }

    fn after_not_ready(
        &mut self,
        failure: Failure,
        limit: Duration,
        random: f64,
    ) -> Option<Duration> {
        let growth = 1.5_f64.powi(i32::try_from(self.waited_for_model).unwrap_or(i32::MAX));
        let longest = Duration::try_from_secs_f64(growth)
            .unwrap_or(Duration::MAX)
            .min(MAX_READY_BACKOFF);
        // At least half of it, so that requests stay rare while a model loads for minutes.
        let wait = with_retry_after(longest.mul_f64(0.5 + random / 2.0), failure.retry_after);
        if failure.elapsed.saturating_add(wait) > limit {
            return None;
        }
        self.waited_for_model += 1;
        Some(wait)
    }

    fn allows(&self, kind: FailureKind) -> bool {
        let required = match kind {
            FailureKind::NotSent => Resend::NotSent,
            FailureKind::Throttled | FailureKind::NotReady => Resend::Rejected,
            FailureKind::Corrected if !self.was_corrected => Resend::Rejected,
            FailureKind::MayHaveRun => Resend::Any,
            FailureKind::Corrected | FailureKind::Final => return false,
        };
        self.policy.resend >= required
    }

    fn backoff(&self, base: Duration) -> Duration {
        let retries_before = (self.count - self.waited_for_model).saturating_sub(1);
        longest_backoff(base, retries_before, self.policy.max_backoff)
    }
}

/// Extends `wait` to the delay requested by the service, by [`MAX_RETRY_AFTER_EXTRA`] at most.
fn with_retry_after(wait: Duration, requested_delay: Option<Duration>) -> Duration {
    match requested_delay {
        Some(delay) => delay.clamp(wait, wait.saturating_add(MAX_RETRY_AFTER_EXTRA)),
        None => wait,
    }
}

/// Longest wait before a retry: doubles from `base` with each of the `retries_before`, up to `max`.
pub(crate) fn longest_backoff(base: Duration, retries_before: u32, max: Duration) -> Duration {
    let factor = 2_u32.checked_pow(retries_before).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(max)
}

/// Whether the status is one of a service or gateway that fails for the moment. Source: the transient status codes of AWS
/// Retry Behavior 2.1.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

/// Returns the backoff base if a response with this status is worth a retry, for requests that may run twice, such as
/// those for credentials. Source: AWS Retry Behavior 2.1.
pub(crate) fn backoff_base_of_status(status: u16) -> Option<Duration> {
    match status {
        429 => Some(THROTTLING_BACKOFF_BASE),
        _ if is_transient(status) => Some(BACKOFF_BASE),
        _ => None,
    }
}
