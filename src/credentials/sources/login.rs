//! The credentials in the cache file of `aws login`. They are not refreshed here, because that needs ECDSA.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::aws::Credentials;
use crate::credentials::context::Context;
use crate::credentials::parse::json::JsonDocument;
use crate::credentials::shown::shown_path;
use crate::error::CredentialsError;

pub(super) fn load(context: &Context<'_>, session: &str) -> Result<Credentials, CredentialsError> {
    let name = format!("{}.json", hex::encode(Sha256::digest(session.trim())));
    let path = match context.variable("AWS_LOGIN_CACHE_DIRECTORY") {
        Some(directory) => Path::new(&directory).join(name),
        None => context.below_aws(&["login", "cache", &name])?,
    };
    let bytes = context.read(&path).map_err(|error| {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "there is no login session, run `aws login`: cannot read",
            _ => "cannot read the login session in",
        };
        CredentialsError::new(format!("{problem} {}", shown_path(&path))).with_source(error)
    })?;
    let what = format!("the login session in {}", shown_path(&path));
    let document = JsonDocument::parse(&Zeroizing::new(bytes), &what)?;
    let token = document
        .object("accessToken")
        .ok_or_else(|| CredentialsError::new(format!("{what} has no accessToken")))?;
    let credentials = token.session_credentials(&what)?;
    if credentials
        .expires_at
        .is_some_and(|expires_at| expires_at <= context.system.now())
    {
        return Err(CredentialsError::new(format!(
            "{what} has expired: run `aws login`"
        )));
    }
    Ok(credentials)
}
