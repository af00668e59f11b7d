use std::time::Instant;

use super::{CallLimits, HttpResponse, SendHttp};
use crate::http::{Cause, Origin, Request, TransportError};

/// A network without any peer.
#[derive(Debug)]
pub(crate) struct NoNetwork;

impl SendHttp for NoNetwork {
    fn send(
        &self,
        origin: &Origin,
        _: &Request<'_>,
        _: &CallLimits,
        _: Option<Instant>,
    ) -> Result<HttpResponse, TransportError> {
        let cause = Cause::Failed("there is no network".into());
        Err(TransportError::before_sending(&origin.authority, cause))
    }
}
