//! The token bucket of the retries.

use std::sync::atomic::{AtomicU32, Ordering};

/// Tokens in a full bucket. Source: AWS Retry Behavior 2.1.
const CAPACITY: u32 = 500;

/// Limits the retries of all calls of a client together, so that retries do not multiply the load during an outage.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    tokens: AtomicU32,
}

impl Default for TokenBucket {
    /// A full bucket.
    fn default() -> Self {
        Self {
            tokens: AtomicU32::new(CAPACITY),
        }
    }
}

impl TokenBucket {
    /// Takes `cost` tokens, or returns false if there are fewer.
    pub(crate) fn take(&self, cost: u32) -> bool {
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                tokens.checked_sub(cost)
            })
            .is_ok()
    }

    /// Puts tokens back, up to a full bucket.
    #[expect(
        clippy::expect_used,
        reason = "fetch_update fails only if its closure returns None"
    )]
    pub(crate) fn put_back(&self, tokens: u32) {
        // Skip the write for a full bucket, which is the usual case.
        if self.tokens.load(Ordering::Relaxed) < CAPACITY {
            self.tokens
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
                    Some(before.saturating_add(tokens).min(CAPACITY))
                })
                .expect("the closure always returns a value");
        }
    }

    #[cfg(test)]
    pub(crate) fn with_tokens(tokens: u32) -> Self {
        Self {
            tokens: AtomicU32::new(tokens),
        }
    }

    #[cfg(test)]
    pub(crate) fn tokens(&self) -> u32 {
        self.tokens.load(Ordering::Relaxed)
    }
}
