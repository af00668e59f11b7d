//! The loopback peer: HTTP and HTTPS on ports of its own, a thread for each connection, fixed answers, and streams as
//! the request wants them.
//!
//! `server FILE` writes the authority to trust to the file and prints both ports. To each further line on standard
//! input it answers with the number of connections that it has taken so far; it ends when the input does.

mod stream;

use std::io::{BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::stream::Stream;

/// The answer to a request for the endpoint `large`.
const LARGE_BYTES: usize = 25 << 20;

static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

fn main() {
    let file = std::env::args().nth(1).expect("a file for the authority");
    let (authority, config) = certificates();
    std::fs::write(file, authority).expect("the authority is written");
    let answers = Arc::new([answer(16), answer(LARGE_BYTES)]);
    let for_http = Arc::clone(&answers);
    let http = listen(move |stream| serve(stream, &for_http));
    let https = listen(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
        serve(StreamOwned::new(session, stream), &answers);
    });
    println!("{http} {https}");
    for _ in std::io::stdin().lock().lines() {
        println!("{}", CONNECTIONS.load(Ordering::SeqCst));
    }
}

fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            CONNECTIONS.fetch_add(1, Ordering::SeqCst);
            stream.set_nodelay(true).expect("an option");
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Until the client hangs up.
fn serve(mut stream: impl Read + Write, answers: &[Vec<u8>; 2]) {
    let mut buffer = vec![0; 256 << 10];
    let mut filled = 0;
    while let Ok(bytes @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += bytes;
        let Some((head_bytes, body_bytes)) = lengths(&buffer[..filled]) else {
            continue;
        };
        if is_for_stream(&buffer[..head_bytes]) {
            let Some(body) = buffer
                .get(head_bytes..filled)
                .filter(|body| body.len() == body_bytes)
            else {
                continue;
            };
            let wanted = Stream::parse(body).expect("a stream that can be written");
            filled = 0;
            if wanted.write_to(&mut stream).is_err() {
                return;
            }
            continue;
        }
        let is_large = buffer.starts_with(b"POST /endpoints/large/");
        let mut left = body_bytes - (filled - head_bytes);
        while left > 0 {
            match stream.read(&mut buffer) {
                Ok(bytes @ 1..) => left -= bytes,
                _ => return,
            }
        }
        filled = 0;
        if stream
            .write_all(&answers[usize::from(is_large)])
            .and_then(|()| stream.flush())
            .is_err()
        {
            return;
        }
    }
}

fn is_for_stream(head: &[u8]) -> bool {
    let mut words = head.split(|byte| *byte == b' ');
    words
        .nth(1)
        .is_some_and(|path| path.ends_with(b"/invocations-response-stream"))
}

/// Bytes of the head and of the body that it announces, once the head is whole.
fn lengths(request: &[u8]) -> Option<(usize, usize)> {
    let head_bytes = request
        .windows(4)
        .position(|window| window == b"\r\n\r\n")?
        + 4;
    let mut lines = request[..head_bytes].split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| {
        let (name, value) = line.split_at_checked("content-length:".len())?;
        name.eq_ignore_ascii_case(b"content-length:")
            .then_some(value)
    })?;
    Some((
        head_bytes,
        std::str::from_utf8(value).ok()?.trim().parse().ok()?,
    ))
}

/// What the service's answers look like.
fn answer(body_bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 2d9b4c6e-8f10-4a3b-9c5d-7e6f8a9b0c1d\r\n\
         x-Amzn-Invoked-Production-Variant: AllTraffic\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\n\
         Content-Type: application/json\r\nContent-Length: {body_bytes}\r\n\r\n"
    );
    [head.as_bytes(), &vec![b'7'; body_bytes]].concat()
}

/// A throw-away authority as PEM, and a server for `localhost` that it vouches for.
fn certificates() -> (String, Arc<ServerConfig>) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    // OpenSSL takes a certificate whose subject is its issuer for self-signed, and the default names are the same.
    authority
        .distinguished_name
        .push(DnType::CommonName, "throw-away authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let pem = authority
        .self_signed(&authority_key)
        .expect("an authority")
        .pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .and_then(|leaf| leaf.signed_by(&key, &issuer))
        .expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|it| {
                it.with_no_client_auth()
                    .with_single_cert(vec![certificate.der().clone()], key)
            })
            .expect("a server configuration");
    (pem, Arc::new(config))
}
