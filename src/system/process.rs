//! Runs a command line with a time limit.

mod group;
mod output;

use std::fmt;
use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use self::group::Group;
use self::output::Output;

/// Time between two looks at the process and its outputs.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The result of a process, returned by [`System::run`](super::System::run).
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Finished {
    /// Whether the exit status means success: 0.
    pub is_success: bool,
    /// The exit status for error messages, as the standard library displays it: `exit status: 1` for example.
    pub status: String,
    /// The standard output, cut off after 1 MiB.
    pub stdout: Vec<u8>,
    /// The standard error, cut off after 1 MiB.
    pub stderr: Vec<u8>,
}

impl Finished {
    /// A successful process with this standard output, for implementations of [`System`](super::System).
    #[must_use]
    pub fn success(stdout: impl Into<Vec<u8>>) -> Self {
        Self {
            is_success: true,
            status: "exit status: 0".to_owned(),
            stdout: stdout.into(),
            ..Self::default()
        }
    }
}

/// Without the output, which may contain secret keys.
impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) = (self.stdout.len(), self.stderr.len());
        write!(f, "Finished({}, {stdout} and {stderr} bytes)", self.status)
    }
}

/// The error of a process killed at its time limit, within an [`io::Error`] of the kind [`io::ErrorKind::TimedOut`].
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct TimedOut {
    /// What the process had written to its standard error, cut off after 1 MiB.
    pub stderr: Vec<u8>,
}

impl TimedOut {
    /// The error with this standard error, for implementations of [`System`](super::System).
    #[must_use]
    pub fn into_error(stderr: impl Into<Vec<u8>>) -> io::Error {
        io::Error::new(
            io::ErrorKind::TimedOut,
            Self {
                stderr: stderr.into(),
            },
        )
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process did not end in time")
    }
}

/// Without the output, which may contain secret keys.
impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimedOut({} bytes)", self.stderr.len())
    }
}

impl std::error::Error for TimedOut {}

/// Kills the process after `limit` and returns [`TimedOut`].
pub(super) fn run(command_line: &str, limit: Duration) -> io::Result<Finished> {
    run_in(Group::suitable(), command_line, limit)
}

