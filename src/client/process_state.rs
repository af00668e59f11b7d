//! State of one process. After a fork the child starts with new state: the connections, locks and random numbers
//! of its parent are not touched.

use std::sync::OnceLock;

use super::bucket::Buckets;
use super::target::Target;
use crate::aws::clock_skew::ClockSkew;
use crate::retry::TokenBucket;

/// What the calls of a client share within one process.
///
/// The states form a list without locks, since another thread could hold one at the moment of the fork.
#[derive(Debug)]
pub(super) struct ProcessState {
    pub(super) process_id: u32,
    /// Set from the start, or by the first call.
    pub(super) target: OnceLock<Target>,
    pub(super) token_bucket: TokenBucket,
    pub(super) clock_skew: ClockSkew,
    pub(super) s3_clock_skew: ClockSkew,
    pub(super) buckets: Buckets,
    child: OnceLock<Box<ProcessState>>,
}

impl ProcessState {
    pub(super) fn new(process_id: u32, target: OnceLock<Target>) -> Self {
        Self {
            process_id,
            target,
            token_bucket: TokenBucket::default(),
            clock_skew: ClockSkew::default(),
            s3_clock_skew: ClockSkew::default(),
            buckets: Buckets::default(),
            child: OnceLock::new(),
        }
    }

    /// The state of this process, which is added to the list if it is new.
    pub(super) fn of_process(&self, process_id: u32) -> &Self {
        if self.process_id == process_id {
            return self;
        }
        let child = self
            .child
            .get_or_init(|| Box::new(Self::new(process_id, OnceLock::new())));
        child.of_process(process_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_its_own_state() {
        let state = ProcessState::new(1, OnceLock::new());
        let of = |process_id| std::ptr::from_ref(state.of_process(process_id));
        assert_eq!(of(1), std::ptr::from_ref(&state));
        let (child, grandchild) = (of(2), of(3));
        assert!(child != grandchild && child != of(1));
        assert_eq!((of(2), of(3)), (child, grandchild));
    }
}
