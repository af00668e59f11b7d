//! Settings of a client, with a named constant for each default.
//!
//! ```
//! use std::time::Duration;
//!
//! use sagemaker_invoke::{Config, Endpoint, Proxy, RetryPolicy, Timeouts};
//!
//! let config = Config {
//!     endpoint: Endpoint::Aws { fips: true, dual_stack: false },
//!     proxy: Proxy::Off,
//!     timeouts: Timeouts { call: Some(Duration::from_secs(90)), ..Timeouts::default() },
//!     retry: RetryPolicy { max_attempts: 5, ..RetryPolicy::default() },
//!     ..Config::default()
//! };
//! ```
//!
//! [`Config::from_env`] lists the environment variables and properties of profiles; a field set by the program
//! afterwards takes precedence. Two more settings are read when they are needed: [`credentials`], and the [`Proxy`] of
//! the environment.
//!
//! # Limits
//!
//! | field | default | applies to |
//! | --- | --- | --- |
//! | [`Timeouts::connect`] | [5 s](DEFAULT_CONNECT_TIMEOUT) | name lookup, TCP, proxy and TLS together; not used on a reused connection |
//! | [`Timeouts::send`] | [30 s](DEFAULT_SEND_TIMEOUT) | each wait for the peer to accept more of the request |
//! | [`Timeouts::response`] | [70 s](DEFAULT_RESPONSE_TIMEOUT) | from the end of the request to the head of the response: the time of the model |
//! | [`Timeouts::read`] | [30 s](DEFAULT_READ_TIMEOUT) | each wait for more of the response |
//! | [`Timeouts::stream`] | [300 s](DEFAULT_STREAM_TIMEOUT) | the wait for each part of a streamed response, instead of `response` and `read` |
//! | [`Timeouts::call`] | none | the whole call, of a streamed response also the reading of its body |
//! | [`Config::max_response_bytes`] | [64 MiB](DEFAULT_MAX_RESPONSE_BYTES) | the body of the response; an announced length is checked before it is read |
//! | [`Config::max_idle_connections`] | [32](DEFAULT_MAX_IDLE_CONNECTIONS) | connections kept open; at least the number of threads sharing the client |
//! | [`Config::max_idle_age`] | [15 s](DEFAULT_MAX_IDLE_AGE) | how long an idle connection is kept |
//! | [`Config::address_ttl`] | [60 s](DEFAULT_ADDRESS_TTL) | how long the addresses of a host are kept |
//!
//! A call ends with [`Error::Timeout`] if a limit of time has passed, and
//! [`TransportError::phase`](crate::error::TransportError::phase) names the step. The limit of the size of a request is
//! AWS's: 25 MB for real-time endpoints, 4 MB for serverless ones.
//!
//! # Errors
//!
//! [`Error::Config`] names the setting, its value unless it can be a secret, and the variable or the file and line
//! where it was found. If the environment has keys and a region, an unusable default file is a warning in the log.

mod from_env;
mod timeouts;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::timeouts::Timeouts;
use crate::aws::region::region_of_fips;
use crate::aws::settings::UnreadableFile;
use crate::credentials::{self, Provider, Search};
use crate::endpoint::Endpoint;
use crate::error::{ConfigError, Error};
pub use crate::http::Proxy;
use crate::retry::RetryPolicy;
use crate::system::{OsSystem, System};
use crate::text::masked_url;

/// Default of [`Timeouts::connect`]. The AWS SDKs use 3.1 s; a TLS handshake over a slow link can take more.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Default of [`Timeouts::send`].
pub const DEFAULT_SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Default of [`Timeouts::response`]. SageMaker gives a model 60 s, and AWS advises a client timeout of 70 s for models
/// that use them.
pub const DEFAULT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(70);
/// Default of [`Timeouts::read`].
pub const DEFAULT_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Default of [`Timeouts::stream`]. Reasoning models take one to two minutes to their first token, and users of shorter
/// limits lost healthy streams.
pub const DEFAULT_STREAM_TIMEOUT: Duration = Duration::from_secs(300);
/// Default of [`Config::max_response_bytes`]: 64 MiB, more than twice what a real-time endpoint can answer.
pub const DEFAULT_MAX_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;
/// Default of [`Config::max_idle_connections`].
pub const DEFAULT_MAX_IDLE_CONNECTIONS: usize = 32;
/// Default of [`Config::max_idle_age`]. Load balancers of AWS close an idle connection after 60 s, some proxies after
/// 20 s.
pub const DEFAULT_MAX_IDLE_AGE: Duration = Duration::from_secs(15);
/// Default of [`Config::address_ttl`]: the time to live of the records of AWS's load balancers.
pub const DEFAULT_ADDRESS_TTL: Duration = Duration::from_secs(60);

