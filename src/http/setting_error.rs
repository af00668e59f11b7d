use std::error::Error as StdError;

/// A setting with a value that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {problem}")]
pub(crate) struct SettingError {
    /// The setting's name, `region` for example.
    pub(crate) setting: &'static str,
    /// The end of the sentence that the name begins.
    pub(crate) problem: String,
    pub(crate) source: Option<Box<dyn StdError + Send + Sync>>,
}

impl SettingError {
    pub(crate) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self {
            setting,
            problem: problem.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }
}
