use std::sync::atomic::{AtomicU32, Ordering};

/// The size of a bucket. Source: AWS Retry Behavior 2.1.
const CAPACITY: u32 = 500;

/// What one client may spend on retries, so that an outage is not answered with a flood.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    tokens: AtomicU32,
}

impl Default for TokenBucket {
    /// A full one.
    fn default() -> Self {
        Self { tokens: AtomicU32::new(CAPACITY) }
    }
}

impl TokenBucket {
    /// Takes the tokens if there are so many.
    pub(crate) fn take(&self, cost: u32) -> bool {
        let left = |tokens: u32| tokens.checked_sub(cost);
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    /// Puts tokens back, no more than the bucket holds.
    pub(crate) fn put_back(&self, tokens: u32) {
        if self.tokens.load(Ordering::Relaxed) < CAPACITY {
            let filled = |before: u32| Some(before.saturating_add(tokens).min(CAPACITY));
            // The closure never says no.
            let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, filled);
        }
    }

    #[cfg(test)]
    pub(crate) fn with_tokens(tokens: u32) -> Self {
        Self { tokens: AtomicU32::new(tokens) }
    }

    #[cfg(test)]
    pub(crate) fn tokens(&self) -> u32 {
        self.tokens.load(Ordering::Relaxed)
    }
}
