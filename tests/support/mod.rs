//! Shared code of the integration tests: a loopback peer with a parser of requests and optional TLS, an independent
//! check of signatures, a fake system, a random generator, a log capture, an encoder of event streams, and a client of
//! moto.
#![allow(dead_code, unused_imports, reason = "each test crate uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

pub(crate) mod event_stream;
#[path = "../../src/testing/fake_system.rs"]
mod fake_system;
pub(crate) mod log;
pub(crate) mod moto;
mod oracle;
#[path = "../../src/testing/random.rs"]
pub(crate) mod random;
pub(crate) mod tls;

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sagemaker_invoke::{Config, Credentials, Endpoint, Proxy, Timeouts, system};

pub(crate) use fake_system::FakeSystem;
pub(crate) use oracle::{Oracle, aws_signature, aws_signature_with, time_of, verify, verify_for};

/// The example key of AWS's documentation.
pub(crate) const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "us-east-1";

/// Read timeout of the peer's connections.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

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
        let head = String::from_utf8(raw[..head_end].to_vec()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let request_line = lines.next().unwrap().to_owned();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| {
                (
                    name.to_owned(),
                    value.strip_prefix(' ').unwrap_or(value).to_owned(),
                )
            })
            .collect();
        let mut received = Self {
            request_line,
            headers,
            ..Self::default()
        };
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
}

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

    /// Whether the test has dropped the [`Peer`].
    pub(crate) fn peer_is_dropped(&self) -> bool {
        self.shared.is_dropped.load(Ordering::SeqCst)
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream)
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

    /// Reads at most `count` bytes; fewer only if the connection ends.
    pub(crate) fn read_bytes(&mut self, count: u64) {
        let _ = (&mut self.wire).take(count).read_to_end(&mut Vec::new());
    }

    /// Discards what is received and sends nothing, until the client closes the connection or the peer is dropped.
    pub(crate) fn stall(&mut self) {
        let _ = std::io::copy(&mut self.wire, &mut std::io::sink());
    }
}

impl Peer {
    pub(crate) fn new(serve: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (state, serve) = (Arc::clone(&shared), Arc::new(serve));
        let acceptor = std::thread::spawn(move || {
            let mut handlers: Vec<JoinHandle<()>> = Vec::new();
            for stream in listener.incoming().flatten() {
                if state.is_dropped.load(Ordering::SeqCst) {
                    break;
                }
                // A finished thread keeps its stack until it is joined.
                handlers
                    .extract_if(.., |handler| handler.is_finished())
                    .for_each(|handler| handler.join().unwrap());
                stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
                stream.set_nodelay(true).unwrap();
                let number = {
                    let mut connections = state.connections.lock().unwrap();
                    connections.push(Some(stream.try_clone().unwrap()));
                    connections.len() - 1
                };
                let wire = Box::new(stream.try_clone().unwrap());
                let open = Open::new(&state);
                let connection = Connection {
                    open,
                    stream,
                    wire,
                    number,
                    shared: Arc::clone(&state),
                };
                let (serve, state) = (Arc::clone(&serve), Arc::clone(&state));
                handlers.push(std::thread::spawn(move || {
                    serve(connection);
                    state.connections.lock().unwrap()[number] = None;
                }));
            }
            for handler in handlers {
                handler.join().unwrap();
            }
        });
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
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let outcome = acceptor.join();
            if !std::thread::panicking() {
                outcome.unwrap();
            }
        }
    }
}

/// A configuration with static credentials, no proxy, and time limits that only a broken test reaches.
pub(crate) fn config(url: &str) -> Config {
    Config {
        region: Some(REGION.to_owned()),
        credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).into(),
        endpoint: Endpoint::Url(url.to_owned()),
        proxy: Proxy::Off,
        timeouts: Timeouts {
            connect: Some(Duration::from_secs(5)),
            send: Some(Duration::from_secs(5)),
            response: Some(Duration::from_secs(5)),
            read: Some(Duration::from_secs(5)),
            stream: Some(Duration::from_secs(5)),
            call: None,
        },
        ..Config::default()
    }
}

/// A complete response with `content-length`.
pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut text = format!(
        "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n",
        body.as_ref().len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    [text.as_bytes(), b"\r\n", body.as_ref()].concat()
}

/// The sources of an error, outermost first.
pub(crate) fn sources(error: &dyn Error) -> impl Iterator<Item = &dyn Error> {
    std::iter::successors(error.source(), |&error| error.source())
}

/// The names of the running threads started by this crate; empty on systems without `/proc`.
pub(crate) fn own_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("sagemaker-invok"))
        .collect()
}
