//! The result of an asynchronous request, in Amazon S3.
//!
//! SageMaker has no call for the status of a job: there is a result once the object at the output location exists, or
//! the one at the failure location.

mod outcome;

use std::time::{Duration, Instant};

pub use self::outcome::{AsyncResult, AsyncResultBody, AsyncResultOptions};
use super::bucket::{Answer, Bucket, Object, S3Refusal};
use super::call::wait_or_shut_down;
use super::location::S3Location;
use super::process_state::ProcessState;
use super::target::{Target, no_queue};
use super::{Client, Inner};
use crate::aws::Credentials;
use crate::aws::clock_skew::is_clock_code;
use crate::error::{
    AsyncResultError, AsyncResultErrorKind, AsyncTicket, Error, InvalidInput, is_throttling_code,
};
use crate::http::{BodyError, Cause, TransportError};
use crate::text::Redactor;

/// The wait after the first look; it doubles up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(15);
/// The last look begins this long before the end of a wait.
const LAST_LOOK: Duration = Duration::from_secs(1);

impl Client {
    /// Looks once for the result of an asynchronous request. Never submits anything, and can be repeated.
    ///
    /// The caller needs the permissions `s3:GetObject` on both locations, `s3:ListBucket` on their bucket, and
    /// `kms:Decrypt` for encrypted objects.
    ///
    /// # Errors
    ///
    /// [`Error::AsyncResult`] when the look failed, [`Error::ResponseTooLarge`] for a result over
    /// [`Config::max_response_bytes`](crate::Config::max_response_bytes), [`Error::InvalidInput`] for a location that is not
    /// `s3://BUCKET/KEY`, and those of [`invoke`](Self::invoke) before anything is sent.
    pub fn async_result(&self, ticket: &AsyncTicket) -> Result<AsyncResult, Error> {
        self.async_result_with(ticket, &AsyncResultOptions::default())
    }

    /// Like [`async_result`](Self::async_result), with options.
    ///
    /// # Errors
    ///
    /// Those of [`async_result`](Self::async_result).
    pub fn async_result_with(
        &self,
        ticket: &AsyncTicket,
        options: &AsyncResultOptions,
    ) -> Result<AsyncResult, Error> {
        let look = Look::new(&self.inner, ticket, *options)?;
        look.run(self.inner.call_deadline())?
            .with_body(|object| look.content(object))
    }

    /// Like [`async_result`](Self::async_result), but gives the body of a result to read, however large it is.
    ///
    /// # Errors
    ///
    /// Those of [`async_result`](Self::async_result).
    pub fn async_result_reader(
        &self,
        ticket: &AsyncTicket,
    ) -> Result<AsyncResult<AsyncResultBody>, Error> {
        let look = Look::new(&self.inner, ticket, AsyncResultOptions::default())?;
        look.run(self.inner.call_deadline())?
            .with_body(|object| Ok(AsyncResultBody(object.body)))
    }

    /// Looks again and again until there is a result, after waits that grow from 1 s to 15 s. Never submits anything.
    ///
    /// `timeout` is required, because a job may never end: without a failure location, one that fails leaves nothing
    /// behind. Looks that fail for a reason that can pass are repeated.
    ///
    /// # Errors
    ///
    /// [`Error::AsyncResult`] of the kind [`NotReady`](AsyncResultErrorKind::NotReady) when `timeout` has passed, and those
    /// of [`async_result`](Self::async_result).
    pub fn wait_for_async_result(
        &self,
        ticket: &AsyncTicket,
        timeout: Duration,
    ) -> Result<AsyncResult, Error> {
        self.wait_for_async_result_with(ticket, timeout, &AsyncResultOptions::default())
    }

