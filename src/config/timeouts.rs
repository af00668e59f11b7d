use std::time::Duration;

use super::{
    DEFAULT_CONNECT_TIMEOUT, DEFAULT_READ_TIMEOUT, DEFAULT_RESPONSE_TIMEOUT, DEFAULT_SEND_TIMEOUT,
    DEFAULT_STREAM_TIMEOUT,
};
use crate::error::ConfigError;
use crate::http::Limits;

/// A longer limit is no limit: an instant that far away is beyond the clock of some systems.
const MAX_LIMIT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

fn bounded(limit: Option<Duration>) -> Option<Duration> {
    limit.filter(|limit| *limit <= MAX_LIMIT)
}

/// Time limits of the steps of a call. `None` is no limit, like more than 100 years; zero is refused. Made with update syntax: a new field is a
/// minor release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the lookup of the host name to the end of the TLS handshake. Not used on a reused connection.
    /// Default: [`DEFAULT_CONNECT_TIMEOUT`].
    pub connect: Option<Duration>,
    /// Longest wait for the peer to accept more of the request. Default: [`DEFAULT_SEND_TIMEOUT`].
    pub send: Option<Duration>,
    /// From the last write of the request to the end of the head of the response: the time the model has.
    /// Default: [`DEFAULT_RESPONSE_TIMEOUT`].
    pub response: Option<Duration>,
    /// Longest wait for the next bytes of the response, once its first byte is here. Default: [`DEFAULT_READ_TIMEOUT`].
    pub read: Option<Duration>,
    /// Of a streamed response, the longest wait for its head, its first part and each further part as a whole; `response`
    /// and `read` do not apply to it. Default: [`DEFAULT_STREAM_TIMEOUT`].
    pub stream: Option<Duration>,
    /// The whole call: credentials, lookup, connecting, every attempt and every wait between them; of a streamed response
    /// also the reading of its body. Default: none.
    pub call: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Some(DEFAULT_CONNECT_TIMEOUT),
            send: Some(DEFAULT_SEND_TIMEOUT),
            response: Some(DEFAULT_RESPONSE_TIMEOUT),
            read: Some(DEFAULT_READ_TIMEOUT),
            stream: Some(DEFAULT_STREAM_TIMEOUT),
            call: None,
        }
    }
}

impl Timeouts {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let all = [
            ("timeouts.connect", self.connect),
            ("timeouts.send", self.send),
            ("timeouts.response", self.response),
            ("timeouts.read", self.read),
            ("timeouts.stream", self.stream),
            ("timeouts.call", self.call),
        ];
        match all
            .into_iter()
            .find(|(_, limit)| *limit == Some(Duration::ZERO))
        {
            Some((setting, _)) => Err(ConfigError::new(setting, "is zero; None is no limit")),
            None => Ok(()),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            connect: bounded(self.connect),
            send: bounded(self.send),
            response: bounded(self.response),
            read: bounded(self.read),
            streamed: false,
        }
    }

    /// The limits of a streamed response.
    pub(crate) fn stream_limits(&self) -> Limits {
        Limits {
            response: bounded(self.stream),
            streamed: true,
            ..self.limits()
        }
    }
}
