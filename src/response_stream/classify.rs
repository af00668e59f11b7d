//! What a message of the event stream means.

use serde_json::{Map, Value};

use super::event_stream::{FrameError, Message};
use crate::error::{StreamError, StreamErrorKind};
use crate::text::Redactor;

/// Maximum bytes of an exception's payload to read as JSON or keep as text.
const MAX_EXCEPTION_BYTES: usize = 64 * 1024;

/// The meaning of a message.
#[derive(Debug)]
pub(super) enum Meaning {
    /// A part of the body: the payload.
    Part,
    /// An event that this operation does not have, or the initial response of another protocol.
    Ignored,
    /// The stream is over.
    Failed(StreamError),
}

/// Source: the Smithy specification, "Event stream", and the service's model.
pub(super) fn meaning_of(message: &Message<'_>, redactor: &Redactor) -> Meaning {
    match message.text(":message-type") {
        Some("event") => match message.text(":event-type") {
            Some("PayloadPart") => Meaning::Part,
            Some(_) => Meaning::Ignored,
            None => Meaning::Failed(invalid("an event has no type")),
        },
        Some("exception") => Meaning::Failed(exception(message, redactor)),
        Some("error") => Meaning::Failed(StreamError {
            code: message.text(":error-code").map(str::to_owned),
            message: message.text(":error-message").map_or_else(
                || payload_text(message, redactor),
                |text| Some(text.to_owned()),
            ),
            ..failure(StreamErrorKind::Exception)
        }),
        Some(_) => Meaning::Failed(invalid("a message has an unknown type")),
        None => Meaning::Failed(invalid("a message has no type")),
    }
}

fn exception(message: &Message<'_>, redactor: &Redactor) -> StreamError {
    let name = message
        .text(":exception-type")
        .filter(|name| !name.is_empty());
    let payload = message.payload;
    let document: Option<Map<String, Value>> = if payload.len() <= MAX_EXCEPTION_BYTES {
        serde_json::from_slice(payload).ok()
    } else {
        None
    };
    let document = document.as_ref();
    let code = document.and_then(|document| first_text(document, ["ErrorCode", "errorCode"]));
    let mut text = document.and_then(|document| first_text(document, ["Message", "message"]));
    let is_silent = document.is_some_and(Map::is_empty);
    if code.is_none() && text.is_none() && !is_silent {
        text = payload_text(message, redactor);
    }
    let kind = match (
        name.map(str::to_ascii_lowercase).as_deref(),
        code.as_deref(),
    ) {
        (Some("internalstreamfailure"), _) => StreamErrorKind::InternalFailure,
        (Some("modelstreamerror"), Some("ModelInvocationTimeExceeded")) => {
            StreamErrorKind::ModelTimeExceeded
        }
        (Some("modelstreamerror"), Some("StreamBroken")) => StreamErrorKind::StreamBroken,
        _ => StreamErrorKind::Exception,
    };
    StreamError {
        name: name.map(str::to_owned),
        code,
        message: text,
        ..failure(kind)
    }
}

fn first_text(document: &Map<String, Value>, names: [&str; 2]) -> Option<String> {
    names
        .into_iter()
        .find_map(|name| document.get(name)?.as_str())
        .map(str::to_owned)
}

/// A payload in no known form, so that nothing of it is lost.
fn payload_text(message: &Message<'_>, redactor: &Redactor) -> Option<String> {
    if message.payload.is_empty() {
        return None;
    }
    Some(redactor.redact_start(message.payload, MAX_EXCEPTION_BYTES))
}

/// A stream that does not follow the format.
pub(super) fn frame_error(error: FrameError) -> StreamError {
    let kind = match error {
        FrameError::PreludeChecksum | FrameError::MessageChecksum => StreamErrorKind::Checksum,
        FrameError::TooLarge(_) => StreamErrorKind::TooLarge,
        FrameError::Lengths | FrameError::Header(_) | FrameError::DuplicateHeader => {
            StreamErrorKind::InvalidFrame
        }
    };
    StreamError {
        message: Some(error.to_string()),
        ..failure(kind)
    }
}

fn invalid(problem: &str) -> StreamError {
    StreamError {
        message: Some(problem.to_owned()),
        ..failure(StreamErrorKind::InvalidFrame)
    }
}

/// An error of this kind, without details.
pub(super) fn failure(kind: StreamErrorKind) -> StreamError {
    StreamError {
        kind,
        name: None,
        code: None,
        message: None,
        request_id: None,
        bytes_delivered: 0,
        attempts: 0,
    }
}
