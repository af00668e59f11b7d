//! Recorded traffic in place of the network.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use crate::credentials::sender::{CallSettings, HttpResponse, SendHttp};
use crate::http::{Cause, Headers, Origin, Phase, Request, TransportError};

/// The headers compared in official recordings; the others are from the recording SDK and its signer.
const COMPARED: [&str; 5] = [
    "accept",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
    "x-amz-sso_bearer_token",
    "content-type",
];

/// Form fields that differ between a recording and a run.
const OF_THE_RECORDING: [&str; 3] = ["RoleArn", "RoleSessionName", "WebIdentityToken"];

#[derive(Clone, Debug, Default)]
struct Recorded {
    request: Value,
    request_body: String,
    response: Value,
    response_body: String,
}

/// Replays the recorded responses in order.
#[derive(Debug)]
pub(super) struct Replay {
    /// Whether all headers and fields are compared, as in our recordings.
    is_exact: bool,
    left: Mutex<Vec<Recorded>>,
    /// Requests missing from the recording.
    faults: Mutex<Vec<String>>,
}

impl Replay {
    pub(super) fn new(events: &[Value], is_exact: bool) -> Self {
        let mut by_connection: BTreeMap<u64, Recorded> = BTreeMap::new();
        for event in events {
            let recorded = by_connection
                .entry(event["connection_id"].as_u64().unwrap())
                .or_default();
            let action = &event["action"];
            if let Some(request) = action.pointer("/Request/request") {
                recorded.request = request.clone();
            } else if let Some(response) = action.pointer("/Response/response") {
                recorded.response = response.clone();
            } else if let Some(data) = action.get("Data") {
                let text = data["data"]["Utf8"].as_str().unwrap();
                let is_request = data["direction"] == "Request";
                if is_request {
                    &mut recorded.request_body
                } else {
                    &mut recorded.response_body
                }
                .push_str(text);
            }
        }
        let left = by_connection.into_values().rev().collect();
        Self {
            is_exact,
            left: Mutex::new(left),
            faults: Mutex::default(),
        }
    }

    /// Fails unless the requests were exactly the recorded ones.
    pub(super) fn is_used_up(&self) -> Result<(), String> {
        let (left, faults) = (self.left.lock().unwrap(), self.faults.lock().unwrap());
        // An official recording of one response that is retried stands for all attempts.
        match faults
            .iter()
            .find(|fault| self.is_exact || !fault.starts_with("not recorded"))
        {
            Some(fault) => Err(fault.clone()),
            None if left.is_empty() => Ok(()),
            None => Err(format!("not requested: {left:?}")),
        }
    }

    fn difference(
        &self,
        recorded: &Recorded,
        origin: &Origin,
        request: &Request<'_>,
    ) -> Option<String> {
        let url = format!("{}://{}{}", origin.scheme(), origin.authority, request.path);
        if recorded.request["method"] != request.method || recorded.request["uri"] != url.as_str() {
            return Some(format!(
                "{} {url} is not {:?}",
                request.method, recorded.request
            ));
        }
        if header(request, "host") != Some(&origin.authority) {
            return Some(format!(
                "the host header of {url} is {:?}",
                header(request, "host")
            ));
        }
        for (name, values) in recorded.request["headers"].as_object().unwrap() {
            let name = name.to_ascii_lowercase();
            let is_compared = self.is_exact || COMPARED.contains(&name.as_str());
            if is_compared && header(request, &name) != values[0].as_str() {
                return Some(format!("{name} of {url} is {:?}", header(request, &name)));
            }
        }
        let body = std::str::from_utf8(request.body).unwrap();
        let is_same_body = if self.is_exact {
            body == recorded.request_body
        } else {
            fields(body) == fields(&recorded.request_body)
        };
        if is_same_body {
            return None;
        }
        Some(format!(
            "the body sent to {url} is {body}, not {}",
            recorded.request_body
        ))
    }

    /// Notes a request without a recorded response.
    fn fail(&self, fault: String, origin: &Origin) -> TransportError {
        self.faults.lock().unwrap().push(fault);
        let failed = TransportError::before_sending(&origin.authority, Cause::Failed);
        TransportError {
            phase: Phase::Wait,
            ..failed.with_source("the recording has no response")
        }
    }
}

impl Recorded {
    /// `None` for a recorded failure.
    fn response(&self) -> Option<HttpResponse> {
        let response = self.response["Ok"].as_object()?;
        let mut headers = Headers::default();
        for (name, value) in response["headers"].as_object().unwrap() {
            headers.push(
                name,
                value[0].as_str().or(value.as_str()).unwrap().as_bytes(),
            );
        }
        Some(HttpResponse::new(
            response["status"].as_u64().unwrap().try_into().unwrap(),
            headers,
            self.response_body.clone().into_bytes(),
        ))
    }
}

fn header<'a>(request: &Request<'a>, name: &str) -> Option<&'a str> {
    request
        .headers
        .iter()
        .find(|header| header.0 == name)
        .map(|header| header.1)
}

fn fields(form: &str) -> Vec<(&str, &str)> {
    let pairs = form
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| {
            (
                name,
                if OF_THE_RECORDING.contains(&name) {
                    ".."
                } else {
                    value
                },
            )
        })
        .collect()
}

impl SendHttp for Arc<Replay> {
    fn send(
        &self,
        origin: &Origin,
        request: &Request<'_>,
        _: &CallSettings,
        _: Option<Instant>,
    ) -> Result<HttpResponse, TransportError> {
        let Some(recorded) = self.left.lock().unwrap().pop() else {
            let fault = format!(
                "not recorded: {} {}{}",
                request.method, origin.authority, request.path
            );
            return Err(self.fail(fault, origin));
        };
        if let Some(difference) = self.difference(&recorded, origin, request) {
            return Err(self.fail(difference, origin));
        }
        recorded.response().ok_or_else(|| {
            TransportError::before_sending(&origin.authority, Cause::Failed).with_source("recorded")
        })
    }
}
