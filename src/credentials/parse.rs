//! Parsers for the responses of sources.

pub(super) mod date;
pub(super) mod json;
