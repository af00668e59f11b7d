use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::members::{
    ASCII, Bytes, FILE_NAME, LOCATION, Member, NUMBER, PATH_EXTENSION, check_all, fmt_request,
    headers,
};
use super::sealed::{self, Numbers, ReadOptions};
use super::{AsyncTicket, Operation, read_whole};
use crate::aws::request_id;
use crate::error::{Error, InvalidInput};
use crate::http::{Body, ResponseHead, Timings};

/// The longest body of an asynchronous request. Source: `service-2.json` of botocore 1.44.5.
pub const MAX_ASYNC_BODY_BYTES: usize = 128_000;

/// A queued request, with the members of AWS's `InvokeEndpointAsync`. Its result goes to Amazon S3.
///
/// What is `None` is not sent. Every member is checked before anything is sent.
///
/// ```no_run
/// use std::time::Duration;
/// use sagemaker_invoke::{AsyncInput, Client, InvokeEndpointAsync};
///
/// # fn main() -> Result<(), sagemaker_invoke::Error> {
/// let client = Client::from_env()?;
/// let response = client.invoke(&InvokeEndpointAsync {
///     content_type: Some("application/json"),
///     ..InvokeEndpointAsync::new("slow-model", AsyncInput::S3("s3://bucket/inputs/1.json"))
/// })?;
/// let result = client.wait_for_async_result(&response.ticket(), Duration::from_secs(900))?;
/// # Ok(())
/// # }
/// ```
///
/// The request is not idempotent: sent twice, it queues two jobs. By default this crate never queues a job twice, and
/// [`Error::may_have_run`] says whether a job may have been queued.
///
/// The caller needs the permission `sagemaker:InvokeEndpointAsync`. A container called directly has no queue:
/// [`Endpoint::Container`](crate::Endpoint::Container) refuses the request.
///
/// Source: <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html>.
#[derive(Clone, Copy)]
pub struct InvokeEndpointAsync<'a> {
    /// The endpoint's name: 1 to 63 letters, digits and hyphens.
    pub endpoint_name: &'a str,
    /// The input, in the form the container expects, or where it is.
    pub input: AsyncInput<'a>,
    /// The MIME type of the input; at most 1024 ASCII characters.
    pub content_type: Option<&'a str>,
    /// The MIME type that the result should have; at most 1024 ASCII characters.
    pub accept: Option<&'a str>,
    /// A text for the container, such as a trace id; at most 1024 ASCII characters. Kept out of every log and Debug.
    pub custom_attributes: Option<&'a str>,
    /// The id of the inference, 1 to 64 printable characters, the first of them no space. SageMaker makes one by default.
    pub inference_id: Option<&'a str>,
    /// What is added to the S3 output path of the endpoint; 1 to 512 of letters, digits and `!_.*'()/-`.
    pub s3_output_path_extension: Option<&'a str>,
    /// The name of the result's file: 1 to 32 letters, digits, hyphens, underscores and at most one dot, the first a
    /// letter or a digit.
    pub file_name: Option<&'a str>,
    /// How long the request may wait in the queue: 60 s to 6 h, in whole seconds. SageMaker's default is 6 h.
    pub request_ttl: Option<Duration>,
    /// How long the model may take: 1 s to 1 h, in whole seconds. SageMaker's default is 15 minutes.
    pub invocation_timeout: Option<Duration>,
}

/// The input of an asynchronous request.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AsyncInput<'a> {
    /// The input itself, sent as it is: at most [`MAX_ASYNC_BODY_BYTES`].
    Body(&'a [u8]),
    /// The URL of an object in Amazon S3, `s3://BUCKET/KEY`; at most 1024 characters.
    S3(&'a str),
}

/// Shows the length of a body instead of its content.
impl fmt::Debug for AsyncInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(body) => f.debug_tuple("Body").field(&Bytes(body.len())).finish(),
            Self::S3(location) => f.debug_tuple("S3").field(location).finish(),
        }
    }
}

impl<'a> InvokeEndpointAsync<'a> {
    /// A request with the two required members.
    #[must_use]
    pub const fn new(endpoint_name: &'a str, input: AsyncInput<'a>) -> Self {
        Self {
            endpoint_name,
            input,
            content_type: None,
            accept: None,
            custom_attributes: None,
            inference_id: None,
            s3_output_path_extension: None,
            file_name: None,
            request_ttl: None,
            invocation_timeout: None,
        }
    }

    /// The optional members, in the order of the headers' names.
    fn members<'n>(&self, numbers: &'n Numbers) -> [Member<'n>; 9]
    where
        'a: 'n,
    {
        const TIMEOUT: &str = "x-amzn-sagemaker-invocationtimeoutseconds";
        const TTL: &str = "x-amzn-sagemaker-requestttlseconds";
        const EXTENSION: &str = "x-amzn-sagemaker-s3outputpathextension";
        let location = match self.input {
            AsyncInput::S3(location) => Some(location),
            AsyncInput::Body(_) => None,
        };
        let [timeout, ttl] = numbers;
        [
            Member::new("Accept", "x-amzn-sagemaker-accept", self.accept, ASCII),
            Member::new(
                "ContentType",
                "x-amzn-sagemaker-content-type",
                self.content_type,
                ASCII,
            ),
            Member::custom_attributes(self.custom_attributes),
            Member::new(
                "Filename",
                "x-amzn-sagemaker-filename",
                self.file_name,
                FILE_NAME,
            ),
            Member::inference_id(self.inference_id),
            Member::new(
                "InputLocation",
                "x-amzn-sagemaker-inputlocation",
                location,
                LOCATION,
            ),
            Member::new(
                "InvocationTimeoutSeconds",
                TIMEOUT,
                timeout.as_deref(),
                NUMBER,
            ),
            Member::new("RequestTTLSeconds", TTL, ttl.as_deref(), NUMBER),
            Member::new(
                "S3OutputPathExtension",
                EXTENSION,
                self.s3_output_path_extension,
                PATH_EXTENSION,
            ),
        ]
    }
}

