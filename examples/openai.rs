//! A chat over the OpenAI-compatible API of an endpoint: a bearer token of this crate, and any HTTP client.
//!
//! `openai ENDPOINT_NAME PROMPT` chats with an endpoint of SageMaker. `openai` chats with a server on this machine.

#[path = "support/exit_code.rs"]
mod exit_code;

use std::io::{self, Write};
use std::{env, error::Error, process::ExitCode, time::Duration};

use httpmock::MockServer;
use sagemaker_invoke::{Client, Config, Credentials, ResponseStream};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    exit_code::run(include_str!("openai.rs"), || match arguments.as_slice() {
        [name, prompt] => chat_with_sagemaker(name, prompt),
        [] => demo(),
        _ => Err(exit_code::unknown_arguments()),
    })
}

fn chat_with_sagemaker(name: &str, prompt: &str) -> Result<(), Box<dyn Error>> {
    let config = Config::from_env()?;
    let region = config
        .region
        .clone()
        .ok_or(lexopt::Error::from("AWS_REGION is not set"))?;
    chat(
        &Client::new(config)?,
        &format!("https://runtime.sagemaker.{region}.amazonaws.com"),
        name,
        prompt,
    )
}

/// Prints the answer while it arrives.
fn chat(client: &Client, origin: &str, name: &str, prompt: &str) -> Result<(), Box<dyn Error>> {
    let token = client.bearer_token(Duration::from_secs(15 * 60))?;
    let message = json!({"stream": true, "messages": [{"role": "user", "content": prompt}]});
    let response = ureq::post(format!(
        "{origin}/endpoints/{name}/openai/v1/chat/completions"
    ))
    .header("authorization", format!("Bearer {}", token.value.expose()))
    .header("content-type", "application/json")
    .send(message.to_string())?;
    let mut stream = ResponseStream::from_reader(response.into_body().into_reader());
    while let Some(record) = stream.next_record()? {
        let chunk: Value = serde_json::from_slice(record)?;
        let text = chunk
            .pointer("/choices/0/delta/content")
            .and_then(Value::as_str);
        write!(io::stdout(), "{}", text.unwrap_or_default())?;
    }
    Ok(writeln!(io::stdout())?)
}

fn demo() -> Result<(), Box<dyn Error>> {
    let server = MockServer::start();
    server.mock(|when, then| {
        when.path("/endpoints/chat-model/openai/v1/chat/completions")
            .header_prefix("authorization", "Bearer sagemaker-api-key-");
        let chunk = |text: &str| {
            format!(
                "data: {}\n\n",
                json!({"choices": [{"delta": {"content": text}}]})
            )
        };
        let body = ["Hello, ", "world!"].map(chunk).concat() + "data: [DONE]\n\n";
        then.status(200)
            .header("content-type", "text/event-stream")
            .body(body);
    });
    let credentials =
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").into();
    let config = Config {
        region: Some("eu-central-1".to_owned()),
        credentials,
        ..Config::default()
    };
    chat(
        &Client::new(config)?,
        &server.base_url(),
        "chat-model",
        "Who is there?",
    )
}