/// Source: "Application ID" in the AWS SDKs and Tools Reference Guide, and `AppName` of the SDK for Rust.
const MAX_APP_NAME_CHARACTERS: usize = 50;

/// Worded to follow the name of the setting.
pub(crate) const APP_NAME_RULE: &str =
    "can only be 1 to 50 letters, digits and any of !#$%&'*+-.^_`|~";

/// The settings of a [`Client`](crate::Client). Made with update syntax: a new field is a minor release.
///
/// ```no_run
/// use std::time::Duration;
///
/// use sagemaker_invoke::{Client, Config, Credentials};
///
/// # fn main() -> Result<(), sagemaker_invoke::Error> {
/// // All from the program:
/// let client = Client::new(Config {
///     region: Some("eu-central-1".to_owned()),
///     credentials: Credentials::new("AKIDEXAMPLE", "secret").into(),
///     ..Config::default()
/// })?;
///
/// // The environment, and one change:
/// let mut config = Config::from_env()?;
/// config.timeouts.call = Some(Duration::from_secs(90));
/// let client = Client::new(config)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Config {
    /// The region, `us-east-1` for example. Required except for [`Endpoint::Container`]. Default: none.
    /// `fips-us-east-1` and `us-east-1-fips` mean us-east-1 with its FIPS endpoint.
    pub region: Option<String>,
    /// Where credentials come from. Not used for [`Endpoint::Container`]. Default: the chain of the AWS SDKs.
    pub credentials: Provider,
    /// Where requests are sent. Default: AWS's host in the region.
    pub endpoint: Endpoint,
    /// The URL of Amazon S3 for the results of asynchronous requests, with the bucket in its path. Default: AWS's host in
    /// the region of the bucket.
    pub s3_endpoint_url: Option<String>,
    /// Time limits of the steps of a call.
    pub timeouts: Timeouts,
    /// Retry policy, and how long to wait for a model to become ready.
    pub retry: RetryPolicy,
    /// The proxy to use. Default: the one set in the environment.
    pub proxy: Proxy,
    /// Certificates in PEM form, trusted in place of Mozilla's roots. Default: none.
    pub ca_bundle_pem: Option<Vec<u8>>,
    /// Maximum size of a response body, in bytes. Default: [`DEFAULT_MAX_RESPONSE_BYTES`].
    pub max_response_bytes: u64,
    /// Maximum number of idle connections. With fewer than the threads sharing the client, some of them connect for
    /// each call. Default: [`DEFAULT_MAX_IDLE_CONNECTIONS`].
    pub max_idle_connections: usize,
    /// How long an idle connection is kept. Should be shorter than the server's own limit.
    /// Default: [`DEFAULT_MAX_IDLE_AGE`].
    pub max_idle_age: Duration,
    /// How long the addresses of a host name are used for new connections; they are dropped at once when connecting to
    /// them fails. Default: [`DEFAULT_ADDRESS_TTL`].
    pub address_ttl: Duration,
    /// The name of the application in the header `user-agent`, as `app/NAME`: 1 to 50 letters, digits and any of
    /// ``!#$%&'*+-.^_`|~``. Default: none.
    pub app_name: Option<String>,
    /// Access to environment, files, clock, DNS and processes. Replace it in tests. Default: the machine that the
    /// program runs on.
    pub system: Arc<dyn System>,
    /// Settings of the environment that could not be used, and that only some calls need.
    #[doc(hidden)]
    pub deferred: Deferred,
}

