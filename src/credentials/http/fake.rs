//! Wires for unit tests.

use std::time::Instant;

use super::{Failure, FailureKind, Way, Wire};
use crate::http::{HttpRequest, HttpResponse, Origin};

/// Answers nobody.
#[derive(Debug)]
pub(crate) struct Silent;

impl Wire for Silent {
    fn send(
        &self,
        origin: &Origin,
        _: &HttpRequest<'_>,
        _: Way,
        _: Option<Instant>,
    ) -> Result<HttpResponse, Failure> {
        Err(Failure::new(FailureKind::Unreachable, format!("nobody answers at {}", origin.authority)))
    }
}
