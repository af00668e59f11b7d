//! The program's choice of where credentials come from.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::aws::Credentials;

/// Where a client's credentials come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Provider {
    /// The chain of the AWS SDKs; see the [module](crate::credentials).
    #[default]
    DefaultChain,
    /// Only the environment variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    Environment,
    /// Only the profile with this name in the shared files.
    Profile(String),
    /// These credentials. They are never refreshed.
    Static(Credentials),
    /// A provider of the program's own, made by [`Provider::custom`].
    Custom(Custom),
    /// The first of these that is configured: `vec![Provider::custom(mine), Provider::DefaultChain]`.
    Chain(Vec<Provider>),
}

impl Provider {
    /// A provider of the program's own: a closure, or a type that implements [`ProvideCredentials`].
    ///
    /// ```
    /// use sagemaker_invoke::Credentials;
    /// use sagemaker_invoke::credentials::Provider;
    ///
    /// let vault = Provider::custom(|| Ok(Some(Credentials::new("AKIDEXAMPLE", "secret"))));
    /// let vault_or_chain = Provider::Chain(vec![vault, Provider::DefaultChain]);
    /// ```
    pub fn custom(provider: impl ProvideCredentials + 'static) -> Self {
        Self::Custom(Custom(Arc::new(provider)))
    }
}

impl From<Credentials> for Provider {
    fn from(credentials: Credentials) -> Self {
        Self::Static(credentials)
    }
}

/// A provider of credentials of the program's own.
///
/// It is called at the first request and again before its credentials expire, or after 15 minutes when they do not
/// expire; never by two threads at a time.
pub trait ProvideCredentials: Send + Sync {
    /// The credentials; `None` when the provider is not configured, so that the next one of a [`Provider::Chain`] is
    /// tried. A provider that can wait should stop at `deadline`.
    ///
    /// # Errors
    ///
    /// Anything that kept the provider from answering. It becomes the source of a
    /// [`CredentialsError`](crate::error::CredentialsError), so its text must not hold a secret.
    fn provide(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Option<Credentials>, Box<dyn StdError + Send + Sync>>;
}

impl<F> ProvideCredentials for F
where
    F: Fn() -> Result<Option<Credentials>, Box<dyn StdError + Send + Sync>> + Send + Sync,
{
    fn provide(&self, _: Option<Instant>) -> Result<Option<Credentials>, Box<dyn StdError + Send + Sync>> {
        self()
    }
}

/// A [`ProvideCredentials`] that the clones of a configuration share.
#[derive(Clone)]
pub struct Custom(pub(super) Arc<dyn ProvideCredentials>);

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom(..)")
    }
}