/// Settings of the environment that could not be used, and that only some calls need.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct Deferred {
    ca_bundle: Option<UnreadableFile>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: None,
            credentials: Provider::default(),
            endpoint: Endpoint::default(),
            s3_endpoint_url: None,
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            proxy: Proxy::default(),
            ca_bundle_pem: None,
            max_response_bytes: DEFAULT_MAX_RESPONSE_BYTES,
            max_idle_connections: DEFAULT_MAX_IDLE_CONNECTIONS,
            max_idle_age: DEFAULT_MAX_IDLE_AGE,
            address_ttl: DEFAULT_ADDRESS_TTL,
            app_name: None,
            system: Arc::new(OsSystem),
            deferred: Deferred::default(),
        }
    }
}

/// Whether a name can follow `app/` in the header `user-agent`.
pub(crate) fn is_app_name(text: &str) -> bool {
    text.chars().all(is_token_character)
        && (1..=MAX_APP_NAME_CHARACTERS).contains(&text.chars().count())
}

/// Replaces the characters that cannot be in the name of an application by `-`, as botocore does for
/// `AWS_SDK_UA_APP_ID`, and truncates it: `my app` becomes `my-app`.
fn to_app_name(text: &str) -> String {
    text.chars()
        .take(MAX_APP_NAME_CHARACTERS)
        .map(|character| {
            if is_token_character(character) {
                character
            } else {
                '-'
            }
        })
        .collect()
}

/// Source: `tchar` in RFC 9110, section 5.6.2.
fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