fn run_in(group: Group, command_line: &str, limit: Duration) -> io::Result<Finished> {
    let deadline = Instant::now().checked_add(limit);
    let mut command = shell(command_line);
    group.prepare(&mut command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let outcome = finish(&mut child, deadline);
    if outcome.is_err() {
        // Before the child is waited for: its id is not given to another process until then.
        group.kill(&mut child);
        // Or it stays as a zombie.
        let _ = child.wait();
    }
    outcome
}

/// Reads the outputs to their end, then waits for the exit status.
#[expect(clippy::expect_used, reason = "the caller has piped both outputs")]
fn finish(child: &mut Child, deadline: Option<Instant>) -> io::Result<Finished> {
    let mut stdout = Output::new(child.stdout.take().expect("stdout is piped"))?;
    let mut stderr = Output::new(child.stderr.take().expect("stderr is piped"))?;
    loop {
        let is_complete = stdout.poll()? & stderr.poll()?;
        if is_complete && let Some(status) = child.try_wait()? {
            let (is_success, status) = (status.success(), status.to_string());
            return Ok(Finished {
                is_success,
                status,
                stdout: stdout.bytes,
                stderr: stderr.bytes,
            });
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(TimedOut::into_error(stderr.bytes));
        }
        thread::sleep(POLL_INTERVAL.min(left.unwrap_or(POLL_INTERVAL)));
    }
}

#[cfg(not(windows))]
fn shell(command_line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", command_line]);
    command
}

#[cfg(windows)]
fn shell(command_line: &str) -> Command {
    let mut command = Command::new("cmd.exe");
    // cmd removes the first and the last quote of the line, so add a pair; /S makes it do so for every line.
    // /D disables AutoRun commands, which could write to the output.
    let quoted = format!("\"{command_line}\"");
    std::os::windows::process::CommandExt::raw_arg(command.args(["/D", "/S", "/C"]), quoted);
    command
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn output_and_status_are_returned() {
        let finished = run("echo out | cat; echo err >&2; exit 3", LIMIT).unwrap();
        assert_eq!(
            (finished.is_success, finished.status.as_str()),
            (false, "exit status: 3")
        );
        assert_eq!(
            (finished.stdout, finished.stderr),
            (b"out\n".to_vec(), b"err\n".to_vec())
        );
        assert!(run("true", LIMIT).unwrap().is_success);
    }

    #[test]
    fn standard_input_is_empty_and_output_is_cut_off() {
        assert_eq!(run("cat", LIMIT).unwrap().stdout, b"");
        let finished = run("head -c 3000000 /dev/zero", LIMIT).unwrap();
        assert_eq!(
            (finished.is_success, finished.stdout.len()),
            (true, 1024 * 1024)
        );
    }

    /// The standard error of a process killed after a second.
    fn timed_out(group: Group, command_line: &str) -> String {
        let started_at = Instant::now();
        let error = run_in(group, command_line, Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{command_line}");
        assert!(
            started_at.elapsed() < Duration::from_secs(15),
            "a guard against a hang"
        );
        let timed_out = error.get_ref().unwrap().downcast_ref::<TimedOut>().unwrap();
        String::from_utf8_lossy(&timed_out.stderr).into_owned()
    }

    #[test]
    fn a_hanging_process_times_out_even_if_a_grandchild_holds_its_output() {
        for group in [Group::Own, Group::OfProgram] {
            for command_line in ["echo wait >&2; exec sleep 20", "sleep 20 & echo wait >&2"] {
                assert_eq!(
                    timed_out(group, command_line),
                    "wait\n",
                    "{group:?} {command_line}"
                );
            }
        }
    }

    /// Whether a process writes a file three seconds after its start, though it should be killed after one.
    fn survives(group: Group, name: &str, command_line: &str) -> bool {
        let path =
            std::env::temp_dir().join(format!("sagemaker-invoke-{name}-{}", std::process::id()));
        timed_out(group, &command_line.replace("FILE", path.to_str().unwrap()));
        thread::sleep(Duration::from_secs(3));
        std::fs::remove_file(path).is_ok()
    }

    #[test]
    fn no_process_of_the_group_survives() {
        let cases = [
            (Group::Own, "waits", "(sleep 3; echo > FILE) & wait"),
            (Group::Own, "exits", "(sleep 3; echo > FILE) & exit"),
            (Group::Own, "pipes", "(sleep 3; echo > FILE) | cat"),
            (Group::OfProgram, "child", "sleep 3; echo > FILE"),
        ];
        let threads =
            cases.map(|(group, name, line)| thread::spawn(move || survives(group, name, line)));
        assert_eq!(threads.map(|thread| thread.join().unwrap()), [false; 4]);
    }
}

#[cfg(test)]
#[cfg(windows)]
mod tests {
    use super::*;

    #[test]
    fn output_and_status_are_returned() {
        let finished = run("echo out& echo err>&2& exit 3", Duration::from_secs(20)).unwrap();
        assert_eq!(
            (finished.is_success, finished.status.as_str()),
            (false, "exit code: 3")
        );
        assert_eq!(
            (finished.stdout, finished.stderr),
            (b"out\r\n".to_vec(), b"err\r\n".to_vec())
        );
    }

    #[test]
    fn a_quoted_program_gets_its_quoted_argument() {
        let finished = run("\"cmd.exe\" /D /C \"echo a b\"", Duration::from_secs(20)).unwrap();
        assert_eq!(
            (finished.is_success, finished.stdout),
            (true, b"a b\r\n".to_vec())
        );
    }

    #[test]
    fn a_hanging_process_times_out() {
        let error = run("for /L %i in (0,0,1) do @rem", Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
