//! An error response of STS.

use std::time::Duration;

use crate::credentials::sender::HttpResponse;
use crate::credentials::shown::shown;
use crate::error::{CredentialsError, is_throttling_code};
use crate::retry::{BACKOFF_BASE, THROTTLING_BACKOFF_BASE, backoff_base_of_status};

/// Status, code and message of the response, on one line each.
pub(super) struct StsError {
    status: u16,
    code: String,
    message: String,
}

impl StsError {
    pub(super) fn new(response: &HttpResponse) -> Self {
        let error = response.error();
        let code = error.code.map(|code| code.name);
        Self {
            status: response.status,
            code: code.unwrap_or_else(|| "no code".to_owned()),
            message: shown(error.message.as_deref().unwrap_or("no message")),
        }
    }

    /// Whether the time of the signature was refused. Source: the messages of STS.
    pub(super) fn is_of_clock(&self) -> bool {
        match self.code.as_str() {
            "RequestExpired" => true,
            "SignatureDoesNotMatch" => {
                self.message.contains("Signature expired")
                    || self.message.contains("not yet current")
            }
            _ => false,
        }
    }

    /// Whether the message is "Couldn't retrieve verification key from your identity provider". With other messages the
    /// code is not retried.
    pub(super) fn is_of_missing_key(&self) -> bool {
        self.code == "InvalidIdentityToken" && self.message.contains("retrieve verification key")
    }

    /// The base of the backoff before another attempt. Source: AWS Retry Behavior 2.1 for the codes of throttling, and the
    /// API reference of STS, whose advice is to retry IDPCommunicationError.
    pub(super) fn backoff_base(&self) -> Option<Duration> {
        match self.code.as_str() {
            "IDPCommunicationError" => Some(BACKOFF_BASE),
            code if is_throttling_code(code) => Some(THROTTLING_BACKOFF_BASE),
            _ => backoff_base_of_status(self.status),
        }
    }

    pub(super) fn into_error(self, has_mfa: bool) -> CredentialsError {
        let Self {
            status,
            code,
            message,
        } = self;
        let error =
            CredentialsError::new(format!("refused with {code} (HTTP {status}): {message}"));
        if has_mfa && code == "AccessDenied" {
            return error.followed_by("; the profile has mfa_serial, and MFA is not supported");
        }
        error
    }
}
