use std::borrow::Cow;
use std::fmt;

use super::members::{
    ASCII, Bytes, EXPRESSION, Member, PRINTABLE_1024, SESSION, check_all, fmt_request, headers,
};
use super::sealed::{self, Numbers, ReadOptions};
use super::{Operation, read_whole};
use crate::aws::request_id;
use crate::error::{Error, InvalidInput};
use crate::http::{Body, ResponseHead, Timings};

/// A request for one inference, with the members of AWS's `InvokeEndpoint`.
///
/// Only the endpoint's name and the body are required; what is `None` is not sent. An optional member that is an
/// empty text is sent as an empty header where the model allows one (`content_type`, `accept`,
/// `custom_attributes`), and refused where it does not. Every member is checked before anything is sent.
///
/// ```
/// use sagemaker_invoke::InvokeEndpoint;
///
/// let request = InvokeEndpoint {
///     content_type: Some("text/csv"),
///     target_variant: Some("blue"),
///     ..InvokeEndpoint::new("churn-model", b"1,2,3")
/// };
/// ```
///
/// A member added by AWS comes with a minor release while this crate is at 0.x; the update syntax above goes on to
/// compile.
///
/// Source: <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html>.
#[derive(Clone, Copy)]
pub struct InvokeEndpoint<'a> {
    /// The endpoint's name: 1 to 63 letters, digits and hyphens.
    pub endpoint_name: &'a str,
    /// The input, as the container takes it. Sent as it is: never copied, never interpreted. May be empty.
    /// AWS takes 25 MB, 4 MB on serverless endpoints; the limit is AWS's to enforce.
    pub body: &'a [u8],
    /// The MIME type of the body, `Content-Type`; at most 1024 ASCII characters. Not sent when `None`.
    pub content_type: Option<&'a str>,
    /// The MIME type that the answer should have, `Accept`; at most 1024 ASCII characters. Not sent when `None`.
    pub accept: Option<&'a str>,
    /// A text for the container, such as a trace id; at most 1024 ASCII characters. Kept out of every log and Debug.
    pub custom_attributes: Option<&'a str>,
    /// The model to run on a multi-model endpoint; 1 to 1024 printable characters, the first of them no space.
    pub target_model: Option<&'a str>,
    /// The production variant to run, past the traffic weights; as the endpoint's name.
    pub target_variant: Option<&'a str>,
    /// The container to run on a multi-container endpoint with direct invocation; as the endpoint's name.
    pub target_container_hostname: Option<&'a str>,
    /// An id for data capture and monitoring; 1 to 64 printable characters, the first of them no space.
    pub inference_id: Option<&'a str>,
    /// Whether to explain this inference (Clarify), as a JMESPath expression of 1 to 64 characters.
    pub enable_explanations: Option<&'a str>,
    /// The inference component to run; as the endpoint's name.
    pub inference_component_name: Option<&'a str>,
    /// The session of a stateful model, or `NEW_SESSION` to open one; at most 256 letters, digits and hyphens.
    pub session_id: Option<&'a str>,
    /// Requests with the same id go to where their common prefix is cached, on endpoints with the routing strategy
    /// `PREFIX_AWARE`; 1 to 64 printable characters, the first of them no space.
    pub prefix_aware_id: Option<&'a str>,
}

impl<'a> InvokeEndpoint<'a> {
    /// A request with the two required members.
    #[must_use]
    pub fn new(endpoint_name: &'a str, body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            endpoint_name,
            body: body.as_ref(),
            content_type: None,
            accept: None,
            custom_attributes: None,
            target_model: None,
            target_variant: None,
            target_container_hostname: None,
            inference_id: None,
            enable_explanations: None,
            inference_component_name: None,
            session_id: None,
            prefix_aware_id: None,
        }
    }

    /// The optional members, in the order of the headers' names.
    const fn members(&self) -> [Member<'a>; 11] {
        const EXPLANATIONS: &str = "x-amzn-sagemaker-enable-explanations";
        [
            Member::new("Accept", "accept", self.accept, ASCII),
            Member::new("ContentType", "content-type", self.content_type, ASCII),
            Member::custom_attributes(self.custom_attributes),
            Member::new(
                "EnableExplanations",
                EXPLANATIONS,
                self.enable_explanations,
                EXPRESSION,
            ),
            Member::inference_component_name(self.inference_component_name),
            Member::inference_id(self.inference_id),
            Member::prefix_aware_id(self.prefix_aware_id),
            Member::new(
                "SessionId",
                "x-amzn-sagemaker-session-id",
                self.session_id,
                SESSION,
            ),
            Member::target_container_hostname(self.target_container_hostname),
            Member::new(
                "TargetModel",
                "x-amzn-sagemaker-target-model",
                self.target_model,
                PRINTABLE_1024,
            ),
            Member::target_variant(self.target_variant),
        ]
    }
}

