use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::Error;
use crate::aws::profile::ProfileError;
use crate::http::{Cause, SettingError, TransportError};

/// Why there are no usable credentials.
///
/// When no source is configured, or only the instance metadata service failed, which needs no configuration, Display
/// lists each source with its reason, a line each. Otherwise it is one line and names the source, the file or the
/// service that failed. Clones share their source, because several threads may have waited for the same credentials.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CredentialsError {
    /// What went wrong; holds no secret.
    pub problem: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// The time of the call had passed before the credentials were there.
    pub(crate) is_out_of_time: bool,
}

impl CredentialsError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            source: None,
            is_out_of_time: false,
        }
    }

    pub(crate) fn out_of_time(what: &str) -> Self {
        Self {
            is_out_of_time: true,
            ..Self::new(format!("{what}: the time of the call is over"))
        }
    }

    pub(crate) fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into().into()),
            ..self
        }
    }

    /// The error of a call whose time was over before it was signed.
    pub(crate) fn into_timeout(self, authority: &str) -> Error {
        TransportError::before_sending(authority, Cause::TimedOut)
            .with_source(self)
            .into()
    }

    /// Puts what failed before the problem.
    pub(crate) fn within(self, what: impl fmt::Display) -> Self {
        Self {
            problem: format!("{what}: {}", self.problem),
            ..self
        }
    }

    /// Puts more after the problem.
    pub(crate) fn followed_by(self, text: &str) -> Self {
        Self {
            problem: self.problem + text,
            ..self
        }
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl StdError for CredentialsError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + 'static) = &**self.source.as_ref()?;
        Some(source)
    }
}

impl From<ProfileError> for CredentialsError {
    fn from(error: ProfileError) -> Self {
        let problem = error.to_string();
        match error {
            ProfileError::Unreadable { source, .. } => Self::new(problem).with_source(source),
            _ => Self::new(problem),
        }
    }
}

impl From<SettingError> for CredentialsError {
    fn from(error: SettingError) -> Self {
        let problem = error.to_string();
        Self {
            source: error.source.map(Arc::from),
            ..Self::new(problem)
        }
    }
}

/// Of a call in which no inference is at stake.
impl From<TransportError> for CredentialsError {
    fn from(error: TransportError) -> Self {
        let problem = error.to_string();
        Self {
            source: error.source.map(Arc::from),
            ..Self::new(problem)
        }
    }
}

impl From<CredentialsError> for Error {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(Box::new(error))
    }
}
