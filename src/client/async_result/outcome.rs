//! What a look for a result gives.

use std::fmt;
use std::io::{self, Read};

use crate::http::Body;
use crate::text::OneLine;

/// What a look for a result found.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AsyncResult<B = Vec<u8>> {
    /// There is no result. Without a failure location, a job that failed stays in this state.
    NotYet,
    /// The container's answer.
    Ready {
        /// The body, as it came.
        body: B,
        /// The MIME type of the body.
        content_type: Option<String>,
    },
    /// The job failed. The text is that of the container or of SageMaker, in no documented format.
    Failed(String),
}

/// Shows the length of the body instead of its content, and the start of the text of a failure.
impl fmt::Debug for AsyncResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with(f, |body| format!("{} bytes", body.len()))
    }
}

/// Shows the announced length of the body, and the start of the text of a failure.
impl fmt::Debug for AsyncResult<AsyncResultBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with(f, |body| format!("{body:?}"))
    }
}

impl<B> AsyncResult<B> {
    /// The same result with another form of the body.
    pub(super) fn with_body<C, E>(
        self,
        form: impl FnOnce(B) -> Result<C, E>,
    ) -> Result<AsyncResult<C>, E> {
        Ok(match self {
            Self::NotYet => AsyncResult::NotYet,
            Self::Ready { body, content_type } => AsyncResult::Ready {
                body: form(body)?,
                content_type,
            },
            Self::Failed(text) => AsyncResult::Failed(text),
        })
    }

    fn fmt_with(&self, f: &mut fmt::Formatter<'_>, shown: impl Fn(&B) -> String) -> fmt::Result {
        match self {
            Self::NotYet => f.write_str("NotYet"),
            Self::Ready { body, content_type } => f
                .debug_struct("Ready")
                .field("body", &format_args!("{}", shown(body)))
                .field("content_type", content_type)
                .finish(),
            Self::Failed(text) => f.debug_tuple("Failed").field(&OneLine::long(text)).finish(),
        }
    }
}

/// How to look for a result. Made with update syntax: a new field is a minor release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsyncResultOptions {
    /// Takes the answer 403 as "not yet". Amazon S3 gives it for an object that does not exist if the caller has no
    /// permission `s3:ListBucket`, and also to callers who may never read it. Default: false, which makes it an error.
    pub access_denied_is_not_yet: bool,
}

/// The body of a result while it is read. Not held to [`Config::max_response_bytes`](crate::Config::max_response_bytes).
///
/// The end of the body is an error unless the whole object has arrived.
#[derive(Debug)]
pub struct AsyncResultBody(pub(super) Body);

impl Read for AsyncResultBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}
