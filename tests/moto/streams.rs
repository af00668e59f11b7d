//! Streams whose frames are made by moto's encoder, an implementation independent of AWS's.

use std::io::Read;
use std::process::Command;

use sagemaker_invoke::error::StreamErrorKind;
use sagemaker_invoke::{Client, Error, InvokeEndpointWithResponseStream};

use super::support::{Peer, response};

/// Writes three lines of hex: 1,000 parts in frames, their payloads, and an exception in a frame.
const SCRIPT: &str = r#"
import datetime, random
from moto.core.eventstream import EventStreamEncoder
encoder, source = EventStreamEncoder(), random.Random(13)
parts = [source.randbytes(source.choice([0, 1, 60, 1024, 70000])) for _ in range(1000)]
headers = {":message-type": "event", ":event-type": "PayloadPart", "flag": True, "count": -7, "bytes": b"\0",
           "time": datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)}
print(b"".join(encoder.encode_message(headers, part) for part in parts).hex())
print(b"".join(parts).hex())
headers = {":message-type": "exception", ":exception-type": "ModelStreamError"}
print(encoder.encode_message(headers, b'{"Message":"too slow","ErrorCode":"ModelInvocationTimeExceeded"}').hex())
"#;

#[test]
#[ignore = "needs moto, run by .ci/run"]
fn the_frames_of_motos_encoder() {
    let python =
        std::env::var("MOTO_PYTHON").expect("MOTO_PYTHON is the path of a Python with moto");
    let output = Command::new(python).args(["-c", SCRIPT]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<u8>> = text
        .lines()
        .map(|line| hex::decode(line).unwrap())
        .collect();
    let [frames, payloads, exception] = lines.as_slice() else {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    };

    let mut content = Vec::new();
    assert!(read(frames, &mut content).is_ok());
    assert!(
        content == *payloads,
        "{} of {} bytes",
        content.len(),
        payloads.len()
    );

    let mut content = Vec::new();
    let error = read(&[frames.as_slice(), exception].concat(), &mut content).unwrap_err();
    assert!(
        content == *payloads,
        "{} of {} bytes",
        content.len(),
        payloads.len()
    );
    let Error::Stream(error) = error.downcast::<Error>().unwrap() else {
        panic!("another error")
    };
    assert_eq!(error.kind, StreamErrorKind::ModelTimeExceeded);
    assert_eq!(error.message.as_deref(), Some("too slow"));
    assert_eq!(
        error.bytes_delivered,
        u64::try_from(payloads.len()).unwrap()
    );
}

/// Reads a response with this body to its end.
fn read(body: &[u8], content: &mut Vec<u8>) -> std::io::Result<usize> {
    let headers = [("content-type", "application/vnd.amazon.eventstream")];
    let peer = Peer::responding(response(200, &headers, body));
    let client = Client::new(peer.config()).unwrap();
    let response = client
        .invoke(&InvokeEndpointWithResponseStream::new("e", b"body"))
        .unwrap();
    let mut stream = response.body;
    stream.read_to_end(content)
}
