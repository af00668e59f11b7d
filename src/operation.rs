//! The operations of the service: plain structs in, plain structs out, and the checks between.

mod invoke_endpoint;
mod invoke_endpoint_with_response_stream;
mod members;

pub use invoke_endpoint::{InvokeEndpoint, InvokeEndpointResponse};
pub use invoke_endpoint_with_response_stream::{
    InvokeEndpointWithResponseStream, InvokeEndpointWithResponseStreamResponse,
};

/// What [`Client::invoke`](crate::Client::invoke) can carry out. Sealed: the operations are those of this crate.
pub trait Operation: sealed::Input {
    /// The result of a successful call.
    type Output: sealed::Output;
}

pub(crate) mod sealed {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use crate::error::{Error, InvalidInput};
    use crate::http::{Body, ResponseHead, Timings};
    use crate::system::System;

    pub trait Input {
        /// Whether the body of the response is given to the caller while it arrives.
        const IS_STREAMED: bool = false;

        /// Checks every member against the rules of the service's model.
        fn check(&self) -> Result<(), InvalidInput>;

        /// Appends the path, percent-encoded, to the base path of the endpoint.
        fn write_path(&self, path: &mut String);

        /// The path at a container that is called without SageMaker.
        fn container_path(&self) -> &'static str {
            "/invocations"
        }

        /// Name and value of the members that are set, in the order of the lower-case names.
        fn headers(&self, is_container: bool) -> Vec<(&'static str, &str)>;

        fn body(&self) -> &[u8];
    }

    /// What reading a response needs.
    #[derive(Debug)]
    pub struct ReadOptions<'a> {
        pub(crate) max_bytes: u64,
        pub(crate) system: &'a Arc<dyn System>,
        pub(crate) is_container: bool,
        /// When the attempt was sent.
        pub(crate) sent_at: Instant,
        /// Longest wait for a part of a streamed body.
        pub(crate) part_limit: Option<Duration>,
    }

    pub trait Output: Sized {
        /// Reads a response with a status of 200 to 299: its whole body, unless it is streamed.
        fn read(head: ResponseHead, body: Body, options: &ReadOptions<'_>) -> Result<Self, Error>;

        fn timings_mut(&mut self) -> &mut Timings;
    }
}
