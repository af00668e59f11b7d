//! Processes with a time limit.

use std::fmt;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// So much of each output is read; credentials take far less.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;

/// How often a running process is looked after.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A process that has ended.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Finished {
    /// Whether it says that it succeeded.
    pub is_success: bool,
    /// How it ended, as the operating system tells it: `exit status: 1` for example.
    pub status: String,
    /// The first MiB that it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The first MiB that it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Finished {
    /// A process that succeeded and wrote this to its standard output.
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

/// What a process writes may be a key.
impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) = (self.stdout.len(), self.stderr.len());
        write!(f, "Finished({}, {stdout} and {stderr} bytes)", self.status)
    }
}

pub(super) fn run(command_line: &str, limit: Duration) -> io::Result<Finished> {
    let deadline = Instant::now().checked_add(limit);
    let mut child =
        shell(command_line).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().map(read_in_background).transpose()?;
    let stderr = child.stderr.take().map(read_in_background).transpose()?;
    let outcome = wait(&mut child, deadline).and_then(|status| {
        let (stdout, stderr) = (collected(stdout, deadline)?, collected(stderr, deadline)?);
        Ok(Finished { is_success: status.success(), status: status.to_string(), stdout, stderr })
    });
    if outcome.is_err() {
        // It may have ended by itself meanwhile; waited for in any case, so that no zombie is left.
        let _ = child.kill();
        let _ = child.wait();
    }
    outcome
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
    // Without /S the shell would take the first and the last quote off a line with a quoted program and a quoted
    // argument; with it, these two. /D keeps what the user runs at every start of the shell out of the output.
    let quoted = format!("\"{command_line}\"");
    std::os::windows::process::CommandExt::raw_arg(command.args(["/D", "/S", "/C"]), quoted);
    command
}

/// A pipe can be held open by a grandchild after the process is gone or killed, so a thread of its own reads it and
/// is left behind then.
fn read_in_background(pipe: impl Read + Send + 'static) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name("sagemaker-invoke process".to_owned()).spawn(move || {
        let mut output = Vec::new();
        let mut pipe = pipe;
        let read = pipe.by_ref().take(MAX_OUTPUT_BYTES).read_to_end(&mut output);
        // What is over the limit is drained, or the process would block on it. Nobody may listen any more.
        let drained = read.and_then(|_| io::copy(&mut pipe, &mut io::sink()));
        let _ = sender.send(drained.map(|_| output));
    })?;
    Ok(receiver)
}

fn wait(child: &mut Child, deadline: Option<Instant>) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(POLL_INTERVAL.min(left_until(deadline)?));
    }
}

fn collected(
    output: Option<Receiver<io::Result<Vec<u8>>>>,
    deadline: Option<Instant>,
) -> io::Result<Vec<u8>> {
    let Some(output) = output else { return Ok(Vec::new()) };
    match output.recv_timeout(left_until(deadline)?) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the output's reader ended early")),
    }
}

fn left_until(deadline: Option<Instant>) -> io::Result<Duration> {
    let Some(deadline) = deadline else { return Ok(Duration::MAX) };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn output_and_status_come_back() {
        let finished = run("echo out | cat; echo err >&2; exit 3", LIMIT).unwrap();
        assert_eq!((finished.is_success, finished.status.as_str()), (false, "exit status: 3"));
        assert_eq!((finished.stdout, finished.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
        assert!(run("true", LIMIT).unwrap().is_success);
    }

    #[test]
    fn the_input_is_empty_and_the_output_is_cut() {
        assert_eq!(run("cat", LIMIT).unwrap().stdout, b"");
        let finished = run("head -c 3000000 /dev/zero", LIMIT).unwrap();
        assert_eq!((finished.is_success, finished.stdout.len()), (true, 1024 * 1024));
    }

    #[test]
    fn one_that_hangs_is_ended_also_when_a_grandchild_holds_its_output() {
        let begun_at = Instant::now();
        for command_line in ["exec sleep 2", "sleep 2 & echo started"] {
            let error = run(command_line, Duration::from_millis(300)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{command_line}");
        }
        assert!(begun_at.elapsed() < Duration::from_secs(20), "a guard against a hang");
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn output_and_status_come_back() {
        let finished = run("echo out& echo err>&2& exit 3", Duration::from_secs(20)).unwrap();
        assert_eq!((finished.is_success, finished.status.as_str()), (false, "exit code: 3"));
        assert_eq!((finished.stdout, finished.stderr), (b"out\r\n".to_vec(), b"err\r\n".to_vec()));
    }

    #[test]
    fn a_quoted_program_gets_its_quoted_argument() {
        let finished = run("\"cmd.exe\" /D /C \"echo a b\"", Duration::from_secs(20)).unwrap();
        assert_eq!((finished.is_success, finished.stdout), (true, b"a b\r\n".to_vec()));
    }

    #[test]
    fn one_that_hangs_is_ended() {
        let error = run("for /L %i in (0,0,1) do @rem", Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
