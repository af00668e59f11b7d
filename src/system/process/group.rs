//! Which processes are killed together.

use std::process::{Child, Command};

/// The process group of a program that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// A new one, which is killed as a whole. On Windows the process and its descendants.
    Own,
    /// That of this program; only the process itself is killed.
    #[cfg(unix)]
    OfProgram,
}

#[cfg(unix)]
impl Group {
    /// A process in a background group is stopped when it reads from the terminal, and the program may have to ask for
    /// a password there. So a new group is made only if there is no terminal.
    pub(super) fn suitable() -> Self {
        if std::fs::File::open("/dev/tty").is_ok() {
            Self::OfProgram
        } else {
            Self::Own
        }
    }

    pub(super) fn prepare(self, command: &mut Command) {
        if self == Self::Own {
            std::os::unix::process::CommandExt::process_group(command, 0);
        }
    }

    /// Kills what has not ended. The id of the group is that of the child, which must not have been waited for.
    pub(super) fn kill(self, child: &mut Child) {
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
    pub(super) fn suitable() -> Self {
        Self::Own
    }

    pub(super) fn prepare(self, _: &mut Command) {}

    pub(super) fn kill(self, child: &mut Child) {
        run_quietly(Command::new("taskkill").args(["/T", "/F", "/PID", &child.id().to_string()]));
        // Fails if the process has ended.
        let _ = child.kill();
    }
}

/// A failure has no consequence: the child itself is killed in any case.
fn run_quietly(command: &mut Command) {
    use std::process::Stdio;

    let _ = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
