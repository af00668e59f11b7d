//! The client: one call from a plain struct to an inference.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use crate::call::{Call, CallOptions};
use crate::clock_skew::{ClockSkew, is_clock_code};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::error::{ConfigError, Error, ServiceError};
use crate::host::{Host, System};
use crate::http::{HttpRequest, HttpResponse};
use crate::operation::Operation;
use crate::operation::sealed::Response;
use crate::retry::{Attempts, RetryPolicy, TokenBucket};
use crate::route::{Route, lacks_region};
use crate::signed_request::SignedRequest;
use crate::signing::insert_at_host;
use crate::sigv4::AmzDate;

/// Calls the endpoints of one region. Cheap to clone; clones share connections and credentials.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    /// Set from the start, or by the first call that has asked the instance for its region.
    route: OnceLock<Route>,
    token_bucket: TokenBucket,
    clock_skew: ClockSkew,
    is_shut_down: AtomicBool,
}

impl Client {
    /// A client as the configuration says. Opens nothing, starts nothing, reads nothing but the proxy's variables.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when a setting is missing or wrong.
    pub fn new(config: Config) -> Result<Self, Error> {
        let route = Route::new(&config)?;
        Self::with_route(config, route.into())
    }

    /// A client as the environment says: [`Config::from_env`], then [`Client::new`].
    ///
    /// Where nothing gives a region, the first call asks the metadata service of the EC2 instance for its own, as the
    /// AWS SDKs do; elsewhere than on EC2 that call fails, after two seconds at the most.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when a setting is missing or wrong.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_host(Arc::new(System))
    }

    /// The same for another host than this machine.
    ///
    /// # Errors
    ///
    /// As [`Client::from_env`].
    pub fn from_host(host: Arc<dyn Host>) -> Result<Self, Error> {
        let config = Config::from_host(host)?;
        if lacks_region(&config) { Self::with_route(config, OnceLock::new()) } else { Self::new(config) }
    }

    fn with_route(config: Config, route: OnceLock<Route>) -> Result<Self, Error> {
        config.timeouts.check()?;
        let inner = Inner {
            config,
            route,
            token_bucket: TokenBucket::default(),
            clock_skew: ClockSkew::default(),
            is_shut_down: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`Error`] tells what went wrong, and [`Error::may_have_run`] whether the model may have run all the same.
    pub fn invoke<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        self.invoke_with(operation, &CallOptions::default())
    }

    /// The same with a time limit or a retry policy of this call's own.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    pub fn invoke_with<O: Operation>(
        &self,
        operation: &O,
        options: &CallOptions,
    ) -> Result<O::Output, Error> {
        operation.check()?;
        let mut call = self.inner.begin_call(options);
        let route = self.inner.route(call.deadline())?;
        let path = route.path_of(operation);
        loop {
            match self.inner.attempt(operation, route, &path, &mut call) {
                Ok(mut response) => {
                    call.succeed(&mut response.timings);
                    return Ok(O::Output::parse(response));
                }
                Err(failed) => call.wait_to_retry(failed.error, failed.is_put_right)?,
            }
        }
    }

    /// What [`invoke`](Self::invoke) would send now, signed: for another HTTP stack, for debugging, for measuring.
    ///
    /// # Errors
    ///
    /// What [`invoke`](Self::invoke) says before it sends anything.
    pub fn sign<'a, O: Operation>(&self, operation: &'a O) -> Result<SignedRequest<'a>, Error> {
        operation.check()?;
        let route = self.inner.route(None)?;
        let (path, origin) = (route.path_of(operation), &route.endpoint.origin);
        let request = request(operation, route, &path, &[]);
        if route.endpoint.is_container {
            return Ok(SignedRequest::new(&request, origin, operation.body()));
        }
        let credentials = credentials_of(route, None)?;
        let signed_for = self.inner.signing_time(&self.inner.config.retry, self.inner.config.host.now());
        signed(request, route, &credentials, signed_for, |request| {
            SignedRequest::new(request, origin, operation.body())
        })
    }

    /// Ends every call of this client and its clones, on whatever thread, and refuses new ones.
    ///
    /// A call that waits on its connection ends at once, one that sleeps between attempts within a tenth of a
    /// second, one that is being connected, looks a name up or loads credentials when the limit of that is reached.
    /// Other clients are not touched. The calls end with [`Error::ShutDown`], but for one whose credentials failed.
    pub fn shutdown(&self) {
        self.inner.is_shut_down.store(true, Ordering::SeqCst);
        if let Some(route) = self.inner.route.get() {
            route.transport.shut_down();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

/// An attempt that failed, and whether what the service refused was put right since.
struct FailedAttempt {
    error: Error,
    is_put_right: bool,
}

impl<E: Into<Error>> From<E> for FailedAttempt {
    fn from(error: E) -> Self {
        Self { error: error.into(), is_put_right: false }
    }
}

impl Inner {
    fn begin_call(&self, options: &CallOptions) -> Call<'_> {
        let attempts = Attempts::new(options.retry.unwrap_or(self.config.retry), &self.token_bucket);
        let timeout = [options.timeout, self.config.timeouts.call].into_iter().flatten().min();
        Call::begin(&*self.config.host, &self.is_shut_down, attempts, timeout)
    }

    fn route(&self, deadline: Option<Instant>) -> Result<&Route, Error> {
        if let Some(route) = self.route.get() {
            return Ok(route);
        }
        let route = Route::of_instance(&self.config, deadline)?;
        Ok(self.route.get_or_init(|| route))
    }

    /// What the service's clock shows, as far as the policy lets us learn it.
    fn signing_time(&self, policy: &RetryPolicy, now: SystemTime) -> SystemTime {
        if policy.correct_clock { self.clock_skew.service_time(now) } else { now }
    }

    /// Signs, sends, and tells an answer from an error.
    fn attempt<O: Operation>(
        &self,
        operation: &O,
        route: &Route,
        path: &str,
        call: &mut Call<'_>,
    ) -> Result<HttpResponse, FailedAttempt> {
        let begun_at = call.begin_attempt(route)?;
        if route.endpoint.is_container {
            let response = route.transport.send(&request(operation, route, path, &[]), call.deadline())?;
            return answer_or(response, ServiceError::from_container).map_err(FailedAttempt::from);
        }
        let host = &*self.config.host;
        let credentials = credentials_of(route, call.deadline())?;
        let (signing_at, sent_at) = (host.instant(), host.now());
        let signed_for = self.signing_time(call.policy(), sent_at);
        let request_info = call.request_info(signed_for, self.config.timeouts.response);
        let unsigned = [("amz-sdk-invocation-id", call.invocation_id()), ("amz-sdk-request", &request_info)];
        let request = request(operation, route, path, &unsigned);
        let (response, sending_at) = signed(request, route, &credentials, signed_for, |request| {
            let sending_at = host.instant();
            (route.transport.send(request, call.deadline()), sending_at)
        })?;
        let mut response = response?;
        response.timings.credentials = signing_at.saturating_duration_since(begun_at);
        response.timings.signing = sending_at.saturating_duration_since(signing_at);
        let was_skewed = self.clock_skew.learn(&response.headers, signed_for, sent_at, host.now());
        answer_or(response, ServiceError::from_service).map_err(|error| {
            let is_clock_error = error.code().is_some_and(is_clock_code);
            let is_clock_right = call.policy().correct_clock && was_skewed && is_clock_error;
            let is_put_right = is_clock_right || was_renewed(route, &credentials, &error, call.deadline());
            FailedAttempt { error, is_put_right }
        })
    }
}

/// The request but for what signing adds; a container's is complete.
fn request<'a, O: Operation>(
    operation: &'a O,
    route: &'a Route,
    path: &'a str,
    unsigned_headers: &'a [(&'a str, &'a str)],
) -> HttpRequest<'a> {
    let mut headers = operation.headers();
    if route.endpoint.is_container {
        insert_at_host(&mut headers, [("host", route.endpoint.origin.authority.as_str())]);
    }
    HttpRequest { method: "POST", path, headers, unsigned_headers, body: operation.body() }
}

