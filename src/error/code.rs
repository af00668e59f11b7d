//! The kind of error that a code names.

use serde_json::{Map, Value};

use super::model_error::ModelError;
use super::refusal;
use super::service_error_kind::ServiceErrorKind;
use crate::service::ErrorCode;

impl ErrorCode {
    /// The kind of error with this code and status; `None` if the code is unknown or not the service's.
    pub(super) fn kind(
        &self,
        status: u16,
        members: Option<&Map<String, Value>>,
    ) -> Option<ServiceErrorKind> {
        let kind = self.named_kind(members)?;
        // AWS sends its codes with 400, or with a status that proves a refusal by itself.
        let is_of_service = self.is_in_header || status == 400 || refusal::is_proven_by(status);
        if is_of_service || kind.may_have_run() {
            Some(kind)
        } else {
            None
        }
    }

    /// Source: the service's model, and the error lists of the AWS SDKs for what every service can send.
    fn named_kind(&self, members: Option<&Map<String, Value>>) -> Option<ServiceErrorKind> {
        Some(match self.stem() {
            "ModelError" => ServiceErrorKind::Model(ModelError::of(members)),
            "ModelNotReady" => ServiceErrorKind::ModelNotReady,
            "Validation" | "ValidationError" => ServiceErrorKind::Validation,
            "InternalFailure"
            | "InternalServer"
            | "InternalServerError"
            | "InternalError"
            | "InternalStreamFailure" => ServiceErrorKind::InternalFailure,
            "ServiceUnavailable" => ServiceErrorKind::ServiceUnavailable,
            "InternalDependency" => ServiceErrorKind::InternalDependency,
            "ExpiredToken" => ServiceErrorKind::ExpiredToken,
            "UnrecognizedClient"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "AuthFailure" => ServiceErrorKind::UnrecognizedClient,
            "InvalidSignature"
            | "SignatureDoesNotMatch"
            | "RequestTimeTooSkewed"
            | "RequestExpired"
            | "IncompleteSignature"
            | "MissingAuthenticationToken" => ServiceErrorKind::InvalidSignature,
            "AccessDenied" | "NotAuthorized" | "UnauthorizedOperation" | "OptInRequired" => {
                ServiceErrorKind::AccessDenied
            }
            "RequestEntityTooLarge" | "RequestTooLarge" => ServiceErrorKind::PayloadTooLarge,
            _ if is_throttling_code(&self.name) => ServiceErrorKind::Throttling,
            _ => return None,
        })
    }

    /// Whether the service sends this code also for a request that it had passed on: the caller or the service gave up
    /// waiting, or a stream broke.
    pub(super) fn leaves_outcome_open(&self) -> bool {
        matches!(
            self.stem(),
            "RequestTimeout" | "RequestAborted" | "ModelStreamError"
        )
    }

    fn stem(&self) -> &str {
        stem_of(&self.name)
    }
}

/// Services of AWS spell a code with and without this ending: `ExpiredToken`, `ExpiredTokenException`.
fn stem_of(code: &str) -> &str {
    code.strip_suffix("Exception").unwrap_or(code)
}

/// Source: the throttling error codes of AWS Retry Behavior 2.1.
pub(crate) fn is_throttling_code(code: &str) -> bool {
    matches!(
        stem_of(code),
        "Throttling"
            | "Throttled"
            | "RequestThrottled"
            | "TooManyRequests"
            | "ProvisionedThroughputExceeded"
            | "TransactionInProgress"
            | "RequestLimitExceeded"
            | "BandwidthLimitExceeded"
            | "LimitExceeded"
            | "SlowDown"
            | "PriorRequestNotComplete"
            | "EC2Throttled"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> Option<ServiceErrorKind> {
        ErrorCode {
            name: name.to_owned(),
            is_in_header: true,
        }
        .kind(400, None)
    }

    #[test]
    fn each_code_is_known_with_and_without_its_ending() {
        use ServiceErrorKind as Kind;
        for (stems, expected) in [
            (&["ModelNotReady"][..], Kind::ModelNotReady),
            (&["Validation", "ValidationError"], Kind::Validation),
            (
                &["InternalFailure", "InternalServer", "InternalError"],
                Kind::InternalFailure,
            ),
            (&["ServiceUnavailable"], Kind::ServiceUnavailable),
            (&["InternalDependency"], Kind::InternalDependency),
            (&["ExpiredToken"], Kind::ExpiredToken),
            (
                &[
                    "UnrecognizedClient",
                    "InvalidClientTokenId",
                    "InvalidAccessKeyId",
                ],
                Kind::UnrecognizedClient,
            ),
            (
                &[
                    "InvalidSignature",
                    "SignatureDoesNotMatch",
                    "RequestTimeTooSkewed",
                ],
                Kind::InvalidSignature,
            ),
            (
                &["RequestExpired", "IncompleteSignature"],
                Kind::InvalidSignature,
            ),
            (&["MissingAuthenticationToken"], Kind::InvalidSignature),
            (
                &["AccessDenied", "NotAuthorized", "UnauthorizedOperation"],
                Kind::AccessDenied,
            ),
            (
                &["RequestEntityTooLarge", "RequestTooLarge"],
                Kind::PayloadTooLarge,
            ),
            (
                &["Throttling", "Throttled", "TooManyRequests", "EC2Throttled"],
                Kind::Throttling,
            ),
        ] {
            for stem in stems {
                assert_eq!(kind(stem), Some(expected.clone()), "{stem}");
                assert_eq!(
                    kind(&format!("{stem}Exception")),
                    Some(expected.clone()),
                    "{stem}Exception"
                );
            }
        }
        for unknown in ["", "Exception", "Teapot", "throttling", "ExpiredTokenError"] {
            assert_eq!(kind(unknown), None, "{unknown}");
        }
    }
}
