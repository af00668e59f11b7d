use std::fmt;

use serde_json::{Map, Value};

use crate::text::OneLine;

/// The answer of the model's container. The inference may have run.
///
/// Made with [`Default`] and assignments, for a fake of a client.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelError {
    /// The HTTP status of the container's answer; 0 when it did not answer within 60 s.
    pub original_status_code: Option<u16>,
    /// The body of the container's answer, without the secrets of the request.
    pub original_message: Option<String>,
    /// The ARN of the container's log stream in CloudWatch Logs.
    pub log_stream_arn: Option<String>,
}

impl ModelError {
    /// Reads the members of a response that only a ModelError has.
    pub(super) fn of(members: Option<&Map<String, Value>>) -> Self {
        let string = |name| Some(members?.get(name)?.as_str()?.to_owned());
        let status = members.and_then(|members| members.get("OriginalStatusCode")?.as_u64());
        Self {
            original_status_code: status.and_then(|status| u16::try_from(status).ok()),
            original_message: string("OriginalMessage"),
            log_stream_arn: string("LogStreamArn"),
        }
    }

    /// The log group in CloudWatch Logs, `/aws/sagemaker/Endpoints/NAME` for example, from the ARN.
    #[must_use]
    pub fn log_group(&self) -> Option<&str> {
        self.log_stream_arn
            .as_deref()?
            .split_once(":log-group:")?
            .1
            .split(':')
            .next()
    }

    /// Ends an error's line with what `message`, the beginning of the line, does not have.
    pub(super) fn write_after(&self, message: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.original_status_code {
            Some(0) => f.write_str("; the container did not answer within 60 s")?,
            Some(status) => write!(f, "; the container answered {status}")?,
            None => {}
        }
        if let Some(original) = self
            .original_message
            .as_deref()
            .filter(|it| !message.contains(*it))
        {
            write!(f, ": {}", OneLine::long(original))?;
        }
        if let Some(arn) = &self.log_stream_arn {
            write!(f, "; logs: {}", OneLine::long(arn))?;
        }
        Ok(())
    }
}

/// Shows the start of long texts.
impl fmt::Debug for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelError")
            .field("original_status_code", &self.original_status_code)
            .field(
                "original_message",
                &self.original_message.as_deref().map(OneLine::long),
            )
            .field(
                "log_stream_arn",
                &self.log_stream_arn.as_deref().map(OneLine::long),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_group_is_part_of_the_arn() {
        let with = |arn: &str| ModelError {
            log_stream_arn: Some(arn.to_owned()),
            ..ModelError::default()
        };
        for arn in [
            "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/e",
            "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/e:log-stream:AllTraffic/i-1",
        ] {
            assert_eq!(with(arn).log_group(), Some("/aws/sagemaker/Endpoints/e"));
        }
        assert_eq!(with("nonsense").log_group(), None);
        assert_eq!(ModelError::default().log_group(), None);
    }
}
