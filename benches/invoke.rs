//! A warm call over loopback HTTP: this crate, ureq without a signature, a raw socket with this crate's signature, a raw
//! socket without.
//!
//! `cargo bench --bench invoke` measures each with criterion, and then prints ratios from rounds in which the four
//! alternate. `cargo bench --bench invoke -- calls WHO BYTES COUNT` only makes calls, to a peer in another process, for
//! tools that count instructions.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench fails by panicking and prints"
)]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use criterion::{Criterion, Throughput};
use sagemaker_invoke::sigv4::{
    AmzDate, Authorization, CanonicalRequest, Payload, Request, Scope, SigningKey, StringToSign,
};
use sagemaker_invoke::{Client, Config, Credentials, Endpoint, InvokeEndpoint, Proxy};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "us-east-1";
const TYPE: &str = "application/json";

const WHO: [&str; 4] = ["ours", "unsigned ureq", "raw + sign", "raw"];
const BODY_BYTES: [usize; 4] = [100, 64 << 10, 1 << 20, 5 << 20];
/// Size of the response of the endpoint `large`.
const LARGE_BYTES: usize = 25 << 20;

/// Read timeout of the raw socket.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// Duration of the rounds of one case, and of the turn of one caller.
const ROUNDS_TIME: Duration = Duration::from_secs(6);
const TURN_TIME: Duration = Duration::from_millis(40);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["serve", ..] => serve_for_parent(),
        ["calls", who, bytes, count, ..] => {
            make_calls(who, bytes.parse().unwrap(), count.parse().unwrap());
        }
        _ => compare(),
    }
}

fn compare() {
    let address = listen();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .sample_size(20)
        .configure_from_args();
    for (endpoint, bytes) in cases() {
        let mut group = criterion.benchmark_group(case_name(endpoint, bytes));
        group.throughput(Throughput::Bytes(moved_bytes(endpoint, bytes)));
        let body = vec![b'7'; bytes];
        for who in WHO {
            let mut call = caller(who, address, endpoint);
            group.bench_function(who, |bencher| bencher.iter(|| black_box(call(&body))));
        }
    }
    criterion.final_summary();
    println!(
        "\nMedians of rounds in which the four alternate, in µs, and ours as a multiple of the others:\n"
    );
    println!("| call | ours | unsigned ureq | raw + sign | raw | / ureq | / raw + sign | / raw |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (endpoint, bytes) in cases() {
        let [ours, ureq, raw_signed, raw] = take_turns(address, endpoint, bytes);
        println!(
            "| {} | {ours:.1} | {ureq:.1} | {raw_signed:.1} | {raw:.1} | {:.2} | {:.2} | {:.2} |",
            case_name(endpoint, bytes),
            ours / ureq,
            ours / raw_signed,
            ours / raw
        );
    }
}

/// Endpoint and size of the body in bytes.
fn cases() -> impl Iterator<Item = (&'static str, usize)> {
    BODY_BYTES
        .into_iter()
        .map(|bytes| ("small", bytes))
        .chain([("large", 100)])
}

fn case_name(endpoint: &str, bytes: usize) -> String {
    match bytes {
        _ if endpoint == "large" => "25 MiB response".to_owned(),
        0x10_0000.. => format!("{} MiB body", bytes >> 20),
        1024.. => format!("{} KiB body", bytes >> 10),
        _ => format!("{bytes} B body"),
    }
}

fn moved_bytes(endpoint: &str, bytes: usize) -> u64 {
    u64::try_from(if endpoint == "large" {
        LARGE_BYTES
    } else {
        bytes
    })
    .unwrap()
}

