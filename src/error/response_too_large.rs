use std::fmt;

use super::is_success;
use crate::http::ResponseHead;
use crate::service::request_id;
use crate::text::Redactor;

/// A response over the limit. The inference has run if the status is a success, and may have run otherwise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResponseTooLarge {
    /// The limit in bytes.
    pub limit: u64,
    /// The length in the response's head; `None` if it has none.
    pub announced: Option<u64>,
    /// The HTTP status of the response.
    pub status: u16,
    /// The id under which AWS Support finds the request: at most 128 visible ASCII characters.
    pub request_id: Option<String>,
    /// How many requests were begun, failed connections included.
    pub attempts: u32,
}

impl ResponseTooLarge {
    pub(super) fn new(
        head: &ResponseHead,
        limit: u64,
        announced: Option<u64>,
        redactor: &Redactor,
    ) -> Self {
        let request_id = request_id(&head.headers, redactor);
        Self {
            limit,
            announced,
            status: head.status,
            request_id,
            attempts: 1,
        }
    }
}

impl fmt::Display for ResponseTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the response is larger than the limit of {} bytes",
            self.limit
        )?;
        if let Some(announced) = self.announced {
            write!(f, ": it announced {announced}")?;
        }
        let has_run = if is_success(self.status) {
            "has run"
        } else {
            "may have run"
        };
        write!(f, "; the inference {has_run}")
    }
}
