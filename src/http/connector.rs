//! From a URL to a connection: lookup, TCP, ureq's connectors for proxy and TLS, with the phase added to each error.

use std::sync::Arc;
use std::time::Duration;

use ureq::Error;
use ureq::unversioned::transport::time::{Duration as UreqDuration, Instant};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, Transport,
};

use super::addresses::Resolver;
use super::connection::Connection;
use super::deadlines::Deadlines;
use super::exchange_error::{NoIdleConnection, connecting};
use super::held_writes::HeldWrites;
use super::message::default_port;
use super::tcp::Tcp;
use super::tls::TlsConnector;
use super::transport_error::Phase;

/// Makes the connections of an agent.
#[derive(Debug)]
pub(super) struct EndpointConnector {
    pub(super) resolver: Resolver,
    pub(super) has_proxy: bool,
    pub(super) tls: TlsConnector,
    pub(super) deadlines: Arc<Deadlines>,
}

impl EndpointConnector {
    /// Looks the name up, and connects to the first of its addresses that accepts.
    fn open(&self, details: &mut ConnectionDetails<'_>) -> Result<Box<dyn Transport>, Error> {
        let port = details
            .uri
            .port_u16()
            .unwrap_or_else(|| default_port(details.needs_tls()));
        let host = details
            .uri
            .host()
            .ok_or_else(|| connecting(Phase::Lookup, Error::HostNotFound))?;
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.resolver.addresses(name, port, *details.timeout.after);
        let addresses = addresses.map_err(|error| connecting(Phase::Lookup, error))?;
        // The lookup used some of the time, and ureq counts from `now`.
        let begun_at = std::mem::replace(&mut details.now, (details.current_time)());
        if let (UreqDuration::Exact(after), Instant::Exact(begun_at), Instant::Exact(now)) =
            (&mut details.timeout.after, begun_at, details.now)
        {
            *after = after.saturating_sub(now.saturating_duration_since(begun_at));
        }
        let tcp = Tcp::connect(&addresses, details);
        let tcp = tcp.inspect_err(|_| self.resolver.forget(name, port));
        let tcp = tcp.map_err(|error| connecting(Phase::Connect, error))?;
        Ok(Box::new(HeldWrites::new(tcp, Arc::clone(&self.deadlines))))
    }
}

impl Connector for EndpointConnector {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        if details.config.timeouts().connect == Some(Duration::ZERO) {
            return Err(Error::Other(Box::new(NoIdleConnection)));
        }
        if details.timeout.after.is_zero() {
            return Err(connecting(
                Phase::Connect,
                Error::Timeout(details.timeout.reason),
            ));
        }
        let mut details = of_the_agent(details);
        let connected = Connector::<()>::connect(&ConnectProxyConnector::default(), &details, None);
        let transport = match connected.map_err(|error| connecting(Phase::Connect, error))? {
            Some(Either::B(tunnel)) => tunnel,
            _ => self.open(&mut details)?,
        };
        let connected = self.tls.connect(&details, transport);
        let transport = connected.map_err(|error| connecting(Phase::Handshake, error))?;
        // ureq connects to the proxy itself through this connector, with a configuration without a proxy.
        let is_to_proxy = self.has_proxy && details.config.proxy().is_none();
        Ok(Some(if is_to_proxy {
            transport
        } else {
            Box::new(Connection::new(transport))
        }))
    }
}

/// With a configuration of one request, ureq's TLS connectors would build a new configuration each time and lose the
/// sessions of the server.
fn of_the_agent<'a>(details: &ConnectionDetails<'a>) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri: details.uri,
        addrs: details.addrs.clone(),
        config: details.config,
        request_level: false,
        resolver: details.resolver,
        now: details.now,
        timeout: details.timeout,
        current_time: Arc::clone(&details.current_time),
        run_connector: Arc::clone(&details.run_connector),
        register_shutdown: Arc::clone(&details.register_shutdown),
    }
}
