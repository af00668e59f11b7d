//! The loopback server of the integration tests: plain bytes over TCP, or TLS over TCP (see `tls`).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sagemaker_invoke::Config;
use socket2::{Domain, SockRef, Socket, Type};

use super::config;

/// Read timeout of the peer's connections.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A loopback server that passes each connection to a function, on a thread per connection. Drop closes all
/// connections and joins the threads.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    requests: Mutex<Vec<Arc<Received>>>,
    connections: Mutex<Vec<Option<TcpStream>>>,
    open: AtomicUsize,
    max_open: AtomicUsize,
    is_dropped: AtomicBool,
}

impl Peer {
    pub(crate) fn new(serve: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept_all(&listener, &state, &Arc::new(serve)));
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// A peer that sends the same response to every request.
    pub(crate) fn responding(response: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::new(move |mut connection| connection.respond_to_all(&response))
    }

    /// A peer that makes each response from the request and its number, from 0, over all connections.
    pub(crate) fn responding_with(
        respond: impl Fn(&Received, usize) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let count = AtomicUsize::new(0);
        Self::new(move |mut connection| {
            while let Some(request) = connection.request() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                connection.send(respond(&request, number));
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests received completely, in the order of their ends.
    pub(crate) fn requests(&self) -> Vec<Arc<Received>> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    /// The highest number of connections open at the same time.
    pub(crate) fn max_open_connections(&self) -> usize {
        self.shared.max_open.load(Ordering::SeqCst)
    }

    /// A configuration for this peer; see [`config`].
    pub(crate) fn config(&self) -> Config {
        config(&self.url())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.is_dropped.store(true, Ordering::SeqCst);
        for stream in self.shared.connections.lock().unwrap().iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let outcome = acceptor.join();
            if !std::thread::panicking() {
                outcome.unwrap();
            }
        }
    }
}

/// Serves connections until the peer is dropped.
fn accept_all<S>(listener: &TcpListener, shared: &Arc<Shared>, serve: &Arc<S>)
where
    S: Fn(Connection) + Send + Sync + 'static,
{
    let mut handlers: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming().flatten() {
        if shared.is_dropped.load(Ordering::SeqCst) {
            break;
        }
        // A finished thread keeps its stack until it is joined.
        handlers
            .extract_if(.., |handler| handler.is_finished())
            .for_each(|handler| handler.join().unwrap());
        let connection = Connection::new(stream, shared);
        let shared = Arc::clone(shared);
        let serve = Arc::clone(serve);
        handlers.push(std::thread::spawn(move || {
            let number = connection.number;
            serve(connection);
            shared.connections.lock().unwrap()[number] = None;
        }));
    }
    for handler in handlers {
        handler.join().unwrap();
    }
}

/// One connection to a [`Peer`].
pub(crate) struct Connection {
    // The first field is dropped first: the count decreases before the client can notice the close and reconnect.
    open: Open,
    pub(crate) stream: TcpStream,
    pub(crate) wire: Box<dyn Wire>,
    /// Number of the connection, from 0.
    pub(crate) number: usize,
    shared: Arc<Shared>,
}

impl Connection {
    fn new(stream: TcpStream, shared: &Arc<Shared>) -> Self {
        stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        let number = {
            let mut connections = shared.connections.lock().unwrap();
            connections.push(Some(stream.try_clone().unwrap()));
            connections.len() - 1
        };
        Self {
            open: Open::new(shared),
            wire: Box::new(stream.try_clone().unwrap()),
            stream,
            number,
            shared: Arc::clone(shared),
        }
    }

    /// Reads a request and records it; `None` if the connection ends first.
    pub(crate) fn request(&mut self) -> Option<Arc<Received>> {
        let received = Arc::new(Received::read(&mut self.wire)?);
        self.shared
            .requests
            .lock()
            .unwrap()
            .push(Arc::clone(&received));
        Some(received)
    }

    /// Reads a request without recording it, and returns its body.
    pub(crate) fn unrecorded_request_body(&mut self) -> Option<Vec<u8>> {
        Received::read(&mut self.wire).map(|received| received.body)
    }

    /// Reads once, without recording; `None` if the connection has ended.
    pub(crate) fn read_once<'a>(&mut self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        match self.wire.read(buffer) {
            Ok(bytes @ 1..) => Some(&buffer[..bytes]),
            _ => None,
        }
    }

