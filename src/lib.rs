//! Blocking Amazon SageMaker inference: one function, `invoke`, over plain structs, without an async runtime.
#![warn(missing_docs)]

mod call;
pub mod client;
mod clock_skew;
pub mod config;
pub mod credentials;
pub mod endpoint;
pub mod error;
pub mod host;
mod http;
pub mod operation;
mod profile;
mod region;
pub mod retry;
#[cfg(test)]
mod sequence;
mod signed_request;
mod signing;
pub mod sigv4;
mod timings;
mod transport;

pub use call::CallOptions;
pub use client::Client;
pub use config::{Config, Proxy, Timeouts};
pub use credentials::Credentials;
pub use endpoint::Endpoint;
pub use error::Error;
pub use operation::{InvokeEndpoint, InvokeEndpointResponse, Operation};
pub use retry::{Resend, RetryPolicy};
pub use signed_request::SignedRequest;
pub use timings::Timings;
