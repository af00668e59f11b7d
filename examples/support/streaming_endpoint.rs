//! A streaming endpoint on loopback, whose model repeats its input: one word every 50 ms, each a server-sent event in a
//! separate frame. The frames are made by the encoder of AWS's SDK for Rust. Signatures are not checked.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};

const TIME_PER_WORD: Duration = Duration::from_millis(50);

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    content-type: application/vnd.amazon.eventstream\r\n\
    x-amzn-sagemaker-content-type: text/event-stream\r\n\
    x-amzn-requestid: 00000000-0000-4000-8000-000000000001\r\n\
    transfer-encoding: chunked\r\n\r\n";

/// Starts the endpoint and returns its URL. It ends with the program.
pub(crate) fn start() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away early ends its connection only.
            thread::spawn(move || serve(&stream).is_ok());
        }
    });
    Ok(url)
}

fn serve(stream: &TcpStream) -> Result<(), Box<dyn Error>> {
    let mut reader = BufReader::new(stream);
    loop {
        let body = read_request(&mut reader)?;
        let input: Value = serde_json::from_slice(&body)?;
        let words = input
            .get("inputs")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut writer = stream;
        writer.write_all(HEAD)?;
        for word in words.split_inclusive(' ') {
            thread::sleep(TIME_PER_WORD);
            write_part(
                &mut writer,
                &format!("data: {}\n\n", json!({ "token": { "text": word } })),
            )?;
        }
        write_part(&mut writer, "data: [DONE]\n\n")?;
        writer.write_all(b"0\r\n\r\n")?;
    }
}

/// The body of the next request.
fn read_request(reader: &mut impl BufRead) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse()?,
            None if line == "\r\n" => break,
            None if line.is_empty() => return Err("the connection is closed".into()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

/// Writes a frame as a chunk.
fn write_part(writer: &mut impl Write, payload: &str) -> Result<(), Box<dyn Error>> {
    let header = |name: &'static str, value: &'static str| {
        Header::new(name, HeaderValue::String(value.into()))
    };
    let message = Message::new(payload.as_bytes().to_vec())
        .add_header(header(":message-type", "event"))
        .add_header(header(":event-type", "PayloadPart"))
        .add_header(header(":content-type", "application/octet-stream"));
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame)?;
    let mut chunk = format!("{:x}\r\n", frame.len()).into_bytes();
    chunk.extend(frame);
    chunk.extend(b"\r\n");
    Ok(writer.write_all(&chunk)?)
}
