//! Tests that run one at a time or in a process of their own, and numbers of the running process.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The environment variable with the name of the test that a process is for.
const TEST_VARIABLE: &str = "SAGEMAKER_INVOKE_OWN_PROCESS";

/// Waits until no other test of this process holds the guard: for measurements, and for tests that share a server.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A failed test poisons it, which does not concern the next one.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the body of a test in a process of its own: other tests of its binary would disturb what belongs to a process,
/// for example its logger, threads and memory. Takes a [`turn`]. `name` is the name of the test, with its modules.
///
/// # Panics
/// If the test fails in its process, or the binary has no test with this name.
pub(crate) fn in_own_process(name: &str, test: impl FnOnce()) {
    if std::env::var(TEST_VARIABLE).is_ok_and(|value| value == name) {
        return test();
    }
    let _turn = turn();
    let output = test_command(name)
        .env(TEST_VARIABLE, name)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stdout.contains("test result: ok. 1 passed"),
        "{name}: {}\n{stdout}\n{stderr}",
        output.status
    );
    print!("{stdout}");
}

/// A process of this binary that runs one test only.
pub(crate) fn test_command(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    command
}

/// The names of the running threads started by this crate; empty on systems without `/proc`.
pub(crate) fn own_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("sagemaker-invok"))
        .collect()
}

/// Number of open file descriptors; 0 on systems without `/proc`.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Resident memory in kB; 0 on systems without `/proc`.
pub(crate) fn resident_kilobytes() -> usize {
    status_kilobytes("VmRSS:")
}

/// Highest resident memory so far in kB; 0 on systems without `/proc`.
pub(crate) fn peak_kilobytes() -> usize {
    status_kilobytes("VmHWM:")
}

fn status_kilobytes(field: &str) -> usize {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
