use super::Error;

/// A member of the request and the rule of the API that it breaks. Not run: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} {rule}")]
#[non_exhaustive]
pub struct InvalidInput {
    /// The member in AWS's spelling, `EndpointName` for example.
    pub member: &'static str,
    /// The rule, worded to follow the name of the member.
    pub rule: &'static str,
}

impl InvalidInput {
    pub(crate) const fn new(member: &'static str, rule: &'static str) -> Self {
        Self { member, rule }
    }
}

impl From<InvalidInput> for Error {
    fn from(error: InvalidInput) -> Self {
        Self::InvalidInput(error)
    }
}
