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
    /// For a body that is read until a deadline: how long one read waits before it looks at the clock. It takes the place
    /// of `read` in the configuration of ureq.
    pub(crate) poll: Option<Duration>,
}
