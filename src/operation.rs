//! The operations of the service: plain structs in, plain structs out, and the checks between.

mod invoke_endpoint;
mod invoke_endpoint_async;
mod invoke_endpoint_with_response_stream;
mod members;

pub use crate::error::AsyncTicket;
pub use invoke_endpoint::{InvokeEndpoint, InvokeEndpointResponse};
pub use invoke_endpoint_async::{
    AsyncInput, InvokeEndpointAsync, InvokeEndpointAsyncResponse, MAX_ASYNC_BODY_BYTES,
};
pub use invoke_endpoint_with_response_stream::{
    InvokeEndpointWithResponseStream, InvokeEndpointWithResponseStreamResponse,
};

use self::sealed::ReadOptions;
use crate::error::Error;
use crate::http::{Body, ResponseHead, Timings};

/// What [`Client::invoke`](crate::Client::invoke) can carry out. Sealed: the operations are those of this crate.
pub trait Operation: sealed::Input {
    /// The result of a successful call.
    type Output: sealed::Output;
}

pub(crate) mod sealed {
    use std::fmt;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use crate::error::{Error, InvalidInput};
    use crate::http::{Body, BodyError, Request, ResponseHead, Timings};
    use crate::sigv4::percent_encode;
    use crate::system::System;
    use crate::text::Redactor;

    pub(crate) type Numbers = [Option<String>; 2];

    pub trait Input {
        /// What follows the endpoint's name in the path.
        const PATH_END: &'static str;
        /// Whether the body of the response is given to the caller while it arrives.
        const IS_STREAMED: bool = false;
        /// Whether a container called without SageMaker cannot carry it out.
        const NEEDS_SAGEMAKER: bool = false;

        fn endpoint_name(&self) -> &str;

        /// Checks every member against the rules of the service's model.
        fn check(&self) -> Result<(), InvalidInput>;

        /// Appends the path, percent-encoded, to the base path of the endpoint.
        #[expect(clippy::expect_used, reason = "a String takes any text")]
        fn write_path(&self, path: &mut String) {
            path.push_str("/endpoints/");
            percent_encode(self.endpoint_name(), path).expect("writing to a String does not fail");
            path.push_str(Self::PATH_END);
        }

        /// The numeric members, as texts for [`headers`](Self::headers) to borrow.
        fn numbers(&self) -> Numbers {
            Numbers::default()
        }

        /// Name and value of the members that are set, in the order of the lower-case names.
        fn headers<'n>(
            &'n self,
            numbers: &'n Numbers,
            is_container: bool,
        ) -> Vec<(&'static str, &'n str)>;

        fn body(&self) -> &[u8];
    }

    /// What reading a response needs.
    #[allow(
        unreachable_pub,
        reason = "Rust 1.88 takes the types of a sealed trait for unreachable"
    )]
    pub struct ReadOptions<'a> {
        pub(crate) request: &'a Request<'a>,
        pub(crate) max_bytes: u64,
        pub(crate) system: &'a Arc<dyn System>,
        pub(crate) is_container: bool,
        /// When the attempt was sent.
        pub(crate) sent_at: Instant,
        /// When the call began, and how many attempts it has begun since, for errors of a streamed body.
        pub(crate) call_began_at: Instant,
        pub(crate) attempts: u32,
        /// Longest wait for a part of a streamed body.
        pub(crate) part_limit: Option<Duration>,
    }

    /// Without the request, which has secrets.
    impl fmt::Debug for ReadOptions<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("ReadOptions")
                .field("max_bytes", &self.max_bytes)
                .finish_non_exhaustive()
        }
    }

    impl ReadOptions<'_> {
        /// The error of a response body that could not be read completely.
        pub(crate) fn body_error(&self, failed: BodyError, head: &ResponseHead) -> Error {
            Error::of_body(
                failed,
                head,
                self.max_bytes,
                self.is_container,
                &self.redactor(),
            )
        }

        /// Removes the secrets of the request from what a server writes about it.
        pub(crate) fn redactor(&self) -> Redactor {
            Redactor::new(self.request.secrets())
        }
    }

    #[allow(
        unreachable_pub,
        reason = "Rust 1.88 takes the types of a sealed trait for unreachable"
    )]
    pub trait Output: Sized {
        /// Reads a response with a status of 200 to 299: its whole body, unless it is streamed.
        fn read(head: ResponseHead, body: Body, options: &ReadOptions<'_>) -> Result<Self, Error>;

        fn timings_mut(&mut self) -> &mut Timings;
    }
}

/// The body of a response that is not streamed, and the timings with its reading.
fn read_whole(
    head: &ResponseHead,
    mut body: Body,
    options: &ReadOptions<'_>,
) -> Result<(Vec<u8>, Timings), Error> {
    let reading_at = options.system.instant();
    let content = body.read_whole(options.max_bytes);
    let content = content.map_err(|failed| options.body_error(failed, head))?;
    let timings = Timings {
        read: options
            .system
            .instant()
            .saturating_duration_since(reading_at),
        bytes_received: u64::try_from(content.len()).unwrap_or(u64::MAX),
        ..head.timings
    };
    Ok((content, timings))
}
