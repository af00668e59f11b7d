//! The client: one call, from a plain struct to an inference.

mod async_result;
mod attempt;
mod bearer_token;
mod bucket;
mod call;
mod location;
mod process_state;
mod signed_request;
mod target;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

pub use self::async_result::{AsyncResult, AsyncResultBody, AsyncResultOptions};
pub use self::bearer_token::{BearerToken, MAX_BEARER_TOKEN_LIFETIME};
use self::call::Call;
pub use self::call::CallOptions;
use self::process_state::ProcessState;
use self::signed_request::SIGNATURE_LIFETIME;
pub use self::signed_request::SignedRequest;
use self::target::{Target, needs_region};
use crate::aws::Credentials;
use crate::aws::clock_skew::ClockSkew;
use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::http::{Cause, Limits, TransportError};
use crate::operation::Operation;
use crate::operation::sealed::Output;
use crate::retry::{Attempts, RetryPolicy};
use crate::sigv4::AmzDate;
use crate::system::{OsSystem, System};

/// Calls the endpoints of one region. Cheap to clone; clones share connections and credentials.
///
/// ```no_run
/// use sagemaker_invoke::{Client, Config, InvokeEndpoint};
///
/// # fn main() -> Result<(), sagemaker_invoke::Error> {
/// let client = Client::new(Config { region: Some("eu-central-1".to_owned()), ..Config::from_env()? })?;
/// let response = client.invoke(&InvokeEndpoint::new("churn-model", "1.5,2.5,4.5"))?;
/// println!("{} after {:.1?}", response.text(), response.timings.total);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    state: ProcessState,
    /// Shared with the search for credentials.
    is_shut_down: Arc<AtomicBool>,
}

impl Client {
    /// A client with this configuration. Opens no connection, starts no thread, and reads only the proxy's variables.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when a setting is missing or invalid.
    pub fn new(config: Config) -> Result<Self, Error> {
        let config = config.without_pseudo_region()?;
        let is_shut_down = Arc::default();
        let target = Target::new(&config, &is_shut_down)?;
        Self::with_target(config, target.into(), is_shut_down)
    }

    /// A client configured by the environment: [`Config::from_env`], then [`Client::new`].
    ///
    /// Where nothing gives a region, the first call asks the metadata service of the EC2 instance, as the AWS SDKs do;
    /// elsewhere than on EC2 that call fails after two seconds at most.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when a setting is missing or invalid.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_system(Arc::new(OsSystem))
    }

    /// Like [`from_env`](Self::from_env), for another system than this machine.
    ///
    /// # Errors
    ///
    /// Those of [`from_env`](Self::from_env).
    pub fn from_system(system: Arc<dyn System>) -> Result<Self, Error> {
        let config = Config::from_system(system)?;
        if needs_region(&config) {
            Self::with_target(config, OnceLock::new(), Arc::default())
        } else {
            Self::new(config)
        }
    }

    fn with_target(
        config: Config,
        target: OnceLock<Target>,
        is_shut_down: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        config.timeouts.check()?;
        bucket::endpoint_of(&config)?;
        let state = ProcessState::new(config.system.process_id(), target);
        let inner = Inner {
            config,
            state,
            is_shut_down,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Sends one request and waits for its response.
    ///
    /// # Errors
    ///
    /// [`Error`] says what went wrong, and [`Error::may_have_run`] whether the model may have run.
    pub fn invoke<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        self.invoke_with(operation, &CallOptions::default())
    }

    /// Like [`invoke`](Self::invoke), with a time limit or a retry policy for this call.
    ///
    /// # Errors
    ///
    /// Those of [`invoke`](Self::invoke).
    pub fn invoke_with<O: Operation>(
        &self,
        operation: &O,
        options: &CallOptions,
    ) -> Result<O::Output, Error> {
        operation.check()?;
        let state = self.inner.state();
        let mut call = self.inner.begin_call(state, operation, options);
        let target = self.inner.target(state, call.deadline())?;
        let prepared = target.prepare(operation)?;
        loop {
            match self
                .inner
                .attempt(operation, state, target, &prepared, &mut call)
            {
                Ok(mut output) => {
                    call.succeed(output.timings_mut());
                    return Ok(output);
                }
                Err(failed) => call.wait_to_retry(failed)?,
            }
        }
    }

    /// The request that [`invoke`](Self::invoke) would send now, signed: for another HTTP stack, for debugging, for
    /// measuring. Each has a new invocation id, and is the first attempt of its call.
    ///
    /// # Errors
    ///
    /// Those of [`invoke`](Self::invoke) before anything is sent.
    pub fn sign<'a, O: Operation>(&self, operation: &'a O) -> Result<SignedRequest<'a>, Error> {
        operation.check()?;
        let state = self.inner.state();
        let deadline = self.inner.call_deadline();
        let target = self.inner.target(state, deadline)?;
        let prepared = target.prepare(operation)?;
        let mut request = target.request(operation, &prepared);
        let Some(signer) = &target.signer else {
            request.headers.push(target.user_agent());
            return Ok(SignedRequest::new(
                &request,
                &target.endpoint.origin,
                operation.body(),
            ));
        };
        let call = self
            .inner
            .begin_call(state, operation, &CallOptions::default());
        let credentials = self.inner.credentials(target, deadline)?;
        let signing_time = Inner::signing_time(
            &state.clock_skew,
            call.policy(),
            self.inner.config.system.now(),
        );
        let limits = self.inner.limits::<O>();
        let signed =
            self.inner
                .sign(signer, &request, &credentials, signing_time, &limits, &call)?;
        request.headers.extend(signed.headers());
        request.headers.push(target.user_agent());
        let signed = SignedRequest::new(&request, &target.endpoint.origin, operation.body());
        Ok(SignedRequest {
            expires_at: signing_time.checked_add(SIGNATURE_LIFETIME),
            ..signed
        })
    }

    /// The credentials that a call would sign with now: for an early check of the configuration, and for
    /// [`sigv4`](crate::sigv4) with other services.
    ///
    /// # Errors
    ///
    /// [`Error::Credentials`] when there are none, [`Error::Config`] without a region.
    pub fn credentials(&self) -> Result<Credentials, Error> {
        let deadline = self.inner.call_deadline();
        let target = self.inner.target(self.inner.state(), deadline)?;
        let credentials = self.inner.credentials(target, deadline)?;
        Ok(Credentials::clone(&credentials))
    }

    /// Ends every call of this client and its clones, on every thread, and refuses new ones.
    ///
    /// A call that waits for its peer ends at once, one that waits between attempts within a tenth of a second, and one
    /// that connects, looks a name up or loads credentials when the limit of that step has passed. Other clients are
    /// not affected. The calls end with [`Error::ShutDown`], except for one whose credentials failed.
    pub fn shutdown(&self) {
        self.inner.is_shut_down.store(true, Ordering::SeqCst);
        let state = self.inner.state();
        state.buckets.shut_down();
        if let Some(target) = state.target.get() {
            target.transport.shut_down();
        }
    }
}

