//! What is decided once for a client: where its requests go, who signs them, over which connections.

use std::time::Instant;

use crate::config::Config;
use crate::credentials;
use crate::endpoint::{Endpoint, ResolvedEndpoint};
use crate::error::{ConfigError, Error};
use crate::operation::Operation;
use crate::signing::Signer;
use crate::sigv4::percent_encode;
use crate::transport::Transport;

/// The signing name of the service. Source: the service's model, `signingName`.
const SERVICE: &str = "sagemaker";

/// Ends the sentence that the setting's name begins.
const NO_REGION: &str =
    "is missing: set AWS_REGION, or region in the profile; instance metadata gives none here either";

#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) endpoint: ResolvedEndpoint,
    pub(crate) signer: Signer,
    pub(crate) transport: Transport,
    pub(crate) credentials: credentials::Cache,
}

impl Route {
    /// Touches nothing but memory and the proxy's variables.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let endpoint = config.endpoint.resolve(config.region.as_deref())?;
        let signer = Signer::new(config.region.clone().unwrap_or_default(), SERVICE);
        let transport = Transport::new(config, endpoint.origin.clone(), endpoint.is_container)?;
        Ok(Self { endpoint, signer, transport, credentials: credentials::Cache::new(config) })
    }

    /// Asks the instance for the region that nothing else gave.
    pub(crate) fn of_instance(config: &Config, deadline: Option<Instant>) -> Result<Self, Error> {
        match credentials::region_of_instance(config, deadline) {
            Ok(Some(region)) => Ok(Self::new(&Config { region: Some(region), ..config.clone() })?),
            Ok(None) => Err(ConfigError::new("region", NO_REGION).into()),
            Err(error) if error.is_out_of_time => Err(error.into_timeout("instance metadata")),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn path_of<O: Operation>(&self, operation: &O) -> String {
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

/// Whether requests need a region that the configuration does not have.
pub(crate) fn lacks_region(config: &Config) -> bool {
    config.region.is_none() && !matches!(config.endpoint, Endpoint::Container(_))
}