impl Operation for InvokeEndpoint<'_> {
    type Output = InvokeEndpointResponse;
}

impl sealed::Input for InvokeEndpoint<'_> {
    const PATH_END: &'static str = "/invocations";

    fn endpoint_name(&self) -> &str {
        self.endpoint_name
    }

    fn check(&self) -> Result<(), InvalidInput> {
        check_all(self.endpoint_name, &self.members())
    }

    fn headers<'n>(&'n self, _: &'n Numbers, _: bool) -> Vec<(&'static str, &'n str)> {
        headers(&self.members())
    }

    fn body(&self) -> &[u8] {
        self.body
    }
}

/// Shows the length of the body and of the custom attributes instead of their content.
impl fmt::Debug for InvokeEndpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_request(
            f,
            "InvokeEndpoint",
            self.endpoint_name,
            self.body,
            &self.members(),
        )
    }
}

/// The inference, and what SageMaker adds to it.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvokeEndpointResponse {
    /// The HTTP status, 200 to 299; SageMaker answers 200.
    pub status: u16,
    /// The container's answer, as it came.
    pub body: Vec<u8>,
    /// The MIME type of the body.
    pub content_type: Option<String>,
    /// The production variant that ran.
    pub invoked_production_variant: Option<String>,
    /// A text from the container. Kept out of Debug.
    pub custom_attributes: Option<String>,
    /// The session opened by a request with `NEW_SESSION`, as sent: `ID; Expires=YYYY-MM-DDThh:mm:ssZ`.
    pub new_session_id: Option<String>,
    /// The session closed by this request.
    pub closed_session_id: Option<String>,
    /// The id under which AWS Support finds the request, `x-amzn-RequestId`.
    pub request_id: Option<String>,
    /// Where the time went.
    pub timings: Timings,
}

impl InvokeEndpointResponse {
    /// The body as text; invalid UTF-8 is replaced by U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

impl sealed::Output for InvokeEndpointResponse {
    fn read(head: ResponseHead, body: Body, options: &ReadOptions<'_>) -> Result<Self, Error> {
        let (body, timings) = read_whole(&head, body, options)?;
        let headers = &head.headers;
        Ok(Self {
            status: head.status,
            content_type: headers.owned("content-type"),
            invoked_production_variant: headers.owned("x-amzn-invoked-production-variant"),
            custom_attributes: headers.owned("x-amzn-sagemaker-custom-attributes"),
            new_session_id: headers.owned("x-amzn-sagemaker-new-session-id"),
            closed_session_id: headers.owned("x-amzn-sagemaker-closed-session-id"),
            request_id: request_id(headers),
            timings,
            body,
        })
    }

    fn timings_mut(&mut self) -> &mut Timings {
        &mut self.timings
    }
}

/// Shows the length of the body and of the custom attributes instead of their content.
impl fmt::Debug for InvokeEndpointResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvokeEndpointResponse")
            .field("status", &self.status)
            .field("body", &Bytes(self.body.len()))
            .field("content_type", &self.content_type)
            .field(
                "invoked_production_variant",
                &self.invoked_production_variant,
            )
            .field(
                "custom_attributes",
                &self.custom_attributes.as_ref().map(|it| Bytes(it.len())),
            )
            .field("new_session_id", &self.new_session_id)
            .field("closed_session_id", &self.closed_session_id)
            .field("request_id", &self.request_id)
            .field("timings", &self.timings)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_header_names() {
        let request = InvokeEndpoint::new("a", b"");
        assert!(request.members().map(|member| member.header()).is_sorted());
    }

    #[test]
    fn debug_shows_lengths_only() {
        let request = InvokeEndpoint {
            custom_attributes: Some("hidden"),
            target_model: Some("shown.tar.gz"),
            ..InvokeEndpoint::new("name", b"hidden")
        };
        let text = format!("{request:?}");
        assert!(
            text.contains("shown.tar.gz") && text.contains("6 bytes") && !text.contains("hidden"),
            "{text}"
        );
    }
}
