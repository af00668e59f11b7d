//! Where credentials come from: a provider of the program before the chain of the AWS SDKs, and a role in a profile.
//!
//! `credentials PROFILE` prints what a profile of `~/.aws/config` gives, an early check that calls no endpoint.
//! `credentials` shows both against an endpoint on this machine; it starts itself with a configuration file.
#[path = "support/exit_code.rs"]
mod exit_code;
#[path = "support/verifying_endpoint.rs"]
mod verifying_endpoint;

use std::time::{Duration, Instant, SystemTime};
use std::{env, error::Error, fs, io, io::Write, process};

use sagemaker_invoke::credentials::{ProvideCredentials, Provider};
use sagemaker_invoke::{Client, Config, Credentials, InvokeEndpoint};
use verifying_endpoint::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, VerifyingEndpoint};

/// Gives the example key as a session of an hour.
struct Vault;

impl ProvideCredentials for Vault {
    fn provide(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Option<Credentials>, Box<dyn Error + Send + Sync>> {
        // A real one would ask a server here, and stop at the deadline of the call. None: the next provider is tried.
        let _time_left =
            deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let credentials =
            Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY).with_session_token("Session");
        Ok(Some(credentials.with_expiry(
            SystemTime::now() + Duration::from_secs(3600),
        )))
    }
}

fn main() -> process::ExitCode {
    exit_code::run(include_str!("credentials.rs"), || {
        exit_code::arguments(1)?
            .first()
            .map_or_else(demo, |profile| check(profile))
    })
}

fn check(profile: &str) -> Result<(), Box<dyn Error>> {
    let credentials = Client::new(Config::from_profile(profile)?)?.credentials()?;
    Ok(writeln!(
        io::stdout(),
        "profile {profile}: {credentials:?}"
    )?)
}

fn demo() -> Result<(), Box<dyn Error>> {
    let endpoint = VerifyingEndpoint::start();
    let provider = Provider::Chain(vec![Provider::custom(Vault), Provider::DefaultChain]);
    let client = Client::new(Config {
        credentials: provider,
        ..endpoint.config()
    })?;
    let response = client.invoke(&InvokeEndpoint::new("mean-model", "1,2,3"))?;
    writeln!(
        io::stdout(),
        "with a provider of the program: {}",
        response.text()
    )?;

    let role = "[profile analyst]\nrole_arn = arn:aws:iam::123456789012:role/analyst\nsource_profile = keys";
    let keys =
        format!("aws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}");
    let file = env::temp_dir().join(format!("sagemaker-invoke-example-{}", process::id()));
    fs::write(&file, format!("{role}\n[profile keys]\n{keys}\n"))?;
    let mut child = process::Command::new(env::current_exe()?);
    child
        .arg("analyst")
        .env("AWS_CONFIG_FILE", &file)
        .env("AWS_SHARED_CREDENTIALS_FILE", "none");
    child
        .env("AWS_REGION", REGION)
        .env("AWS_ENDPOINT_URL", endpoint.url())
        .env("no_proxy", "127.0.0.1");
    let status = child.status();
    fs::remove_file(&file)?;
    if status?.success() {
        Ok(())
    } else {
        Err("the role was not assumed".into())
    }
}
