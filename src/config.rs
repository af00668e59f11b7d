//! What a client can be told, with a named default for everything that has one.

mod load;
mod origins;
pub(crate) mod settings;

use std::sync::Arc;
use std::time::Duration;

pub use self::origins::{Origin, Provenance};
use crate::credentials;
use crate::endpoint::Endpoint;
use crate::error::{ConfigError, Error};
use crate::host::{Host, System};
use crate::retry::RetryPolicy;

/// Default of [`Timeouts::connect`]. The AWS SDKs' own default is 3.1 s; a TLS handshake over a slow link takes more.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Default of [`Timeouts::send`].
pub const DEFAULT_SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Default of [`Timeouts::response`]. SageMaker gives a model 60 s, and AWS's advice for models that use them is
/// a client timeout of 70 s.
pub const DEFAULT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(70);
/// Default of [`Timeouts::read`].
pub const DEFAULT_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Default of [`Config::max_response_bytes`]: 64 MiB, more than twice what a real-time endpoint can answer.
pub const DEFAULT_MAX_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;
/// Default of [`Config::max_idle_connections`].
pub const DEFAULT_MAX_IDLE_CONNECTIONS: usize = 32;
/// Default of [`Config::max_idle_age`]. Load balancers of AWS close an idle connection after 60 s, proxies at times
/// after 20.
pub const DEFAULT_MAX_IDLE_AGE: Duration = Duration::from_secs(15);
/// Default of [`Config::address_ttl`]: the time to live of the records of AWS's load balancers.
pub const DEFAULT_ADDRESS_TTL: Duration = Duration::from_secs(60);

/// Everything that a [`Client`](crate::Client) is made of. A plain struct: change what you like and keep the rest.
///
/// ```
/// use sagemaker_invoke::{Config, Credentials};
///
/// let config = Config {
///     region: Some("eu-central-1".to_owned()),
///     credentials: Credentials::new("AKIDEXAMPLE", "secret").into(),
///     ..Config::default()
/// };
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// The region, `us-east-1` for example. Needed but for [`Endpoint::Container`]. Default: none.
    pub region: Option<String>,
    /// Where credentials come from. Not asked for [`Endpoint::Container`]. Default: the chain of the AWS SDKs.
    pub credentials: credentials::Source,
    /// Where requests go. Default: AWS's host in the region.
    pub endpoint: Endpoint,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// What may be sent again, how often, and how long to wait for a model that is not ready.
    pub retry: RetryPolicy,
    /// The proxy to go through. Default: as the environment says.
    pub proxy: Proxy,
    /// Certificates in PEM form that are trusted in place of Mozilla's roots. Default: none.
    pub ca_bundle_pem: Option<Vec<u8>>,
    /// The longest body of a response that is read, in bytes. Default: [`DEFAULT_MAX_RESPONSE_BYTES`].
    pub max_response_bytes: u64,
    /// How many idle connections are kept. At least the number of threads that share the client, or some of them
    /// connect anew for each call. Default: [`DEFAULT_MAX_IDLE_CONNECTIONS`].
    pub max_idle_connections: usize,
    /// How long an idle connection is kept. Should be shorter than the server keeps it.
    /// Default: [`DEFAULT_MAX_IDLE_AGE`].
    pub max_idle_age: Duration,
    /// How long the addresses of a host name are used again for new connections; they are looked up anew at once
    /// when connecting to them fails. Default: [`DEFAULT_ADDRESS_TTL`].
    pub address_ttl: Duration,
    /// The world around the client. Default: the machine that the program runs on.
    pub host: Arc<dyn Host>,
    /// What [`Config::from_env`] found where. Default: nothing.
    pub provenance: Provenance,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: None,
            credentials: credentials::Source::default(),
            endpoint: Endpoint::default(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            proxy: Proxy::default(),
            ca_bundle_pem: None,
            max_response_bytes: DEFAULT_MAX_RESPONSE_BYTES,
            max_idle_connections: DEFAULT_MAX_IDLE_CONNECTIONS,
            max_idle_age: DEFAULT_MAX_IDLE_AGE,
            address_ttl: DEFAULT_ADDRESS_TTL,
            host: Arc::new(System),
            provenance: Provenance::default(),
        }
    }
}

