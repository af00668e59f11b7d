//! Whole searches: from an environment, files and recorded traffic to credentials or an error. The directories have the
//! format of the official ones; ours are in tests/scenarios.

mod replay;

use std::path::{MAIN_SEPARATOR, Path};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde_json::Value;

use self::replay::Replay;
use super::cache::Cache;
use super::chain::Loader;
use crate::config::Config;
use crate::testing::{FakeSystem, capture_log, captured_log};

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
const OFFICIAL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/vectors/credential-chain"
);

/// The error texts of the official cases, and ours for the same outcome.
const PROBLEMS: [(&str, &str); 8] = [
    (
        "the credential provider was not enabled",
        "no role is attached to the instance|AWS_EC2_METADATA_DISABLED is true",
    ),
    (
        "provider was not enabled",
        "profile \"A\": AWS_ACCESS_KEY_ID is not set",
    ),
    (
        "request forbidden: IMDS is disabled",
        "refused a session token (HTTP 403)",
    ),
    (
        "No such file or directory (os error 2)",
        "the container's authorization token cannot be read from /token.jwt",
    ),
    (
        "failed to read `/home/.aws/sso/cache/dace00cba5f8355ec9d274ceb2bcebdfbeed0e12.json`: No such file or directory (os error 2)",
        "run `aws sso login`: cannot read /home/.aws/sso/cache/dace00cba5f8355ec9d274ceb2bcebdfbeed0e12.json",
    ),
    (
        "an error occurred while loading credentials",
        "the SSO portal",
    ),
    (
        "`web_identity_token_file` was specified but `role_arn` was missing",
        "web_identity_token_file needs a role_arn",
    ),
    (
        "InvalidIdentityTokenException: No OpenIDConnect provider found in your account",
        "InvalidIdentityToken (HTTP 400): No OpenIDConnect provider found in your account",
    ),
];

