//! Runs a command line with a time limit.

use std::fmt;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::pipe::Pipe;

/// Time between two checks of the process and its outputs.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Maximum bytes kept of the standard output. Credentials are far smaller.
const MAX_STDOUT_BYTES: usize = 1024 * 1024;

/// Exit status and standard output of a process, returned by [`System::run`](super::System::run).
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ProcessOutput {
    /// Whether the process exited with status 0.
    pub is_success: bool,
    /// The exit status for error messages, as the standard library displays it: `exit status: 1` for example.
    pub status: String,
    /// The standard output, truncated after 1 MiB.
    pub stdout: Vec<u8>,
}

impl ProcessOutput {
    /// A successful process with this standard output, for implementations of [`System`](super::System).
    #[must_use]
    pub fn success(stdout: impl Into<Vec<u8>>) -> Self {
        Self {
            is_success: true,
            status: "exit status: 0".to_owned(),
            stdout: stdout.into(),
        }
    }
}

/// Without the output, which may contain secret keys.
impl fmt::Debug for ProcessOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.stdout.len();
        write!(f, "ProcessOutput({}, {bytes} bytes)", self.status)
    }
}

/// Kills the process after `limit` and returns [`io::ErrorKind::TimedOut`].
pub(super) fn run(
    command_line: &str,
    limit: Duration,
    on_stderr: &mut dyn FnMut(&[u8]),
) -> io::Result<ProcessOutput> {
    run_in(Group::suitable(), command_line, limit, on_stderr)
}

fn run_in(
    group: Group,
    command_line: &str,
    limit: Duration,
    on_stderr: &mut dyn FnMut(&[u8]),
) -> io::Result<ProcessOutput> {
    let deadline = Instant::now().checked_add(limit);
    let mut process = RunningProcess::start(group, command_line)?;
    let mut stdout = Vec::new();
    let status = process.finish(deadline, &mut stdout, on_stderr)?;
    Ok(ProcessOutput {
        is_success: status.success(),
        status: status.to_string(),
        stdout,
    })
}

/// A child process. A drop before its end kills it: after an error, and when `on_stderr` panics.
struct RunningProcess {
    child: Child,
    group: Group,
    has_ended: bool,
}

impl RunningProcess {
    fn start(group: Group, command_line: &str) -> io::Result<Self> {
        let mut command = shell(command_line);
        group.prepare(&mut command);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self {
            child,
            group,
            has_ended: false,
        })
    }

    /// Reads both outputs until they are closed, then waits for the exit status.
    #[expect(clippy::expect_used, reason = "`start` has piped both outputs")]
    fn finish(
        &mut self,
        deadline: Option<Instant>,
        stdout: &mut Vec<u8>,
        on_stderr: &mut dyn FnMut(&[u8]),
    ) -> io::Result<ExitStatus> {
        let mut stdout_pipe = Pipe::new(self.child.stdout.take().expect("stdout is piped"))?;
        let mut stderr_pipe = Pipe::new(self.child.stderr.take().expect("stderr is piped"))?;
        loop {
            let stdout_closed = stdout_pipe.read_available(&mut |bytes| {
                // The rest is read and dropped. Otherwise the process would block on a full pipe.
                let room = MAX_STDOUT_BYTES.saturating_sub(stdout.len());
                stdout.extend(bytes.iter().take(room));
            })?;
            let stderr_closed = stderr_pipe.read_available(on_stderr)?;
            if stdout_closed
                && stderr_closed
                && let Some(status) = self.child.try_wait()?
            {
                self.has_ended = true;
                return Ok(status);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                let problem = "the process did not end in time";
                return Err(io::Error::new(io::ErrorKind::TimedOut, problem));
            }
            thread::sleep(POLL_INTERVAL.min(left.unwrap_or(POLL_INTERVAL)));
        }
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // First the group: the child's id is not given to another process before the child is waited for.
        self.group.kill(&mut self.child);
        // Otherwise it stays as a zombie.
        let _ = self.child.wait();
    }
}

/// The process group of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// A new one, all of which is killed. On Windows the process and its descendants.
    Own,
    /// That of this program; only the process itself is killed.
    #[cfg(unix)]
    OfProgram,
}

#[cfg(unix)]
impl Group {
    /// A process in a background group is stopped when it reads from the terminal, and the command may have to ask for
    /// a password there. So a new group is made only without a controlling terminal.
    fn suitable() -> Self {
        if std::fs::File::open("/dev/tty").is_ok() {
            Self::OfProgram
        } else {
            Self::Own
        }
    }

    fn prepare(self, command: &mut Command) {
        if self == Self::Own {
            std::os::unix::process::CommandExt::process_group(command, 0);
        }
    }

    /// Kills everything that has not ended. The group's id is that of the child, which must not have been waited for.
    fn kill(self, child: &mut Child) {
        if self == Self::Own {
            // The `kill` of the shell, because some container images have no program of this name.
            let id = child.id().to_string();
            run_quietly(Command::new("sh").args(["-c", "kill -s KILL -- \"-$0\"", &id]));
        }
        // Fails if the process has ended.
        let _ = child.kill();
    }
}

