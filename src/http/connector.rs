//! From a URL to a connection: ureq's own connectors in ureq's order, with the phase added to each error.

use std::sync::Arc;
use std::time::Duration;

use ureq::unversioned::transport::time::{Duration as UreqDuration, Instant};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, TcpConnector, Transport,
};
use ureq::{Error, Timeout};

use super::addresses::{LookupError, Resolver};
use super::connection::Connection;
use super::exchange_error::{ExchangeError, ForbiddenAddress, NoIdleConnection};
use super::held_writes::HeldWrites;
use super::readers::Readers;
use super::tls;
use super::transport_error::Phase;

/// Makes the connections of an agent.
#[derive(Debug)]
pub(super) struct EndpointConnector {
    resolver: Resolver,
    has_proxy: bool,
    proxy: ConnectProxyConnector,
    tcp: TcpConnector,
    tls: tls::TlsConnector,
    readers: Arc<Readers>,
}

impl EndpointConnector {
    pub(super) fn new(resolver: Resolver, has_proxy: bool, readers: Arc<Readers>) -> Self {
        Self {
            resolver,
            has_proxy,
            proxy: ConnectProxyConnector::default(),
            tcp: TcpConnector::default(),
            tls: tls::TlsConnector::default(),
            readers,
        }
    }

    fn open(&self, details: &ConnectionDetails<'_>) -> Result<Box<dyn Transport>, Error> {
        let default_port = if details.needs_tls() { 443 } else { 80 };
        let port = details.uri.port_u16().unwrap_or(default_port);
        let name = details.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let addresses = self
            .resolver
            .addresses(name, port, limit(details.timeout.after))
            .map_err(|error| ExchangeError::connecting(Phase::Lookup, lookup_error(error)))?;
        let mut addrs = details.resolver.empty();
        addresses.iter().take(MAX_ADDRESSES).for_each(|address| addrs.push(*address));
        // The lookup used some of the time, and ureq counts from `now`.
        let now = (details.current_time)();
        let mut timeout = details.timeout;
        timeout.after = left(timeout.after, details.now, now);
        let details = ConnectionDetails { addrs, now, timeout, ..copy_of(details) };
        let connected = Connector::<()>::connect(&self.tcp, &details, None);
        let tcp = connected.inspect_err(|_| self.resolver.forget(name, port));
        match tcp.map_err(|error| ExchangeError::connecting(Phase::Connect, error))? {
            Some(Either::B(tcp)) => Ok(Box::new(HeldWrites::new(tcp, Arc::clone(&self.readers)))),
            _ => Err(ExchangeError::connecting(Phase::Connect, Error::ConnectionFailed)),
        }
    }
}

impl Connector for EndpointConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Self::Out>, Error> {
        if details.timeout.after.is_zero() {
            return Err(Error::Other(Box::new(NoIdleConnection)));
        }
        let connected = Connector::<()>::connect(&self.proxy, details, None);
        let transport = match connected.map_err(|error| ExchangeError::connecting(Phase::Connect, error))? {
            Some(Either::B(tunnel)) => tunnel,
            _ => self.open(details)?,
        };
        // With a configuration of one request, ureq's TLS connectors would build a new configuration each time and lose
        // the sessions of the server.
        let details = ConnectionDetails { request_level: false, ..copy_of(details) };
        let transport = self
            .tls
            .connect(&details, transport)
            .map_err(|error| ExchangeError::connecting(Phase::Handshake, error))?;
        // ureq connects to the proxy itself through this connector, with a configuration without a proxy.
        let is_to_proxy = self.has_proxy && details.config.proxy().is_none();
        Ok(Some(if is_to_proxy { transport } else { Box::new(Connection::new(transport)) }))
    }
}

/// The capacity of ureq's list of addresses.
const MAX_ADDRESSES: usize = 16;

fn copy_of<'a>(details: &ConnectionDetails<'a>) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri: details.uri,
        addrs: details.addrs.clone(),
        config: details.config,
        request_level: details.request_level,
        resolver: details.resolver,
        now: details.now,
        timeout: details.timeout,
        current_time: Arc::clone(&details.current_time),
        run_connector: Arc::clone(&details.run_connector),
        register_shutdown: Arc::clone(&details.register_shutdown),
    }
}

fn lookup_error(error: LookupError) -> Error {
    match error {
        LookupError::TimedOut => Error::Timeout(Timeout::Resolve),
        LookupError::Failed(error) => Error::Other(Box::new(error)),
        LookupError::Forbidden => Error::Other(Box::new(ForbiddenAddress)),
    }
}

fn limit(after: UreqDuration) -> Option<Duration> {
    if after.is_not_happening() { None } else { Some(*after) }
}

fn left(after: UreqDuration, since: Instant, now: Instant) -> UreqDuration {
    match (after, since, now) {
        (UreqDuration::Exact(after), Instant::Exact(since), Instant::Exact(now)) => {
            UreqDuration::Exact(after.saturating_sub(now.saturating_duration_since(since)))
        }
        (after, _, _) => after,
    }
}