/// The median duration of a call by each caller, in microseconds.
fn take_turns(address: SocketAddr, endpoint: &str, bytes: usize) -> [f64; 4] {
    let body = vec![b'7'; bytes];
    let mut callers = WHO.map(|who| caller(who, address, endpoint));
    let mut times: [Vec<f64>; 4] = Default::default();
    for call in &mut callers {
        (0..3).for_each(|_| assert!(call(&body) > 0));
    }
    let begun_at = Instant::now();
    while begun_at.elapsed() < ROUNDS_TIME {
        for (call, times) in callers.iter_mut().zip(&mut times) {
            let turn_began_at = Instant::now();
            while turn_began_at.elapsed() < TURN_TIME {
                let called_at = Instant::now();
                black_box(call(&body));
                times.push(called_at.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

type Caller = Box<dyn FnMut(&[u8]) -> usize>;

/// A function that makes a call and returns the length of the response's body.
fn caller(who: &str, address: SocketAddr, endpoint: &str) -> Caller {
    match who {
        "ours" => ours(address, endpoint),
        "unsigned ureq" => unsigned_ureq(address, endpoint),
        "raw + sign" => raw(address, endpoint, true),
        _ => raw(address, endpoint, false),
    }
}

fn ours(address: SocketAddr, endpoint: &str) -> Caller {
    let client = Client::new(Config {
        region: Some(REGION.to_owned()),
        credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).into(),
        endpoint: Endpoint::Url(format!("http://{address}")),
        proxy: Proxy::Off,
        ..Config::default()
    })
    .unwrap();
    let endpoint = endpoint.to_owned();
    Box::new(move |body| {
        let request = InvokeEndpoint {
            content_type: Some(TYPE),
            ..InvokeEndpoint::new(&endpoint, body)
        };
        client.invoke(&request).unwrap().body.len()
    })
}

fn unsigned_ureq(address: SocketAddr, endpoint: &str) -> Caller {
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("http://{address}/endpoints/{endpoint}/invocations");
    Box::new(move |body| {
        let mut response = agent
            .post(&url)
            .header("content-type", TYPE)
            .send(body)
            .unwrap();
        let limit = u64::try_from(2 * LARGE_BYTES).unwrap();
        response
            .body_mut()
            .with_config()
            .limit(limit)
            .read_to_vec()
            .unwrap()
            .len()
    })
}

fn raw(address: SocketAddr, endpoint: &str, is_signed: bool) -> Caller {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
    let sign = is_signed.then(|| signer(address, endpoint));
    let endpoint = endpoint.to_owned();
    let (mut request, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    Box::new(move |body| {
        request.clear();
        write!(
            request,
            "POST /endpoints/{endpoint}/invocations HTTP/1.1\r\nhost: {address}\r\ncontent-type: {TYPE}\r\n\
             content-length: {}\r\n",
            body.len()
        )
        .unwrap();
        if let Some(sign) = &sign {
            sign(body, &mut request);
        }
        request.extend_from_slice(b"\r\n");
        // For small bodies a copy is cheaper than another system call.
        if body.len() <= 64 << 10 {
            request.extend_from_slice(body);
            stream.write_all(&request).unwrap();
        } else {
            stream.write_all(&request).unwrap();
            stream.write_all(body).unwrap();
        }
        read_response(&mut stream, &mut buffer).len()
    })
}

/// A function that writes the headers of a signature. The key is derived once.
fn signer(address: SocketAddr, endpoint: &str) -> impl Fn(&[u8], &mut Vec<u8>) + use<> {
    let key = SigningKey::derive(SECRET_ACCESS_KEY, scope_at(amz_date()));
    let (host, path) = (
        address.to_string(),
        format!("/endpoints/{endpoint}/invocations"),
    );
    move |body, head| {
        let amz_date = amz_date();
        let headers = [
            ("content-type", TYPE),
            ("host", &host),
            ("x-amz-date", amz_date.as_str()),
        ];
        let request = Request {
            headers: &headers,
            payload: Payload::Bytes(body),
            ..Request::new("POST", &path)
        };
        let canonical_request = CanonicalRequest::new(&request);
        let scope = scope_at(amz_date);
        let signature = key.sign(&StringToSign::new(&canonical_request, scope));
        let authorization = Authorization {
            access_key_id: ACCESS_KEY_ID,
            scope,
            canonical_request: &canonical_request,
            signature,
        };
        write!(
            head,
            "x-amz-date: {amz_date}\r\nauthorization: {authorization}\r\n"
        )
        .unwrap();
    }
}

fn amz_date() -> AmzDate {
    AmzDate::from_system_time(SystemTime::now()).unwrap()
}

fn scope_at(amz_date: AmzDate) -> Scope<'static> {
    Scope {
        amz_date,
        region: REGION,
        service: "sagemaker",
    }
}

/// Reads a response and returns its body.
fn read_response(stream: &mut TcpStream, buffer: &mut [u8]) -> Vec<u8> {
    let mut filled = stream.read(buffer).unwrap();
    loop {
        if let Some((head_bytes, body_bytes)) = lengths(&buffer[..filled]) {
            let mut body = Vec::with_capacity(body_bytes);
            body.extend_from_slice(&buffer[head_bytes..filled]);
            let left = u64::try_from(body_bytes - body.len()).unwrap();
            if left > 0 {
                stream.take(left).read_to_end(&mut body).unwrap();
            }
            return body;
        }
        filled += stream.read(&mut buffer[filled..]).unwrap();
    }
}

/// Size of the head and of the body announced in it; `None` if the head is incomplete.
fn lengths(message: &[u8]) -> Option<(usize, usize)> {
    let head_bytes = message
        .windows(4)
        .position(|window| window == b"\r\n\r\n")?
        + 4;
    let mut lines = message[..head_bytes].split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| {
        let (name, value) = line.split_at_checked("content-length:".len())?;
        name.eq_ignore_ascii_case(b"content-length:")
            .then_some(value)
    })?;
    Some((
        head_bytes,
        std::str::from_utf8(value).unwrap().trim().parse().unwrap(),
    ))
}

/// Starts a peer with a thread per connection and two fixed responses. It runs until the process ends.
fn listen() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || respond_to_all(stream));
        }
    });
    address
}

