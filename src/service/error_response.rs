use std::time::Duration;

use serde_json::{Map, Value};

use crate::aws;
use crate::aws::xml::XmlDocument;
use crate::http::Headers;
use crate::text::{Redactor, is_word, masked_url, word};

/// Maximum bytes kept of an error body. The errors of AWS services are far shorter; the HTML page of a gateway is not.
pub(crate) const MAX_BODY_BYTES: usize = 4096;

/// Maximum size of a body read as JSON. A ModelError carries the container's response, which may be long; beyond that,
/// parsed JSON takes many times the memory of its text.
const MAX_JSON_BYTES: usize = 1024 * 1024;

/// Maximum size of a body read as XML. Errors are far shorter, and the parser keeps the path of each element.
const MAX_XML_BYTES: usize = 16 * 1024;

/// Members under which the services of AWS send an error's message and code, the most usual first.
const MESSAGE_NAMES: [&str; 3] = ["message", "Message", "errorMessage"];
const CODE_NAMES: [&str; 3] = ["code", "Code", "__type"];

/// Where the services that respond in XML put them. Front ends put a message under an element with the code's name.
const MESSAGE_PATHS: [&str; 2] = ["Error/Message", "Message"];
const CODE_PATH: &str = "Error/Code";

/// A response with a status other than 200 to 299, from any service. Foreign text enters here: each string is bounded, and
/// has none of the secrets of the request.
pub(crate) struct ErrorResponse {
    pub(crate) status: u16,
    pub(crate) code: Option<ErrorCode>,
    /// May have several lines.
    pub(crate) message: Option<String>,
    /// One word.
    pub(crate) request_id: Option<String>,
    /// Target of a redirect (300 to 399), without user information, query and fragment.
    pub(crate) location: Option<String>,
    /// The requested delay, `x-amz-retry-after`.
    pub(crate) retry_after: Option<Duration>,
    /// Start of the body, at most [`MAX_BODY_BYTES`].
    pub(crate) body: String,
    content: Content,
}

/// An error code without namespace and link, as the server wrote it.
#[derive(Clone, Debug)]
pub(crate) struct ErrorCode {
    /// One word of at most 128 characters.
    pub(crate) name: String,
    /// Whether it comes from `x-amzn-errortype`. Only AWS services set that header; a code in a body may come from a
    /// container behind a gateway, sent after the model ran.
    pub(crate) is_in_header: bool,
}

/// A parsed error body.
enum Content {
    Json(Map<String, Value>),
    /// XML with the elements of an error.
    Xml(XmlDocument),
    /// Text, HTML, or JSON and XML of another shape.
    Other,
}

impl ErrorResponse {
    pub(crate) fn read(status: u16, headers: &Headers, body: &[u8], redactor: &Redactor) -> Self {
        let content = Content::parse(body);
        let text = redactor.redact_start(body, MAX_BODY_BYTES);
        let message = content.message().map(|message| redactor.redact(message));
        Self {
            status,
            code: ErrorCode::read(headers, &content, redactor),
            message: message.or_else(|| plain_text_message(headers, &content, &text)),
            request_id: request_id(headers, redactor),
            location: location(status, headers, redactor),
            retry_after: retry_after(headers),
            body: text,
            content,
        }
    }

    /// Whether the body is an error of an AWS service, even if it is only `{"message":null}`.
    pub(crate) fn is_parsed(&self) -> bool {
        match &self.content {
            Content::Json(members) => {
                let mut names = MESSAGE_NAMES.iter().chain(&CODE_NAMES);
                members.is_empty() || names.any(|name| members.contains_key(*name))
            }
            Content::Xml(_) => true,
            Content::Other => false,
        }
    }

    /// The text of an XML element as it came.
    pub(crate) fn element(&self, path: &str) -> Option<&str> {
        match &self.content {
            Content::Xml(document) => document.text(path),
            Content::Json(_) | Content::Other => None,
        }
    }

    /// The members of a JSON body as they came: a caller redacts the strings that it keeps.
    pub(crate) fn members(&self) -> Option<&Map<String, Value>> {
        match &self.content {
            Content::Json(members) => Some(members),
            Content::Xml(_) | Content::Other => None,
        }
    }
}

impl ErrorCode {
    /// The code in the header, else in the body.
    fn read(headers: &Headers, content: &Content, redactor: &Redactor) -> Option<Self> {
        let header = headers.get("x-amzn-errortype");
        if let Some(name) = header.and_then(|text| bare_name(&text, redactor)) {
            return Some(Self {
                name,
                is_in_header: true,
            });
        }
        Some(Self {
            name: bare_name(content.code()?, redactor)?,
            is_in_header: false,
        })
    }
}

impl Content {
    fn parse(body: &[u8]) -> Self {
        if body.trim_ascii_start().starts_with(b"<") {
            return Self::parse_xml(body);
        }
        if body.len() > MAX_JSON_BYTES {
            return Self::Other;
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Self::Json(members),
            _ => Self::Other,
        }
    }

    fn parse_xml(body: &[u8]) -> Self {
        if body.len() > MAX_XML_BYTES {
            return Self::Other;
        }
        let content = XmlDocument::parse(body).map_or(Self::Other, Self::Xml);
        if content.code().or(content.message()).is_some() {
            content
        } else {
            Self::Other
        }
    }

    fn code(&self) -> Option<&str> {
        match self {
            Self::Json(members) => first_string(members, &CODE_NAMES),
            Self::Xml(document) => document.text(CODE_PATH),
            Self::Other => None,
        }
    }

    fn message(&self) -> Option<&str> {
        match self {
            Self::Json(members) => first_string(members, &MESSAGE_NAMES),
            Self::Xml(document) => MESSAGE_PATHS.iter().find_map(|path| document.text(path)),
            Self::Other => None,
        }
    }
}

/// The first string among these members.
fn first_string<'a>(members: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| members.get(*name)?.as_str())
}

/// `aws.protocoltests.restjson#FooError:http://...` is `FooError`.
fn bare_name(code: &str, redactor: &Redactor) -> Option<String> {
    let code = code.split(':').next().unwrap_or(code);
    let name = code.rsplit('#').next().unwrap_or(code).trim();
    if is_word(name) {
        word(&redactor.redact(name))
    } else {
        None
    }
}

/// The id under which AWS Support finds a request.
pub(crate) fn request_id(headers: &Headers, redactor: &Redactor) -> Option<String> {
    let id = aws::request_id(headers)?;
    word(redactor.redact(&id).trim())
}

/// Target of a redirect, without its query: a presigned URL has a signature there, a login page a state.
fn location(status: u16, headers: &Headers, redactor: &Redactor) -> Option<String> {
    if !(300..400).contains(&status) {
        return None;
    }
    let location = headers.get("location")?;
    if location.is_empty() {
        None
    } else {
        Some(masked_url(&redactor.redact(&location)))
    }
}

/// Parses `x-amz-retry-after` (whole milliseconds); malformed values are ignored.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let milliseconds = headers.get("x-amz-retry-after")?.trim().parse().ok()?;
    Some(Duration::from_millis(milliseconds))
}

/// A message sent by a front end without JSON, such as "HTTP content length exceeded 5246976 bytes."
fn plain_text_message(headers: &Headers, content: &Content, body: &str) -> Option<String> {
    let content_type = headers
        .get("content-type")
        .unwrap_or("text/plain".into())
        .to_ascii_lowercase();
    let text = body.trim();
    let is_plain =
        content_type.starts_with("text/plain") && !text.is_empty() && !text.starts_with('<');
    if is_plain && matches!(content, Content::Other) {
        Some(text.to_owned())
    } else {
        None
    }
}
