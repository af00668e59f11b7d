//! What proves that a request was refused before the model saw it.

use super::code::Code;

/// Whether HTTP defines the status as a refusal of the request, which holds for service and gateway alike. A gateway
/// sends 408, 499 and others also after it has passed the request on.
pub(super) fn is_proven_by(status: u16) -> bool {
    matches!(status, 401 | 403 | 404 | 405 | 407 | 411 | 413 | 414 | 417 | 421 | 426 | 429 | 431)
}

/// The same for a container that is called directly. Its own code can answer 404 or 429 after it ran the model; these
/// come from its HTTP server, which could not read the request.
pub(super) fn is_proven_by_container(status: u16) -> bool {
    matches!(status, 411 | 413 | 414 | 417 | 431)
}

/// Whether an error whose kind is not known is a refusal: by its status, or because the service itself sent it with the
/// status of a client's error.
pub(super) fn is_proven(status: u16, code: Option<&Code>) -> bool {
    if code.is_some_and(Code::leaves_outcome_open) {
        return false;
    }
    let is_client_error = (400..500).contains(&status) && !matches!(status, 408 | 424 | 499);
    is_proven_by(status) || (is_client_error && code.is_some_and(|code| code.is_in_header))
}
