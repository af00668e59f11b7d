//! The floor: a socket, our signature, one write, one read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use sagemaker_invoke::sigv4::{
    AmzDate, Authorization, CanonicalRequest, Payload, Request, Scope, SigningKey, StringToSign,
};

pub struct Raw {
    stream: TcpStream,
    host: String,
    path: String,
    access_key: String,
    region: String,
    key: SigningKey,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Raw {
    pub fn new(endpoint: &str) -> Self {
        let variable = |name| std::env::var(name).expect(name);
        let url = variable("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME");
        let host = url.strip_prefix("http://").expect("plain HTTP").to_owned();
        let region = variable("AWS_REGION");
        let stream = TcpStream::connect(&host).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let scope = Scope {
            amz_date: now(),
            region: &region,
            service: "sagemaker",
        };
        Self {
            key: SigningKey::derive(&variable("AWS_SECRET_ACCESS_KEY"), scope),
            stream,
            host,
            path: format!("/endpoints/{endpoint}/invocations"),
            access_key: variable("AWS_ACCESS_KEY_ID"),
            region,
            request: Vec::new(),
            answer: vec![0; 8 << 10],
        }
    }

    pub fn call(&mut self, body: &[u8]) -> Vec<u8> {
        self.request.clear();
        self.write_head(body);
        // Up to here copying is cheaper than another system call.
        if body.len() <= 64 << 10 {
            self.request.extend_from_slice(body);
            self.stream.write_all(&self.request).expect("a request");
        } else {
            self.stream.write_all(&self.request).expect("a head");
            self.stream.write_all(body).expect("a body");
        }
        self.read_answer()
    }

    fn write_head(&mut self, body: &[u8]) {
        let (amz_date, path) = (now(), &self.path);
        let headers = [
            ("content-type", "application/json"),
            ("host", &*self.host),
            ("x-amz-date", amz_date.as_str()),
        ];
        let request = Request {
            headers: &headers,
            payload: Payload::Bytes(body),
            ..Request::new("POST", path)
        };
        let canonical_request = CanonicalRequest::new(&request);
        let scope = Scope {
            amz_date,
            region: &self.region,
            service: "sagemaker",
        };
        let signature = self.key.sign(&StringToSign::new(&canonical_request, scope));
        let authorization = Authorization {
            access_key_id: &self.access_key,
            scope,
            canonical_request: &canonical_request,
            signature,
        };
        write!(self.request, "POST {path} HTTP/1.1\r\n").expect("room");
        for (name, value) in headers {
            write!(self.request, "{name}: {value}\r\n").expect("room");
        }
        write!(
            self.request,
            "content-length: {}\r\nauthorization: {authorization}\r\n\r\n",
            body.len()
        )
        .expect("room");
    }

    fn read_answer(&mut self) -> Vec<u8> {
        let mut filled = 0;
        loop {
            match self
                .stream
                .read(&mut self.answer[filled..])
                .expect("an answer")
            {
                0 => panic!("the peer hung up"),
                bytes => filled += bytes,
            }
            let Some((head_bytes, body_bytes)) = lengths(&self.answer[..filled]) else {
                continue;
            };
            let mut body = Vec::with_capacity(body_bytes);
            body.extend_from_slice(&self.answer[head_bytes..filled]);
            let left = (body_bytes - body.len()) as u64;
            if left > 0 {
                (&mut self.stream)
                    .take(left)
                    .read_to_end(&mut body)
                    .expect("a body");
            }
            return body;
        }
    }
}

fn now() -> AmzDate {
    AmzDate::from_system_time(SystemTime::now()).expect("a date")
}

/// Bytes of the head and of the body that it announces, once the head is whole.
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
        std::str::from_utf8(value).ok()?.trim().parse().ok()?,
    ))
}