struct Scenario<'a> {
    directory: &'a Path,
    case: Value,
    system: Arc<FakeSystem>,
    replay: Arc<Replay>,
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl<'a> Scenario<'a> {
    fn read(directory: &'a Path, is_exact: bool) -> Self {
        let case = json(&directory.join("test-case.json"));
        let variables = json(&directory.join("env.json"));
        let mut system = FakeSystem::default().at(case["now"].as_u64().unwrap_or_default());
        for (name, value) in variables.as_object().unwrap() {
            system
                .variables
                .insert(name.clone(), value.as_str().unwrap().to_owned());
        }
        let root = directory.join("fs");
        for file in files_below(&root) {
            let inside = Path::new("/").join(file.strip_prefix(&root).unwrap());
            system = system.with_file(inside.to_str().unwrap(), std::fs::read(&file).unwrap());
        }
        let traffic = directory.join("http-traffic.json");
        let events = if traffic.exists() {
            json(&traffic)["events"].clone()
        } else {
            Value::Null
        };
        let replay = Arc::new(Replay::new(
            events.as_array().map_or(&[], Vec::as_slice),
            is_exact,
        ));
        Self {
            directory,
            case,
            system: Arc::new(system),
            replay,
        }
    }

    /// Runs a search as a client would, but on this thread, whose log is captured. The error is the difference.
    fn run(&self) -> Result<(), String> {
        capture_log();
        let system: Arc<FakeSystem> = Arc::clone(&self.system);
        let outcome = match Config::from_system(system) {
            Ok(config) => {
                let loader =
                    Loader::with_sender(config.search(), Box::new(Arc::clone(&self.replay)));
                Cache::with_loader(loader)
                    .search_on_this_thread()
                    .map_err(|error| full_text(&error))
            }
            Err(error) => Err(full_text(&error)),
        };
        let shown = format!("{outcome:?}\n{}", captured_log());
        self.search_for_secrets(&shown)?;
        match &outcome {
            Ok(credentials) => self.compare(credentials)?,
            Err(text) => self.compare_error(text)?,
        }
        self.replay.is_used_up()?;
        self.compare_files()
    }

    fn compare(&self, credentials: &super::Credentials) -> Result<(), String> {
        let expected = &self.case["result"]["Ok"];
        let token = credentials
            .session_token
            .as_ref()
            .map(super::Secret::expose);
        let expiry = credentials
            .expires_at
            .map(|it| it.duration_since(UNIX_EPOCH).unwrap().as_secs());
        let is_same = expected["access_key_id"] == credentials.access_key_id
            && expected["secret_access_key"] == credentials.secret_access_key.expose()
            && expected["session_token"].as_str() == token
            && expected["expiry"].as_u64() == expiry;
        if is_same {
            Ok(())
        } else {
            Err(format!(
                "{credentials:?}, {expiry:?} is not what was expected"
            ))
        }
    }

    fn compare_error(&self, text: &str) -> Result<(), String> {
        let Some(theirs) = self.case["result"]["ErrorContains"].as_str() else {
            return Err(format!("failed: {text}"));
        };
        let ours = PROBLEMS
            .iter()
            .find(|(it, _)| *it == theirs)
            .map_or(theirs, |(_, ours)| ours);
        let contains = ours.split('|').any(|ours| text.contains(ours));
        if contains {
            Ok(())
        } else {
            Err(format!("failed otherwise: {text}"))
        }
    }

    /// Fails if a secret of the case is shown: of its result, or in its list of secrets.
    fn search_for_secrets(&self, shown: &str) -> Result<(), String> {
        let result = &self.case["result"]["Ok"];
        let given = [&result["secret_access_key"], &result["session_token"]].into_iter();
        let listed = self.case["secrets"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let mut secrets = given.chain(listed).filter_map(Value::as_str);
        // The shortest official secrets are also parts of ordinary words.
        match secrets.find(|secret| secret.len() > 3 && shown.contains(secret)) {
            Some(secret) => Err(format!("{secret} shows in: {shown}")),
            None => Ok(()),
        }
    }

    /// Compares the files below `fs-after` with those that were written.
    fn compare_files(&self) -> Result<(), String> {
        let root = self.directory.join("fs-after");
        for file in files_below(&root) {
            let inside = Path::new("/").join(file.strip_prefix(&root).unwrap());
            let written = self
                .system
                .file(inside.to_str().unwrap())
                .ok_or("a file was not written")?;
            if serde_json::from_slice::<Value>(&written).unwrap() != json(&file) {
                return Err(format!("{} is not what was expected", inside.display()));
            }
        }
        Ok(())
    }
}

/// Display and Debug of an error, and its sources.
fn full_text(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text.replace(MAIN_SEPARATOR, "/")
}

fn files_below(root: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return vec![];
    };
    let below = entries.map(|entry| entry.unwrap().path());
    below
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn directories(root: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(root).unwrap_or_else(|error| panic!("{root}: {error}"));
    let mut directories: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    directories.retain(|path| path.is_dir());
    directories.sort();
    directories
}

#[test]
fn our_own_scenarios() {
    let mut directories = directories(OWN);
    // Their command lines are for `sh`.
    let runs_program = |directory: &Path| {
        directory
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("process")
    };
    directories.retain(|directory| cfg!(unix) || !runs_program(directory));
    assert!(directories.len() >= 25, "{}", directories.len());
    let outcomes = directories
        .iter()
        .map(|directory| (directory, Scenario::read(directory, true).run()));
    let failures: Vec<_> = outcomes
        .filter_map(|(directory, outcome)| Some((directory, outcome.err()?)))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_scenarios() {
    let directories = directories(&format!("{OFFICIAL}/default-credential-provider-chain"));
    assert_eq!(directories.len(), 29);
    let outcomes = directories
        .iter()
        .map(|directory| (directory, Scenario::read(directory, false).run()));
    let failures: Vec<_> = outcomes
        .filter_map(|(directory, outcome)| Some((directory, outcome.err()?)))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_token_scenarios() {
    use super::clocks::Clocks;
    use super::context::{AwsHosts, Context};
    use super::progress::Progress;
    use super::sources::plan::{Base, Plan};

    let directories = directories(&format!("{OFFICIAL}/default-token-provider-chain"));
    assert_eq!(directories.len(), 3);
    for directory in directories {
        let scenario = Scenario::read(&directory, false);
        let (hosts, progress, clocks) =
            (AwsHosts::default(), Progress::default(), Clocks::default());
        let context = Context::new(
            &*scenario.system,
            &scenario.replay,
            &hosts,
            &progress,
            &clocks,
        );
        let profiles = context.profiles().unwrap();
        let Base::Sso(sso) = Plan::of(profiles, profiles.selected_name()).unwrap().base else {
            panic!()
        };
        let token = sso.token(&context).unwrap();
        let expected = &scenario.case["result"]["Ok"];
        assert_eq!(
            expected["token"],
            token.text.expose(),
            "{}",
            directory.display()
        );
        assert_eq!(
            super::parse::date::time_of(expected["expiration"].as_str().unwrap()),
            Some(token.expires_at),
            "{}",
            directory.display()
        );
    }
}

#[test]
fn the_runner_fails_for_a_shown_secret_and_another_result() {
    let directory = Path::new(OWN).join("container_with_token");
    let passing = Scenario::read(&directory, true);
    passing.run().unwrap();
    let expected = passing.case["result"]["Ok"].clone();
    for changed in [
        "access_key_id",
        "secret_access_key",
        "session_token",
        "expiry",
    ] {
        let mut scenario = Scenario::read(&directory, true);
        scenario.case["result"]["Ok"][changed] = Value::from(7);
        assert!(scenario.run().is_err(), "{changed}: {expected}");
    }
    let mut scenario = Scenario::read(&directory, true);
    scenario.case["secrets"] = Value::from(vec![expected["access_key_id"].clone()]);
    assert!(scenario.run().unwrap_err().contains("shows in"));
}

#[test]
fn the_last_credentials_of_an_instance_are_used_while_its_metadata_service_fails() {
    use crate::system::System;

    let directory = Path::new(OWN).join("instance_ipv6");
    let scenario = Scenario::read(&directory, true);
    let system: Arc<FakeSystem> = Arc::clone(&scenario.system);
    let config = Config::from_system(system).unwrap();
    let cache = Cache::with_loader(Loader::with_sender(
        config.search(),
        Box::new(Arc::clone(&scenario.replay)),
    ));
    let first = cache.get(None).unwrap();
    // The recording has no second response, and the credentials expire in an hour.
    scenario
        .system
        .sleep(std::time::Duration::from_secs(2 * 3600));
    let extended = cache.get(None).unwrap();
    assert_eq!(extended.access_key_id, first.access_key_id);
    let left = extended
        .expires_at
        .unwrap()
        .duration_since(scenario.system.now())
        .unwrap();
    assert_eq!(left.as_secs(), 600 + 150);
}

#[test]
fn the_error_for_a_missing_region_has_the_reason_of_the_instance() {
    let directory = Path::new(OWN).join("instance_forbids");
    let scenario = Scenario::read(&directory, true);
    let system: Arc<FakeSystem> = Arc::clone(&scenario.system);
    let search = Config {
        system,
        ..Config::default()
    }
    .search();
    let loader = Loader::with_sender(search, Box::new(Arc::clone(&scenario.replay)));
    let text = loader.region_of_instance(None).unwrap_err().to_string();
    assert!(
        text.starts_with("region is missing: set AWS_REGION, or region in the profile;"),
        "{text}"
    );
    assert!(
        text.contains("the instance metadata service: refused a session token (HTTP 403)"),
        "{text}"
    );
}

#[test]
fn a_missing_profile_of_aws_profile_is_an_error_without_a_loaded_configuration() {
    let system = FakeSystem::new(&[("HOME", "/h"), ("AWS_PROFILE", "gone")]);
    let config = Config {
        system: Arc::new(system),
        ..Config::default()
    };
    let text = Cache::new(config.search())
        .get(None)
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with("AWS_PROFILE names the profile \"gone\""),
        "{text}"
    );
}
