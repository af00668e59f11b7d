//! How sources reach the network, and where tests replay recorded traffic.

#[cfg(test)]
pub(super) mod fake;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Search;
use super::shown::shown;
use crate::aws::settings::UnreadableFile;
use crate::http::{
    BodyError, Cause, Headers, Limits, Origin, Phase, Proxy, Request, Resolver, Sent, SettingError,
    Transport, TransportError, TransportSettings,
};
use crate::service::ErrorResponse;
use crate::system::System;
use crate::text::{Redactor, Secret};

/// Maximum size of a response: many times the size of credentials.
const MAX_RESPONSE_BYTES: u64 = 256 * 1024;

/// How the calls of one kind of credential source are made. The limits and the number of attempts are those of the AWS
/// SDKs.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallSettings {
    connect: Duration,
    /// From the end of the request to the end of the response.
    response: Duration,
    pub(super) max_attempts: u32,
    /// Whether the configured proxy is used. Metadata and containers are local and have none.
    uses_proxy: bool,
    /// Which addresses may be called over plain HTTP.
    is_allowed: fn(IpAddr) -> bool,
}

impl CallSettings {
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

    fn limits(&self) -> Limits {
        let response = Some(self.response);
        Limits {
            connect: Some(self.connect),
            send: response,
            response,
            read: response,
            streamed: false,
        }
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub(super) struct HttpResponse {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    /// The secrets of its request with their names, which the service may repeat.
    secrets: Vec<(&'static str, Secret)>,
}

impl HttpResponse {
    pub(super) fn new(status: u16, headers: Headers, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers,
            body: body.into(),
            secrets: Vec::new(),
        }
    }

    pub(super) fn with_secrets<'a>(
        mut self,
        secrets: impl Iterator<Item = (&'static str, &'a str)>,
    ) -> Self {
        let secrets = secrets.map(|(name, value)| (name, Secret::from(value)));
        self.secrets.extend(secrets);
        self
    }

    /// Removes the secrets of the request from foreign text.
    pub(super) fn redactor(&self) -> Redactor {
        let secrets = self.secrets.iter();
        Redactor::new(secrets.map(|(name, value)| (*name, value.expose())))
    }

    /// The response as an error response. A message comes from a known place in JSON or XML only: other text of a credential
    /// service may hold credentials.
    pub(super) fn error(&self) -> ErrorResponse {
        let redactor = self.redactor();
        let mut error = ErrorResponse::read(self.status, &self.headers, &self.body, &redactor);
        if !error.is_parsed() {
            error.message = None;
        }
        error
    }

    /// A string of the body on one line, without the secrets of the request.
    pub(super) fn shown(&self, text: &str) -> String {
        shown(&self.redactor().redact(text))
    }
}

/// Sends one request and reads its response, whatever its status. Tests replay recorded traffic here.
pub(super) trait SendHttp: fmt::Debug + Send + Sync {
    fn send(
        &self,
        origin: &Origin,
        request: &Request<'_>,
        settings: &CallSettings,
        deadline: Option<Instant>,
    ) -> Result<HttpResponse, TransportError>;
}

/// Sends over the network. Each call has its own connection, because there are only a few calls in an hour.
#[derive(Debug)]
pub(super) struct NetworkSender {
    system: Arc<dyn System>,
    proxy: Proxy,
    ca_bundle_pem: Result<Option<Vec<u8>>, UnreadableFile>,
    /// Shared by all calls, so that a name whose lookup hangs costs one thread.
    resolver: Resolver,
    is_shut_down: Arc<AtomicBool>,
}

impl NetworkSender {
    pub(super) fn new(search: &Search) -> Self {
        Self {
            system: Arc::clone(&search.system),
            proxy: search.proxy.clone(),
            ca_bundle_pem: search.ca_bundle_pem.clone(),
            resolver: Resolver::new(Arc::clone(&search.system), search.address_ttl),
            is_shut_down: Arc::clone(&search.is_shut_down),
        }
    }

    fn transport(
        &self,
        origin: &Origin,
        settings: &CallSettings,
    ) -> Result<Transport, TransportError> {
        let not_sent = |error: SettingError| {
            TransportError::before_sending(&origin.authority, Cause::Permanent).with_source(error)
        };
        let resolver = self.resolver.clone();
        let transport_settings = TransportSettings {
            limits: settings.limits(),
            max_idle_connections: 0,
            max_idle_age: Duration::ZERO,
            proxy: if settings.uses_proxy {
                &self.proxy
            } else {
                &Proxy::Off
            },
            ca_bundle_pem: self.ca_bundle_for(origin).map_err(not_sent)?,
            resolver: if origin.tls {
                resolver
            } else {
                resolver.allowing(settings.is_allowed)
            },
            system: Arc::clone(&self.system),
        };
        Transport::new(origin, &transport_settings).map_err(not_sent)
    }

    fn ca_bundle_for(&self, origin: &Origin) -> Result<Option<&[u8]>, SettingError> {
        if !origin.tls {
            return Ok(None);
        }
        match &self.ca_bundle_pem {
            Ok(pem) => Ok(pem.as_deref()),
            Err(unreadable) => Err(unreadable.error()),
        }
    }
}

impl SendHttp for NetworkSender {
    fn send(
        &self,
        origin: &Origin,
        request: &Request<'_>,
        settings: &CallSettings,
        deadline: Option<Instant>,
    ) -> Result<HttpResponse, TransportError> {
        if self.is_shut_down.load(Ordering::SeqCst) {
            return Err(TransportError::before_sending(
                &origin.authority,
                Cause::ShutDown,
            ));
        }
        let transport = self.transport(origin, settings)?;
        let attempt_deadline = self
            .system
            .instant()
            .checked_add(settings.connect + settings.response);
        let deadline = [deadline, attempt_deadline].into_iter().flatten().min();
        let (head, mut body) = transport.send(request, &settings.limits(), deadline)?;
        match body.read_whole(MAX_RESPONSE_BYTES) {
            Ok(body) => Ok(HttpResponse::new(head.status, head.headers, body)),
            Err(BodyError::Transport(error)) => Err(error),
            Err(BodyError::TooLarge(_)) => {
                let problem = format!("the response is larger than {MAX_RESPONSE_BYTES} bytes");
                let failed = TransportError::before_sending(&origin.authority, Cause::Permanent);
                let (phase, sent) = (Phase::Read, Sent::ResponseBegun);
                Err(TransportError {
                    phase,
                    sent,
                    ..failed.with_source(problem)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::testing::FakeSystem;

    #[test]
    fn a_lookup_that_hangs_is_shared_by_all_calls() {
        let is_hanging = Arc::new(AtomicBool::new(true));
        let system = Arc::new(FakeSystem::default().with_hanging_lookup(&is_hanging));
        let config = Config {
            system: Arc::<FakeSystem>::clone(&system),
            ..Config::default()
        };
        let sender = NetworkSender::new(&config.search());
        let origin = Origin {
            tls: false,
            authority: "hangs.example".to_owned(),
        };
        let settings = CallSettings {
            connect: Duration::from_millis(20),
            ..CallSettings::SERVICE
        };
        for _ in 0..3 {
            let request = Request {
                method: "GET",
                path: "/",
                headers: vec![],
                body: &[],
            };
            sender.send(&origin, &request, &settings, None).unwrap_err();
        }
        assert_eq!(system.lookups(), 1);
        is_hanging.store(false, Ordering::SeqCst);
    }
}
