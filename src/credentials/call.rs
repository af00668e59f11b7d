//! One HTTP call of a credential source, with its retries.

use std::time::Duration;

use super::context::{Context, ProviderError};
use super::sender::{CallSettings, HttpResponse};
use crate::error::CredentialsError;
use crate::http::{Cause, Origin, Request, TransportError};
use crate::retry::{BACKOFF_BASE, DEFAULT_MAX_BACKOFF, backoff_base_of_status, longest_backoff};
use crate::system::fraction;

/// The error of an attempt, and the base of the backoff before the next one; `None` if it is not retried.
pub(super) struct FailedAttempt {
    pub(super) error: ProviderError,
    pub(super) retry_base: Option<Duration>,
}

impl FailedAttempt {
    /// For an error that is not retried.
    pub(super) fn fatal(error: impl Into<ProviderError>) -> Self {
        Self {
            error: error.into(),
            retry_base: None,
        }
    }

    /// For a response with this status, which decides whether it is retried.
    pub(super) fn refused(status: u16, problem: impl Into<String>) -> Self {
        let retry_base = backoff_base_of_status(status);
        Self {
            error: CredentialsError::new(problem).into(),
            retry_base,
        }
    }

    pub(super) fn retryable(error: impl Into<ProviderError>) -> Self {
        Self {
            error: error.into(),
            retry_base: Some(BACKOFF_BASE),
        }
    }
}

impl From<TransportError> for FailedAttempt {
    fn from(error: TransportError) -> Self {
        let is_final = matches!(error.cause, Cause::Permanent | Cause::ShutDown);
        let error = CredentialsError::from(error);
        if is_final {
            Self::fatal(error)
        } else {
            Self::retryable(error)
        }
    }
}

/// A call to one origin within a search.
pub(super) struct SourceCall<'a> {
    pub(super) context: &'a Context<'a>,
    /// The name of the source in errors.
    pub(super) what: &'a str,
    pub(super) origin: &'a Origin,
    pub(super) settings: CallSettings,
    /// Secrets of the request that are not in its headers: of the form, the JSON body or the query.
    pub(super) secrets: &'a [(&'static str, &'a str)],
}

impl SourceCall<'_> {
    /// Retries until an attempt succeeds, no attempts are left, or there is no time for another.
    pub(super) fn run<T>(
        &self,
        attempt: impl Fn() -> Result<T, FailedAttempt>,
    ) -> Result<T, ProviderError> {
        let mut retries = 0;
        loop {
            self.context.begin_step(self.what)?;
            let FailedAttempt { error, retry_base } = match attempt() {
                Ok(found) => return Ok(found),
                Err(failed) => failed,
            };
            match retry_base.and_then(|base| self.wait_before_retry(base, retries)) {
                Some(wait) => self.context.system.sleep(wait),
                None => return Err(error.within(self.what)),
            }
            retries += 1;
        }
    }

    fn wait_before_retry(&self, base: Duration, retries: u32) -> Option<Duration> {
        let longest = longest_backoff(base, retries, DEFAULT_MAX_BACKOFF);
        let wait = longest.mul_f64(fraction(self.context.system.random()));
        let has_attempts = retries + 1 < self.settings.max_attempts;
        let has_time = self.context.time_left().is_none_or(|left| left > wait);
        if has_attempts && has_time {
            Some(wait)
        } else {
            None
        }
    }

    /// Sends the request once, within the search's deadline.
    pub(super) fn send(&self, request: &Request<'_>) -> Result<HttpResponse, TransportError> {
        log::debug!(
            "{} {}://{}",
            request.method,
            self.origin.scheme(),
            self.origin.authority
        );
        let response = self.context.sender.send(
            self.origin,
            request,
            &self.settings,
            self.context.deadline,
        )?;
        let secrets = request.secrets().chain(self.secrets.iter().copied());
        Ok(response.with_secrets(secrets))
    }
}
