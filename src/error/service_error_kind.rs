use super::model_error::ModelError;

/// The errors of the service, by what the caller can do about them.
///
/// "Not run" is a promise: the kind is given only if the service refused the request. That is certain if the code is in
/// the header `x-amzn-errortype`, which only services of AWS set; if a code in the body comes with a status with which
/// AWS sends codes; or if HTTP defines the status as a refusal: 401, 403, 404, 405, 407, 411, 413, 414, 417, 421, 426,
/// 429 and 431.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceErrorKind {
    /// The model's container answered with an error, or not within 60 s: status 424, whatever its code, and every error
    /// over [`Endpoint::Container`](crate::Endpoint::Container). The inference may have run, unless a directly called
    /// container could not read the request (411, 413, 414, 417, 431).
    /// Read [`ModelError::original_message`] and the log stream.
    Model(ModelError),

    /// The model is still being loaded (429), or its inference component is scaled to zero (400, with the code of a
    /// validation error). Not run. Try again later, or set
    /// [`RetryPolicy::wait_until_ready`](crate::RetryPolicy::wait_until_ready).
    ModelNotReady,

    /// The service refused the request (400): there is no such endpoint, or a member has a value that only the service
    /// can judge. Not run. Correct what the message names.
    Validation,

    /// There are too many requests: a throttling code with any status, or a bare 429. SageMaker sends 400. Not run.
    /// Send fewer requests at a time.
    Throttling,

    /// The payload is larger than the endpoint takes (413): 25 MB, 4 MB on serverless endpoints. Not run.
    /// Send less, or use an asynchronous endpoint.
    PayloadTooLarge,

    /// The session credentials have expired. Not run. Renew them.
    ExpiredToken,

    /// AWS does not know the access key or the session token. Not run. Check the credentials and the partition.
    UnrecognizedClient,

    /// The signature is wrong, or its time is off. Not run. Check the secret key and the clock.
    InvalidSignature,

    /// The credentials are valid but do not allow the call. Not run. Allow `sagemaker:InvokeEndpoint`.
    AccessDenied,

    /// The service failed (500). The inference may have run. Send the request again if it may run twice.
    InternalFailure,

    /// The service is unavailable (503). The inference may have run. Send the request again if it may run twice.
    ServiceUnavailable,

    /// A dependency of the service failed (530). The inference may have run. Send the request again if it may run
    /// twice.
    InternalDependency,

    /// Any other answer, redirects among them. See status, code, message, location and body. Not run if the status is
    /// one of the refusals above, or the service itself sent it with 400 to 499. The inference may have run in every
    /// other case, such as a gateway's 408, 499 or 504.
    Unknown,
}

impl ServiceErrorKind {
    /// Whether the model may have run after an answer of this kind.
    pub(super) fn may_have_run(&self) -> bool {
        match self {
            Self::Model(_)
            | Self::InternalFailure
            | Self::ServiceUnavailable
            | Self::InternalDependency
            | Self::Unknown => true,
            Self::ModelNotReady
            | Self::Validation
            | Self::Throttling
            | Self::PayloadTooLarge
            | Self::ExpiredToken
            | Self::UnrecognizedClient
            | Self::InvalidSignature
            | Self::AccessDenied => false,
        }
    }

    /// The code for the kind, where an answer has none.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Model(_) => "ModelError",
            Self::ModelNotReady => "ModelNotReadyException",
            Self::Validation => "ValidationError",
            Self::Throttling => "Throttling",
            Self::PayloadTooLarge => "PayloadTooLarge",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::InvalidSignature => "InvalidSignatureException",
            Self::AccessDenied => "AccessDeniedException",
            Self::InternalFailure => "InternalFailure",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::InternalDependency => "InternalDependencyException",
            Self::Unknown => "unexpected answer",
        }
    }
}
