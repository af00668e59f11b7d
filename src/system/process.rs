//! Runs a command line with a time limit.

use std::fmt;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum bytes of each output that are kept. Credentials are far smaller.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;

/// Time between two checks whether the process has ended.
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

/// Kills the process after `limit` and returns [`io::ErrorKind::TimedOut`].
pub(super) fn run(command_line: &str, limit: Duration) -> io::Result<Finished> {
    let deadline = Instant::now().checked_add(limit);
    let mut child =
        shell(command_line).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().map(read_in_background).transpose()?;
    let stderr = child.stderr.take().map(read_in_background).transpose()?;
    let outcome = wait(&mut child, deadline).and_then(|status| {
        let (stdout, stderr) = (receive(stdout, deadline)?, receive(stderr, deadline)?);
        Ok(Finished { is_success: status.success(), status: status.to_string(), stdout, stderr })
    });
    if outcome.is_err() {
        // kill fails if the process has ended meanwhile. Wait in any case, or it stays as a zombie.
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
    // cmd removes the first and the last quote of the line, so add a pair; /S makes it do so for every line.
    // /D disables AutoRun commands, which could write to the output.
    let quoted = format!("\"{command_line}\"");
    std::os::windows::process::CommandExt::raw_arg(command.args(["/D", "/S", "/C"]), quoted);
    command
}

/// Reads the pipe in a thread. A grandchild can hold the pipe open after the process has ended; the thread is then
/// left behind.
fn read_in_background(pipe: impl Read + Send + 'static) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name("sagemaker-invoke process".to_owned()).spawn(move || {
        let mut output = Vec::new();
        let mut pipe = pipe;
        let read = pipe.by_ref().take(MAX_OUTPUT_BYTES).read_to_end(&mut output);
        // Drain the rest, or the process would block on a full pipe.
        let drained = read.and_then(|_| io::copy(&mut pipe, &mut io::sink()));
        // The receiver is gone after a time-out.
        let _ = sender.send(drained.map(|_| output));
    })?;
    Ok(receiver)
}

fn wait(child: &mut Child, deadline: Option<Instant>) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(POLL_INTERVAL.min(time_left(deadline)?));
    }
}

fn receive(output: Option<Receiver<io::Result<Vec<u8>>>>, deadline: Option<Instant>) -> io::Result<Vec<u8>> {
    let Some(output) = output else { return Ok(Vec::new()) };
    match output.recv_timeout(time_left(deadline)?) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
        Err(RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the thread that reads the output has ended"))
        }
    }
}

/// Fails with [`io::ErrorKind::TimedOut`] after the deadline.
fn time_left(deadline: Option<Instant>) -> io::Result<Duration> {
    let Some(deadline) = deadline else { return Ok(Duration::MAX) };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn output_and_status_are_returned() {
        let finished = run("echo out | cat; echo err >&2; exit 3", LIMIT).unwrap();
        assert_eq!((finished.is_success, finished.status.as_str()), (false, "exit status: 3"));
        assert_eq!((finished.stdout, finished.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
        assert!(run("true", LIMIT).unwrap().is_success);
    }

    #[test]
    fn standard_input_is_empty_and_output_is_cut_off() {
        assert_eq!(run("cat", LIMIT).unwrap().stdout, b"");
        let finished = run("head -c 3000000 /dev/zero", LIMIT).unwrap();
        assert_eq!((finished.is_success, finished.stdout.len()), (true, 1024 * 1024));
    }

    #[test]
    fn a_hanging_process_times_out_even_if_a_grandchild_holds_its_output() {
        let started_at = Instant::now();
        for command_line in ["exec sleep 2", "sleep 2 & echo started"] {
            let error = run(command_line, Duration::from_millis(300)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{command_line}");
        }
        assert!(started_at.elapsed() < Duration::from_secs(20), "a guard against a hang");
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn output_and_status_are_returned() {
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
    fn a_hanging_process_times_out() {
        let error = run("for /L %i in (0,0,1) do @rem", Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
