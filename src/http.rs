//! HTTP requests and responses over ureq: the connection pool, TLS, the proxy, time limits, and what is known when an
//! exchange fails. Nothing in it depends on AWS or on inferences.
//!
//! ```text
//! Transport::send ─▶ agent ─▶ pool ─┬───────────── reused ─────────────┬─▶ Connection ─▶ TLS ─▶ HeldWrites ─▶ TCP
//!                                   └─ connector: lookup, proxy, TCP, TLS ┘
//! ```

mod addresses;
mod agent;
mod body;
mod connection;
mod connector;
mod deadlines;
mod exchange_error;
mod held_writes;
mod limits;
mod message;
mod proxy;
mod request_reader;
mod setting_error;
mod tcp;
mod timings;
mod tls;
mod transport;
mod transport_error;

pub(crate) use self::addresses::Resolver;
pub(crate) use self::body::{Body, BodyError};
pub(crate) use self::limits::Limits;
pub(crate) use self::message::{Headers, Origin, Request, ResponseHead};
pub use self::proxy::Proxy;
pub(crate) use self::setting_error::SettingError;
pub use self::timings::Timings;
pub(crate) use self::transport::{Transport, TransportSettings};
pub(crate) use self::transport_error::{Cause, IncompleteResponse};
pub use self::transport_error::{Phase, Sent, TransportError};
