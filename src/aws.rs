//! What every AWS service shares: credentials as values, the signer, regions and host names, the correction of the
//! clock, and settings from the environment and the shared files.

pub(crate) mod clock_skew;
mod credentials;
pub(crate) mod profile;
pub(crate) mod region;
pub(crate) mod service;
pub(crate) mod settings;
mod signer;
pub(crate) mod xml;

pub use self::credentials::Credentials;
pub(crate) use self::service::Service;
pub(crate) use self::signer::{SignatureHeaders, Signer};
use crate::http::Headers;

/// The id under which AWS Support finds a request; older services use the second name.
pub(crate) fn request_id(headers: &Headers) -> Option<String> {
    headers
        .owned("x-amzn-requestid")
        .or_else(|| headers.owned("x-amz-request-id"))
}
