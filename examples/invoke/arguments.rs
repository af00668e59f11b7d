//! The command line.

use std::collections::BTreeMap;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;

pub(crate) const HELP: &str = "\
Gets one inference from an Amazon SageMaker endpoint and writes it to standard output.

  invoke                            calls an endpoint on this machine; needs no AWS account
  invoke ENDPOINT_NAME [OPTION]...  calls SageMaker
  invoke --container URL [OPTION]...  calls a model container without SageMaker

Region, credentials and endpoint come from the environment: AWS_REGION, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME and others.

Where:
  --profile NAME               of the shared files, instead of AWS_PROFILE and keys in the environment
  --region REGION              instead of AWS_REGION
  --url URL                    of another host than AWS's; requests are signed
  --container URL              POST URL/invocations, not signed
  --timeout SECONDS            for the whole call
  --retries N                  after the first attempt; default: 2
  --stream                     write the response while it arrives
  --dry-run                    send nothing: print the request as a curl command, secrets masked

What:
  --body TEXT, --body @FILE    the input; default: standard input
  --content-type TYPE          of the input
  --accept TYPE                of the response
  --target-model NAME          on a multi-model endpoint
  --target-variant NAME        instead of the traffic weights
  --target-container NAME      on a multi-container endpoint
  --inference-component NAME
  --inference-id ID            for data capture
  --session-id ID              of a stateful model; NEW_SESSION begins one
  --prefix-aware-id ID
  --enable-explanations EXPR
  --custom-attributes TEXT     for the container
";

/// The options that take a value.
const OPTIONS: [&str; 18] = [
    "profile",
    "region",
    "url",
    "container",
    "timeout",
    "retries",
    "body",
    "content-type",
    "accept",
    "target-model",
    "target-variant",
    "target-container",
    "inference-component",
    "inference-id",
    "session-id",
    "prefix-aware-id",
    "enable-explanations",
    "custom-attributes",
];

/// What InvokeEndpointWithResponseStream does not have.
const NOT_STREAMED: [&str; 2] = ["target-model", "enable-explanations"];

/// The parsed command line.
pub(crate) struct Arguments {
    pub endpoint_name: String,
    pub dry_run: bool,
    pub stream: bool,
    values: BTreeMap<&'static str, String>,
}

impl Arguments {
    /// `None` for `--help`.
    pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut endpoint_name = None;
        let (mut dry_run, mut stream) = (false, false);
        let mut values = BTreeMap::new();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("dry-run") => dry_run = true,
                Long("stream") => stream = true,
                Long(name) => match OPTIONS.into_iter().find(|option| *option == name) {
                    Some(option) => drop(values.insert(option, parser.value()?.string()?)),
                    None => return Err(argument.unexpected()),
                },
                Value(value) if endpoint_name.is_none() => endpoint_name = Some(value.string()?),
                _ => return Err(argument.unexpected()),
            }
        }
        // A container serves one model and ignores the name.
        let default_name = values.contains_key("container").then(|| "local".to_owned());
        let endpoint_name = endpoint_name
            .or(default_name)
            .ok_or("the endpoint's name is missing")?;
        if let Some(option) = NOT_STREAMED
            .iter()
            .find(|option| stream && values.contains_key(*option))
        {
            return Err(format!("--{option} does not go with --stream").into());
        }
        Ok(Some(Self {
            endpoint_name,
            dry_run,
            stream,
            values,
        }))
    }

    pub(crate) fn value(&self, option: &str) -> Option<&str> {
        self.values.get(option).map(String::as_str)
    }
}
