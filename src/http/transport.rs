//! One exchange: a request out, the head of its response in, the body left to be read.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ureq::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use ureq::http::uri::Scheme;
use ureq::http::{HeaderMap, Uri, Version};
use ureq::{Agent, AsSendBody, SendBody, http};

use super::body::{Body, TransportState};
use super::deadlines::{Deadlines, Waiting};
use super::exchange_error::{is_no_idle_connection, tagged, untagged};
use super::limits::Limits;
use super::request_reader::RequestReader;
use super::transport_error::{Cause, Phase, Sent, TransportError};
use super::{Headers, Origin, Proxy, Request, Resolver, ResponseHead, SettingError, agent};
use crate::system::System;
use crate::text::is_secret_header;

/// What a transport is made of.
#[derive(Clone, Debug)]
pub(crate) struct TransportSettings<'a> {
    pub(crate) limits: Limits,
    pub(crate) max_idle_connections: usize,
    pub(crate) max_idle_age: Duration,
    pub(crate) proxy: &'a Proxy,
    /// Certificates in PEM form that are trusted instead of the default roots.
    pub(crate) ca_bundle_pem: Option<&'a [u8]>,
    pub(crate) resolver: Resolver,
    pub(crate) system: Arc<dyn System>,
}

/// Connections to one origin.
#[derive(Debug)]
pub(crate) struct Transport {
    agent: Agent,
    scheme: Scheme,
    /// Those of the agent's own configuration.
    agent_limits: Limits,
    state: Arc<TransportState>,
}

impl Transport {
    /// Opens nothing; reads the proxy's variables.
    pub(crate) fn new(
        origin: &Origin,
        settings: &TransportSettings<'_>,
    ) -> Result<Self, SettingError> {
        let deadlines = Arc::new(Deadlines::new(Arc::clone(&settings.system)));
        let agent = agent::build(settings, origin, &deadlines)?;
        let authority = origin.authority.parse();
        let state = TransportState {
            authority: authority.map_err(|error| {
                SettingError::new("endpoint URL", "is invalid").with_source(error)
            })?,
            is_shut_down: AtomicBool::new(false),
            deadlines,
            system: Arc::clone(&settings.system),
            process_id: settings.system.process_id(),
        };
        let scheme = if origin.tls {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        Ok(Self {
            agent,
            scheme,
            agent_limits: for_idle_connections(&settings.limits),
            state: Arc::new(state),
        })
    }

    /// Sends a request and waits for the head of the response, whatever its status, until `deadline`.
    pub(crate) fn send(
        &self,
        request: &Request<'_>,
        limits: &Limits,
        deadline: Option<Instant>,
    ) -> Result<(ResponseHead, Body), TransportError> {
        let begun_at = self.state.system.instant();
        let mut body = RequestReader::new(request.body, &*self.state.system);
        let mut outcome = self.run(request, &mut body, &for_idle_connections(limits), deadline);
        let is_reused = !outcome.as_ref().is_err_and(is_no_idle_connection);
        if !is_reused {
            // This may find a connection that another call has just given back, which then counts as new.
            outcome = self.run(request, &mut body, limits, deadline);
        }
        let response = outcome.map_err(|error| self.failed(error, &body, is_reused))?;
        let (parts, response_body) = response.into_parts();
        let framing = check_framing(parts.version, &parts.headers);
        let timings = body.timings(begun_at, is_reused, head_bytes(request));
        let head = ResponseHead {
            status: parts.status.as_u16(),
            headers: Headers(parts.headers),
            timings,
        };
        let body = Body::new(
            response_body,
            framing,
            is_reused,
            limits,
            deadline,
            Arc::clone(&self.state),
        );
        Ok((head, body))
    }

    /// Ends every exchange, on whatever thread, and refuses new ones.
    pub(crate) fn shut_down(&self) {
        self.state.is_shut_down.store(true, Ordering::SeqCst);
        self.agent.clone().shutdown();
    }

    fn run(
        &self,
        request: &Request<'_>,
        body: &mut RequestReader<'_>,
        limits: &Limits,
        deadline: Option<Instant>,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        // A GET has no body, and no `content-length` of 0 either.
        if request.method == "GET" {
            return self.dispatch(self.message(request, ())?, limits, deadline);
        }
        let mut message = self.message(request, SendBody::from_reader(body))?;
        message
            .headers_mut()
            .append(CONTENT_LENGTH, request.body.len().into());
        self.dispatch(message, limits, deadline)
    }

    fn message<B>(&self, request: &Request<'_>, body: B) -> Result<http::Request<B>, http::Error> {
        let mut message = http::Request::new(body);
        *message.method_mut() = request.method.parse()?;
        *message.uri_mut() = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.state.authority.clone())
            .path_and_query(request.path)
            .build()?;
        let headers = message.headers_mut();
        headers.reserve(request.headers.len() + 1);
        for (name, value) in &request.headers {
            let mut value = HeaderValue::from_str(value)?;
            value.set_sensitive(is_secret_header(name));
            headers.append(HeaderName::from_static(name), value);
        }
        Ok(message)
    }

