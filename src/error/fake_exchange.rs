//! Errors of exchanges that did not take place.

use super::{Phase, Sent, TransportError};
use crate::http::Cause;

/// For a fake of a client.
impl TransportError {
    /// An exchange whose time was over in this step, with this much of the request sent.
    ///
    /// ```
    /// use sagemaker_invoke::Error;
    /// use sagemaker_invoke::error::{Phase, Sent, TransportError};
    ///
    /// let error = Error::from(TransportError::timed_out(Phase::Wait, Sent::Whole));
    /// assert!(matches!(error, Error::Timeout(_)) && error.may_have_run());
    /// ```
    #[must_use]
    pub fn timed_out(phase: Phase, sent: Sent) -> Self {
        Self {
            phase,
            sent,
            attempts: 1,
            ..Self::before_sending("localhost", Cause::TimedOut)
        }
    }

    /// A connection that was lost in this step, with this much of the request sent, or that was not made.
    ///
    /// ```
    /// use sagemaker_invoke::Error;
    /// use sagemaker_invoke::error::{Phase, Sent, TransportError};
    ///
    /// let error = Error::from(TransportError::lost(Phase::Connect, Sent::Nothing));
    /// assert!(matches!(error, Error::Connect(_)) && !error.may_have_run());
    /// let error = Error::from(TransportError::lost(Phase::Read, Sent::ResponseBegun));
    /// assert!(matches!(error, Error::ConnectionLost(_)) && error.may_have_run());
    /// ```
    #[must_use]
    pub fn lost(phase: Phase, sent: Sent) -> Self {
        let lost = Self::before_sending("localhost", Cause::Failed);
        Self {
            phase,
            sent,
            attempts: 1,
            ..lost.with_source("the connection of a fake")
        }
    }
}
