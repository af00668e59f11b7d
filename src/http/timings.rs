use std::time::Duration;

/// How long the steps of a call took. All but `attempts` and `total` are those of its last attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// How many attempts were begun.
    pub attempts: u32,
    /// Whether the last of them used a connection that had served a request before. One that another call gave back at
    /// the same moment may count as new.
    pub connection_reused: bool,
    /// Getting credentials: under a microsecond while the cached ones are valid.
    pub credentials: Duration,
    /// Signing, the hash of the body included.
    pub signing: Duration,
    /// Lookup, TCP, proxy and TLS; a few microseconds on a reused connection. Zero for a request without a body, whose
    /// `wait` includes it.
    pub connect: Duration,
    /// Writing the request, up to its last 32 KiB.
    pub send: Duration,
    /// From the end of `send` to the end of the head of the response: the time of the model and of the network.
    pub wait: Duration,
    /// Reading the body of the response.
    pub read: Duration,
    /// The whole call, including failed attempts and the waits between them.
    pub total: Duration,
    /// Bytes of the request, head and body, before TLS.
    pub bytes_sent: u64,
    /// Bytes of the body of the response.
    pub bytes_received: u64,
}