    /// Like [`wait_for_async_result`](Self::wait_for_async_result), with options.
    ///
    /// # Errors
    ///
    /// Those of [`wait_for_async_result`](Self::wait_for_async_result).
    pub fn wait_for_async_result_with(
        &self,
        ticket: &AsyncTicket,
        timeout: Duration,
        options: &AsyncResultOptions,
    ) -> Result<AsyncResult, Error> {
        let look = Look::new(&self.inner, ticket, *options)?;
        let system = &*self.inner.config.system;
        let started_at = system.instant();
        let deadline = started_at.checked_add(timeout);
        let mut wait = FIRST_WAIT;
        loop {
            let outcome = look
                .run(deadline)
                .and_then(|found| found.with_body(|object| look.content(object)));
            let last_error = match outcome {
                Ok(AsyncResult::NotYet) => None,
                Err(error) if can_pass(&error) => Some(error),
                outcome => return outcome,
            };
            let waited = system.instant().saturating_duration_since(started_at);
            let left = timeout.saturating_sub(waited).saturating_sub(LAST_LOOK);
            if left.is_zero() {
                return Err(AsyncResultError::not_ready(ticket, waited, last_error).into());
            }
            wait_or_shut_down(system, &self.inner.is_shut_down, wait.min(left));
            wait = (wait * 2).min(MAX_WAIT);
        }
    }
}

/// Whether a later look may succeed.
fn can_pass(error: &Error) -> bool {
    let Error::AsyncResult(error) = error else {
        return false;
    };
    match error.kind {
        AsyncResultErrorKind::Connection => !error.is_permanent(),
        // More than an inference is sent again for: polling costs nothing, and others speak this protocol too.
        AsyncResultErrorKind::Refused => {
            let is_transient_code = |code: &str| {
                matches!(code, "RequestTimeout" | "OperationAborted") || is_throttling_code(code)
            };
            error
                .status
                .is_some_and(|status| status >= 500 || status == 429)
                || error.code.as_deref().is_some_and(is_transient_code)
        }
        AsyncResultErrorKind::NotReady(_) | AsyncResultErrorKind::AccessDenied => false,
    }
}

/// Looks for the result of one ticket.
struct Look<'a> {
    inner: &'a Inner,
    ticket: &'a AsyncTicket,
    output: S3Location<'a>,
    failure: Option<S3Location<'a>>,
    options: AsyncResultOptions,
}

impl<'a> Look<'a> {
    fn new(
        inner: &'a Inner,
        ticket: &'a AsyncTicket,
        options: AsyncResultOptions,
    ) -> Result<Self, Error> {
        const RULE: &str = "must be s3://BUCKET/KEY";
        let output = S3Location::parse(&ticket.output_location);
        let output = output.ok_or(InvalidInput::new("OutputLocation", RULE))?;
        let failure = match &ticket.failure_location {
            None => None,
            Some(url) => {
                Some(S3Location::parse(url).ok_or(InvalidInput::new("FailureLocation", RULE))?)
            }
        };
        Ok(Self {
            inner,
            ticket,
            output,
            failure,
            options,
        })
    }

    /// Looks at the failure location first: a job that failed has no output.
    fn run(&self, deadline: Option<Instant>) -> Result<AsyncResult<Box<Object>>, Error> {
        if let Some(failure) = &self.failure
            && let Some(object) = self.object(failure, deadline)?
        {
            let content = self.content(object)?;
            return Ok(AsyncResult::Failed(
                String::from_utf8_lossy(&content).into_owned(),
            ));
        }
        Ok(match self.object(&self.output, deadline)? {
            None => AsyncResult::NotYet,
            Some(object) => {
                let content_type = object.head.headers.owned("content-type");
                AsyncResult::Ready {
                    body: object,
                    content_type,
                }
            }
        })
    }

    fn content(&self, mut object: Box<Object>) -> Result<Vec<u8>, Error> {
        let limit = self.inner.config.max_response_bytes;
        object.body.read_whole(limit).map_err(|error| match error {
            BodyError::Transport(error) => self.connection_error(error),
            too_large @ BodyError::TooLarge(_) => {
                Error::of_body(too_large, &object.head, limit, false, &Redactor::default())
            }
        })
    }

    /// `None` while there is no object.
    fn object(
        &self,
        location: &S3Location<'_>,
        deadline: Option<Instant>,
    ) -> Result<Option<Box<Object>>, Error> {
        match self.request(location, deadline)? {
            Answer::Object(object) => Ok(Some(object)),
            Answer::Refused(refusal) if refusal.is_pending() => Ok(None),
            Answer::Refused(refusal) if is_access_denied(&refusal) => {
                if self.options.access_denied_is_not_yet {
                    return Ok(None);
                }
                Err(self.refused(AsyncResultErrorKind::AccessDenied, refusal))
            }
            Answer::Refused(refusal) => Err(self.refused(AsyncResultErrorKind::Refused, refusal)),
        }
    }

