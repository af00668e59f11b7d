//! Inference from an Amazon SageMaker endpoint for programs without an async runtime: one blocking function,
//! [`invoke`](Client::invoke), over plain structs.
//!
//! ```no_run
//! use sagemaker_invoke::{Client, InvokeEndpoint};
//!
//! # fn main() -> Result<(), sagemaker_invoke::Error> {
//! let client = Client::from_env()?;
//! let response = client.invoke(&InvokeEndpoint {
//!     content_type: Some("text/csv"),
//!     ..InvokeEndpoint::new("churn-model", b"1.5,2.5,4.5")
//! })?;
//! println!("{}", String::from_utf8_lossy(&response.body));
//! # Ok(())
//! # }
//! ```
//!
//! # Flow
//!
//! ```text
//! InvokeEndpoint ─ checks ─▶ request ─ sigv4 ─▶ signed ─ transport ─▶ answer ─▶ InvokeEndpointResponse, or
//!   a plain struct             ▲        ▲  ▲             time limits,           Error: may the model have run?
//!                     endpoint ┘  clock ┘  └ credentials connection pool
//! ```
//!
//! A [`Client`] is made of a [`Config`], or of [what the environment says](Client::from_env). It is cheap to clone,
//! and its clones share connections and credentials; give one to each thread. [`Client::sign`] stops before the
//! transport and returns what would be sent.
//!
//! # Contract
//!
//! - **Checked**: every member is held against the service's model before anything is sent; the first that breaks
//!   a rule is named by [`Error::InvalidInput`].
//! - **Sent**: what you set, what the signature needs, `amz-sdk-invocation-id`, `amz-sdk-request`, `content-length` and
//!   `user-agent`. No Accept, Accept-Encoding,
//!   Content-Type or cookie is invented, and no redirect is followed. The body is never interpreted.
//! - **Signed**: what you set, `host` and every `x-amz-*`, and the whole body.
//! - **Sent again**: what [`RetryPolicy`] allows; by default only what cannot have run, so that one call never runs
//!   the model twice.
//! - **Run**: [`Error::may_have_run`] says for every failure whether the model may have run all the same. False is
//!   a promise.
//! - **Bounded**: each step has a limit of its own in [`Timeouts`], and [`Timeouts::call`] bounds them all together.
//!   A warm call starts no thread and looks up no name.
//! - **Logged**: keys, tokens, signatures, request bodies and custom attributes show in no Debug, no Display and no
//!   record of the `log` crate, at any level. Bytes of *responses* do: at level `trace`, under the target
//!   `ureq_proto`: inferences, and the credentials that network sources answer with. Keep that target at `debug` or
//!   above where these must stay out of the logs.
//!
//! # Limits
//!
//! A response is read up to [`Config::max_response_bytes`], 64 MiB by default. The payload limit is AWS's to enforce:
//! 25 MB for real-time endpoints, 4 MB for serverless ones, 60 s for the model's answer.
//! The caller needs the permission `sagemaker:InvokeEndpoint`.
//!
//! # What it is not
//!
//! No async interface, no presigned URLs (the service takes none), no calls that create or describe endpoints, no
//! HTTP/2 stream in both directions, no SigV4a. It does not serialise: bytes in, bytes out.
//!
//! # Features
//!
//! - `rustls` (default): TLS by rustls with the ring provider and Mozilla's root certificates.
//! - `rustls-no-provider`: TLS by rustls with the crypto provider that the program installed as the process default.
//! - `native-tls`: TLS by the operating system's library; used when no rustls feature is on.
//! - `platform-verifier`: certificates are checked by the operating system's verifier; goes with rustls.
//!
//! Without any of them, [`sigv4`], containers and endpoints over plain HTTP still work.

// The modules in the order of the flow; none imports one above itself.

// The whole flow as one short function, and the state of one call.
pub mod client;

// Settings, and what the environment and a profile say.
pub mod config;

// From region and settings to scheme, host and base path.
pub mod endpoint;

// Requests and responses as plain structs.
pub mod operation;

// The body of a streamed response.
pub mod response_stream;

// Where credentials come from, and how they are cached.
pub mod credentials;

// Whether and when to send again.
pub mod retry;

// What can go wrong, and whether the model may have run.
pub mod error;

// What every AWS service shares: signer, regions, settings, profiles.
mod aws;

// The wire: connection pool, TLS, proxy, time limits. The only module that names ureq.
mod http;

// AWS Signature Version 4.
pub mod sigv4;

// Secrets and foreign text.
mod text;

// The only module that touches environment, files, clock, names and processes.
pub mod system;

#[cfg(test)]
mod testing;

pub use client::{CallOptions, Client, SignedRequest};
pub use config::{Config, Proxy, Timeouts};
pub use credentials::Credentials;
pub use endpoint::Endpoint;
pub use error::Error;
pub use http::Timings;
pub use operation::{
    InvokeEndpoint, InvokeEndpointResponse, InvokeEndpointWithResponseStream,
    InvokeEndpointWithResponseStreamResponse, Operation,
};
pub use response_stream::ResponseStream;
pub use retry::{Resend, RetryPolicy};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
