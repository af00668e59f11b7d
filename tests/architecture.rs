//! What holds the house up: who may touch what, how much comes along, how large an error is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use sagemaker_invoke::{Client, Error};

/// The default tree may hold so many crates, this one included: ureq with rustls, hmac, sha2, hex, time and thiserror
/// are 46 of them, and what reads JSON, XML and SHA-1 for errors and credentials is the rest.
const MOST_CRATES: usize = 53;

#[test]
fn only_the_transport_names_ureq() {
    let users = files_with(&["ureq"]);
    assert!(!users.is_empty() && users.iter().all(|file| file.starts_with("transport/")), "{users:?}");
}

#[test]
fn only_the_host_room_touches_the_world() {
    let ambient = [
        "std::env",
        "env::var",
        "std::fs",
        "std::process",
        "SystemTime::now",
        "Instant::now",
        "thread::sleep",
        "RandomState",
        "to_socket_addrs",
        "ToSocketAddrs",
        "now_utc",
    ];
    let users = files_with(&ambient);
    assert!(users.iter().any(|file| file == "host.rs"), "{users:?}");
    assert!(users.iter().all(|file| file == "host.rs" || file.starts_with("host/")), "{users:?}");
}

#[test]
fn the_signer_knows_nothing_of_the_crate() {
    let users = files_with(&["use crate::"]);
    assert!(users.iter().all(|file| !file.starts_with("sigv4/")), "{users:?}");
}

/// The files under src whose code, comments and tests left out, holds one of the texts.
fn files_with(texts: &[&str]) -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: Vec<String> = rust_files(&source)
        .into_iter()
        .filter(|file| {
            let code = std::fs::read_to_string(file).unwrap();
            let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
            code.lines().map(without_comment).any(|line| texts.iter().any(|text| line.contains(text)))
        })
        .map(|file| file.strip_prefix(&source).unwrap().to_str().unwrap().replace('\\', "/"))
        .collect();
    found.sort();
    found
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") { "" } else { line.split(" // ").next().unwrap_or(line) }
}

/// Files and folders that are compiled for tests only.
const TEST_ONLY: [&str; 5] = ["tests.rs", "scenarios.rs", "scenarios", "fake.rs", "sequence.rs"];

/// All but those.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !TEST_ONLY.iter().any(|name| path.ends_with(name)));
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut found: Vec<PathBuf> =
        files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs")).collect();
    folders.iter().for_each(|folder| found.extend(rust_files(folder)));
    found
}

fn default_tree() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--prefix", "none", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_default_tree_is_small() {
    let names = default_tree();
    assert!(names.len() <= MOST_CRATES, "{} crates: {names:?}", names.len());
    for heavy in ["tokio", "aws-lc-rs", "aws-lc-sys", "openssl", "serde_derive", "hyper", "reqwest"] {
        assert!(!names.iter().any(|name| name == heavy), "{heavy}");
    }
    assert!(names.iter().any(|name| name == "ureq"), "{names:?}");
}

#[test]
fn a_client_goes_between_threads_and_an_error_is_small() {
    fn goes_between_threads<T: Send + Sync + Clone + 'static>() {}
    fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}
    goes_between_threads::<Client>();
    is_an_error::<Error>();
    assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
}