impl Config {
    /// The settings in the environment and in the shared files `~/.aws/config` and `~/.aws/credentials`, with defaults
    /// for the rest. Makes no network call; credentials are read at the first request.
    ///
    /// | field | variable | property of the profile |
    /// | --- | --- | --- |
    /// | `region` | `AWS_REGION`, `AWS_DEFAULT_REGION` | `region` |
    /// | `endpoint` (URL) | `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME`, `AWS_ENDPOINT_URL` | `endpoint_url` of `sagemaker_runtime` in the `services` section, `endpoint_url` |
    /// | `s3_endpoint_url` | `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` | `endpoint_url` of `s3` in the `services` section, `endpoint_url` |
    /// | none of these URLs | `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` | `ignore_configured_endpoint_urls` |
    /// | `endpoint` (FIPS) | `AWS_USE_FIPS_ENDPOINT` | `use_fips_endpoint` |
    /// | `endpoint` (dual-stack) | `AWS_USE_DUALSTACK_ENDPOINT` | `use_dualstack_endpoint` |
    /// | `ca_bundle_pem`, read at once | `AWS_CA_BUNDLE` | `ca_bundle` |
    /// | `retry.max_attempts` | `AWS_MAX_ATTEMPTS` | `max_attempts` |
    /// | `app_name` | `AWS_SDK_UA_APP_ID` | `sdk_ua_app_id` |
    /// | `retry.correct_clock`, off | `AWS_DISABLE_CLOCK_SKEW_CORRECTION` | `disable_clock_skew_correction` |
    ///
    /// The first one set applies, from left to right; a blank one counts as not set. The profile is `AWS_PROFILE`, else
    /// `default`; the files are those of `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`, else those in the home
    /// directory. A missing file is empty, and a warning in the log if a variable names it. What was found where is
    /// logged at level debug.
    ///
    /// A setting that calls can do without does not stop the client. These are warnings in the log: an unknown
    /// `AWS_RETRY_MODE` or `retry_mode` (every mode means [`RetryPolicy`], without the rate limit of the SDKs' mode
    /// `adaptive`), a value of `AWS_DISABLE_CLOCK_SKEW_CORRECTION` other than true and false, and a CA bundle that
    /// cannot be read. The bundle is an error of [`Client::new`](crate::Client::new) for an `https://` endpoint, and of
    /// every other TLS connection. In `AWS_SDK_UA_APP_ID`, characters that `app_name` does not allow become `-`.
    ///
    /// On EC2, only the instance may know the region: see [`Config::region_of_instance`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when a setting has an invalid value, when the profile named by `AWS_PROFILE` does not exist,
    /// or when a needed shared file cannot be used: because a variable names it, because `AWS_PROFILE` is set, or
    /// because no variable gives the region. Otherwise such a file is a warning in the log, and an error of the first
    /// request if the search for credentials comes to it. An invalid line is an error if its section is used.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_system(Arc::new(OsSystem))
    }

    /// Like [`from_env`](Self::from_env), with this profile instead of `AWS_PROFILE`, and with its credentials only:
    /// keys in the environment are not used.
    ///
    /// # Errors
    ///
    /// Those of [`from_env`](Self::from_env); the name must not be empty, and the profile must exist.
    pub fn from_profile(name: &str) -> Result<Self, Error> {
        Ok(from_env::profile_config(Arc::new(OsSystem), name)?.without_pseudo_region()?)
    }

    /// Like [`from_env`](Self::from_env), for another system than this machine.
    ///
    /// # Errors
    ///
    /// Those of [`from_env`](Self::from_env).
    pub fn from_system(system: Arc<dyn System>) -> Result<Self, Error> {
        Ok(from_env::config(system)?.without_pseudo_region()?)
    }

    /// The region of the EC2 instance that the program runs on, from its metadata service; `None` elsewhere, after two
    /// seconds at most.
    ///
    /// [`Client::from_env`](crate::Client::from_env) does this at its first request where nothing else gives a region;
    /// [`Client::new`](crate::Client::new) never does.
    ///
    /// # Errors
    ///
    /// [`Error::Credentials`] when the metadata service answers with a refusal or fails.
    pub fn region_of_instance(&self) -> Result<Option<String>, Error> {
        Ok(credentials::region_of_instance(self.search(), None)?)
    }

    /// Replaces a pseudo-region by its region and the FIPS endpoint.
    pub(crate) fn without_pseudo_region(mut self) -> Result<Self, ConfigError> {
        let Some(name) = self.region.as_deref() else {
            return Ok(self);
        };
        let Some(region) = region_of_fips(name) else {
            return Ok(self);
        };
        match &mut self.endpoint {
            Endpoint::Aws { fips, .. } => *fips = true,
            Endpoint::Url(_) => {
                let problem =
                    format!("{name:?} means a FIPS endpoint, and an endpoint URL has no variants");
                return Err(ConfigError::new("region", problem));
            }
            Endpoint::Container(_) => {}
        }
        self.region = Some(region.to_owned());
        Ok(self)
    }

    /// The trusted certificates. Fails if the file of `AWS_CA_BUNDLE` could not be read, and the program set no
    /// others: an error of TLS connections only.
    pub(crate) fn ca_bundle(&self) -> Result<Option<&[u8]>, &UnreadableFile> {
        match (&self.ca_bundle_pem, &self.deferred.ca_bundle) {
            (None, Some(unreadable)) => Err(unreadable),
            (pem, _) => Ok(pem.as_deref()),
        }
    }

    /// The settings of a search for credentials.
    pub(crate) fn search(&self) -> Search {
        let variant = match self.endpoint {
            Endpoint::Aws { fips, dual_stack } => Some((fips, dual_stack)),
            _ => None,
        };
        Search {
            provider: self.credentials.clone(),
            system: Arc::clone(&self.system),
            region: self.region.clone(),
            variant,
            proxy: self.proxy.clone(),
            ca_bundle_pem: self
                .ca_bundle()
                .map(|pem| pem.map(<[u8]>::to_vec))
                .map_err(UnreadableFile::clone),
            address_ttl: self.address_ttl,
            corrects_clock: self.retry.correct_clock,
            is_shut_down: Arc::default(),
        }
    }
}

/// One line, without the content of certificates and URLs.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ca_bundle = self
            .ca_bundle_pem
            .as_ref()
            .map(|pem| format!("{} bytes", pem.len()));
        let s3_endpoint_url = self.s3_endpoint_url.as_deref().map(masked_url);
        f.debug_struct("Config")
            .field("region", &self.region)
            .field("credentials", &self.credentials)
            .field("endpoint", &self.endpoint)
            .field("s3_endpoint_url", &s3_endpoint_url)
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .field("proxy", &self.proxy)
            .field("ca_bundle_pem", &ca_bundle)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("max_idle_connections", &self.max_idle_connections)
            .field("max_idle_age", &self.max_idle_age)
            .field("address_ttl", &self.address_ttl)
            .field("app_name", &self.app_name)
            .finish_non_exhaustive()
    }
}
