use std::time::Duration;

/// The limits of the phases of an exchange; `None` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From the lookup to the end of the TLS handshake.
    pub(crate) connect: Option<Duration>,
    /// Each write of the request.
    pub(crate) send: Option<Duration>,
    /// From the last write to the end of the response's head.
    pub(crate) response: Option<Duration>,
    /// Each read, from the first byte of the final response on.
    pub(crate) read: Option<Duration>,
    /// Whether the response body is streamed: then the head has the limit `response` alone, each part has a deadline, and
    /// `read` applies to an error body only.
    pub(crate) streamed: bool,
}
