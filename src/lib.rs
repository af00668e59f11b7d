//! Amazon SageMaker InvokeEndpoint for synchronous programs: one blocking function, [`Client::invoke`], over plain
//! structs.
//!
//! # Example
//!
//! ```no_run
//! use sagemaker_invoke::{Client, InvokeEndpoint};
//!
//! # fn main() -> Result<(), sagemaker_invoke::Error> {
//! let client = Client::from_env()?;
//! let response = client.invoke(&InvokeEndpoint {
//!     content_type: Some("text/csv"),
//!     ..InvokeEndpoint::new("churn-model", "1.5,2.5,4.5")
//! })?;
//! println!("{}", response.text());
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is made from a [`Config`], or from [the environment](Client::from_env) as the AWS CLI and SDKs read it.
//! It is cheap to clone, and its clones share connections and credentials; give one to each thread.
//!
//! A failed call: [`Error::may_have_run`] decides whether it is safe to call again.
//!
//! ```no_run
//! # use sagemaker_invoke::{Client, Error, InvokeEndpoint, InvokeEndpointResponse};
//! fn predict(client: &Client, row: &str) -> Result<InvokeEndpointResponse, Error> {
//!     let result = client.invoke(&InvokeEndpoint::new("churn-model", row));
//!     if let Err(error) = &result {
//!         let advice = if error.may_have_run() { "do not repeat it" } else { "it can be repeated" };
//!         eprintln!("{error}: {advice}");
//!     }
//!     result
//! }
//! ```
//!
//! The same request, signed and not sent:
//!
//! ```
//! use sagemaker_invoke::{Client, Config, Credentials, InvokeEndpoint};
//!
//! # fn main() -> Result<(), sagemaker_invoke::Error> {
//! let client = Client::new(Config {
//!     region: Some("eu-central-1".to_owned()),
//!     credentials: Credentials::new("AKIDEXAMPLE", "secret").into(),
//!     ..Config::default()
//! })?;
//! let request = InvokeEndpoint::new("churn-model", "1.5,2.5,4.5");
//! let signed = client.sign(&request)?;
//! assert_eq!(signed.url, "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/churn-model/invocations");
//! assert!(signed.header("authorization").is_some());
//! assert!(signed.curl().contains("authorization: ***"));
//! # Ok(())
//! # }
//! ```
//!
//! More in the README, and in the folder `examples` of the package.
//!
//! # Types
//!
//! The types for most programs are at the top of the crate. These are in its modules:
//!
//! | types | what they are |
//! | --- | --- |
//! | [`client::AsyncResultOptions`], [`AsyncResultBody`](client::AsyncResultBody) | how to look for the result of an asynchronous request, and its body while it is read |
//! | [`credentials::Provider`], [`ProvideCredentials`](credentials::ProvideCredentials) | a source of credentials, and the trait of one implemented by the program |
//! | [`credentials::Custom`], [`Secret`](credentials::Secret) | such a source inside a [`Config`], and a text hidden by `Debug` |
//! | [`error::ConfigError`], [`InvalidInput`](error::InvalidInput), [`CredentialsError`](error::CredentialsError) | errors before anything is sent: the setting, the member of the request, the sources tried |
//! | [`error::TransportError`], [`Phase`](error::Phase), [`Sent`](error::Sent) | an exchange without a whole response: its step, and how much of the request was sent |
//! | [`error::ServiceError`], [`ServiceErrorKind`](error::ServiceErrorKind), [`ModelError`](error::ModelError) | an answer that is an error: of the service, or of the container of the model |
//! | [`error::ResponseTooLarge`] | a response over [`Config::max_response_bytes`] |
//! | [`error::StreamError`], [`StreamErrorKind`](error::StreamErrorKind) | a response stream that did not end well |
//! | [`error::AsyncResultError`], [`AsyncResultErrorKind`](error::AsyncResultErrorKind) | a failed look for the result of an asynchronous request |
//! | [`response_stream::Records`], [`Event`](response_stream::Event), [`StreamSummary`](response_stream::StreamSummary) | records and server-sent events of a stream, and what it delivered |
//! | [`response_stream::RecordReader`] | the same records from any reader |
//! | [`sigv4::Request`], [`Payload`](sigv4::Payload), [`PathStyle`](sigv4::PathStyle) | the request to sign |
//! | [`sigv4::CanonicalRequest`], [`AmzDate`](sigv4::AmzDate), [`Scope`](sigv4::Scope), [`StringToSign`](sigv4::StringToSign), [`SigningKey`](sigv4::SigningKey), [`Signature`](sigv4::Signature), [`Authorization`](sigv4::Authorization), [`Presign`](sigv4::Presign) | the steps of a signature |
//! | [`system::System`], [`OsSystem`](system::OsSystem) | clock, files, environment, name lookup and programs, and those of this machine |
//! | [`system::ProcessOutput`] | exit status and standard output of a program |
//!
//! # Flow
//!
//! ```text
//! InvokeEndpoint ─ checks ─▶ request ─ sigv4 ─▶ signed ─ transport ─▶ head + body ─▶ InvokeEndpointResponse
//!   plain struct               ▲       ▲  ▲       pool, TLS, proxy,        │           or Error: may_have_run?
//!                     endpoint ┘       │  └ clock  time limits             │
//!                                      └ credentials (cached)              │
//!                                      ▲───────── retry policy ◀───────────┘  (each attempt is signed again)
//! ```
//!
//! # Contract
//!
//! - **Checked**: every member against the rules of the service's model, before anything is sent.
//!   [`Error::InvalidInput`] names the first invalid one.
//! - **Sent**: the members that are set, the headers of the signature, `amz-sdk-invocation-id`, `amz-sdk-request`,
//!   `content-length` and `user-agent`. No Accept, Accept-Encoding, Content-Type or Cookie is added, no redirect is
//!   followed, and the body is sent as it is.
//! - **Signed**: the members that are set, `host`, every `x-amz-*` header, and the whole body.
//! - **Sent again**: what [`RetryPolicy`] allows. The default, [`Resend::Rejected`], is limited to requests which have
//!   not run, so one call runs the model at most once.
//! - **Run**: [`Error::may_have_run`] is false only if the request did not leave this process whole, or if the service
//!   proved a refusal. Unsure counts as true.
//! - **Whole**: a success is the whole response. One whose end is uncertain is an error.
//! - **Bounded**: each step has a limit in [`Timeouts`], and [`Timeouts::call`] limits the whole call, with credentials,
//!   lookups, retries and waits. A warm call starts no thread and looks up no name.
//! - **Logged**: attempts, waits, and where settings and credentials come from, at level debug of the crate `log`. Keys,
//!   tokens, signatures, request bodies and custom attributes are in no `Debug`, no `Display` and no log record, with
//!   one exception: at level trace, the target `ureq_proto` shows the bytes of request heads and of responses, and with
//!   them signatures, session tokens, custom attributes, inferences, and credentials from network sources. Keep that
//!   target at debug. A log sink may itself use the client, but not for lines of targets that begin with `ureq` or
//!   `rustls`: some of them are written under the lock of ureq's pool.
//! - **Forked**: a child process makes its own connections and loads its own credentials. It neither uses nor closes the
//!   connections of its parent.
//! - **Shut down**: after [`Client::shutdown`], calls end with an error and nothing is sent.
//! - **Unwinding**: a panic in a call leaves the client usable; [`Client`] is `UnwindSafe`.
//!
//! # Limits
//!
//! Defaults are constants in [`config`] and [`retry`]. A response is read up to [`Config::max_response_bytes`], 64 MiB
//! by default. AWS limits payloads to 25 MB for real-time endpoints and 4 MB for serverless ones, and a model to 60 s.
//! The caller needs the permission `sagemaker:InvokeEndpoint`.
//!
//! # Non-goals
//!
//! No async interface, no calls to create or describe endpoints, no HTTP/2 stream in both directions, no SigV4A, no
//! SOCKS proxies. No serialization: bytes in, bytes out.
//!
//! # Features
//!
//! - `rustls` (default): TLS by rustls with the ring provider and Mozilla's root certificates.
//! - `rustls-no-provider`: TLS by rustls with the crypto provider installed by the program as the process default.
//! - `native-tls`: TLS by the operating system's library; used if no rustls feature is on.
//! - `platform-verifier`: certificates are checked by the operating system's verifier; goes with rustls.
//!
//! Without any of them, [`sigv4`], containers and endpoints over plain HTTP work. A feature adds to the interface;
//! `platform-verifier` also replaces the trusted roots, for every crate of the program that enables this one.
//!
//! # Versions
//!
//! The crate follows semantic versioning; at 0.x, a minor release may break. The changelog lists every such change.
//! These rules keep a program compiling:
//!
//! - [`Config`], [`Timeouts`], [`RetryPolicy`], [`CallOptions`], [`client::AsyncResultOptions`] and the requests,
//!   [`InvokeEndpoint`], [`InvokeEndpointAsync`] and [`InvokeEndpointWithResponseStream`], are made with update syntax
//!   (`..Config::default()`, `..InvokeEndpoint::new(name, body)`). A new field is a minor release.
//! - Responses, [`Timings`], [`Credentials`], [`BearerToken`], [`SignedRequest`] and the structs in [`error`],
//!   [`response_stream`] and [`system`] are `#[non_exhaustive]` or have private fields: read them, and make one by `new`
//!   or `default()` where it has them.
//! - [`AsyncTicket`] and the structs in [`sigv4`] are complete: a new field is a breaking change.
//! - These enums are `#[non_exhaustive]`, and a new variant is a minor release: [`Error`], [`error::ServiceErrorKind`],
//!   [`error::StreamErrorKind`], [`error::AsyncResultErrorKind`], [`error::Phase`], [`error::Sent`], [`AsyncInput`],
//!   [`AsyncResult`], [`Endpoint`], [`Proxy`], [`Resend`], [`credentials::Provider`], [`sigv4::Payload`].
//! - [`system::System`] has no default methods. A new method is a minor release.
//! - The minimum Rust is raised in minor releases only.
//!
//! A minor release may also change a default, with a note in the changelog, but none makes the default policy resend a
//! request which may have run. Texts of errors and log records are for people and change in any release; match on
//! variants, fields and codes.

