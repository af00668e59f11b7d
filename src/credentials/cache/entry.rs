//! Cached credentials, and when they are refreshed and no longer used.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::aws::Credentials;

/// Credentials are refreshed this long before they expire. EC2 has new ones five minutes before, at the latest.
const REFRESH_WINDOW: Duration = Duration::from_secs(5 * 60);
/// The window is at most this part of a lifetime, so that the shortest STS sessions (15 minutes) are used as well.
const WINDOW_PART: u32 = 4;
/// The refresh begins up to this part of the window later, so that the clients of a fleet do not refresh all at once.
const WINDOW_JITTER: f64 = 0.2;
/// Pause after a refresh has failed or brought nothing newer.
pub(super) const REFRESH_PAUSE: Duration = Duration::from_secs(60);
/// Credentials without an expiry are loaded again after this time, as in the AWS SDK for Rust: a file may have changed.
const RELOAD_AFTER: Duration = Duration::from_secs(15 * 60);
/// Credentials with less time left than this are not used, because the request must arrive before they expire.
const LAST_USE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) credentials: Arc<Credentials>,
    /// The value handed out before the last search, if the search found the same credentials.
    superseded: Option<Arc<Credentials>>,
    refresh_at: Option<SystemTime>,
    usable_until: Option<SystemTime>,
}

impl Entry {
    /// The entry for credentials loaded at `now`; `jitter` is from 0 to 1.
    pub(super) fn new(
        credentials: Arc<Credentials>,
        before: Option<Self>,
        now: SystemTime,
        jitter: f64,
    ) -> Self {
        let expires_at = credentials.expires_at;
        let is_newer = before
            .as_ref()
            .is_none_or(|before| before.credentials.expires_at != expires_at);
        let superseded = before
            .map(|before| before.credentials)
            .filter(|before| *before == credentials);
        Self {
            credentials,
            superseded,
            refresh_at: refresh_time(expires_at, is_newer, now, jitter),
            usable_until: expires_at.and_then(|expires_at| last_use(expires_at, now)),
        }
    }

    pub(super) fn is_valid(&self, now: SystemTime) -> bool {
        self.usable_until
            .is_none_or(|usable_until| usable_until > now)
    }

    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        self.refresh_at.is_some_and(|refresh_at| refresh_at <= now)
    }

    /// Whether a search has ended since this value was handed out and found no other credentials.
    pub(super) fn supersedes(&self, credentials: &Credentials) -> bool {
        self.superseded
            .as_deref()
            .is_some_and(|superseded| std::ptr::eq(superseded, credentials))
    }

    /// Keeps the credentials after a failed search.
    pub(super) fn keep_after_failure(&mut self, now: SystemTime) {
        let copy = Arc::new(Credentials::clone(&self.credentials));
        self.superseded = Some(std::mem::replace(&mut self.credentials, copy));
        self.refresh_at = now.checked_add(REFRESH_PAUSE);
    }
}

fn refresh_time(
    expires_at: Option<SystemTime>,
    is_newer: bool,
    now: SystemTime,
    jitter: f64,
) -> Option<SystemTime> {
    let Some(expires_at) = expires_at else {
        return now.checked_add(RELOAD_AFTER);
    };
    match expires_at.duration_since(now) {
        Ok(lifetime) if is_newer && !lifetime.is_zero() => {
            let window = REFRESH_WINDOW.min(lifetime / WINDOW_PART);
            expires_at.checked_sub(window - window.mul_f64(WINDOW_JITTER * jitter))
        }
        _ => now.checked_add(REFRESH_PAUSE),
    }
}

/// Already expired on arrival means that our clock is wrong. Such credentials are used; the service decides.
fn last_use(expires_at: SystemTime, now: SystemTime) -> Option<SystemTime> {
    if expires_at > now {
        expires_at.checked_sub(LAST_USE)
    } else {
        now.checked_add(REFRESH_PAUSE)
    }
}
