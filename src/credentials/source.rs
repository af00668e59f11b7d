//! What a program can say about where credentials come from.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::Credentials;

/// Where a client's credentials come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Source {
    /// The AWS SDKs' chain; see the [module](crate::credentials).
    #[default]
    Chain,
    /// The environment variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, and nothing
    /// else.
    Environment,
    /// These. They are never renewed.
    Static(Credentials),
    /// A source of the program's own, as [`Source::custom`] makes it.
    Custom(Custom),
    /// The first of these that is configured: `vec![Source::custom(mine), Source::Chain]`.
    List(Vec<Source>),
}

impl Source {
    /// A source of the program's own: a closure, or anything that implements [`Provide`].
    ///
    /// ```
    /// use sagemaker_invoke::Credentials;
    /// use sagemaker_invoke::credentials::Source;
    ///
    /// let vault = Source::custom(|| Ok(Some(Credentials::new("AKIDEXAMPLE", "secret"))));
    /// let vault_or_chain = Source::List(vec![vault, Source::Chain]);
    /// ```
    pub fn custom(provider: impl Provide + 'static) -> Self {
        Self::Custom(Custom(Arc::new(provider)))
    }
}

impl From<Credentials> for Source {
    fn from(credentials: Credentials) -> Self {
        Self::Static(credentials)
    }
}

/// A source of credentials of the program's own.
///
/// It is asked at the first call and again before its credentials expire, or after 15 minutes when they have no end.
/// It is never asked by two threads at a time, and bounds its own time.
pub trait Provide: Send + Sync {
    /// The credentials; `None` when the source is not configured, so that the next one of a [`Source::List`] is asked.
    ///
    /// # Errors
    ///
    /// Whatever kept the source from answering. It becomes the source of a
    /// [`CredentialsError`](crate::error::CredentialsError); what it shows of secrets, that shows.
    fn provide(&self) -> Result<Option<Credentials>, Box<dyn StdError + Send + Sync>>;
}

impl<F> Provide for F
where
    F: Fn() -> Result<Option<Credentials>, Box<dyn StdError + Send + Sync>> + Send + Sync,
{
    fn provide(&self) -> Result<Option<Credentials>, Box<dyn StdError + Send + Sync>> {
        self()
    }
}

/// A [`Provide`] that clones of a configuration share.
#[derive(Clone)]
pub struct Custom(pub(super) Arc<dyn Provide>);

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom(..)")
    }
}