impl Config {
    /// What the environment and the shared files `~/.aws/config` and `~/.aws/credentials` say, with defaults for the
    /// rest. Asks nothing over the network; credentials are read at the first call.
    ///
    /// | field | variable | property of the profile |
    /// | --- | --- | --- |
    /// | `region` | `AWS_REGION`, `AWS_DEFAULT_REGION` | `region` |
    /// | `endpoint` (URL) | `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME`, `AWS_ENDPOINT_URL` | `endpoint_url` of `sagemaker_runtime` in the `services` section, `endpoint_url` |
    /// | none of these URLs | `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` | `ignore_configured_endpoint_urls` |
    /// | `endpoint` (FIPS) | `AWS_USE_FIPS_ENDPOINT` | `use_fips_endpoint` |
    /// | `endpoint` (dual-stack) | `AWS_USE_DUALSTACK_ENDPOINT` | `use_dualstack_endpoint` |
    /// | `ca_bundle_pem`, read at once | `AWS_CA_BUNDLE` | `ca_bundle` |
    /// | `retry.max_attempts` | `AWS_MAX_ATTEMPTS` | `max_attempts` |
    /// | `retry.correct_clock`, off | `AWS_DISABLE_CLOCK_SKEW_CORRECTION` | `disable_clock_skew_correction` |
    ///
    /// The first that is set counts, from left to right; one that is blank counts as not set. The profile is
    /// `AWS_PROFILE`, else `default`; the files are those of `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`, else
    /// those in the home directory. `AWS_RETRY_MODE` and `retry_mode` are checked, and all modes mean
    /// [`RetryPolicy`], which keeps no rate for itself as the mode `adaptive` of the SDKs does.
    ///
    /// On EC2 the region may be known to the instance only: see [`Config::region_of_instance`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when a setting has a value that it cannot have, a shared file cannot be read, or the profile
    /// that `AWS_PROFILE` names does not exist.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_host(Arc::new(System))
    }

    /// The same for another host than this machine.
    ///
    /// # Errors
    ///
    /// As [`Config::from_env`].
    pub fn from_host(host: Arc<dyn Host>) -> Result<Self, Error> {
        Ok(load::config(host)?)
    }

    /// The region of the EC2 instance that the program runs on, as its metadata service says; `None` elsewhere.
    ///
    /// [`Client::from_env`](crate::Client::from_env) asks for it at its first call where nothing else gives a region.
    /// [`Client::new`](crate::Client::new) never does: a program that makes its own configuration for EC2 sets
    /// [`region`](Self::region) to this. Off EC2 it takes up to two seconds to find out.
    ///
    /// # Errors
    ///
    /// [`Error::Credentials`] when the metadata service is there and refuses or fails.
    pub fn region_of_instance(&self) -> Result<Option<String>, Error> {
        Ok(credentials::region_of_instance(self, None)?)
    }

    /// Each setting with its value and where that came from, for a line in a log: the variable, the line of the file,
    /// the default, or the program that set the field after [`Config::from_env`].
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        self.provenance.origins(self)
    }
}

/// How long each step of a call may take. `Duration::MAX` takes a limit away; zero is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first look at the host name to the end of the TLS handshake. Costs nothing on a connection that is
    /// used again. Default: [`DEFAULT_CONNECT_TIMEOUT`].
    pub connect: Duration,
    /// Without a byte that the peer takes, while the request is written. Default: [`DEFAULT_SEND_TIMEOUT`].
    pub send: Duration,
    /// From the last byte of the request to the end of the head of the response: the time that the model has.
    /// Default: [`DEFAULT_RESPONSE_TIMEOUT`].
    pub response: Duration,
    /// Without a byte that arrives, while the body of the response is read. Default: [`DEFAULT_READ_TIMEOUT`].
    pub read: Duration,
    /// The whole call: credentials, lookup, connecting, every attempt and every wait between them.
    /// Default: none.
    pub call: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: DEFAULT_CONNECT_TIMEOUT,
            send: DEFAULT_SEND_TIMEOUT,
            response: DEFAULT_RESPONSE_TIMEOUT,
            read: DEFAULT_READ_TIMEOUT,
            call: None,
        }
    }
}

impl Timeouts {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let all = [
            ("timeouts.connect", Some(self.connect)),
            ("timeouts.send", Some(self.send)),
            ("timeouts.response", Some(self.response)),
            ("timeouts.read", Some(self.read)),
            ("timeouts.call", self.call),
        ];
        match all.into_iter().find(|(_, limit)| *limit == Some(Duration::ZERO)) {
            Some((setting, _)) => Err(ConfigError::new(setting, "is zero, which no call can keep")),
            None => Ok(()),
        }
    }
}

/// The proxy to go through.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// The first that is set of `ALL_PROXY`, `HTTPS_PROXY` and `HTTP_PROXY`, each also in lower case, but not for
    /// the hosts in `NO_PROXY`; none for [`Endpoint::Container`].
    #[default]
    Environment,
    /// None, whatever the environment says.
    Off,
    /// This one, for every host: `http://[user:password@]host[:port]`, or `https://`.
    Url(String),
}

/// Hides the URL, which may hold a password.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Environment => "Environment",
            Self::Off => "Off",
            Self::Url(_) => "Url(..)",
        })
    }
}
