//! Signature Version 4: AWS's test suite, AWS's signers for Rust and Python as oracles, presigned URLs and bearer tokens.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bearer_token;
mod oracle;
mod presign;
mod suite;
#[path = "../support/mod.rs"]
mod support;
