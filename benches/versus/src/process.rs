//! The processes: the server, the programs, and what each is told.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{fs, thread};

use crate::programs::{Program, Roots, folder, text};

/// Where the system keeps the certificates that programs load.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Whether a process can be put on a core, and there are two.
pub fn can_pin() -> bool {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores > 1
        && Command::new("taskset")
            .args(["-c", "1", "true"])
            .status()
            .is_ok_and(|it| it.success())
}

/// A command on the given core.
pub fn on_core(core: Option<usize>, command: &[String]) -> Command {
    let core = core.map(|core| core.to_string());
    let pin: Vec<&str> = core
        .iter()
        .flat_map(|core| ["taskset", "-c", core])
        .collect();
    let mut words = pin.into_iter().chain(command.iter().map(String::as_str));
    let mut pinned = Command::new(words.next().expect("a command"));
    pinned.args(words);
    pinned
}

/// A process that answers each line with a line, and ends when its input does.
pub struct Talking {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talking {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("an output"));
        Self {
            child,
            input,
            output,
        }
    }

    pub fn listen(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        line.trim().to_owned()
    }

    pub fn ask(&mut self, line: &str) -> String {
        writeln!(self.input.as_mut().expect("an input"), "{line}").expect("the process lives");
        self.listen()
    }

    /// The numbers of the answer.
    pub fn numbers(&mut self, line: &str) -> Vec<f64> {
        self.ask(line)
            .split(' ')
            .map(|it| it.parse().expect("a number"))
            .collect()
    }

    /// The most memory that the process has had so far; not a number where the system does not count it.
    pub fn peak_memory_kibibytes(&self) -> f64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|it| it.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(f64::NAN)
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// The loopback server.
pub struct Server {
    process: Talking,
    http_port: String,
    https_port: String,
}

impl Server {
    pub fn start(core: Option<usize>) -> Self {
        let binary = text(&folder().join("target/release/server"));
        let authority = text(&authority());
        let mut process = Talking::start(on_core(core, &[binary, authority.clone()]));
        let ports = process.listen();
        let (http_port, https_port) = ports.split_once(' ').expect("two ports");
        let system = fs::read(SYSTEM_ROOTS).unwrap_or_default();
        let own = fs::read(&authority).expect("an authority");
        fs::write(with_system_roots(), [system, own].concat()).expect("a file");
        Self {
            http_port: http_port.to_owned(),
            https_port: https_port.to_owned(),
            process,
        }
    }

    /// Connections that it has taken so far.
    pub fn connections(&mut self) -> usize {
        self.process.ask("").parse().expect("a number")
    }

    /// Tells a program by the environment where the server is, and nothing of this machine.
    pub fn introduce(&self, command: &mut Command, program: &Program, tls: bool, endpoint: &str) {
        let url = match tls {
            true => format!("https://localhost:{}", self.https_port),
            false => format!("http://127.0.0.1:{}", self.http_port),
        };
        let roots = match program.roots {
            Roots::One => authority(),
            Roots::System => with_system_roots(),
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", folder().join("target"))
            .env("AWS_REGION", "us-east-1")
            // boto3 knows this one only.
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env(
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            )
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
            .env("ENDPOINT_NAME", endpoint);
        if tls {
            // The official SDK takes no AWS_CA_BUNDLE: it loads what its library for the system's roots finds.
            command
                .env("AWS_CA_BUNDLE", &roots)
                .env("SSL_CERT_FILE", &roots);
        }
    }
}

fn authority() -> std::path::PathBuf {
    folder().join("target/authority.pem")
}

fn with_system_roots() -> std::path::PathBuf {
    folder().join("target/authority-and-system.pem")
}
