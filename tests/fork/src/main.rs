//! A client that was used goes on in a forked child, beside its parent, over HTTP and TLS: every answer must belong to
//! its request, the child must not use or end the connections of its parent, and no invocation id may come twice.
//!
//! `--no-fork` makes the calls in one process: the emulator of another processor may be unable to fork a program with
//! threads.

use std::collections::HashSet;
use std::error::Error as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use sagemaker_invoke::{
    Client, Config, Credentials, Endpoint, InvokeEndpoint, InvokeEndpointWithResponseStream, Proxy,
};

const CALLS: usize = 50;

/// What the server saw: the number of the connection, the invocation id and the body of each request.
type Requests = Arc<Mutex<Vec<(usize, String, String)>>>;

fn main() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    if std::env::args().any(|argument| argument == "--no-fork") {
        check_calls("http", None);
        check_calls("https", Some(&certificate));
        println!("2 passed, 0 failed");
        return;
    }
    check("http", None);
    check("https", Some(&certificate));
    check_open_stream();
    println!("3 passed, 0 failed");
}

/// A stream open at the fork goes on in the parent only.
fn check_open_stream() {
    let port = serve(&Requests::default(), None);
    let client = client(&format!("http://localhost:{port}"), None);
    let mut stream = client
        .invoke(&InvokeEndpointWithResponseStream::new("e", "no frames"))
        .unwrap()
        .body;
    // SAFETY: as in `check`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let error = stream.next_part().unwrap_err();
            std::process::exit(i32::from(
                !format!("{:?}", error.source()).contains("parent process"),
            ));
        }
        ForkResult::Parent { child } => {
            assert!(
                matches!(waitpid(child, None).unwrap(), WaitStatus::Exited(_, 0)),
                "the child's error"
            );
            let error = stream.next_part().unwrap_err().to_string();
            assert!(
                error.contains("no frames"),
                "the parent reads what was sent: {error}"
            );
        }
    }
}

fn client(url: &str, certificate: Option<&rcgen::CertifiedKey<rcgen::KeyPair>>) -> Client {
    Client::new(Config {
        region: Some("us-east-1".to_owned()),
        credentials: Credentials::new("AKIDEXAMPLE", "secret").into(),
        endpoint: Endpoint::Url(url.to_owned()),
        proxy: Proxy::Off,
        ca_bundle_pem: certificate.map(|certificate| certificate.cert.pem().into_bytes()),
        ..Config::default()
    })
    .unwrap()
}

fn check_calls(scheme: &str, certificate: Option<&rcgen::CertifiedKey<rcgen::KeyPair>>) {
    let requests = Requests::default();
    let port = serve(&requests, certificate.map(server_config));
    let client = client(&format!("{scheme}://localhost:{port}"), certificate);
    (0..CALLS).for_each(|number| call(&client, &format!("call-{number}")));
    assert_eq!(requests.lock().unwrap().len(), CALLS);
}

fn check(scheme: &str, certificate: Option<&rcgen::CertifiedKey<rcgen::KeyPair>>) {
    let requests = Requests::default();
    let port = serve(&requests, certificate.map(server_config));
    let client = client(&format!("{scheme}://localhost:{port}"), certificate);
    call(&client, "before");
    // SAFETY: the child runs Rust code and allocates, which glibc and musl support after a fork; it ends with `exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            (0..CALLS).for_each(|number| call(&client, &format!("child-{number}")));
            client.shutdown();
            std::process::exit(0);
        }
        ForkResult::Parent { child } => {
            (0..CALLS).for_each(|number| call(&client, &format!("parent-{number}")));
            assert!(
                matches!(waitpid(child, None).unwrap(), WaitStatus::Exited(_, 0)),
                "the child failed"
            );
            call(&client, "after");
        }
    }
    check_requests(&requests.lock().unwrap());
}

fn check_requests(requests: &[(usize, String, String)]) {
    assert_eq!(requests.len(), 2 * CALLS + 2);
    let connections_of = |is_child: bool| -> HashSet<usize> {
        let own = requests
            .iter()
            .filter(|(_, _, body)| body.starts_with("child") == is_child);
        own.map(|(connection, _, _)| *connection).collect()
    };
    assert_eq!(
        connections_of(false),
        HashSet::from([0]),
        "the parent keeps its connection"
    );
    assert_eq!(
        connections_of(true),
        HashSet::from([1]),
        "the child makes another one"
    );
    let ids: HashSet<&str> = requests.iter().map(|(_, id, _)| id.as_str()).collect();
    assert_eq!(ids.len(), requests.len(), "an invocation id came twice");
}

fn call(client: &Client, body: &str) {
    let response = client.invoke(&InvokeEndpoint::new("e", body)).unwrap();
    assert_eq!(response.text(), body);
}

fn server_config(certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Arc<rustls::ServerConfig> {
    let key = rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let chain = vec![certificate.cert.der().clone()];
    Arc::new(
        builder
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap(),
    )
}

/// Echoes the body of each request. Ends with the process.
fn serve(requests: &Requests, tls: Option<Arc<rustls::ServerConfig>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::clone(requests);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let (requests, tls) = (Arc::clone(&requests), tls.clone());
            thread::spawn(move || match tls {
                None => echo(stream, number, &requests),
                Some(config) => {
                    let connection = rustls::ServerConnection::new(config).unwrap();
                    echo(
                        rustls::StreamOwned::new(connection, stream),
                        number,
                        &requests,
                    );
                }
            });
        }
    });
    port
}

fn echo(mut stream: impl Read + Write, number: usize, requests: &Requests) {
    let mut received = Vec::new();
    while let Some((id, body)) = next_request(&mut stream, &mut received) {
        requests.lock().unwrap().push((number, id, body.clone()));
        // Gives the other process time to take a response that is not its own.
        thread::sleep(Duration::from_millis(1));
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream.flush().unwrap();
    }
}

/// The invocation id and the body of the next request; `None` at the end of the connection.
fn next_request(stream: &mut impl Read, received: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        let text = String::from_utf8_lossy(received).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                Some(
                    head.split_once(&format!("\r\n{name}: "))?
                        .1
                        .lines()
                        .next()?
                        .to_owned(),
                )
            };
            let length: usize = header("content-length")?.parse().ok()?;
            if let Some(body) = rest.get(..length) {
                received.drain(..head.len() + 4 + length);
                return Some((header("amz-sdk-invocation-id")?, body.to_owned()));
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(bytes @ 1..) => received.extend_from_slice(&piece[..bytes]),
            _ => return None,
        }
    }
}
