//! Standard error of a program, readable while the program runs.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::program_text::{redacted, without_cut_word};

/// How much of the end is kept for an error message.
const MAX_TAIL_BYTES: usize = 64 * 1024;

/// The end of what a program writes to its standard error, readable while the program runs.
pub(in crate::credentials) struct ProgramStderr {
    command_line: Zeroizing<String>,
    tail: Mutex<Tail>,
}

#[derive(Default)]
struct Tail {
    bytes: Zeroizing<Vec<u8>>,
    /// Earlier bytes were dropped.
    truncated: bool,
}

impl ProgramStderr {
    pub(super) fn new(command_line: &str) -> Self {
        Self {
            command_line: Zeroizing::new(command_line.to_owned()),
            tail: Mutex::default(),
        }
    }

    /// Adds a piece, as the program writes it.
    pub(super) fn push(&self, piece: &[u8]) {
        let mut tail = self.lock();
        tail.bytes.extend_from_slice(piece);
        // At twice the size, so that each byte is moved once at most.
        if tail.bytes.len() > 2 * MAX_TAIL_BYTES {
            let excess = tail.bytes.len() - MAX_TAIL_BYTES;
            tail.bytes.drain(..excess);
            tail.truncated = true;
        }
    }

    /// The end of the text so far, redacted and on one line; `nothing` if there is none.
    pub(in crate::credentials) fn shown(&self) -> String {
        let (bytes, truncated) = {
            let tail = self.lock();
            (tail.bytes.clone(), tail.truncated)
        };
        let text = String::from_utf8_lossy(&bytes);
        let text = if truncated {
            without_cut_word(&text)
        } else {
            &text
        };
        let shown = redacted(text, &self.command_line);
        if shown.is_empty() {
            "nothing".to_owned()
        } else {
            shown
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the text, which may contain secret keys.
impl fmt::Debug for ProgramStderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProgramStderr({} bytes)", self.lock().bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_text_is_shown() {
        let traceback = "  File \"helper.py\", line 3, in fetch\n".repeat(5000);
        let stderr = ProgramStderr::new("");
        for piece in traceback.as_bytes().chunks(1000) {
            stderr.push(piece);
        }
        stderr.push(b"Error: log in first\n");
        let shown = stderr.shown();
        assert!(shown.starts_with("..."), "{shown}");
        assert!(shown.ends_with("in fetch Error: log in first"), "{shown}");
        assert_eq!(shown.chars().count(), 300);
        assert!(stderr.lock().bytes.len() <= 2 * MAX_TAIL_BYTES);
    }

    #[test]
    fn the_rest_of_a_key_whose_beginning_was_dropped_is_not_shown() {
        for key in [
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "wJalrXUtnFEMI&#x2F;K7MDENG+bPxRfiCYEXAMPLEKEY",
            "wJalrXUtnFEM\n  I/K7MDENG+bP\n  xRfiCYEXAMPL\n  EKEY",
        ] {
            for cut in 0..key.len() {
                // Text that is redacted: otherwise the rest of the key is too far from the end to be shown.
                let length = MAX_TAIL_BYTES - (key.len() - cut) - "  done".len();
                let text = format!(
                    "{}{key} {} done",
                    "y".repeat(2 * MAX_TAIL_BYTES),
                    "x".repeat(length)
                );
                let stderr = ProgramStderr::new("");
                stderr.push(text.as_bytes());
                let shown = stderr.shown();
                assert!(
                    ["done", ".. done"].contains(&&*shown),
                    "{cut} of {key:?}: {shown}"
                );
            }
        }
    }

    #[test]
    fn debug_shows_the_size_only() {
        let stderr = ProgramStderr::new("helper hunter2");
        assert_eq!(stderr.shown(), "nothing");
        stderr.push(b"secret");
        assert_eq!(format!("{stderr:?}"), "ProgramStderr(6 bytes)");
    }
}
