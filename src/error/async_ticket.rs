use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::InvalidInput;

/// Where the result of an asynchronous request will be. Store its text, and collect the result later or elsewhere.
///
/// ```
/// use sagemaker_invoke::AsyncTicket;
///
/// let ticket = AsyncTicket {
///     inference_id: Some("job-1".to_owned()),
///     failure_location: Some("s3://bucket/failures/1.out".to_owned()),
///     ..AsyncTicket::new("s3://bucket/results/1.out")
/// };
/// let text = ticket.to_string();
/// assert_eq!(text.parse(), Ok(ticket));
/// ```
///
/// `Display` writes one line of JSON, and [`FromStr`] reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsyncTicket {
    /// The id of the inference.
    pub inference_id: Option<String>,
    /// The S3 URL of the result, once it is there.
    pub output_location: String,
    /// The S3 URL of the error, if there is one. `None` if the endpoint has no failure path: a failed job then leaves
    /// nothing behind.
    pub failure_location: Option<String>,
}

impl AsyncTicket {
    /// A ticket with the required field.
    #[must_use]
    pub fn new(output_location: impl Into<String>) -> Self {
        Self {
            inference_id: None,
            output_location: output_location.into(),
            failure_location: None,
        }
    }
}

const NOT_A_TICKET: InvalidInput = InvalidInput::new("ticket", "is not the text of an AsyncTicket");

const INFERENCE_ID: &str = "InferenceId";
const OUTPUT_LOCATION: &str = "OutputLocation";
const FAILURE_LOCATION: &str = "FailureLocation";

impl fmt::Display for AsyncTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = [
            (INFERENCE_ID, self.inference_id.as_deref()),
            (OUTPUT_LOCATION, Some(&*self.output_location)),
            (FAILURE_LOCATION, self.failure_location.as_deref()),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        write!(f, "{}", Value::Object(members.collect::<Map<_, _>>()))
    }
}

impl FromStr for AsyncTicket {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let members = serde_json::from_str(text).map_err(|_| NOT_A_TICKET)?;
        Ok(Self {
            inference_id: text_of(&members, INFERENCE_ID)?,
            output_location: text_of(&members, OUTPUT_LOCATION)?.ok_or(NOT_A_TICKET)?,
            failure_location: text_of(&members, FAILURE_LOCATION)?,
        })
    }
}

fn text_of(members: &Map<String, Value>, name: &str) -> Result<Option<String>, InvalidInput> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(NOT_A_TICKET),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_made_again_from_its_text() {
        for failure_location in [None, Some("s3://b/\"f\"\n".to_owned())] {
            let ticket = AsyncTicket {
                failure_location,
                ..AsyncTicket::new("s3://b/ö/1")
            };
            let text = ticket.to_string();
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(text.parse(), Ok(ticket));
        }
    }

    #[test]
    fn other_text_is_no_ticket() {
        for text in [
            "",
            "{}",
            "[]",
            "s3://b/k",
            r#"{"OutputLocation":1}"#,
            r#"{"OutputLocation":null}"#,
        ] {
            assert!(text.parse::<AsyncTicket>().is_err(), "{text}");
        }
    }
}