/// Responds to requests until the client closes the connection.
fn respond_to_all(mut stream: TcpStream) {
    let responses = [response(16), response(LARGE_BYTES)];
    let mut buffer = vec![0; 256 << 10];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]) {
            Ok(bytes @ 1..) => filled += bytes,
            _ => return,
        }
        let Some((head_bytes, body_bytes)) = lengths(&buffer[..filled]) else {
            continue;
        };
        let is_large = buffer.starts_with(b"POST /endpoints/large/");
        let mut left = body_bytes - (filled - head_bytes);
        while left > 0 {
            match stream.read(&mut buffer) {
                Ok(bytes @ 1..) => left -= bytes,
                _ => return,
            }
        }
        filled = 0;
        if stream.write_all(&responses[usize::from(is_large)]).is_err() {
            return;
        }
    }
}

/// A response as SageMaker sends it.
fn response(body_bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 2d9b4c6e-8f10-4a3b-9c5d-7e6f8a9b0c1d\r\n\
         x-Amzn-Invoked-Production-Variant: AllTraffic\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\n\
         Content-Type: {TYPE}\r\nContent-Length: {body_bytes}\r\n\r\n"
    );
    [head.as_bytes(), &vec![b'7'; body_bytes]].concat()
}

/// The peer of `calls`: prints its address and runs until its standard input is closed.
fn serve_for_parent() {
    println!("{}", listen());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn make_calls(who: &str, bytes: usize, count: usize) {
    let mut peer = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(peer.stdout.take().unwrap())
        .read_line(&mut address)
        .unwrap();
    let mut call = caller(who, address.trim().parse().unwrap(), "small");
    let body = vec![b'7'; bytes];
    (0..count).for_each(|_| assert!(call(&body) > 0));
    drop(peer.stdin.take());
    peer.wait().unwrap();
}
