//! The client: one call from a plain struct to an inference.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::config::Config;
use crate::credentials::Credentials;
use crate::endpoint::ResolvedEndpoint;
use crate::error::{ConfigError, CredentialsError, Error, ServiceError};
use crate::http::{HttpRequest, HttpResponse};
use crate::operation::Operation;
use crate::operation::sealed::Response;
use crate::signed_request::SignedRequest;
use crate::signing::{Signer, insert_at_host};
use crate::sigv4::{AmzDate, percent_encode};
use crate::transport::Transport;

/// The signing name of the service. Source: the service's model, `signingName`.
const SERVICE: &str = "sagemaker";

/// Calls the endpoints of one region. Cheap to clone; clones share connections and credentials.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    endpoint: ResolvedEndpoint,
    signer: Signer,
    transport: Transport,
}

impl Client {
    /// A client as the configuration says. Opens nothing, starts nothing, reads nothing but the proxy's variables.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when a setting is missing or wrong.
    pub fn new(config: Config) -> Result<Self, Error> {
        config.timeouts.check()?;
        let endpoint = config.endpoint.resolve(config.region.as_deref())?;
        let signer = Signer::new(config.region.clone().unwrap_or_default(), SERVICE);
        let transport = Transport::new(&config, endpoint.origin.clone(), endpoint.is_container)?;
        Ok(Self { inner: Arc::new(Inner { config, endpoint, signer, transport }) })
    }

    /// A client as the environment says: [`Config::from_env`], then [`Client::new`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when a setting is missing or wrong.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env()?)
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`Error`] tells what went wrong, and [`Error::may_have_run`] whether the model may have run all the same.
    pub fn invoke<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        let started_at = self.inner.config.host.instant();
        let deadline = self.inner.config.timeouts.call.and_then(|limit| started_at.checked_add(limit));
        operation.check()?;
        let path = self.inner.path_of(operation);
        let response = self.inner.attempt(operation, &path, deadline).map_err(|error| {
            let elapsed = self.inner.config.host.instant().duration_since(started_at);
            error.after(1, elapsed)
        })?;
        Ok(O::Output::parse(response))
    }

    /// What [`invoke`](Self::invoke) would send now, signed: for another HTTP stack, for debugging, for measuring.
    ///
    /// # Errors
    ///
    /// What [`invoke`](Self::invoke) says before it sends anything.
    pub fn sign<'a, O: Operation>(&self, operation: &'a O) -> Result<SignedRequest<'a>, Error> {
        operation.check()?;
        let path = self.inner.path_of(operation);
        let origin = &self.inner.endpoint.origin;
        self.inner
            .with_signed(operation, &path, |request| SignedRequest::new(request, origin, operation.body()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Inner {
    /// Signs, sends, and tells an answer from an error.
    fn attempt<O: Operation>(
        &self,
        operation: &O,
        path: &str,
        deadline: Option<Instant>,
    ) -> Result<HttpResponse, Error> {
        let response =
            self.with_signed(operation, path, |request| self.transport.send(request, deadline))??;
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let error = if self.endpoint.is_container {
            ServiceError::from_container
        } else {
            ServiceError::from_service
        };
        Err(Error::Service(Box::new(error(&response))))
    }

    /// Hands the finished request on; a container's is not signed.
    fn with_signed<O: Operation, T>(
        &self,
        operation: &O,
        path: &str,
        hand_on: impl FnOnce(&HttpRequest<'_>) -> T,
    ) -> Result<T, Error> {
        let host = &self.endpoint.origin.authority;
        let mut request =
            HttpRequest { method: "POST", path, headers: operation.headers(), body: operation.body() };
        if self.endpoint.is_container {
            insert_at_host(&mut request.headers, [("host", host.as_str())]);
            return Ok(hand_on(&request));
        }
        let credentials = self.credentials()?;
        let amz_date = AmzDate::from_system_time(self.config.host.now())
            .ok_or_else(|| ConfigError::new("the system's clock", "is before 1970 or after 9999"))?;
        Ok(self.signer.signed(request, host, &credentials, amz_date, hand_on))
    }

    fn credentials(&self) -> Result<Credentials, CredentialsError> {
        self.config.credentials.load(&*self.config.host)
    }

    fn path_of<O: Operation>(&self, operation: &O) -> String {
        let mut path = self.endpoint.base_path.clone();
        if self.endpoint.is_container {
            path.push_str(operation.container_path());
            return path;
        }
        let (endpoint_name, rest) = operation.route();
        path.reserve("/endpoints/".len() + endpoint_name.len() + rest.len());
        path.push_str("/endpoints/");
        // Writing to a String cannot fail.
        let _ = percent_encode(endpoint_name, &mut path);
        path.push_str(rest);
        path
    }
}
