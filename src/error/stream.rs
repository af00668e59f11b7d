use std::fmt;

use crate::text::OneLine;

/// Maximum characters of a foreign text in Display; the fields hold all of it.
const MAX_SHOWN_CHARACTERS: usize = 1000;

/// A response stream that did not end well. The inference has begun.
#[derive(Clone, Debug)]
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
    /// Bytes of the body that had been given to the caller.
    pub bytes_delivered: u64,
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
    /// The start of the sentence that the message ends.
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
                write!(f, "{separator}{}", one_line(detail))?;
            }
            f.write_str(")")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {}", one_line(message))?;
        }
        write!(f, "; {} bytes had been delivered", self.bytes_delivered)
    }
}

fn one_line(text: &str) -> OneLine<'_> {
    OneLine { text, max_characters: MAX_SHOWN_CHARACTERS }
}

impl std::error::Error for StreamError {}
