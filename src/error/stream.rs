use std::fmt;

use crate::text::{OneLine, Redactor, word};

/// A response stream that did not end well. The inference has begun.
///
/// Display and Debug show the start of each text, without characters that a terminal would obey.
#[derive(Clone)]
#[non_exhaustive]
pub struct StreamError {
    /// Which error it is.
    pub kind: StreamErrorKind,
    /// The exception's own name, `ModelStreamError` for example; `None` when the stream itself is broken.
    pub name: Option<String>,
    /// The error code in the exception, `ModelInvocationTimeExceeded` for example.
    pub code: Option<String>,
    /// The exception's message, or what is wrong with the stream.
    pub message: Option<String>,
    /// The id under which AWS Support finds the request.
    pub request_id: Option<String>,
    /// Bytes of the body already given to the caller.
    pub bytes_delivered: u64,
    /// How many requests the call began.
    pub attempts: u32,
}

/// How a stream failed, by what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamErrorKind {
    /// The model did not finish within the time that SageMaker allows it. Shorten the response.
    ModelTimeExceeded,
    /// The container closed its connection before the end. Look at its log.
    StreamBroken,
    /// SageMaker failed. The request can be sent again if the inference may run twice.
    InternalFailure,
    /// Another exception: name, code and message say which.
    Exception,
    /// The stream ended inside a frame.
    Cut,
    /// A checksum is wrong: bytes changed on the way.
    Checksum,
    /// A frame does not follow the format.
    InvalidFrame,
    /// A frame or a record is larger than [`Config::max_response_bytes`](crate::Config::max_response_bytes).
    TooLarge,
    /// The response is not an event stream. The message has its status, its type and its first bytes.
    NotAnEventStream,
}

impl StreamErrorKind {
    /// The start of the sentence; the message ends it.
    fn description(self) -> &'static str {
        match self {
            Self::ModelTimeExceeded => "the model did not finish in time",
            Self::StreamBroken => "the container ended the stream early",
            Self::InternalFailure => "the service failed",
            Self::Exception => "the service ended the stream with an exception",
            Self::Cut => "the stream ended inside a frame",
            Self::Checksum => "the stream is corrupted",
            Self::InvalidFrame => "the stream has an invalid frame",
            Self::TooLarge => "the stream is over the limit",
            Self::NotAnEventStream => "the response is not an event stream",
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.description())?;
        let details = [&self.name, &self.code, &self.request_id];
        if details.iter().any(|detail| detail.is_some()) {
            f.write_str(" (")?;
            for (index, detail) in details.into_iter().flatten().enumerate() {
                let separator = if index > 0 { ", " } else { "" };
                write!(f, "{separator}{}", OneLine::long(detail))?;
            }
            f.write_str(")")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {}", OneLine::long(message))?;
        }
        write!(f, "; {} bytes had been delivered", self.bytes_delivered)
    }
}

impl std::error::Error for StreamError {}

/// Shows the start of long texts.
impl fmt::Debug for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamError")
            .field("kind", &self.kind)
            .field("name", &self.name.as_deref().map(OneLine::long))
            .field("code", &self.code.as_deref().map(OneLine::long))
            .field("message", &self.message.as_deref().map(OneLine::long))
            .field("request_id", &self.request_id.as_deref().map(OneLine::long))
            .field("bytes_delivered", &self.bytes_delivered)
            .field("attempts", &self.attempts)
            .finish()
    }
}

impl StreamError {
    /// Removes the secrets of the request from what the server wrote, and names, codes and ids that are not one word.
    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        for text in [&mut self.name, &mut self.code, &mut self.request_id] {
            *text = text.take().and_then(|text| word(&redactor.redact(&text)));
        }
        self.message = self.message.take().map(|message| redactor.redact(&message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> StreamError {
        let text = || Some(text.to_owned());
        StreamError {
            kind: StreamErrorKind::Exception,
            name: text(),
            code: text(),
            message: text(),
            request_id: text(),
            bytes_delivered: 0,
            attempts: 1,
        }
    }

    #[test]
    fn long_and_hidden_text_is_not_shown() {
        for text in ["x".repeat(1_000_000), "a\u{202e}b\n".to_owned()] {
            let error = error(&text);
            for shown in [error.to_string(), format!("{error:?}")] {
                assert!(
                    shown.len() < 8_000 && shown.is_ascii() && !shown.contains('\n'),
                    "{shown}"
                );
            }
        }
    }

    #[test]
    fn secrets_are_removed_from_each_text() {
        let mut error = error("a-session-token");
        error.redact(&Redactor::new([("x-amz-security-token", "session-token")]));
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("session-token") && shown.contains("a-.."),
            "{shown}"
        );
    }
}