    fn dispatch(
        &self,
        message: http::Request<impl AsSendBody>,
        limits: &Limits,
        deadline: Option<Instant>,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let left = deadline.map(|it| it.saturating_duration_since(self.state.system.instant()));
        if left == Some(Duration::ZERO) {
            let timed_out = ureq::Error::Timeout(ureq::Timeout::Global);
            return Err(tagged(timed_out, Phase::Prepare, Sent::Nothing));
        }
        // Not as ureq's own global limit: ureq would end a write without a read of the response that may have arrived.
        let _deadline = self.state.deadlines.set(Waiting::Until(deadline));
        if *limits == self.agent_limits {
            return self.agent.run(message);
        }
        let message = self
            .agent
            .configure_request(message)
            .timeout_connect([limits.connect, left].into_iter().flatten().min())
            .timeout_per_write(limits.send)
            .timeout_recv_response(limits.response)
            .timeout_per_read(if limits.streamed { None } else { limits.read });
        self.agent.run(message.build())
    }

    fn failed(
        &self,
        error: ureq::Error,
        body: &RequestReader<'_>,
        is_reused: bool,
    ) -> TransportError {
        // The pool refuses requests after a shutdown with an error of this kind, before it looks for a connection.
        if matches!(&error, ureq::Error::Io(error) if error.kind() == io::ErrorKind::NotConnected) {
            return TransportError::before_sending(self.state.authority.as_str(), Cause::ShutDown);
        }
        let phase = if body.sent().is_whole() {
            Phase::Wait
        } else {
            Phase::Send
        };
        let mut failed = untagged(error, self.state.authority.as_str(), phase, body.sent());
        // There is no body without a head.
        failed.phase = failed.phase.min(Phase::Wait);
        failed.connection_reused = is_reused && failed.phase >= Phase::Send;
        failed.body_bytes = body.length();
        failed
    }
}

/// Without time to connect, ureq finds an idle connection or none.
fn for_idle_connections(limits: &Limits) -> Limits {
    Limits {
        connect: Some(Duration::ZERO),
        ..*limits
    }
}

/// A body that cannot be framed for certain could be cut, or hold the head of the next response (RFC 9112, section 6.3).
fn check_framing(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        // ureq would read any other coding until the connection ends, whatever ends it.
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Err("its transfer-encoding is not chunked");
        }
        if version == Version::HTTP_10 {
            return Err("it is HTTP/1.0 with transfer-encoding");
        }
        if first.is_some() {
            return Err("it has content-length and transfer-encoding");
        }
    }
    if lengths.any(|length| Some(length) != first) {
        return Err("it has two different lengths");
    }
    Ok(())
}

/// The length of the head as ureq writes it. A GET has no `content-length`, and its timings are not used.
fn head_bytes(request: &Request<'_>) -> u64 {
    let lines = request
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + ": \r\n".len());
    let digits = 1 + usize::try_from(request.body.len().max(1).ilog10()).unwrap_or(0);
    let length = "content-length: \r\n".len() + digits;
    let request_line = request.method.len() + request.path.len() + "  HTTP/1.1\r\n".len();
    let bytes = request_line + lines.sum::<usize>() + length + "\r\n".len();
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
