//! `stream [ENDPOINT_NAME [PROMPT]]` prints the words of a language model as they come.
//!
//! Without a name, an endpoint on this machine answers with the prompt. It understands the records of TGI, vLLM, LMI and
//! NIM; their errors are records, too.
#[path = "support/exit_code.rs"]
mod exit_code;
#[path = "support/streaming_endpoint.rs"]
mod streaming_endpoint;

use std::io::{self, Write};
use std::{error::Error, process::ExitCode};

use sagemaker_invoke::{
    Client, Config, Credentials, Endpoint, InvokeEndpointWithResponseStream, Proxy,
};
use serde_json::{Value, json};

fn main() -> ExitCode {
    exit_code::run(include_str!("stream.rs"), run)
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = exit_code::arguments(2)?.into_iter();
    let (name, prompt) = (arguments.next(), arguments.next());
    let client = if name.is_some() {
        Client::from_env()?
    } else {
        offline_client()?
    };
    let prompt = prompt.unwrap_or_else(|| "These words arrive one by one.".to_owned());
    let input = json!({ "inputs": prompt, "messages": [{ "role": "user", "content": prompt }], "stream": true });
    let input = input.to_string();
    let mut response = client.invoke(&InvokeEndpointWithResponseStream {
        content_type: Some("application/json"),
        ..InvokeEndpointWithResponseStream::new(name.as_deref().unwrap_or("chat-model"), &input)
    })?;
    let mut out = io::stdout().lock();
    while let Some(record) = response.body.next_record()? {
        write!(out, "{}", text_of(record)?)?;
        out.flush()?;
    }
    writeln!(out)?;
    Ok(writeln!(io::stderr(), "{:.0?}", response.body.summary())?)
}

fn offline_client() -> Result<Client, Box<dyn Error>> {
    Ok(Client::new(Config {
        region: Some("eu-central-1".to_owned()),
        credentials: Credentials::new("AKIDEXAMPLE", "secret").into(),
        endpoint: Endpoint::Url(streaming_endpoint::start()?),
        proxy: Proxy::Off,
        ..Config::default()
    })?)
}

/// The text of a record, whichever server made it.
fn text_of(record: &[u8]) -> Result<String, Box<dyn Error>> {
    let record: Value = serde_json::from_slice(record)?;
    if let Some(error) = record.get("error") {
        return Err(format!("the model server failed: {error}").into());
    }
    let places = ["/token/text", "/choices/0/delta/content", "/choices/0/text"];
    let text = places
        .iter()
        .find_map(|place| record.pointer(place)?.as_str());
    Ok(text.unwrap_or_default().to_owned())
}
