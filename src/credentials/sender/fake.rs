use std::time::Instant;

use super::{CallSettings, HttpResponse, SendHttp};
use crate::http::{Cause, Origin, Request, TransportError};

/// A network without any peer.
#[derive(Debug)]
pub(crate) struct NoNetwork;

impl SendHttp for NoNetwork {
    fn send(
        &self,
        origin: &Origin,
        _: &Request<'_>,
        _: &CallSettings,
        _: Option<Instant>,
    ) -> Result<HttpResponse, TransportError> {
        let failed = TransportError::before_sending(&origin.authority, Cause::Failed);
        Err(failed.with_source("there is no network"))
    }
}
