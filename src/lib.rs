//! Blocking Amazon SageMaker inference: one function, `invoke`, over plain structs, without an async runtime.
#![warn(missing_docs)]

pub mod client;
pub mod config;
pub mod credentials;
pub mod endpoint;
pub mod error;
pub mod host;
mod http;
pub mod operation;
mod region;
mod signed_request;
mod signing;
pub mod sigv4;
mod transport;

pub use client::Client;
pub use config::{Config, Proxy, Timeouts};
pub use credentials::Credentials;
pub use endpoint::Endpoint;
pub use error::Error;
pub use operation::{InvokeEndpoint, InvokeEndpointResponse, Operation};
pub use signed_request::SignedRequest;
