use std::fmt;

use super::Operation;
use super::members::{ASCII, Bytes, Member, OPEN_SESSION, check_all, fmt_request, headers};
use super::sealed::{self, Numbers, ReadOptions};
use crate::aws::request_id;
use crate::error::{Error, InvalidInput};
use crate::http::{Body, ResponseHead, Timings};
use crate::response_stream::{ResponseStream, StreamOptions};

/// A request for an inference whose response is read while the model makes it, with the members of AWS's
/// `InvokeEndpointWithResponseStream`.
///
/// Only the endpoint's name and the body are required; what is `None` is not sent. Every member is checked before
/// anything is sent. The container must stream, for which most model servers want a field like `"stream": true` in the
/// body; one that does not gives its whole answer in one part.
///
/// ```
/// use sagemaker_invoke::InvokeEndpointWithResponseStream;
///
/// let request = InvokeEndpointWithResponseStream {
///     content_type: Some("application/json"),
///     ..InvokeEndpointWithResponseStream::new("chat-model", r#"{"inputs":"Hello","stream":true}"#)
/// };
/// ```
///
/// The caller needs the permission `sagemaker:InvokeEndpointWithResponseStream` or `sagemaker:InvokeEndpoint`.
///
/// Source: <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html>.
#[derive(Clone, Copy)]
pub struct InvokeEndpointWithResponseStream<'a> {
    /// The endpoint's name: 1 to 63 letters, digits and hyphens.
    pub endpoint_name: &'a str,
    /// The input, in the form the container expects. Sent as it is. May be empty.
    pub body: &'a [u8],
    /// The MIME type of the body, `Content-Type`; at most 1024 ASCII characters. Not sent when `None`.
    pub content_type: Option<&'a str>,
    /// The MIME type that the parts should have; at most 1024 ASCII characters. Not sent when `None`.
    pub accept: Option<&'a str>,
    /// A text for the container, such as a trace id; at most 1024 ASCII characters. Kept out of every log and Debug.
    pub custom_attributes: Option<&'a str>,
    /// The inference component to run; as the endpoint's name.
    pub inference_component_name: Option<&'a str>,
    /// An id for data capture and monitoring; 1 to 64 printable characters, the first of them no space.
    pub inference_id: Option<&'a str>,
    /// Requests with the same id go to where their common prefix is cached, on endpoints with the routing strategy
    /// `PREFIX_AWARE`; 1 to 64 printable characters, the first of them no space.
    pub prefix_aware_id: Option<&'a str>,
    /// The session of a stateful model; at most 256 letters, digits and hyphens. This operation opens none.
    pub session_id: Option<&'a str>,
    /// The container to run on a multi-container endpoint with direct invocation; as the endpoint's name.
    pub target_container_hostname: Option<&'a str>,
    /// The production variant to run, regardless of the traffic weights; as the endpoint's name.
    pub target_variant: Option<&'a str>,
}

impl<'a> InvokeEndpointWithResponseStream<'a> {
    /// A request with the two required members.
    #[must_use]
    pub fn new(endpoint_name: &'a str, body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            endpoint_name,
            body: body.as_ref(),
            content_type: None,
            accept: None,
            custom_attributes: None,
            inference_component_name: None,
            inference_id: None,
            prefix_aware_id: None,
            session_id: None,
            target_container_hostname: None,
            target_variant: None,
        }
    }

    /// The optional members, in the order of the headers' names. A container gets `Accept` under its own name, which
    /// SageMaker would give it.
    const fn members(&self, is_container: bool) -> [Member<'a>; 9] {
        let content_type = Member::new("ContentType", "content-type", self.content_type, ASCII);
        let accept = if is_container {
            "accept"
        } else {
            "x-amzn-sagemaker-accept"
        };
        let accept = Member::new("Accept", accept, self.accept, ASCII);
        let (first, second) = if is_container {
            (accept, content_type)
        } else {
            (content_type, accept)
        };
        [
            first,
            second,
            Member::custom_attributes(self.custom_attributes),
            Member::inference_component_name(self.inference_component_name),
            Member::inference_id(self.inference_id),
            Member::prefix_aware_id(self.prefix_aware_id),
            Member::new(
                "SessionId",
                "x-amzn-sagemaker-session-id",
                self.session_id,
                OPEN_SESSION,
            ),
            Member::target_container_hostname(self.target_container_hostname),
            Member::target_variant(self.target_variant),
        ]
    }
}

impl Operation for InvokeEndpointWithResponseStream<'_> {
    type Output = InvokeEndpointWithResponseStreamResponse;
}