#![cfg_attr(docsrs, feature(doc_cfg))]

// The modules in the order of the flow; none imports one above itself.

// The client: one call from request to response, its attempts and its state.
pub mod client;

// Settings: their defaults, and those of the environment and of a profile.
pub mod config;

// Endpoints: scheme, host and base path.
pub mod endpoint;

// Operations: requests and responses as plain structs, and their checks.
pub mod operation;

// Streamed responses: frames, parts, records.
pub mod response_stream;

// Credentials: providers, the default chain, the cache.
pub mod credentials;

// Retries: which failures, and after which wait.
pub mod retry;

// Errors, and whether the model may have run.
pub mod error;

// Error responses of all services: bounded, sanitized, redacted.
mod service;

// Shared by all AWS services: signer, regions, settings, profiles.
mod aws;

// HTTP: connection pool, TLS, proxy, time limits. The only module to name ureq.
mod http;

// AWS Signature Version 4.
pub mod sigv4;

// Secrets, and text from other parties.
mod text;

// Environment, files, clock, randomness, name lookup and processes. The only module to use them.
pub mod system;

#[cfg(test)]
mod testing;

#[doc(inline)]
pub use client::{AsyncResult, BearerToken, CallOptions, Client, SignedRequest};
#[doc(inline)]
pub use config::{Config, Proxy, Timeouts};
#[doc(inline)]
pub use credentials::Credentials;
#[doc(inline)]
pub use endpoint::Endpoint;
#[doc(inline)]
pub use error::Error;
pub use http::Timings;
#[doc(inline)]
pub use operation::{
    AsyncInput, AsyncTicket, InvokeEndpoint, InvokeEndpointAsync, InvokeEndpointAsyncResponse,
    InvokeEndpointResponse, InvokeEndpointWithResponseStream,
    InvokeEndpointWithResponseStreamResponse, Operation,
};
#[doc(inline)]
pub use response_stream::ResponseStream;
#[doc(inline)]
pub use retry::{Resend, RetryPolicy};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
