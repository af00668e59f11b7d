//! How sources reach the network, and where tests replay recorded traffic.

#[cfg(test)]
pub(super) mod fake;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Search;
use crate::http::{
    BodyError, Cause, Limits, Origin, Proxy, Request, Resolver, Transport, TransportError, TransportSettings,
};
use crate::system::System;

/// Maximum size of an answer: many times what credentials take.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// What a kind of source allows its calls. Source of the numbers: the AWS SDKs' own limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallLimits {
    connect: Duration,
    /// From the end of the request to the end of the response.
    response: Duration,
    pub(super) max_attempts: u32,
    /// Whether the configured proxy is used; metadata and containers are on this machine.
    uses_proxy: bool,
    /// Which addresses may be called over plain HTTP.
    is_allowed: fn(IpAddr) -> bool,
}

impl CallLimits {
    /// For the instance metadata service.
    pub(super) const INSTANCE_METADATA: Self = Self {
        connect: Duration::from_secs(1),
        response: Duration::from_secs(1),
        max_attempts: 4,
        uses_proxy: false,
        is_allowed: |_| true,
    };

    /// For the credentials endpoint of a container, at addresses that `is_allowed` accepts.
    pub(super) const fn container(is_allowed: fn(IpAddr) -> bool) -> Self {
        Self {
            connect: Duration::from_secs(2),
            response: Duration::from_secs(5),
            max_attempts: 3,
            uses_proxy: false,
            is_allowed,
        }
    }

    /// For a service of AWS.
    pub(super) const SERVICE: Self = Self {
        connect: Duration::from_secs(5),
        response: Duration::from_secs(10),
        max_attempts: 3,
        uses_proxy: true,
        is_allowed: |_| true,
    };
}

/// A response, read to its end.
#[derive(Debug)]
pub(super) struct HttpResponse {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Sends one request and reads its response, whatever its status. Tests replay recorded traffic here.
pub(super) trait SendHttp: fmt::Debug + Send + Sync {
    fn send(
        &self,
        origin: &Origin,
        request: &Request<'_>,
        limits: &CallLimits,
        deadline: Option<Instant>,
    ) -> Result<HttpResponse, TransportError>;
}

/// Sends over the network. A connection for each call: there are a few of them in hours.
#[derive(Debug)]
pub(super) struct NetworkSender {
    system: Arc<dyn System>,
    proxy: Proxy,
    ca_bundle_pem: Option<Vec<u8>>,
    address_ttl: Duration,
}

impl NetworkSender {
    pub(super) fn new(search: &Search) -> Self {
        Self {
            system: Arc::clone(&search.system),
            proxy: search.proxy.clone(),
            ca_bundle_pem: search.ca_bundle_pem.clone(),
            address_ttl: search.address_ttl,
        }
    }

    fn transport(&self, origin: &Origin, limits: &CallLimits) -> Result<Transport, TransportError> {
        let resolver = Resolver::new(Arc::clone(&self.system), self.address_ttl);
        let settings = TransportSettings {
            limits: Limits {
                connect: Some(limits.connect),
                send: Some(limits.response),
                response: Some(limits.response),
                read: Some(limits.response),
            },
            max_idle_connections: 0,
            max_idle_age: Duration::ZERO,
            proxy: if limits.uses_proxy { &self.proxy } else { &Proxy::Off },
            ca_bundle_pem: self.ca_bundle_pem.as_deref().filter(|_| origin.tls),
            resolver: if origin.tls { resolver } else { resolver.allowing(limits.is_allowed) },
            system: Arc::clone(&self.system),
        };
        Transport::new(origin, &settings).map_err(|error| {
            TransportError::before_sending(&origin.authority, Cause::Permanent(error.into()))
        })
    }
}

impl SendHttp for NetworkSender {
    fn send(
        &self,
        origin: &Origin,
        request: &Request<'_>,
        limits: &CallLimits,
        deadline: Option<Instant>,
    ) -> Result<HttpResponse, TransportError> {
        let transport = self.transport(origin, limits)?;
        let attempt_deadline = self.system.instant().checked_add(limits.connect + limits.response);
        let deadline = [deadline, attempt_deadline].into_iter().flatten().min();
        let (head, mut body) = transport.send(request, deadline)?;
        let body = body.read_whole(MAX_ANSWER_BYTES).map_err(|failed| match failed {
            BodyError::Transport(error) => error,
            BodyError::TooLarge(_) => {
                let cause = Cause::Permanent("the answer is far too long".into());
                TransportError::before_sending(&origin.authority, cause)
            }
        })?;
        Ok(HttpResponse { status: head.status, body })
    }
}
