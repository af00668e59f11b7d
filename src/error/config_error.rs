use std::error::Error as StdError;

use super::Error;
use crate::http::SettingError;

/// A setting and what is wrong with it. Not run: nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {problem}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The setting's name, `region` for example.
    pub setting: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ConfigError {
    pub(crate) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        SettingError::new(setting, problem).into()
    }
}

impl From<SettingError> for ConfigError {
    fn from(error: SettingError) -> Self {
        Self {
            setting: error.setting,
            problem: error.problem,
            source: error.source,
        }
    }
}

impl From<SettingError> for Error {
    fn from(error: SettingError) -> Self {
        ConfigError::from(error).into()
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}
