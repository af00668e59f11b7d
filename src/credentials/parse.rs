//! What sources answer, read into credentials.

pub(super) mod json;
