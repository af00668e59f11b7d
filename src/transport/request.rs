//! A request as bytes.

use std::io::{self, Read};

use super::exchange;
use crate::http::HttpRequest;

/// Names this crate to the service, as AWS asks of every client. Not signed.
const USER_AGENT: &str = concat!("sagemaker-invoke/", env!("CARGO_PKG_VERSION"));

/// Request line, the request's headers in their order, `content-length` and `user-agent`; nothing else.
pub(super) fn write_head(request: &HttpRequest<'_>) -> Vec<u8> {
    let headers = || request.headers.iter().chain(request.unsigned_headers);
    let headers_bytes: usize = headers().map(|(name, value)| name.len() + value.len() + 4).sum();
    // The other lines take less than 128 bytes beside method and path.
    let mut head = Vec::with_capacity(request.method.len() + request.path.len() + headers_bytes + 128);
    let mut write =
        |pieces: &[&str]| pieces.iter().for_each(|piece| head.extend_from_slice(piece.as_bytes()));
    write(&[request.method, " ", request.path, " HTTP/1.1\r\n"]);
    for (name, value) in headers() {
        write(&[name, ": ", value, "\r\n"]);
    }
    if request.method != "GET" {
        write(&["content-length: ", &request.body.len().to_string(), "\r\n"]);
    }
    write(&["user-agent: ", USER_AGENT, "\r\n\r\n"]);
    head
}

/// What is left of a request. One read gives of the body too, so that a small request leaves in one write.
///
/// What does not fit into the first read is written to the connection's socket if the exchange lends it, as one
/// write from where the caller keeps it. ureq is told of it in reads that leave its buffer as it is.
pub(super) struct Whole<'a> {
    head: &'a [u8],
    body: &'a [u8],
    written_bytes: usize,
}

impl<'a> Whole<'a> {
    pub(super) fn new(head: &'a [u8], body: &'a [u8]) -> Self {
        Self { head, body, written_bytes: 0 }
    }

    fn write_directly(&mut self) -> io::Result<()> {
        if !self.body.is_empty()
            && self.head.is_empty()
            && let Some(socket) = exchange::take_socket()
        {
            exchange::begin_direct_write();
            let body = std::mem::take(&mut self.body);
            self.written_bytes = body.len();
            socket.write_all(body, exchange::wrote)?;
        }
        Ok(())
    }
}

impl Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.write_directly()?;
        if self.written_bytes > 0 {
            let told = self.written_bytes.min(buffer.len());
            self.written_bytes -= told;
            return Ok(told);
        }
        let of_head = self.head.read(buffer)?;
        let of_body = self.body.read(buffer.get_mut(of_head..).unwrap_or_default())?;
        Ok(of_head + of_body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_holds_what_it_was_given_and_two_lines_more() {
        let request = HttpRequest {
            method: "POST",
            path: "/a%20b",
            headers: vec![("host", "h:1")],
            unsigned_headers: &[("x", "")],
            body: b"12",
        };
        let text = String::from_utf8(write_head(&request)).unwrap();
        let user_agent = format!("user-agent: {USER_AGENT}\r\n\r\n");
        assert_eq!(
            text,
            format!("POST /a%20b HTTP/1.1\r\nhost: h:1\r\nx: \r\ncontent-length: 2\r\n{user_agent}")
        );
    }

    #[test]
    fn head_and_body_are_read_together_in_pieces_of_any_size() {
        for piece_bytes in 1..12 {
            let mut whole = Whole::new(b"head", b"body");
            let (mut read, mut piece) = (Vec::new(), vec![0; piece_bytes]);
            loop {
                let bytes = whole.read(&mut piece).unwrap();
                assert_eq!(bytes, piece_bytes.min(8 - read.len()));
                read.extend_from_slice(&piece[..bytes]);
                if bytes == 0 {
                    break;
                }
            }
            assert_eq!(read, b"headbody");
        }
    }
}
