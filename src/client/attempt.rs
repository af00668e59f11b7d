//! One attempt: signed, sent, and its response read.

use std::borrow::Cow;
use std::time::{Instant, SystemTime};

use super::Inner;
use super::call::{AttemptError, Call};
use super::process_state::ProcessState;
use super::target::{Prepared, Target};
use crate::aws::clock_skew::is_clock_code;
use crate::aws::{Credentials, SignatureHeaders, Signer};
use crate::error::{Error, ServiceError, is_success};
use crate::http::{Body, BodyError, Limits, Request, ResponseHead};
use crate::operation::Operation;
use crate::operation::sealed::{Output, ReadOptions};

/// What an attempt adds to the request of the operation.
pub(super) struct Signed<'a> {
    signature: SignatureHeaders<'a>,
    invocation_id: &'a str,
    request_info: Cow<'static, str>,
}

impl Signed<'_> {
    /// The headers of the signature, then those that are not signed.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let unsigned = [
            ("amz-sdk-invocation-id", self.invocation_id),
            ("amz-sdk-request", self.request_info.as_ref()),
        ];
        self.signature.headers().chain(unsigned)
    }
}

impl Inner {
    pub(super) fn sign<'a>(
        &self,
        signer: &Signer,
        request: &Request<'_>,
        credentials: &'a Credentials,
        signing_time: SystemTime,
        limits: &Limits,
        call: &'a Call<'_>,
    ) -> Result<Signed<'a>, Error> {
        let amz_date = Self::amz_date(signing_time)?;
        let signature = signer.sign(request, credentials, amz_date);
        let request_info = call.request_info(signing_time, limits.response);
        Ok(Signed {
            signature,
            invocation_id: call.invocation_id(),
            request_info,
        })
    }

    /// Signs, sends, and reads the response.
    pub(super) fn attempt<O: Operation>(
        &self,
        operation: &O,
        state: &ProcessState,
        target: &Target,
        prepared: &Prepared,
        call: &mut Call<'_>,
    ) -> Result<O::Output, AttemptError> {
        let system = &*self.config.system;
        let limits = self.limits::<O>();
        let begun_at = call.begin_attempt(target)?;
        let mut request = target.request(operation, prepared);
        let Some(signer) = &target.signer else {
            request.headers.push(target.user_agent());
            let (head, body) = target.transport.send(&request, &limits, call.deadline())?;
            return Ok(read(
                head,
                body,
                &self.read_options(&request, target, begun_at, call),
            )?);
        };
        let credentials = self.credentials(target, call.deadline())?;
        let (signing_at, sent_at) = (system.instant(), system.now());
        let signing_time = Self::signing_time(&state.clock_skew, call.policy(), sent_at);
        let signed = self.sign(signer, &request, &credentials, signing_time, &limits, call)?;
        request.headers.extend(signed.headers());
        request.headers.push(target.user_agent());
        let sending_at = system.instant();
        let (mut head, body) = target.transport.send(&request, &limits, call.deadline())?;
        head.timings.credentials = signing_at.saturating_duration_since(begun_at);
        head.timings.signing = sending_at.saturating_duration_since(signing_at);
        let was_far_off =
            state
                .clock_skew
                .learn(&head.headers, signing_time, sent_at, system.now());
        read(
            head,
            body,
            &self.read_options(&request, target, sending_at, call),
        )
        .map_err(|error| {
            let is_clock_error = error.code().is_some_and(is_clock_code)
                && state
                    .clock_skew
                    .may_sign_again(was_far_off, signing_time, sent_at);
            let is_corrected = (call.policy().correct_clock && is_clock_error)
                || was_renewed(target, &credentials, &error, call.deadline());
            AttemptError {
                error,
                is_corrected,
            }
        })
    }

    fn read_options<'a>(
        &'a self,
        request: &'a Request<'a>,
        target: &Target,
        sent_at: Instant,
        call: &Call<'_>,
    ) -> ReadOptions<'a> {
        ReadOptions {
            request,
            max_bytes: self.config.max_response_bytes,
            system: &self.config.system,
            is_container: target.endpoint.is_container,
            sent_at,
            call_began_at: call.started_at(),
            attempts: call.attempts_begun(),
            part_limit: self.config.timeouts.stream,
        }
    }
}

/// The output of a successful response, or the error that the response is.
fn read<O: Output>(
    head: ResponseHead,
    mut body: Body,
    options: &ReadOptions<'_>,
) -> Result<O, Error> {
    let framing = body.check_framing().map_err(BodyError::Transport);
    framing.map_err(|failed| options.body_error(failed, &head))?;
    if is_success(head.status) {
        return O::read(head, body, options);
    }
    let content = body.read_whole(options.max_bytes);
    let content = content.map_err(|failed| options.body_error(failed, &head))?;
    let redactor = options.redactor();
    let error = if options.is_container {
        ServiceError::from_container(&head, &content, &redactor)
    } else {
        ServiceError::from_service(&head, &content, &redactor)
    };
    Err(error.into())
}

/// Whether the service refused the credentials as expired, and there are others now.
fn was_renewed(
    target: &Target,
    rejected: &Credentials,
    error: &Error,
    deadline: Option<Instant>,
) -> bool {
    // A failed renewal has been logged; the caller is better served by the service's own error.
    error.is_expired_token()
        && target
            .credentials
            .refresh_after_rejection(rejected, deadline)
            .unwrap_or(false)
}
