//! Credentials: where they come from, and how they are cached.
//!
//! A client loads credentials at its first call, from the [`Provider`] in [`Config::credentials`](crate::Config).
//!
//! ```
//! use sagemaker_invoke::credentials::Provider;
//! use sagemaker_invoke::{Config, Credentials};
//!
//! // A key of the program, here with a session token.
//! let session = Credentials::new("AKIDEXAMPLE", "secret").with_session_token("token");
//! let config = Config { credentials: session.into(), ..Config::default() };
//!
//! // A provider of the program first; if it returns None, the chain of the AWS SDKs.
//! let vault = Provider::custom(|| Ok(None));
//! let config = Config { credentials: Provider::Chain(vec![vault, Provider::DefaultChain]), ..Config::default() };
//! ```
//!
//! [`Client::credentials`](crate::Client::credentials) loads them without a call: an early check of the configuration.
//!
//! # The default chain
//!
//! [`Provider::DefaultChain`] has the sources of the AWS SDKs, in the order of the official SDK for Rust. The first
//! configured one is used. Its failure is an error; the next source is not tried, because its credentials may be those
//! of another account.
//!
//! | | source | configured by | remarks |
//! | --- | --- | --- | --- |
//! | 1 | environment | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | AWS Lambda sets these |
//! | 2 | profile | `AWS_PROFILE`, else `default`, in the shared files; the first of the kinds below | |
//! | 3 | web identity | `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME` | service accounts of EKS |
//! | 4 | container | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI`; `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` or `AWS_CONTAINER_AUTHORIZATION_TOKEN` | ECS, EKS Pod Identity |
//! | 5 | instance metadata | nothing; `AWS_EC2_METADATA_SERVICE_ENDPOINT`, `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`; off by `AWS_EC2_METADATA_DISABLED=true` | version 2 only; outside EC2 it fails after at most two seconds |
//!
//! The shared files are `~/.aws/config` and `~/.aws/credentials`, or those of `AWS_CONFIG_FILE` and
//! `AWS_SHARED_CREDENTIALS_FILE`. A profile has one of these kinds, in this order:
//!
//! | kind | properties | remarks |
//! | --- | --- | --- |
//! | role | `role_arn` with `source_profile` or `credential_source`; `external_id`, `role_session_name`, `duration_seconds` | a source may be a role, too; `mfa_serial` is not supported |
//! | web identity | `role_arn`, `web_identity_token_file` | |
//! | SSO | `sso_session`, or `sso_region` and `sso_start_url`; `sso_account_id`, `sso_role_name` | after `aws sso login`; the token of a session is refreshed and written back |
//! | login | `login_session` | after `aws login`; not refreshed |
//! | program | `credential_process` | run by the shell, 60 s at most |
//! | keys | `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token` | |
//!
//! # Cache
//!
//! Credentials are refreshed before they expire, in the background: calls use the old ones while they are valid, and the
//! thread of the search ends with it. Without valid credentials, calls wait for the search, each until its own deadline.
//! Keys in the environment need no thread: the call reads them. Credentials without an expiry are loaded again after
//! 15 minutes, because a file may have changed. A forked child loads its own.
//!
//! # Errors
//!
//! [`Error::Credentials`](crate::Error::Credentials) names the source, file or service that failed, and never a secret:
//!
//! | text | what to do |
//! | --- | --- |
//! | `no source has credentials`, and a line for each source | configure one; its line has the reason why it was skipped |
//! | `AWS_PROFILE names the profile "x", which is in neither of: ..` | correct the name, or add `[profile x]` to the config file or `[x]` to the credentials file |
//! | `AWS_SHARED_CREDENTIALS_FILE names FILE, which does not exist`, or `AWS_CONFIG_FILE` | correct the path; until then the file counts as empty |
//! | `FILE, line N: ..` | correct the line; it is not shown, because it may hold a key |
//! | `AWS_ACCESS_KEY_ID is set .., and AWS_SECRET_ACCESS_KEY is not` | set both or none |
//! | `there is no SSO token, run aws sso login`, `.. has expired: run aws sso login` | do so, with the same profile |
//! | `the SSO portal: refused with HTTP 401`, or 403 | 401: `aws sso login`; 403: check the account and the role in the profile |
//! | `there is no login session`, `the login session in .. has expired` | `aws login` |
//! | `AssumeRole of ARN: refused with AccessDenied` | allow `sts:AssumeRole` to the first credentials, and allow them in the role's trust policy; `mfa_serial` is not supported |
//! | `AssumeRoleWithWebIdentity of ARN: refused with InvalidIdentityToken` | check the identity provider in IAM and the audience of the token |
//! | `AssumeRole of ARN needs a region` | set `AWS_REGION`, or `region` in the profile |
//! | `credential_process failed with ..` | run the command in a shell; secrets in its output are not shown |
//! | `credential_process was not done after .., the program still runs, and wrote: ..` | do what it asks for, and call again: the search goes on for up to 60 s, and the next call finds its result |
//! | `the container's endpoint: it answered HTTP 4xx` | check the role of the task or pod |
//! | `the instance metadata service: refused a session token (HTTP 403)` | enable it in the metadata options of the instance, or configure another source |
//! | instance metadata `did not answer in time`, in a container on EC2 | raise the hop limit in the metadata options to 2 |
//! | `no role is attached to the instance` | attach one |
//!
//! A search that outlasts the call's own limit is [`Error::Timeout`](crate::Error::Timeout) with
//! [`Phase::Prepare`](crate::error::Phase::Prepare); its source is the error of the search.

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
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub(crate) use self::cache::Cache;
pub(crate) use self::chain::region_of_instance;
pub use self::provider::{Custom, ProvideCredentials, Provider};
pub use crate::aws::Credentials;
use crate::aws::settings::UnreadableFile;
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
    /// Fails if its file could not be read: an error of TLS connections only.
    pub(crate) ca_bundle_pem: Result<Option<Vec<u8>>, UnreadableFile>,
    pub(crate) address_ttl: Duration,
    pub(crate) corrects_clock: bool,
    /// Nothing is sent any more once this is true.
    pub(crate) is_shut_down: Arc<AtomicBool>,
}
