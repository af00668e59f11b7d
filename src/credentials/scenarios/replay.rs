//! Recorded traffic in the place of the network.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use crate::credentials::sender::{CallLimits, HttpResponse, SendHttp};
use crate::http::{Cause, Origin, Phase, Request, TransportError};

/// Headers that say whom the request is from; the others are the recording SDK's own, and signatures of its.
const COMPARED: [&str; 5] = [
    "accept",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
    "x-amz-sso_bearer_token",
    "content-type",
];

/// Fields of a form that differ between one recording and one run.
const OF_THE_RECORDING: [&str; 3] = ["RoleArn", "RoleSessionName", "WebIdentityToken"];

#[derive(Clone, Debug, Default)]
struct Recorded {
    request: Value,
    request_body: String,
    response: Value,
    response_body: String,
}

/// Answers each request with what was recorded for it, in order.
#[derive(Debug)]
pub(super) struct Replay {
    /// Compare everything, as in our own recordings.
    is_exact: bool,
    left: Mutex<Vec<Recorded>>,
    /// What was asked and not recorded.
    faults: Mutex<Vec<String>>,
}

impl Replay {
    pub(super) fn new(events: &[Value], is_exact: bool) -> Self {
        let mut by_connection: BTreeMap<u64, Recorded> = BTreeMap::new();
        for event in events {
            let recorded = by_connection.entry(event["connection_id"].as_u64().unwrap()).or_default();
            let action = &event["action"];
            if let Some(request) = action.pointer("/Request/request") {
                recorded.request = request.clone();
            } else if let Some(response) = action.pointer("/Response/response") {
                recorded.response = response.clone();
            } else if let Some(data) = action.get("Data") {
                let text = data["data"]["Utf8"].as_str().unwrap();
                let is_request = data["direction"] == "Request";
                if is_request { &mut recorded.request_body } else { &mut recorded.response_body }
                    .push_str(text);
            }
        }
        let left = by_connection.into_values().rev().collect();
        Self { is_exact, left: Mutex::new(left), faults: Mutex::default() }
    }

    /// Whether everything that was recorded was asked, and nothing else.
    pub(super) fn is_used_up(&self) -> Result<(), String> {
        let (left, faults) = (self.left.lock().unwrap(), self.faults.lock().unwrap());
        // A recording of one answer that is worth another try stands for all tries.
        let is_retry = |fault: &String| !self.is_exact && fault.starts_with("not recorded");
        match faults.iter().find(|fault| !is_retry(fault)) {
            Some(fault) => Err(fault.clone()),
            None if left.is_empty() => Ok(()),
            None => Err(format!("not asked: {left:?}")),
        }
    }

    fn difference(&self, recorded: &Recorded, origin: &Origin, request: &Request<'_>) -> Option<String> {
        let url = format!("{}://{}{}", origin.scheme(), origin.authority, request.path);
        if recorded.request["method"] != request.method || recorded.request["uri"] != url.as_str() {
            return Some(format!(
                "{} {url} was asked, and recorded was {:?}",
                request.method, recorded.request
            ));
        }
        let header =
            |name: &str| request.headers.iter().find(|header| header.0 == name).map(|header| header.1);
        if header("host") != Some(&origin.authority) {
            return Some(format!("the host header of {url} is {:?}", header("host")));
        }
        for (name, values) in recorded.request["headers"].as_object().unwrap() {
            let name = name.to_ascii_lowercase();
            let is_compared = self.is_exact || COMPARED.contains(&name.as_str());
            if is_compared && header(&name) != values[0].as_str() {
                return Some(format!("{name} of {url} is {:?}", header(&name)));
            }
        }
        let body = std::str::from_utf8(request.body).unwrap();
        let is_same_body = if self.is_exact {
            body == recorded.request_body
        } else {
            fields(body) == fields(&recorded.request_body)
        };
        (!is_same_body).then(|| format!("the body sent to {url} is {body}, not {}", recorded.request_body))
    }
}

fn fields(form: &str) -> Vec<(&str, &str)> {
    let pairs = form.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (name, if OF_THE_RECORDING.contains(&name) { ".." } else { value })).collect()
}

impl SendHttp for Arc<Replay> {
    fn send(
        &self,
        origin: &Origin,
        request: &Request<'_>,
        _: &CallLimits,
        _: Option<Instant>,
    ) -> Result<HttpResponse, TransportError> {
        let fail = |text: String| {
            self.faults.lock().unwrap().push(text);
            let cause = Cause::Failed("the recording has no answer".into());
            TransportError { phase: Phase::Wait, ..TransportError::before_sending(&origin.authority, cause) }
        };
        let Some(recorded) = self.left.lock().unwrap().pop() else {
            return Err(fail(format!(
                "not recorded: {} {}{}",
                request.method, origin.authority, request.path
            )));
        };
        if let Some(difference) = self.difference(&recorded, origin, request) {
            return Err(fail(difference));
        }
        let response = &recorded.response["Ok"];
        if response.is_null() {
            let cause = Cause::Failed("recorded".into());
            return Err(TransportError::before_sending(&origin.authority, cause));
        }
        Ok(HttpResponse {
            status: response["status"].as_u64().unwrap().try_into().unwrap(),
            body: recorded.response_body.into_bytes(),
        })
    }
}
