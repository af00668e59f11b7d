//! The choice of a source of credentials.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::aws::Credentials;

/// The source of a client's credentials.
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
    /// A provider implemented by the program, made by [`Provider::custom`].
    Custom(Custom),
    /// The first configured one of these: `vec![Provider::custom(mine), Provider::DefaultChain]`.
    Chain(Vec<Provider>),
}

impl Provider {
    /// Wraps a provider implemented by the program: a closure, or a type with [`ProvideCredentials`].
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

/// A provider implemented by the program.
///
/// A client calls it at the first request and again before the credentials expire, or after 15 minutes if they do not
/// expire; never on two threads at a time. It runs on a background thread, and its result, an error included, is the
/// result of all calls waiting for it. If it panics, the call that started the search panics; a panic in the background
/// is logged, and the next call searches again.
///
/// A provider that uses the client it belongs to gets the old credentials while they are valid, or else an error.
pub trait ProvideCredentials: Send + Sync {
    /// Returns the credentials, or `None` if the provider is not configured; the next one of a [`Provider::Chain`] is
    /// tried then.
    ///
    /// `deadline` is one minute after the start of the search; it is not the deadline of a call. Shortly after it,
    /// calls stop waiting; the provider is not called again before it has returned.
    ///
    /// # Errors
    ///
    /// Any error of the provider. It becomes the source of a
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
    fn provide(
        &self,
        _: Option<Instant>,
    ) -> Result<Option<Credentials>, Box<dyn StdError + Send + Sync>> {
        self()
    }
}

/// A [`ProvideCredentials`] shared by the clones of a configuration.
#[derive(Clone)]
pub struct Custom(pub(super) Arc<dyn ProvideCredentials>);

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom(..)")
    }
}
