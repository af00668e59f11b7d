//! What the body of an error holds.

use serde_json::{Map, Value};

use super::model_error::ModelError;
use crate::aws::xml;

/// Maximum size of a body read as JSON. A ModelError carries the container's answer, which may be long; beyond that,
/// parsed JSON takes many times the memory of its text.
const MAX_JSON_BYTES: usize = 1024 * 1024;

/// Maximum size of a body read as XML. Errors are far shorter, and the parser keeps the path of each element.
const MAX_XML_BYTES: usize = 16 * 1024;

/// Members under which the services of AWS send an error's message and code, the most usual first.
const MESSAGE_NAMES: [&str; 3] = ["message", "Message", "errorMessage"];
const CODE_NAMES: [&str; 3] = ["code", "Code", "__type"];

/// Where the services that answer in XML put them. Front ends put a message under an element with the code's name.
const MESSAGE_PATHS: [&str; 2] = ["Error/Message", "Message"];
const CODE_PATH: &str = "Error/Code";

/// The body of an error.
pub(super) enum Content {
    Json(Map<String, Value>),
    /// XML with the elements of an error.
    Xml(xml::XmlDocument),
    /// Text, HTML, or JSON and XML of another shape.
    Other,
}

impl Content {
    pub(super) fn parse(body: &[u8]) -> Self {
        if body.trim_ascii_start().starts_with(b"<") {
            return Self::parse_xml(body);
        }
        if body.len() > MAX_JSON_BYTES {
            return Self::Other;
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Self::Json(members),
            _ => Self::Other,
        }
    }

    fn parse_xml(body: &[u8]) -> Self {
        if body.len() > MAX_XML_BYTES {
            return Self::Other;
        }
        let content = xml::XmlDocument::parse(body).map_or(Self::Other, Self::Xml);
        if content.code().or(content.message()).is_some() {
            content
        } else {
            Self::Other
        }
    }

    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Json(members) => first_text(members, &CODE_NAMES),
            Self::Xml(document) => document.text(CODE_PATH),
            Self::Other => None,
        }
    }

    pub(super) fn message(&self) -> Option<&str> {
        match self {
            Self::Json(members) => first_text(members, &MESSAGE_NAMES),
            Self::Xml(document) => MESSAGE_PATHS.iter().find_map(|path| document.text(path)),
            Self::Other => None,
        }
    }

    /// The members that only a ModelError has.
    pub(super) fn model_error(&self) -> ModelError {
        let Self::Json(members) = self else {
            return ModelError::default();
        };
        let status = members.get("OriginalStatusCode").and_then(Value::as_u64);
        ModelError {
            original_status_code: status.and_then(|status| u16::try_from(status).ok()),
            original_message: first_text(members, &["OriginalMessage"]).map(str::to_owned),
            log_stream_arn: first_text(members, &["LogStreamArn"]).map(str::to_owned),
        }
    }

    /// Whether it is an error of AWS, even if it is only `{"message":null}`.
    pub(super) fn is_error(&self) -> bool {
        match self {
            Self::Json(members) => {
                let mut names = MESSAGE_NAMES.iter().chain(&CODE_NAMES);
                members.is_empty() || names.any(|name| members.contains_key(*name))
            }
            Self::Xml(_) => true,
            Self::Other => false,
        }
    }
}

/// The first text among these members.
fn first_text<'a>(members: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| members.get(*name)?.as_str())
}
