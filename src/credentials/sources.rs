//! The sources of credentials, a file each.

pub(super) mod assume_role;
pub(super) mod container;
pub(super) mod environment;
pub(super) mod imds;
pub(super) mod login;
pub(super) mod plan;
pub(super) mod process;
pub(super) mod profile;
mod program_stderr;
mod program_text;
pub(super) mod sso;
pub(super) mod sso_token;
pub(super) mod web_identity;

pub(super) use self::program_stderr::ProgramStderr;
