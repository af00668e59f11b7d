use std::io::{self, Read};
use std::time::Instant;

use super::Timings;
use super::transport_error::Sent;
use crate::system::System;

/// Reads the body for ureq, from where the caller keeps it, and counts what ureq has taken.
pub(super) struct RequestReader<'a> {
    body: &'a [u8],
    taken: usize,
    system: &'a dyn System,
    /// The first read: the connection is there.
    connected_at: Option<Instant>,
    /// The read that took the last byte.
    taken_at: Option<Instant>,
}

impl<'a> RequestReader<'a> {
    pub(super) fn new(body: &'a [u8], system: &'a dyn System) -> Self {
        Self {
            body,
            taken: 0,
            system,
            connected_at: None,
            taken_at: None,
        }
    }

    pub(super) fn length(&self) -> u64 {
        u64::try_from(self.body.len()).unwrap_or(u64::MAX)
    }

    /// What ureq has taken counts as sent, because it may be. Of an empty body nothing is ever missing.
    pub(super) fn sent(&self) -> Sent {
        if self.taken == self.body.len() {
            Sent::Whole
        } else {
            Sent::Partly
        }
    }

    pub(super) fn timings(&self, begun_at: Instant, is_reused: bool, head_bytes: u64) -> Timings {
        let head_read_at = self.system.instant();
        let taken_at = self.taken_at.unwrap_or(begun_at);
        let connected_at = self.connected_at.unwrap_or(taken_at);
        Timings {
            connection_reused: is_reused,
            connect: connected_at.saturating_duration_since(begun_at),
            send: taken_at.saturating_duration_since(connected_at),
            wait: head_read_at.saturating_duration_since(taken_at),
            bytes_sent: head_bytes + self.length(),
            ..Timings::default()
        }
    }
}

impl Read for RequestReader<'_> {
    #[expect(clippy::expect_used, reason = "no more is taken than there is")]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = self
            .body
            .get(self.taken..)
            .expect("what is taken is inside the body");
        let is_last = rest.len() <= buffer.len();
        if self.connected_at.is_none() || is_last {
            let now = self.system.instant();
            self.connected_at.get_or_insert(now);
            self.taken_at = Some(now);
        }
        let bytes = rest.read(buffer)?;
        self.taken += bytes;
        Ok(bytes)
    }
}
