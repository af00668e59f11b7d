//! Proofs of a refusal before the model saw the request.

/// Whether HTTP defines the status as a refusal of the request, which holds for service and gateway alike. A gateway
/// sends 408, 499 and others also after it has passed the request on.
pub(super) fn is_proven_by(status: u16) -> bool {
    matches!(
        status,
        401 | 403 | 404 | 405 | 407 | 411 | 413 | 414 | 417 | 421 | 426 | 429 | 431
    )
}

/// The same for a container called directly. Its own code can answer 404 or 429 after it ran the model; these come from
/// its HTTP server, which could not read the request.
pub(super) fn is_proven_by_container(status: u16) -> bool {
    matches!(status, 411 | 413 | 414 | 417 | 431)
}
