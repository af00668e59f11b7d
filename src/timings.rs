use std::time::Duration;

/// Where the time of a successful call went. The steps are those of its last attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// How many requests were begun.
    pub attempts: u32,
    /// Whether the last of them went over a connection that had served a request before.
    pub connection_reused: bool,
    /// Getting credentials; next to nothing while the ones at hand are valid.
    pub credentials: Duration,
    /// Signing, the hash of the body included.
    pub signing: Duration,
    /// Lookup, TCP, proxy and TLS; next to nothing on a connection that is used again.
    pub connect: Duration,
    /// Writing the request.
    pub send: Duration,
    /// From the last byte of the request to the end of the head of the response.
    pub wait: Duration,
    /// Reading the body of the response.
    pub read: Duration,
    /// The whole call, attempts that failed and waits between them included.
    pub total: Duration,
    /// Bytes of the request, head and body, before TLS.
    pub bytes_sent: u64,
    /// Bytes of the body of the response.
    pub bytes_received: u64,
}