/// A panic in a call leaves the client usable: no lock is held while foreign code runs, and a poisoned one is taken over.
impl UnwindSafe for Client {}
impl RefUnwindSafe for Client {}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn state(&self) -> &ProcessState {
        self.state.of_process(self.config.system.process_id())
    }

    fn begin_call<'a, O: Operation>(
        &'a self,
        state: &'a ProcessState,
        operation: &'a O,
        options: &CallOptions,
    ) -> Call<'a> {
        let attempts = Attempts::new(
            options.retry.unwrap_or(self.config.retry),
            &state.token_bucket,
        );
        let timeout = [options.timeout, self.config.timeouts.call]
            .into_iter()
            .flatten()
            .min();
        let mut call = Call::begin(
            &*self.config.system,
            &self.is_shut_down,
            attempts,
            timeout,
            state.process_id,
        );
        call.endpoint_name = operation.endpoint_name();
        call
    }

    fn is_shut_down(&self) -> bool {
        self.is_shut_down.load(Ordering::SeqCst)
    }

    /// The end of a call that begins now.
    fn call_deadline(&self) -> Option<Instant> {
        self.config
            .system
            .instant()
            .checked_add(self.config.timeouts.call?)
    }

    fn target<'a>(
        &self,
        state: &'a ProcessState,
        deadline: Option<Instant>,
    ) -> Result<&'a Target, Error> {
        if let Some(target) = state.target.get() {
            return Ok(target);
        }
        if self.is_shut_down() {
            let ended = TransportError::before_sending("the endpoint", Cause::ShutDown);
            return Err(ended.into());
        }
        let target = if needs_region(&self.config) {
            Target::of_instance(&self.config, &self.is_shut_down, deadline)?
        } else {
            Target::new(&self.config, &self.is_shut_down)?
        };
        Ok(state.target.get_or_init(|| target))
    }

    fn limits<O: Operation>(&self) -> Limits {
        if O::IS_STREAMED {
            self.config.timeouts.stream_limits()
        } else {
            self.config.timeouts.limits()
        }
    }

    /// The time of the service's clock, if the policy allows to correct ours.
    fn signing_time(clock_skew: &ClockSkew, policy: &RetryPolicy, now: SystemTime) -> SystemTime {
        if policy.correct_clock {
            clock_skew.service_time(now)
        } else {
            now
        }
    }

    fn amz_date(signing_time: SystemTime) -> Result<AmzDate, ConfigError> {
        AmzDate::from_system_time(signing_time)
            .ok_or_else(|| ConfigError::new("the system's clock", "is before 1970 or after 9999"))
    }

    fn credentials(
        &self,
        target: &Target,
        deadline: Option<Instant>,
    ) -> Result<Arc<Credentials>, Error> {
        target.credentials.get(deadline).map_err(|error| {
            if error.is_out_of_time {
                error.into_timeout(target.authority())
            } else {
                error.into()
            }
        })
    }
}
