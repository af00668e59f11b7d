//! What is resolved once for a client: where its requests go, who signs them, over which connections.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::aws::Signer;
use crate::config::{APP_NAME_RULE, Config, is_app_name};
use crate::credentials::{self, Search};
use crate::endpoint::{Endpoint, ResolvedEndpoint};
use crate::error::{ConfigError, Error};
use crate::http::{Origin, Proxy, Request, Resolver, Transport, TransportSettings};
use crate::operation::Operation;
use crate::operation::sealed::Numbers;

/// The signing name of the service. Source: the service's model, `signingName`.
pub(super) const SIGNING_NAME: &str = "sagemaker";

/// Identifies this crate to the service, as AWS asks of every client.
const PRODUCT: &str = concat!("sagemaker-invoke/", env!("CARGO_PKG_VERSION"));

/// Room for an endpoint name of 63 characters, the words around it and a short base path, so that the path does not grow.
const PATH_BYTES: usize = 128;

/// Where a container takes requests. Source: "Custom Inference Code with Hosting Services" in the SageMaker Developer Guide.
const CONTAINER_PATH: &str = "/invocations";

/// Ends the sentence that the name of the setting begins.
const NO_REGION: &str = "is missing: set AWS_REGION, or region in the profile; instance metadata gives none here either";

#[derive(Debug)]
pub(super) struct Target {
    pub(super) endpoint: ResolvedEndpoint,
    /// `None` for a container, which checks no signature.
    pub(super) signer: Option<Signer>,
    pub(super) transport: Transport,
    pub(super) credentials: credentials::Cache,
    user_agent: String,
}

/// The parts of a request that its operation does not hold as text.
#[derive(Debug)]
pub(super) struct Prepared {
    path: String,
    numbers: Numbers,
}

impl Target {
    /// Opens nothing; reads the proxy's variables.
    pub(super) fn new(
        config: &Config,
        is_shut_down: &Arc<AtomicBool>,
    ) -> Result<Self, ConfigError> {
        let endpoint = config.endpoint.resolve(config.region.as_deref())?;
        let signer = match &config.region {
            _ if endpoint.is_container => None,
            Some(region) => Some(Signer::new(region, SIGNING_NAME)),
            None => return Err(ConfigError::new("region", NO_REGION)),
        };
        let has_no_proxy = endpoint.is_container && config.proxy == Proxy::Environment;
        let proxy = if has_no_proxy {
            &Proxy::Off
        } else {
            &config.proxy
        };
        let transport_settings = transport_settings(config, proxy, &endpoint.origin)?;
        let transport = Transport::new(&endpoint.origin, &transport_settings)?;
        let credentials = credentials::Cache::new(search(config, is_shut_down));
        Ok(Self {
            endpoint,
            signer,
            transport,
            credentials,
            user_agent: user_agent(config)?,
        })
    }

    /// Asks the instance for the region that nothing else gave.
    pub(super) fn of_instance(
        config: &Config,
        is_shut_down: &Arc<AtomicBool>,
        deadline: Option<Instant>,
    ) -> Result<Self, Error> {
        match credentials::region_of_instance(search(config, is_shut_down), deadline) {
            Ok(Some(region)) => Ok(Self::new(
                &Config {
                    region: Some(region),
                    ..config.clone()
                },
                is_shut_down,
            )?),
            Ok(None) => Err(ConfigError::new("region", NO_REGION).into()),
            Err(error) if error.is_out_of_time => Err(error.into_timeout("instance metadata")),
            Err(error) => Err(error.into()),
        }
    }

    /// What the requests of a call borrow.
    pub(super) fn prepare<O: Operation>(&self, operation: &O) -> Result<Prepared, ConfigError> {
        let mut path = String::with_capacity(PATH_BYTES);
        path.push_str(&self.endpoint.base_path);
        if !self.endpoint.is_container {
            operation.write_path(&mut path);
        } else if O::NEEDS_SAGEMAKER {
            return Err(no_queue());
        } else {
            path.push_str(CONTAINER_PATH);
        }
        Ok(Prepared {
            path,
            numbers: operation.numbers(),
        })
    }

    /// The request without its signature, headers in the order of their names.
    pub(super) fn request<'a, O: Operation>(
        &'a self,
        operation: &'a O,
        prepared: &'a Prepared,
    ) -> Request<'a> {
        let mut headers = operation.headers(&prepared.numbers, self.endpoint.is_container);
        let at = headers.partition_point(|(name, _)| *name < "host");
        headers.insert(at, ("host", &self.endpoint.origin.authority));
        Request {
            method: "POST",
            path: &prepared.path,
            headers,
            body: operation.body(),
        }
    }

    /// The last header of every request, not signed.
    pub(super) fn user_agent(&self) -> (&'static str, &str) {
        ("user-agent", &self.user_agent)
    }

    /// What an error names: host and port.
    pub(super) fn authority(&self) -> &str {
        &self.endpoint.origin.authority
    }
}

pub(super) fn transport_settings<'a>(
    config: &'a Config,
    proxy: &'a Proxy,
    origin: &Origin,
) -> Result<TransportSettings<'a>, ConfigError> {
    let ca_bundle_pem = match config.ca_bundle() {
        Ok(pem) => pem,
        Err(unreadable) if origin.tls => return Err(unreadable.error().into()),
        Err(_) => None,
    };
    Ok(TransportSettings {
        limits: config.timeouts.limits(),
        max_idle_connections: config.max_idle_connections,
        max_idle_age: config.max_idle_age,
        proxy,
        ca_bundle_pem,
        resolver: Resolver::new(Arc::clone(&config.system), config.address_ttl),
        system: Arc::clone(&config.system),
    })
}

fn search(config: &Config, is_shut_down: &Arc<AtomicBool>) -> Search {
    Search {
        is_shut_down: Arc::clone(is_shut_down),
        ..config.search()
    }
}

/// The error of asynchronous requests at a container.
pub(super) fn no_queue() -> ConfigError {
    ConfigError::new("endpoint", "is a container, and a container has no queue")
}

/// The value of `user-agent`.
pub(super) fn user_agent(config: &Config) -> Result<String, ConfigError> {
    match &config.app_name {
        None => Ok(PRODUCT.to_owned()),
        Some(name) if is_app_name(name) => Ok(format!("{PRODUCT} app/{name}")),
        Some(_) => Err(ConfigError::new("app_name", APP_NAME_RULE)),
    }
}

/// Whether requests need a region that the configuration does not have.
pub(super) fn needs_region(config: &Config) -> bool {
    config.region.is_none() && !matches!(config.endpoint, Endpoint::Container(_))
}