impl Operation for InvokeEndpointAsync<'_> {
    type Output = InvokeEndpointAsyncResponse;
}

impl sealed::Input for InvokeEndpointAsync<'_> {
    const PATH_END: &'static str = "/async-invocations";
    const NEEDS_SAGEMAKER: bool = true;

    fn endpoint_name(&self) -> &str {
        self.endpoint_name
    }

    fn check(&self) -> Result<(), InvalidInput> {
        check_all(self.endpoint_name, &self.members(&self.numbers()))?;
        if self.body().len() > MAX_ASYNC_BODY_BYTES {
            return Err(InvalidInput::new(
                "Body",
                "must be at most 128000 bytes; longer input goes through S3",
            ));
        }
        if !is_within(self.request_ttl, 60, 21_600) {
            return Err(InvalidInput::new(
                "RequestTTLSeconds",
                "must be 60 to 21600 whole seconds",
            ));
        }
        if !is_within(self.invocation_timeout, 1, 3_600) {
            return Err(InvalidInput::new(
                "InvocationTimeoutSeconds",
                "must be 1 to 3600 whole seconds",
            ));
        }
        Ok(())
    }

    fn numbers(&self) -> Numbers {
        [self.invocation_timeout, self.request_ttl]
            .map(|it| it.map(|time| time.as_secs().to_string()))
    }

    fn headers<'n>(&'n self, numbers: &'n Numbers, _: bool) -> Vec<(&'static str, &'n str)> {
        headers(&self.members(numbers))
    }

    fn body(&self) -> &[u8] {
        match self.input {
            AsyncInput::Body(body) => body,
            AsyncInput::S3(_) => &[],
        }
    }
}

fn is_within(time: Option<Duration>, least: u64, most: u64) -> bool {
    time.is_none_or(|time| time.subsec_nanos() == 0 && (least..=most).contains(&time.as_secs()))
}

/// Shows the length of the body and of the custom attributes instead of their content.
impl fmt::Debug for InvokeEndpointAsync<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (numbers, body) = (sealed::Input::numbers(self), sealed::Input::body(self));
        fmt_request(
            f,
            "InvokeEndpointAsync",
            self.endpoint_name,
            body,
            &self.members(&numbers),
        )
    }
}

/// Where the result of a queued request will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvokeEndpointAsyncResponse {
    /// The HTTP status, 200 to 299; SageMaker answers 202.
    pub status: u16,
    /// The id of the inference: from the request, or made by SageMaker.
    pub inference_id: Option<String>,
    /// The S3 URL of the result.
    pub output_location: Option<String>,
    /// The S3 URL of the error if the job fails. `None` if the endpoint has no failure path: a failed job then leaves
    /// nothing behind.
    pub failure_location: Option<String>,
    /// The id under which AWS Support finds the request, `x-amzn-RequestId`.
    pub request_id: Option<String>,
    /// Where the time went.
    pub timings: Timings,
}

impl InvokeEndpointAsyncResponse {
    /// What [`Client::wait_for_async_result`](crate::Client::wait_for_async_result) needs. Store it: there is no other way
    /// to the result. Its location is empty if the response named none; looking for the result is
    /// [`Error::InvalidInput`] then.
    #[must_use]
    pub fn ticket(&self) -> AsyncTicket {
        AsyncTicket {
            inference_id: self.inference_id.clone(),
            output_location: self.output_location.clone().unwrap_or_default(),
            failure_location: self.failure_location.clone(),
        }
    }
}

impl sealed::Output for InvokeEndpointAsyncResponse {
    fn read(head: ResponseHead, body: Body, options: &ReadOptions<'_>) -> Result<Self, Error> {
        let (body, timings) = read_whole(&head, body, options)?;
        Ok(Self {
            status: head.status,
            inference_id: inference_id(&body),
            output_location: head.headers.owned("x-amzn-sagemaker-outputlocation"),
            failure_location: head.headers.owned("x-amzn-sagemaker-failurelocation"),
            request_id: request_id(&head.headers),
            timings,
        })
    }

    fn timings_mut(&mut self) -> &mut Timings {
        &mut self.timings
    }
}

/// The job is queued whatever the body is, so an unknown form is no error.
fn inference_id(body: &[u8]) -> Option<String> {
    let content: Value = serde_json::from_slice(body).ok()?;
    content.get("InferenceId")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_in_the_order_of_header_names() {
        let request = InvokeEndpointAsync::new("a", AsyncInput::Body(b""));
        assert!(
            request
                .members(&Numbers::default())
                .map(|member| member.header())
                .is_sorted()
        );
    }

    #[test]
    fn the_id_is_read_from_json() {
        assert_eq!(
            inference_id(br#"{"InferenceId":"i-1"}"#).as_deref(),
            Some("i-1")
        );
        for body in [&b""[..], b"{}", b"[]", b"\xff", br#"{"InferenceId":1}"#] {
            assert_eq!(inference_id(body), None);
        }
    }
}
