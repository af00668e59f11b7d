//! Responses of services: one parser for every error response, whoever sends it.

mod error_response;

pub(crate) use self::error_response::{ErrorCode, ErrorResponse, MAX_BODY_BYTES, request_id};