impl sealed::Input for InvokeEndpointWithResponseStream<'_> {
    const PATH_END: &'static str = "/invocations-response-stream";
    const IS_STREAMED: bool = true;

    fn endpoint_name(&self) -> &str {
        self.endpoint_name
    }

    fn check(&self) -> Result<(), InvalidInput> {
        check_all(self.endpoint_name, &self.members(false))
    }

    fn headers<'n>(&'n self, _: &'n Numbers, is_container: bool) -> Vec<(&'static str, &'n str)> {
        headers(&self.members(is_container))
    }

    fn body(&self) -> &[u8] {
        self.body
    }
}

/// Shows the length of the body and of the custom attributes instead of their content.
impl fmt::Debug for InvokeEndpointWithResponseStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members(false);
        fmt_request(
            f,
            "InvokeEndpointWithResponseStream",
            self.endpoint_name,
            self.body,
            &members,
        )
    }
}

/// The head of a streamed response, and its body while it arrives.
#[non_exhaustive]
pub struct InvokeEndpointWithResponseStreamResponse {
    /// The HTTP status, 200 to 299; SageMaker answers 200.
    pub status: u16,
    /// The MIME type of the parts, as the container gave it: `x-amzn-SageMaker-Content-Type`.
    pub content_type: Option<String>,
    /// The production variant that runs.
    pub invoked_production_variant: Option<String>,
    /// A text from the container. Kept out of Debug.
    pub custom_attributes: Option<String>,
    /// The id under which AWS Support finds the request, `x-amzn-RequestId`.
    pub request_id: Option<String>,
    /// Where the time went, until the head arrived.
    pub timings: Timings,
    /// The body.
    pub body: ResponseStream,
}

impl InvokeEndpointWithResponseStreamResponse {
    /// A successful response without headers, for a fake behind a trait of the program's own.
    ///
    /// ```
    /// use sagemaker_invoke::{InvokeEndpointWithResponseStreamResponse, ResponseStream};
    ///
    /// let body = ResponseStream::from_reader(&b"data: {\"token\":\"a\"}\n\n"[..]);
    /// let mut response = InvokeEndpointWithResponseStreamResponse::new(body);
    /// assert_eq!(response.body.next_record()?, Some(&b"{\"token\":\"a\"}"[..]));
    /// # Ok::<(), sagemaker_invoke::Error>(())
    /// ```
    #[must_use]
    pub fn new(body: ResponseStream) -> Self {
        Self {
            status: 200,
            content_type: None,
            invoked_production_variant: None,
            custom_attributes: None,
            request_id: None,
            timings: Timings::default(),
            body,
        }
    }
}

impl sealed::Output for InvokeEndpointWithResponseStreamResponse {
    fn read(head: ResponseHead, body: Body, options: &ReadOptions<'_>) -> Result<Self, Error> {
        let headers = &head.headers;
        let request_id = request_id(headers);
        let type_header = if options.is_container {
            "content-type"
        } else {
            "x-amzn-sagemaker-content-type"
        };
        let stream = StreamOptions {
            is_framed: !options.is_container,
            max_bytes: options.max_bytes,
            part_limit: options.part_limit,
            sent_at: options.sent_at,
            call_began_at: options.call_began_at,
            attempts: options.attempts,
            system: options.system.clone(),
            status: head.status,
            content_type: headers.owned("content-type"),
            request_id: request_id.clone(),
            redactor: options.redactor(),
        };
        Ok(Self {
            status: head.status,
            content_type: headers.owned(type_header),
            invoked_production_variant: headers.owned("x-amzn-invoked-production-variant"),
            custom_attributes: headers.owned("x-amzn-sagemaker-custom-attributes"),
            request_id,
            timings: head.timings,
            body: ResponseStream::new(Box::new(body), stream),
        })
    }

    fn timings_mut(&mut self) -> &mut Timings {
        &mut self.timings
    }
}

/// Shows the length of the custom attributes instead of their content, and of the body how much has been read.
impl fmt::Debug for InvokeEndpointWithResponseStreamResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvokeEndpointWithResponseStreamResponse")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field(
                "invoked_production_variant",
                &self.invoked_production_variant,
            )
            .field(
                "custom_attributes",
                &self.custom_attributes.as_ref().map(|it| Bytes(it.len())),
            )
            .field("request_id", &self.request_id)
            .field("timings", &self.timings)
            .field("body", &self.body)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_in_the_order_of_header_names() {
        let request = InvokeEndpointWithResponseStream::new("a", b"");
        for is_container in [false, true] {
            let names = request.members(is_container).map(|member| member.header());
            assert!(names.is_sorted(), "{names:?}");
        }
    }

    #[test]
    fn a_stream_opens_no_session() {
        let request = InvokeEndpointWithResponseStream {
            session_id: Some("NEW_SESSION"),
            ..InvokeEndpointWithResponseStream::new("a", b"")
        };
        let error = sealed::Input::check(&request).unwrap_err();
        assert!(error.to_string().contains("SessionId"), "{error}");
    }
}
