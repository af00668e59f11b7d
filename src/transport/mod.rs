//! The way over the network: one signed request out, one response in. The only room that names ureq.
//!
//! ureq gives the pool, TLS, the proxy and the parsing of responses. The request is written by this room itself,
//! head and body in one run of bytes: ureq gets it as a body of known length, and the head that ureq makes up for it
//! is dropped at the connection. So the bytes that were signed are the bytes that are sent, a small request
//! leaves in one write, a large one without TLS from where the caller keeps it, and the headers pass through nothing
//! that logs them.
//!
//! ```text
//! send ─▶ head + body ─▶ ureq ─▶ pool ─┬──────────────── warm ───────────────┬▶ ExchangeTransport ─▶ TLS ─▶ Tcp
//!                                      └ lookup ─▶ proxy ─▶ socket ─▶ TLS ───┘
//! ```

mod addresses;
mod agent;
mod connect;
mod exchange;
mod outcome;
mod request;
mod socket;
mod tcp;

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::{Agent, Body};

use self::outcome::Failure;
use crate::config::Config;
use crate::error::{ConfigError, Error, ResponseTooLarge};
use crate::http::{Headers, HttpRequest, HttpResponse, Origin};
use crate::timings::Timings;

/// The limits of an exchange's phases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) send: Duration,
    pub(crate) response: Duration,
    pub(crate) read: Duration,
}

/// Connections to one origin.
#[derive(Debug)]
pub(crate) struct Transport {
    agent: Agent,
    origin: Origin,
    uri: ureq::http::Uri,
    limits: Limits,
    max_response_bytes: u64,
}

impl Transport {
    /// Touches nothing but memory.
    pub(crate) fn new(config: &Config, origin: Origin, is_container: bool) -> Result<Self, ConfigError> {
        let bad_uri = |error| ConfigError::new("endpoint URL", "is not one").with_source(error);
        let uri = ureq::http::Uri::builder()
            .scheme(origin.scheme())
            .authority(origin.authority.as_str())
            .path_and_query("/")
            .build()
            .map_err(bad_uri)?;
        let timeouts = &config.timeouts;
        let limits = Limits {
            connect: timeouts.connect,
            send: timeouts.send,
            response: timeouts.response,
            read: timeouts.read,
        };
        let agent = agent::build(config, &origin, is_container)?;
        Ok(Self { agent, origin, uri, limits, max_response_bytes: config.max_response_bytes })
    }

    /// Sends a request and reads the response to its end, whatever its status, until `deadline`.
    ///
    /// The error's count of attempts and its time are those of this exchange.
    pub(crate) fn send(
        &self,
        request: &HttpRequest<'_>,
        deadline: Option<Instant>,
    ) -> Result<HttpResponse, Error> {
        let head = request::write_head(request);
        let outer = exchange::begin(length(&head), length(request.body), self.limits, deadline);
        let outcome = self.exchange(&head, request.body);
        let exchange = exchange::end(outer);
        match outcome {
            Ok(mut response) => {
                response.timings = exchange.timings();
                response.timings.bytes_received = length(&response.body);
                Ok(response)
            }
            Err(failure) => {
                Err(outcome::error_of(failure, &exchange, &self.origin.authority, length(request.body)))
            }
        }
    }

    /// Ends every exchange, on whatever thread, and refuses new ones.
    pub(crate) fn shut_down(&self) {
        self.agent.clone().shutdown();
    }

    fn exchange(&self, head: &[u8], body: &[u8]) -> Result<HttpResponse, Failure> {
        let mut whole = request::Whole::new(head, body);
        let ureq_request = ureq::http::Request::builder()
            .method(ureq::http::Method::POST)
            .uri(self.uri.clone())
            .header(ureq::http::header::CONTENT_LENGTH, length(head) + length(body))
            .body(ureq::SendBody::from_reader(&mut whole))
            .map_err(|error| Failure::Ureq(error.into()))?;
        let mut response = self.agent.run(ureq_request).map_err(Failure::Ureq)?;
        exchange::begin_read();
        let mut headers = Headers::with_capacity(response.headers().len());
        for (name, value) in response.headers() {
            headers.push(name.as_str(), value.as_bytes());
        }
        let status = response.status().as_u16();
        match read_body(response.body_mut(), self.max_response_bytes) {
            Ok(body) => Ok(HttpResponse { status, headers, body, timings: Timings::default() }),
            Err(ReadFailure::Ureq(error)) => Err(Failure::Ureq(error)),
            Err(ReadFailure::TooLarge(announced)) => Err(Failure::TooLarge(ResponseTooLarge {
                limit: self.max_response_bytes,
                announced,
                status,
                request_id: headers.request_id(),
                attempts: 1,
            })),
        }
    }
}

enum ReadFailure {
    TooLarge(Option<u64>),
    Ureq(ureq::Error),
}

/// Reads into one buffer of the announced length, or a growing one when none was announced.
fn read_body(body: &mut Body, max_bytes: u64) -> Result<Vec<u8>, ReadFailure> {
    let announced = body.content_length();
    if announced.is_some_and(|bytes| bytes > max_bytes) {
        return Err(ReadFailure::TooLarge(announced));
    }
    let mut reader = body.as_reader();
    let failed = |error: std::io::Error| ReadFailure::Ureq(error.into());
    let Some(bytes) = announced.and_then(|bytes| usize::try_from(bytes).ok()) else {
        let mut content = Vec::new();
        reader.take(max_bytes.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
        return if length(&content) > max_bytes { Err(ReadFailure::TooLarge(None)) } else { Ok(content) };
    };
    let mut content = Vec::new();
    if content.try_reserve_exact(bytes).is_err() {
        return Err(ReadFailure::TooLarge(announced));
    }
    content.resize(bytes, 0);
    reader.read_exact(&mut content).map_err(failed)?;
    // The read that finds the end is the one that gives the connection back to the pool.
    reader.read(&mut [0]).map_err(failed)?;
    Ok(content)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