    /// Sends one request, and another one if the bucket is in another region, which is remembered.
    fn request(
        &self,
        location: &S3Location<'_>,
        deadline: Option<Instant>,
    ) -> Result<Answer, Error> {
        let state = self.inner.state();
        let target = self.inner.target(state, deadline)?;
        let signer = target.signer.as_ref().ok_or_else(no_queue)?;
        let config = &self.inner.config;
        let bucket = state
            .buckets
            .get(config, signer.region(), location.bucket)?;
        let answer = self.send(state, target, &bucket, location, deadline)?;
        let Answer::Refused(refusal) = &answer else {
            return Ok(answer);
        };
        let Some(region) = bucket.other_region(refusal) else {
            return Ok(answer);
        };
        let bucket = state.buckets.insert(config, region, location.bucket)?;
        self.send(state, target, &bucket, location, deadline)
    }

    /// Sends the request again if it was refused for this machine's clock or for expired credentials, and that has been
    /// corrected since.
    fn send(
        &self,
        state: &ProcessState,
        target: &Target,
        bucket: &Bucket,
        location: &S3Location<'_>,
        deadline: Option<Instant>,
    ) -> Result<Answer, Error> {
        let answer = self.send_once(state, target, bucket, location, deadline)?;
        match &answer {
            Answer::Refused(refusal) if refusal.is_corrected => {
                self.send_once(state, target, bucket, location, deadline)
            }
            _ => Ok(answer),
        }
    }

    fn send_once(
        &self,
        state: &ProcessState,
        target: &Target,
        bucket: &Bucket,
        location: &S3Location<'_>,
        deadline: Option<Instant>,
    ) -> Result<Answer, Error> {
        if self.inner.is_shut_down() {
            return Err(TransportError::before_sending(bucket.authority(), Cause::ShutDown).into());
        }
        let credentials = self.inner.credentials(target, deadline)?;
        let config = &self.inner.config;
        let (clock_skew, sent_at) = (&state.s3_clock_skew, config.system.now());
        let signed_for =
            Inner::signing_time(clock_skew.or(&state.clock_skew), &config.retry, sent_at);
        let (amz_date, limits) = (Inner::amz_date(signed_for)?, config.timeouts.limits());
        let answer = bucket.object(&location.path(), &credentials, amz_date, &limits, deadline);
        let mut answer = answer.map_err(|error| self.connection_error(error))?;
        let was_far_off =
            clock_skew.learn(answer.headers(), signed_for, sent_at, config.system.now());
        if let Answer::Refused(refusal) = &mut answer {
            // Without a Date, AccessDenied means that the object may not be there yet.
            let may_be_of_clock = was_far_off.is_some() || !is_access_denied(refusal);
            let clock_corrected = may_be_of_clock
                && config.retry.correct_clock
                && refusal.code.as_deref().is_some_and(is_clock_code)
                && clock_skew.may_sign_again(was_far_off, signed_for, sent_at);
            refusal.is_corrected =
                clock_corrected || renewed(target, &credentials, refusal, deadline);
        }
        Ok(answer)
    }

    fn connection_error(&self, error: TransportError) -> Error {
        match error.cause {
            Cause::ShutDown => error.into(),
            _ => AsyncResultError::connection(self.ticket, error).into(),
        }
    }

    fn refused(&self, kind: AsyncResultErrorKind, refusal: S3Refusal) -> Error {
        let mut error = AsyncResultError::new(kind, self.ticket);
        error.status = Some(refusal.status);
        error.code = refusal.code;
        error.message = refusal.message;
        error.request_id = refusal.request_id;
        error.into()
    }
}

impl S3Refusal {
    fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// Whether S3 refused the credentials as expired, and there are others now.
fn renewed(
    target: &Target,
    rejected: &Credentials,
    refusal: &S3Refusal,
    deadline: Option<Instant>,
) -> bool {
    let is_expired = refusal.has_code("ExpiredToken") || refusal.has_code("ExpiredTokenException");
    is_expired
        && target
            .credentials
            .refresh_after_rejection(rejected, deadline)
            .unwrap_or(false)
}

/// Other codes with this status mean wrong credentials or a wrong clock, whatever the caller may read.
fn is_access_denied(refusal: &S3Refusal) -> bool {
    refusal.status == 403 && (refusal.code.is_none() || refusal.has_code("AccessDenied"))
}
