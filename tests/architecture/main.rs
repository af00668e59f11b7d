//! The structure: which module may import which, who may touch what, how many crates come along, how large an error is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ureq;

use std::path::{Path, PathBuf};
use std::process::Command;

use sagemaker_invoke::{Client, Error};

/// Limit of the default dependency tree, this crate included: ureq with rustls, hmac, sha2, hex, time and thiserror are
/// 46 crates; the parsers of JSON and XML, the SHA-1 of SSO's file names and the CRC-32 of streams are the rest.
const MAX_CRATES: usize = 53;

/// The modules in the order of the flow. Each may import itself and those below it.
const MODULES: [&str; 15] = [
    "client",
    "config",
    "endpoint",
    "operation",
    "response_stream",
    "credentials",
    "retry",
    "error",
    "service",
    "aws",
    "http",
    "sigv4",
    "text",
    "system",
    "testing",
];

/// A file under src, its path with slashes, and its code without comments and unit tests.
struct SourceFile {
    path: String,
    code: String,
}

impl SourceFile {
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }
}

#[test]
fn imports_point_down_the_flow() {
    for file in sources() {
        if file.path == "lib.rs" {
            continue;
        }
        let position = |module: &str| {
            MODULES
                .iter()
                .position(|it| *it == module)
                .unwrap_or_else(|| panic!("{module} of {}", file.path))
        };
        for imported in imported_modules(&file.code) {
            let points_down = position(file.module()) <= position(imported);
            assert!(
                points_down,
                "{} imports {imported}, which is above it",
                file.path
            );
        }
    }
}

/// The first segments behind `crate::`, with or without braces. The types at the top of the crate are re-exported there
/// for its users; a file with such an import counts as above all modules.
fn imported_modules(code: &str) -> Vec<&str> {
    code.split("crate::")
        .skip(1)
        .flat_map(first_segments)
        .map(module_of)
        .collect()
}

fn first_segments(path: &str) -> Vec<&str> {
    let Some(tree) = path.strip_prefix('{') else {
        return vec![first_name(path)];
    };
    let mut depth = 0;
    let mut segments = vec![first_name(tree)];
    for (position, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => segments.push(first_name(tree.get(position + 1..).unwrap())),
            _ => {}
        }
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}

fn first_name(path: &str) -> &str {
    path.trim_start()
        .split(|it: char| !it.is_alphanumeric() && it != '_')
        .next()
        .unwrap()
}

fn module_of(name: &str) -> &str {
    if name.starts_with(|it: char| it.is_lowercase()) {
        name
    } else {
        MODULES[0]
    }
}

/// A `super::` that leaves its module would be an import that `imports_point_down_the_flow` does not see.
#[test]
fn no_path_leaves_its_module_by_super() {
    for file in sources() {
        let depth = file.path.trim_end_matches(".rs").split('/').count();
        let is_nested = ["super::{super", "super as "]
            .iter()
            .any(|text| file.code.contains(text));
        assert!(
            !is_nested && !file.code.contains(&"super::".repeat(depth)),
            "{}",
            file.path
        );
    }
}

#[test]
fn the_helpers_of_unit_tests_import_the_system_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = std::fs::read_to_string(root.join("testing.rs")).unwrap();
    assert_eq!(imported_modules(&text), ["system"]);
    assert_eq!(
        imported_modules(&std::fs::read_to_string(root.join("testing/random.rs")).unwrap()),
        [""; 0]
    );
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::{error::{Error as _, b}, http::C, };\nuse crate::Client as _;\nfn a(b: crate::text::Secret)";
    assert_eq!(imported_modules(code), ["error", "http", "client", "text"]);
}

#[test]
fn the_modules_are_those_of_the_order() {
    let mut modules: Vec<String> = sources()
        .iter()
        .map(|file| file.module().to_owned())
        .collect();
    modules.sort();
    modules.dedup();
    modules.retain(|module| module != "lib");
    let mut expected = MODULES.to_vec();
    expected.retain(|module| *module != "testing");
    expected.sort_unstable();
    assert_eq!(modules, expected);
}

#[test]
fn only_http_names_ureq() {
    let users = files_with(&["ureq"]);
    assert!(
        !users.is_empty() && users.iter().all(|file| file.starts_with("http")),
        "{users:?}"
    );
}

#[test]
fn only_system_touches_the_environment() {
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
    assert!(users.iter().any(|file| file == "system.rs"), "{users:?}");
    assert!(
        users.iter().all(|file| file.starts_with("system")),
        "{users:?}"
    );
}

#[test]
fn no_state_is_kept_beside_the_arguments() {
    assert!(files_with(&["thread_local", "static mut", "LazyLock"]).is_empty());
    // What is kept for a thread: that it runs a search, which it must not wait for; and its deadline, since ureq's
    // connections do not know which call they serve.
    assert_eq!(
        files_with(&["ThreadId"]),
        ["credentials/cache/pending.rs", "http/deadlines.rs"]
    );
}

#[test]
fn http_knows_nothing_of_inferences() {
    let users = files_with(&["may_have_run", "ServiceError"]);
    assert!(
        users.iter().all(|file| !file.starts_with("http")),
        "{users:?}"
    );
}

fn files_with(texts: &[&str]) -> Vec<String> {
    let holds_text = |file: &SourceFile| texts.iter().any(|text| file.code.contains(text));
    sources()
        .into_iter()
        .filter(holds_text)
        .map(|file| file.path)
        .collect()
}

/// Files and folders compiled for tests only.
const TEST_ONLY: [&str; 6] = [
    "tests.rs",
    "scenarios.rs",
    "scenarios",
    "fake.rs",
    "testing.rs",
    "testing",
];

fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<SourceFile> = rust_files(&root)
        .into_iter()
        .map(|file| SourceFile {
            path: file
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/"),
            code: code_of(&std::fs::read_to_string(&file).unwrap()),
        })
        .collect();
    assert!(files.len() > 50, "{}", files.len());
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

fn code_of(text: &str) -> String {
    let without_tests = text.split("\nmod tests {").next().unwrap();
    without_tests
        .lines()
        .map(without_comment)
        .collect::<Vec<_>>()
        .join("\n")
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        ""
    } else {
        line.split(" // ").next().unwrap_or(line)
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !TEST_ONLY.iter().any(|name| path.ends_with(name)));
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut found: Vec<PathBuf> = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .collect();
    folders
        .iter()
        .for_each(|folder| found.extend(rust_files(folder)));
    found
}

fn default_tree() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--prefix", "none", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_default_tree_is_small() {
    let names = default_tree();
    assert!(
        names.len() <= MAX_CRATES,
        "{} crates: {names:?}",
        names.len()
    );
    for heavy in [
        "tokio",
        "aws-lc-rs",
        "aws-lc-sys",
        "openssl",
        "serde_derive",
        "hyper",
        "reqwest",
    ] {
        assert!(!names.iter().any(|name| name == heavy), "{heavy}");
    }
    assert!(names.iter().any(|name| name == "ureq"), "{names:?}");
}

#[test]
fn a_client_is_shared_between_threads_and_an_error_is_small() {
    fn is_shared<
        T: Send + Sync + Clone + std::panic::UnwindSafe + std::panic::RefUnwindSafe + 'static,
    >() {
    }
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_shared::<Client>();
    is_error::<Error>();
    assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
}
