//! What the body of an error holds.

use serde_json::{Map, Value};

use super::service::ModelError;

/// Maximum size of a body that is read as JSON. A ModelError carries the container's answer, which may be long; beyond
/// that, parsed JSON takes many times the memory of its text.
const MAX_JSON_BYTES: usize = 1024 * 1024;

/// Members under which the services of AWS send an error's message and code, the most usual first.
const MESSAGE_NAMES: [&str; 3] = ["message", "Message", "errorMessage"];
const CODE_NAMES: [&str; 3] = ["code", "Code", "__type"];

/// The body of an error.
pub(super) enum Content {
    Json(Map<String, Value>),
    /// Text, HTML, or JSON that is not an object.
    Other,
}

impl Content {
    pub(super) fn parse(body: &[u8]) -> Self {
        if body.len() > MAX_JSON_BYTES {
            return Self::Other;
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Self::Json(members),
            _ => Self::Other,
        }
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.text(&CODE_NAMES)
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.text(&MESSAGE_NAMES)
    }

    /// The members that only a ModelError has.
    pub(super) fn model_error(&self) -> ModelError {
        let Self::Json(members) = self else { return ModelError::default() };
        let status = members.get("OriginalStatusCode").and_then(Value::as_u64);
        ModelError {
            original_status_code: status.and_then(|status| u16::try_from(status).ok()),
            original_message: self.text(&["OriginalMessage"]).map(str::to_owned),
            log_stream_arn: self.text(&["LogStreamArn"]).map(str::to_owned),
        }
    }

    /// Whether it is an error of AWS, even if it is only `{"message":null}`.
    pub(super) fn is_error(&self) -> bool {
        let Self::Json(members) = self else { return false };
        let mut names = MESSAGE_NAMES.iter().chain(&CODE_NAMES);
        members.is_empty() || names.any(|name| members.contains_key(*name))
    }

    /// The first of these members that is a text.
    fn text(&self, names: &[&str]) -> Option<&str> {
        let Self::Json(members) = self else { return None };
        names.iter().find_map(|name| members.get(*name)?.as_str())
    }
}
