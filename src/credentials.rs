//! AWS credentials: their sources, and the cache of a client.
//!
//! A client loads credentials from its [`Provider`] at the first call and caches them. The default,
//! [`Provider::DefaultChain`], has the sources of the AWS SDKs, in the order of the official SDK for Rust:
//!
//! | | source | configured by |
//! | --- | --- | --- |
//! | 1 | environment | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` |
//! | 2 | profile | `AWS_PROFILE`, else `default`, in the shared files: roles, web identity, SSO, `aws login`, `credential_process`, keys |
//! | 3 | web identity | `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME` |
//! | 4 | container | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI` |
//! | 5 | instance metadata | nothing; version 2 only, off by `AWS_EC2_METADATA_DISABLED` |
//!
//! A source is used if the ones before it are not configured. A source that is configured and fails ends the search with
//! its error: the credentials of a later source may be those of another account.
//!
//! Credentials are refreshed before they expire, in the background: calls use the old ones while they are valid, and the
//! thread of the search ends with it. Without valid credentials, calls wait for the search, each until its own deadline.

mod cache;
mod call;
mod chain;
mod clocks;
mod context;
mod parse;
mod progress;
mod provider;
mod sender;
mod shown;
mod sources;

#[cfg(test)]
mod scenarios;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::cache::Cache;
pub(crate) use self::chain::region_of_instance;
pub use self::provider::{Custom, ProvideCredentials, Provider};
pub use crate::aws::Credentials;
use crate::http::Proxy;
use crate::system::System;
pub use crate::text::Secret;

/// The settings of a search for credentials.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) provider: Provider,
    pub(crate) system: Arc<dyn System>,
    pub(crate) region: Option<String>,
    /// FIPS and dual-stack hosts of AWS; `None` to take them from the settings.
    pub(crate) variant: Option<(bool, bool)>,
    pub(crate) proxy: Proxy,
    pub(crate) ca_bundle_pem: Option<Vec<u8>>,
    pub(crate) address_ttl: Duration,
}