#[cfg(not(unix))]
impl Group {
    fn suitable() -> Self {
        Self::Own
    }

    fn prepare(self, _: &mut Command) {}

    /// `/T` kills the descendants too. The taskkill of older versions of Wine refuses it: there they survive.
    fn kill(self, child: &mut Child) {
        run_quietly(Command::new("taskkill").args(["/T", "/F", "/PID", &child.id().to_string()]));
        // Fails if the process has ended.
        let _ = child.kill();
    }
}

/// A failure has no consequence: the child itself is killed in any case.
fn run_quietly(command: &mut Command) {
    let _ = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
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
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// The output of a process, and its standard error.
    fn output(command_line: &str) -> (ProcessOutput, String) {
        let mut stderr = Vec::new();
        let on_stderr = &mut |bytes: &[u8]| stderr.extend_from_slice(bytes);
        let output = run(command_line, LIMIT, on_stderr).unwrap();
        (output, String::from_utf8(stderr).unwrap())
    }

    #[test]
    fn output_and_status_are_returned() {
        let (finished, stderr) = output("echo out | cat; echo err >&2; exit 3");
        assert_eq!(
            (finished.is_success, finished.status.as_str()),
            (false, "exit status: 3")
        );
        assert_eq!(finished.stdout, b"out\n");
        assert_eq!(stderr, "err\n");
        assert!(output("true").0.is_success);
    }

    #[test]
    fn debug_shows_the_status_and_not_the_output() {
        let shown = format!("{:?}", output("echo secret").0);
        assert_eq!(shown, "ProcessOutput(exit status: 0, 7 bytes)");
    }

    #[test]
    fn standard_input_is_empty_and_output_is_truncated() {
        assert_eq!(output("cat").0.stdout, b"");
        let (finished, _) = output("head -c 3000000 /dev/zero");
        assert_eq!(
            (finished.is_success, finished.stdout.len()),
            (true, 1024 * 1024)
        );
    }

    #[test]
    fn standard_error_is_passed_on_while_the_process_runs() {
        let path = temporary_file("asked");
        let command_line = format!(
            "echo 'log in' >&2; until [ -e {} ]; do sleep 0.01; done; echo done >&2",
            path.display()
        );
        let mut pieces = Vec::new();
        // The process waits for an effect of its first line.
        let on_stderr = &mut |bytes: &[u8]| {
            pieces.push(String::from_utf8(bytes.to_vec()).unwrap());
            std::fs::write(&path, b"").unwrap();
        };
        assert!(run(&command_line, LIMIT, on_stderr).unwrap().is_success);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(pieces, ["log in\n", "done\n"]);
    }

    fn temporary_file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("sagemaker-invoke-{name}-{}", std::process::id()))
    }

    /// The standard error of a process killed after a second.
    fn timed_out(group: Group, command_line: &str) -> String {
        let started_at = Instant::now();
        let mut stderr = Vec::new();
        let on_stderr = &mut |bytes: &[u8]| stderr.extend_from_slice(bytes);
        let error = run_in(group, command_line, Duration::from_secs(1), on_stderr).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{command_line}");
        assert!(
            started_at.elapsed() < Duration::from_secs(15),
            "a guard against a hang"
        );
        String::from_utf8(stderr).unwrap()
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
        let path = temporary_file(name);
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

    #[test]
    fn a_panic_of_the_caller_kills_the_process() {
        let path = temporary_file("panic");
        let command_line = format!("echo err >&2; sleep 1; echo > {}", path.display());
        let on_stderr = &mut |_: &[u8]| panic!("on purpose");
        catch_unwind(AssertUnwindSafe(|| run(&command_line, LIMIT, on_stderr))).unwrap_err();
        thread::sleep(Duration::from_secs(2));
        assert!(!path.exists());
    }
}

#[cfg(test)]
#[cfg(windows)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn output_and_status_are_returned() {
        let mut stderr = Vec::new();
        let on_stderr = &mut |bytes: &[u8]| stderr.extend_from_slice(bytes);
        let finished = run("echo out& echo err>&2& exit 3", LIMIT, on_stderr).unwrap();
        assert_eq!(
            (finished.is_success, finished.status.as_str()),
            (false, "exit code: 3")
        );
        assert_eq!(
            (finished.stdout, stderr),
            (b"out\r\n".to_vec(), b"err\r\n".to_vec())
        );
    }

    #[test]
    fn a_quoted_program_gets_its_quoted_argument() {
        let finished = run("\"cmd.exe\" /D /C \"echo a b\"", LIMIT, &mut |_| {}).unwrap();
        assert_eq!(
            (finished.is_success, finished.stdout),
            (true, b"a b\r\n".to_vec())
        );
    }

    #[test]
    fn a_hanging_process_times_out() {
        let limit = Duration::from_millis(300);
        let error = run("for /L %i in (0,0,1) do @rem", limit, &mut |_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
