//! The HTTP request and response as plain values: the only types that cross the line to the transport.

use std::fmt;

use crate::timings::Timings;

/// Scheme, host and port: where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whether the scheme is `https`.
    pub(crate) tls: bool,
    /// Lower-case host, and the port when it is not the scheme's own: exactly the Host header.
    pub(crate) authority: String,
}

impl Origin {
    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// A request as it will be written, complete but for `Content-Length`.
#[derive(Clone)]
pub(crate) struct HttpRequest<'a> {
    pub(crate) method: &'static str,
    /// Percent-encoded, with the query if there is one.
    pub(crate) path: &'a str,
    /// Lower-case names in the order of writing; the values hold no control characters.
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    /// Headers of the same kind that no signature covers, written after the others.
    pub(crate) unsigned_headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// A response, read to its end.
#[derive(Clone)]
pub struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) timings: Timings,
}

/// Shows lengths: headers and body are the caller's own.
impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({}, {} bytes)", self.status, self.body.len())
    }
}

/// Response headers in one buffer: lower-case names, values as text.
#[derive(Clone, Default)]
pub(crate) struct Headers {
    text: String,
    /// End of the name and end of the value of each header; each begins where the one before it ended.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    pub(crate) fn with_capacity(headers: usize) -> Self {
        // 48 bytes are the usual length of one of this service's headers, name and value.
        Self { text: String::with_capacity(headers * 48), ends: Vec::with_capacity(headers) }
    }

    /// Adds a header; bytes of the value that are not UTF-8 become U+FFFD.
    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(&String::from_utf8_lossy(value));
        self.ends.push((name_end, self.text.len()));
    }

    /// The first value of the header with this lower-case name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(candidate, value)| (candidate == name).then_some(value))
    }

    /// The first value as an owned text.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// The id under which AWS's support finds the request: this service's header, else that of the older ones.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.owned("x-amzn-requestid").or_else(|| self.owned("x-amz-request-id"))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().filter_map(move |&(name_end, value_end)| {
            let name = self.text.get(start..name_end)?;
            start = value_end;
            Some((name, self.text.get(name_end..value_end)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_by_name_first_value_first() {
        let mut headers = Headers::with_capacity(2);
        headers.push("a", b"1");
        headers.push("b", b"");
        headers.push("a", b"\xff");
        assert_eq!(headers.get("a"), Some("1"));
        assert_eq!(headers.get("b"), Some(""));
        assert_eq!(headers.get("c"), None);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("a", "1"), ("b", ""), ("a", "\u{fffd}")]);
    }
}
