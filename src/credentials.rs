//! Credentials, where they come from, and how they are kept.
//!
//! A client asks its [`Provider`] at its first call and keeps the answer. The default, [`Provider::DefaultChain`], asks what the
//! AWS SDKs ask, in the order of the official SDK for Rust:
//!
//! | | source | configured by |
//! | --- | --- | --- |
//! | 1 | environment | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` |
//! | 2 | profile | `AWS_PROFILE`, else `default`, in the shared files: roles, web identity, SSO, `aws login`, `credential_process`, keys |
//! | 3 | web identity | `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME` |
//! | 4 | container | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI` |
//! | 5 | instance metadata | nothing; version 2 only, off by `AWS_EC2_METADATA_DISABLED` |
//!
//! The next source is asked only when one is not configured. A source that is configured and fails ends the search
//! with its error: credentials that were not meant are worse than none.
//!
//! Credentials that expire are renewed before they do, by one of the threads that use the client, while the others
//! go on with those that are still valid.

mod cache;
mod call;
mod chain;
mod context;
mod parse;
mod provider;
mod sender;
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

/// What a search for credentials is made of.
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
