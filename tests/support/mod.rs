//! What the network tests share: a raw loopback peer, a parser of the requests that it receives, TLS for it, and
//! the independent check of signatures.
#![allow(dead_code, unused_imports, reason = "each test crate uses a part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod oracle;
pub(crate) mod random;
pub(crate) mod tls;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sagemaker_invoke::{Config, Credentials, Endpoint, Proxy, Timeouts};

pub(crate) use oracle::{Oracle, aws_signature, aws_signature_with, time_of, verify};

/// AWS's own example key.
pub(crate) const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "us-east-1";

/// No test waits longer than this for its peer.
const PEER_PATIENCE: Duration = Duration::from_secs(10);

/// A request as it came off the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) request_line: String,
    /// Name and value as sent, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(it, value)| it.eq_ignore_ascii_case(name).then_some(value.as_str()))
    }

    pub(crate) fn path(&self) -> &str {
        self.request_line.split(' ').nth(1).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Reads one request; `None` when the connection ends before it is whole.
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
            .map(|(name, value)| (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
            .collect();
        let mut received = Self { request_line, headers, ..Self::default() };
        let length: usize = received.header("content-length").map_or(0, |it| it.parse().unwrap());
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

/// A loopback peer whose every connection is handed to a closure. Ends with the value.
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
    most_open: AtomicUsize,
    is_over: AtomicBool,
}

/// What a connection's bytes go through.
pub(crate) trait Wire: Read + Write + Send {
    /// Waits for the next bytes; `false` when the connection has ended.
    fn has_more(&mut self) -> bool;
}

impl Wire for TcpStream {
    fn has_more(&mut self) -> bool {
        matches!(self.peek(&mut [0]), Ok(1..))
    }
}

/// Counts a connection as open while it lives.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        let now_open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_open.fetch_max(now_open, Ordering::SeqCst);
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
    /// The first field, so that the count goes down before the client can see the end and open another.
    open: Open,
    pub(crate) stream: TcpStream,
    /// The socket, or TLS over it.
    pub(crate) wire: Box<dyn Wire>,
    /// Its number, from 0.
    pub(crate) number: usize,
    shared: Arc<Shared>,
}

impl Connection {
    /// Reads a whole request and enters it in the peer's book.
    pub(crate) fn request(&mut self) -> Option<Arc<Received>> {
        let received = Arc::new(Received::read(&mut self.wire)?);
        self.shared.requests.lock().unwrap().push(Arc::clone(&received));
        Some(received)
    }

    /// Reads a whole request, gives its body, and keeps no book of it.
    pub(crate) fn unbooked_request(&mut self) -> Option<Vec<u8>> {
        Received::read(&mut self.wire).map(|received| received.body)
    }

    pub(crate) fn say(&mut self, text: impl AsRef<[u8]>) {
        // The client may be gone already, which is what some tests are about.
        let _ = self.wire.write_all(text.as_ref());
    }

    /// Answers each request of the connection with the same bytes.
    pub(crate) fn always(&mut self, response: impl AsRef<[u8]>) {
        while self.request().is_some() {
            self.say(response.as_ref());
        }
    }

    /// Whether the test has let its peer go.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.is_over.load(Ordering::SeqCst)
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
        // The peer's book holds a copy of the socket, which would keep it open.
        self.shared.connections.lock().unwrap()[self.number] = None;
    }

    /// Closes, so that the client reads the end.
    pub(crate) fn close(self) {
        drop(self.open);
        let _ = self.stream.shutdown(Shutdown::Both);
        self.shared.connections.lock().unwrap()[self.number] = None;
    }

    /// Reads so many bytes and no more, or fewer when the connection ends.
    pub(crate) fn read_bytes(&mut self, count: u64) {
        let _ = (&mut self.wire).take(count).read_to_end(&mut Vec::new());
    }

    /// Keeps the connection open and says nothing until the client hangs up or the test ends.
    pub(crate) fn stall(&mut self) {
        let _ = std::io::copy(&mut self.wire, &mut std::io::sink());
    }
}

impl Peer {
    pub(crate) fn new(serve: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (book, serve) = (Arc::clone(&shared), Arc::new(serve));
        let acceptor = std::thread::spawn(move || {
            let mut handlers: Vec<JoinHandle<()>> = Vec::new();
            for stream in listener.incoming().flatten() {
                if book.is_over.load(Ordering::SeqCst) {
                    break;
                }
                // A thread that has ended keeps its stack until it is joined.
                handlers
                    .extract_if(.., |handler| handler.is_finished())
                    .for_each(|handler| handler.join().unwrap());
                stream.set_read_timeout(Some(PEER_PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                let number = {
                    let mut connections = book.connections.lock().unwrap();
                    connections.push(Some(stream.try_clone().unwrap()));
                    connections.len() - 1
                };
                let wire = Box::new(stream.try_clone().unwrap());
                let open = Open::new(&book);
                let connection = Connection { open, stream, wire, number, shared: Arc::clone(&book) };
                let (serve, book) = (Arc::clone(&serve), Arc::clone(&book));
                handlers.push(std::thread::spawn(move || {
                    serve(connection);
                    book.connections.lock().unwrap()[number] = None;
                }));
            }
            for handler in handlers {
                handler.join().unwrap();
            }
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Answers every request with the same bytes.
    pub(crate) fn answering(response: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::new(move |mut connection| connection.always(&response))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that came whole, in the order of their ends.
    pub(crate) fn requests(&self) -> Vec<Arc<Received>> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    /// How many connections were open at the same time, at the most.
    pub(crate) fn most_open_connections(&self) -> usize {
        self.shared.most_open.load(Ordering::SeqCst)
    }

    /// A configuration for this peer with limits that no test outlasts.
    pub(crate) fn config(&self) -> Config {
        config(&self.url())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
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

pub(crate) fn config(url: &str) -> Config {
    Config {
        region: Some(REGION.to_owned()),
        credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).into(),
        endpoint: Endpoint::Url(url.to_owned()),
        proxy: Proxy::Off,
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            send: Duration::from_secs(5),
            response: Duration::from_secs(5),
            read: Duration::from_secs(5),
            call: None,
        },
        ..Config::default()
    }
}

/// A whole response with a length.
pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.as_ref().len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    [text.as_bytes(), b"\r\n", body.as_ref()].concat()
}