fn signed<T>(
    request: HttpRequest<'_>,
    route: &Route,
    credentials: &Credentials,
    signed_for: SystemTime,
    hand_on: impl FnOnce(&HttpRequest<'_>) -> T,
) -> Result<T, Error> {
    let amz_date = AmzDate::from_system_time(signed_for)
        .ok_or_else(|| ConfigError::new("the system's clock", "is before 1970 or after 9999"))?;
    Ok(route.signer.signed(request, &route.endpoint.origin.authority, credentials, amz_date, hand_on))
}

fn credentials_of(route: &Route, deadline: Option<Instant>) -> Result<Arc<Credentials>, Error> {
    route.credentials.get(deadline).map_err(|error| {
        if error.is_out_of_time { error.into_timeout(&route.endpoint.origin.authority) } else { error.into() }
    })
}

/// Whether the service said that the credentials have expired, and there are others now.
fn was_renewed(route: &Route, rejected: &Credentials, error: &Error, deadline: Option<Instant>) -> bool {
    // Why there are none has been logged; what the caller can act on is the service's own error.
    error.is_expired_token() && route.credentials.refresh_after_rejection(rejected, deadline).unwrap_or(false)
}

fn answer_or(
    response: HttpResponse,
    error: impl FnOnce(&HttpResponse) -> ServiceError,
) -> Result<HttpResponse, Error> {
    if (200..300).contains(&response.status) {
        Ok(response)
    } else {
        Err(Error::Service(Box::new(error(&response))))
    }
}
