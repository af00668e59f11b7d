//! The operations of the service: plain structs in, plain structs out, and the checks between.

mod check;
mod invoke_endpoint;

pub use invoke_endpoint::{InvokeEndpoint, InvokeEndpointResponse};

/// What [`Client::invoke`](crate::Client::invoke) can carry out. Sealed: the operations are this crate's.
pub trait Operation: sealed::Request {
    /// What a successful call gives.
    type Output: sealed::Response;
}

pub(crate) mod sealed {
    use crate::error::InvalidInput;
    use crate::http::HttpResponse;

    pub trait Request {
        /// Holds every member against the rules of the model.
        fn check(&self) -> Result<(), InvalidInput>;

        /// The endpoint's name and what follows it in the path.
        fn route(&self) -> (&str, &'static str);

        /// The path at a container that is called without SageMaker before it.
        fn container_path(&self) -> &'static str;

        /// Name and value of the members that are set, in the order of the lower-case names.
        fn headers(&self) -> Vec<(&str, &str)>;

        fn body(&self) -> &[u8];
    }

    pub trait Response {
        /// Takes a response with a status of 200 to 299.
        fn parse(response: HttpResponse) -> Self;
    }
}
