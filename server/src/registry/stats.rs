//! What a method counts: calls by class of status, and how long they took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the latency buckets, in microseconds; a last one is open.
pub const BOUNDS_US: [u64; 14] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Counters of one method since the start. They only grow.
#[derive(Debug, Default)]
pub struct Stats {
    /// By the first digit of the status: 2, 3, 4, 5.
    classes: [AtomicU64; 4],
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Stats {
    /// Counts one call.
    pub fn count(&self, status: u16, took: Duration) {
        let class = (status / 100).clamp(2, 5) as usize - 2;
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        let us = took.as_micros().min(u128::from(u64::MAX)) as u64;
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Calls by class: `2xx`, `3xx`, `4xx`, `5xx`.
    pub fn classes(&self) -> [(&'static str, u64); 4] {
        let at = |class: usize| self.classes[class].load(Ordering::Relaxed);
        [("2xx", at(0)), ("3xx", at(1)), ("4xx", at(2)), ("5xx", at(3))]
    }

    /// Calls per latency bucket, not accumulated; the last one is open.
    pub fn buckets(&self) -> [u64; BOUNDS_US.len() + 1] {
        std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed))
    }

    /// All latencies together, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_in_one_class_and_one_bucket() {
        let stats = Stats::default();
        for (status, us) in [(200, 50), (304, 51), (404, 2_000_000), (503, 60_000_000), (101, 0)] {
            stats.count(status, Duration::from_micros(us));
        }
        assert_eq!(stats.classes().map(|(_, n)| n), [2, 1, 1, 1]);
        let buckets = stats.buckets();
        assert_eq!((buckets[0], buckets[1], buckets[13], buckets[14]), (2, 1, 1, 1));
        assert_eq!(stats.sum_us(), 62_000_101);
    }
}
