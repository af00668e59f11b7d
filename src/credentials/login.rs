//! The credentials that `aws login` keeps in a file. They are read and never renewed: that takes the AWS CLI.

use std::io;

use sha2::{Digest, Sha256};

use super::Credentials;
use super::answer::Answer;
use super::context::Context;
use crate::error::CredentialsError;

pub(super) fn load(context: &Context<'_>, session: &str) -> Result<Credentials, CredentialsError> {
    let digest = Sha256::digest(session.trim());
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{name}.json");
    let path = match context.variable("AWS_LOGIN_CACHE_DIRECTORY") {
        Some(directory) => std::path::Path::new(&directory).join(name),
        None => context.below_aws(&["login", "cache", &name])?,
    };
    let bytes = context.host.read_file(&path).map_err(|error| {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "there is no login session, run `aws login`: cannot read",
            _ => "cannot read the login session in",
        };
        CredentialsError::new(format!("{problem} {}", path.display())).with_source(error)
    })?;
    let bytes = zeroize::Zeroizing::new(bytes);
    let what = format!("the login session in {}", path.display());
    let answer = Answer::parse(&bytes, &what)?;
    let token = answer
        .object("accessToken")
        .ok_or_else(|| CredentialsError::new(format!("{what} has no accessToken")))?;
    let credentials = token.session_credentials(&what)?;
    if credentials.expires_at.is_some_and(|expires_at| expires_at <= context.host.now()) {
        return Err(CredentialsError::new(format!("{what} has expired: run `aws login`")));
    }
    Ok(credentials)
}
