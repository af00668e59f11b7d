//! From addresses to a connection: the chain of connectors that the agent runs when its pool has none.
//!
//! ```text
//! proxy's CONNECT ─▶ socket ─▶ TLS ─▶ exchange
//! ```

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, ShutdownHandle, Transport,
};

use super::addresses::Addresses;
use super::exchange;
use super::socket::Socket;
use super::tcp::Tcp;
use crate::error::Phase;
use crate::host::{Host, System};

/// Opens a socket, unless the proxy's connector has one already.
#[derive(Debug)]
pub(super) struct OpenSocket(pub(super) Arc<Addresses>);

impl<In: Transport> Connector<In> for OpenSocket {
    type Out = Either<In, Tcp>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let own_port = if details.needs_tls() { 443 } else { 80 };
        let port = details.uri.port_u16().unwrap_or(own_port);
        let name = details.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        exchange::enter(Phase::Lookup);
        let addresses = self.0.of(name, port)?;
        exchange::enter(Phase::Connect);
        let stream = connect_to_one_of(&addresses).inspect_err(|_| self.0.forget(name, port))?;
        stream.set_nodelay(true)?;
        let socket = Arc::new(Socket::new(stream));
        let handle: Arc<dyn ShutdownHandle> = Arc::<Socket>::clone(&socket);
        (details.register_shutdown)(Arc::downgrade(&handle))?;
        exchange::lend(Some(Arc::clone(&socket)));
        Ok(Some(Either::B(Tcp::new(socket))))
    }
}

/// Tries one address after the other. Each but the last gets half of the time that is left, so that one that
/// drops packets leaves time for the others.
fn connect_to_one_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let since = System.instant();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (index, address) in addresses.iter().enumerate() {
        let is_last = index + 1 == addresses.len();
        let connected = match exchange::patience(since, System.instant())? {
            Some(left) => TcpStream::connect_timeout(address, if is_last { left } else { left / 2 }),
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error,
        }
    }
    // Tells a time limit that ran out from a peer that did not answer before it.
    exchange::patience(since, System.instant())?;
    Err(last_error)
}

/// Notes that the TLS handshake is next.
#[derive(Debug)]
pub(super) struct BeginHandshake;

impl<In: Transport> Connector<In> for BeginHandshake {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<In>, Error> {
        if details.needs_tls() {
            exchange::enter(Phase::Handshake);
        }
        Ok(chained)
    }
}

/// Wraps a finished connection to the endpoint; one to a proxy stays as it is.
#[derive(Debug)]
pub(super) struct BeginExchange {
    pub(super) has_proxy: bool,
}

impl<In: Transport> Connector<In> for BeginExchange {
    type Out = Either<In, ExchangeTransport<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        // ureq connects to the proxy itself with a configuration that has no proxy.
        let is_hop_to_proxy = self.has_proxy && details.config.proxy().is_none();
        let opened = exchange::take_socket();
        Ok(chained.map(|inner| {
            if is_hop_to_proxy {
                return Either::A(inner);
            }
            let socket = opened.filter(|_| !inner.is_tls());
            Either::B(ExchangeTransport { inner, socket })
        }))
    }
}

/// Keeps the account of the exchange: drops the head that ureq makes up, because ours comes as the first part of
/// what ureq takes for the body, and counts what leaves.
#[derive(Debug)]
pub(super) struct ExchangeTransport<T> {
    inner: T,
    /// Without TLS and proxy: large requests are written to it without a copy.
    socket: Option<Arc<Socket>>,
}

impl<T: Transport> Transport for ExchangeTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if exchange::take_ureq_head() {
            exchange::lend(self.socket.clone());
            return Ok(());
        }
        if exchange::is_written() {
            return Ok(());
        }
        if self.is_tls() {
            exchange::will_write(amount);
        }
        self.inner.transmit_output(amount, timeout)?;
        exchange::wrote(amount);
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        exchange::begin_wait();
        let has_input = self.inner.await_input(timeout).map_err(|error| match error {
            // ureq would take a reset for the end of a body that has no length.
            Error::Io(error) if exchange::is_reading() => Error::Other(Box::new(error)),
            other => other,
        })?;
        if has_input {
            exchange::response_begun();
        }
        Ok(has_input)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