    /// Reads at most `count` bytes; fewer only if the connection ends.
    pub(crate) fn read_bytes(&mut self, count: u64) {
        let _ = (&mut self.wire).take(count).read_to_end(&mut Vec::new());
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // Some tests let the client close the connection first.
        let _ = self.wire.write_all(bytes.as_ref());
    }

    /// Sends the TLS alert with which a peer announces the end.
    pub(crate) fn send_close_notify(&mut self) {
        self.wire.send_close_notify();
    }

    /// Sends the same response to each request of the connection.
    pub(crate) fn respond_to_all(&mut self, response: impl AsRef<[u8]>) {
        while self.request().is_some() {
            self.send(response.as_ref());
        }
    }

    /// Discards what is received and sends nothing, until the client closes the connection or the peer is dropped.
    pub(crate) fn stall(&mut self) {
        let _ = std::io::copy(&mut self.wire, &mut std::io::sink());
    }

    /// Whether the test has dropped the [`Peer`].
    pub(crate) fn peer_is_dropped(&self) -> bool {
        self.shared.is_dropped.load(Ordering::SeqCst)
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        // The peer holds a duplicate of the socket, which would keep it open.
        self.shared.connections.lock().unwrap()[self.number] = None;
    }

    /// Closes without a reset, so that the client reads the end of the stream.
    pub(crate) fn close(self) {
        drop(self.open);
        let _ = self.stream.shutdown(Shutdown::Both);
        self.shared.connections.lock().unwrap()[self.number] = None;
    }
}

/// Counts a connection as open until it is dropped.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        let now_open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
        shared.max_open.fetch_max(now_open, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The byte stream of a connection: TCP, or TLS over TCP.
pub(crate) trait Wire: Read + Write + Send {
    /// Waits for the next bytes; false if the connection has ended.
    fn has_more(&mut self) -> bool;

    /// Sends the TLS alert close_notify, and keeps the TCP connection.
    fn send_close_notify(&mut self) {}
}

impl Wire for TcpStream {
    fn has_more(&mut self) -> bool {
        matches!(self.peek(&mut [0]), Ok(1..))
    }
}

/// A port that refuses connections: bound, so that no other test gets it, but not listening.
pub(crate) struct ClosedPort {
    pub(crate) address: SocketAddr,
    _socket: Socket,
}

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .unwrap();
        Self {
            address: socket.local_addr().unwrap().as_socket().unwrap(),
            _socket: socket,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A request as it was received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) request_line: String,
    /// Names and values in the order and spelling of the wire.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|(it, value)| it.eq_ignore_ascii_case(name).then_some(value.as_str()))
    }

    pub(crate) fn path(&self) -> &str {
        self.request_line.split(' ').nth(1).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Reads one request; `None` if the connection ends before the request does.
    pub(crate) fn read(stream: &mut impl Read) -> Option<Self> {
        let mut raw = Vec::new();
        let mut piece = [0; 64 * 1024];
        let head_end = loop {
            if let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut piece) {
                Ok(bytes @ 1..) => raw.extend_from_slice(&piece[..bytes]),
                _ => return None,
            }
        };
        let mut received = Self::parse_head(&raw[..head_end]);
        let length: usize = received
            .header("content-length")
            .map_or(0, |it| it.parse().unwrap());
        while raw.len() < head_end + length {
            match stream.read(&mut piece) {
                Ok(bytes @ 1..) => raw.extend_from_slice(&piece[..bytes]),
                _ => return None,
            }
        }
        received.body = raw.split_off(head_end);
        Some(received)
    }

    /// A request without its body.
    fn parse_head(head: &[u8]) -> Self {
        let head = std::str::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let request_line = lines.next().unwrap().to_owned();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            let value = value.strip_prefix(' ').unwrap_or(value);
            (name.to_owned(), value.to_owned())
        });
        Self {
            request_line,
            headers: headers.collect(),
            body: Vec::new(),
        }
    }
}
