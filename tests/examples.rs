//! The examples as programs. `cargo test` builds them before the tests; `cargo test --test examples` does not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/support/verifying_endpoint.rs"]
mod verifying_endpoint;

use std::env::{consts::EXE_SUFFIX, current_exe};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use verifying_endpoint::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, VerifyingEndpoint};

const EXAMPLES: [&str; 8] = [
    "invoke",
    "rows",
    "retry",
    "credentials",
    "container",
    "stream",
    "async_job",
    "openai",
];

/// The program of an example, in an environment without settings of AWS.
fn example(name: &str) -> Command {
    // target/debug/deps/THIS and target/debug/examples/NAME
    let folder = current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .with_file_name("examples");
    let program = folder.join(format!("{name}{EXE_SUFFIX}"));
    assert!(
        program.is_file(),
        "`cargo build --examples` makes {}",
        program.display()
    );
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "none")
        .env("AWS_SHARED_CREDENTIALS_FILE", "none")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("no_proxy", "127.0.0.1");
    command
}

/// The example `rows` with the key of the endpoint, sending `text` to this URL.
fn rows(url: &str, text: &str) -> Output {
    let file = TemporaryFile::new(text);
    example("rows")
        .arg(&file.0)
        .args(["mean-model", "4"])
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("AWS_ENDPOINT_URL", url)
        .output()
        .unwrap()
}

struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(text: &str) -> Self {
        let thread = std::thread::current().id();
        let name = format!(
            "sagemaker-invoke-rows-{}-{thread:?}.csv",
            std::process::id()
        );
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn lines(bytes: &[u8]) -> Vec<&str> {
    std::str::from_utf8(bytes).unwrap().lines().collect()
}

#[test]
fn answers_come_in_the_order_of_ten_thousand_rows() {
    const ROWS: usize = 10_000;
    let fails = |row: usize| row % 20 == 7;
    let text: String = (0..ROWS)
        .map(|row| {
            if fails(row) {
                "no number\n".to_owned()
            } else {
                format!("{row},{}\n", row + 2)
            }
        })
        .collect();
    let endpoint = VerifyingEndpoint::start();
    let output = rows(&endpoint.url(), &text);

    let answers = lines(&output.stdout);
    assert_eq!(answers.len(), ROWS);
    for (row, answer) in answers.iter().enumerate() {
        let expected = if fails(row) {
            String::new()
        } else {
            format!(r#"{{"mean":{}}}"#, row + 1)
        };
        assert_eq!(*answer, expected, "row {}", row + 1);
    }
    let failed = lines(&output.stderr);
    assert_eq!(failed.len(), ROWS / 20);
    for (line, row) in failed.iter().zip((0..ROWS).filter(|row| fails(*row))) {
        let (beginning, end) = (
            format!("row {}: ModelError (HTTP 424", row + 1),
            "[may have run: true]",
        );
        assert!(
            line.starts_with(&beginning) && line.ends_with(end),
            "{line}"
        );
    }
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(endpoint.received().len(), ROWS, "no row is sent twice");
}

#[test]
fn the_exit_code_is_that_of_the_first_failure() {
    let endpoint = VerifyingEndpoint::start();
    for (failure, exit_code) in [
        ((403, "AccessDeniedException"), 3),
        ((400, "ValidationError"), 7),
        ((413, "PayloadTooLarge"), 7),
        ((500, "InternalFailure"), 8),
    ] {
        endpoint.fail_next(&[failure]);
        let output = rows(&endpoint.url(), "1,2");
        assert_eq!(output.status.code(), Some(exit_code), "{output:?}");
        let may_have_run = if exit_code == 8 {
            "[may have run: true]\n"
        } else {
            "[may have run: false]\n"
        };
        assert!(
            output.stderr.ends_with(may_have_run.as_bytes()),
            "{output:?}"
        );
    }
    // Port 1 is closed.
    let output = rows("http://127.0.0.1:1", "1,2");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(rows("no URL", "1,2").status.code(), Some(2));
    assert_eq!(rows(&endpoint.url(), "").status.code(), Some(0));

    let without_credentials = |argument: &str| {
        let mut command = example("rows");
        command
            .args([argument, "mean-model"])
            .env("AWS_REGION", REGION)
            .output()
            .unwrap()
            .status
            .code()
    };
    let file = TemporaryFile::new("1,2");
    assert_eq!(without_credentials(file.0.to_str().unwrap()), Some(3));
    assert_eq!(without_credentials("no file"), Some(1));
}

#[test]
fn every_example_runs_offline_without_arguments() {
    for name in EXAMPLES {
        let output = example(name).output().unwrap();
        assert!(
            output.status.success() && !output.stdout.is_empty(),
            "{name}: {output:?}"
        );
        assert_eq!(
            output.stderr.is_empty(),
            name != "stream",
            "{name}: {output:?}"
        );
    }
}

#[test]
fn every_example_has_help_and_refuses_other_arguments() {
    for name in EXAMPLES {
        let output = example(name).arg("--help").output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{name}: {output:?}"
        );
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(
            help.contains(name) && help.contains("Exit codes:"),
            "{help}"
        );
        let output = example(name).arg("-h").output().unwrap();
        assert!(
            output.status.success() && !output.stdout.is_empty(),
            "{name}: {output:?}"
        );
        for arguments in [
            &["--no-such-option"][..],
            &["Cargo.toml", "m", "1", "2", "3"],
        ] {
            let output = example(name).args(arguments).output().unwrap();
            assert!(
                output.status.code() == Some(2) && output.stdout.is_empty(),
                "{name}: {output:?}"
            );
        }
    }
}

#[test]
fn words_are_written_as_they_arrive() {
    let output = example("stream").output().unwrap();
    assert_eq!(output.stdout, b"These words arrive one by one.\n");
    assert!(
        output.stderr.starts_with(b"StreamSummary { parts: 7,"),
        "{output:?}"
    );
}

#[test]
fn the_command_line_writes_a_stream() {
    let endpoint = VerifyingEndpoint::start();
    let mut command = example("invoke");
    command.args([
        "--container",
        &endpoint.url(),
        "--stream",
        "--body",
        "1,2,3",
    ]);
    let output = command.output().unwrap();
    assert_eq!(output.stdout, br#"{"mean":2}"#, "{output:?}");
    command.args(["--target-model", "m"]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}

#[test]
fn the_command_line_invokes_a_container() {
    let endpoint = VerifyingEndpoint::start();
    let mut command = example("invoke");
    command.args([
        "--container",
        &endpoint.url(),
        "--retries",
        "0",
        "--timeout",
        "10",
        "--body",
    ]);
    let output = command.args(["1,2,3"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, br#"{"mean":2}"#);
    assert_eq!(endpoint.received().len(), 1);
}

#[test]
fn the_command_line_takes_a_profile() {
    let endpoint = VerifyingEndpoint::start();
    let file = TemporaryFile::new(&format!(
        "[profile example]\nregion = {REGION}\n\
         aws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
    ));
    let mut command = example("invoke");
    command.args([
        "mean-model",
        "--profile",
        "example",
        "--url",
        &endpoint.url(),
        "--body",
        "1,2,3",
    ]);
    // The key in the environment is wrong, and not used beside a named profile.
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", "wrong");
    let output = command.env("AWS_CONFIG_FILE", &file.0).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, br#"{"mean":2}"#);
}
