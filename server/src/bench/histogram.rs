//! Latencies, counted in buckets whose width grows with the value: 128 to each power of two, so that what is read back
//! is less than one per cent off, over the whole range of 64 bits and in a fixed amount of memory.

use std::time::Duration;

/// Buckets to each power of two, as a power of two.
const FINE_BITS: u32 = 7;
const FINE: usize = 1 << FINE_BITS;
/// Values below [`FINE`] have a bucket each; each further power of two has [`FINE`] of them.
const BUCKETS: usize = (64 - FINE_BITS as usize + 1) * FINE;

/// Counts of latencies, in nanoseconds.
#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// Counts all that another one has counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// How many were counted.
    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The latency that this share of all did not exceed, in microseconds. Nothing when nothing was counted.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let wanted = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(middle(bucket) / 1e3);
            }
        }
        unreachable!("the buckets add up to the total")
    }
}

fn bucket(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.leading_zeros();
    let coarse = bits.saturating_sub(FINE_BITS + 1);
    // With the leading bit kept, the shifted value lies in FINE..2 × FINE, but for the first powers of two.
    coarse as usize * FINE + (nanos >> coarse) as usize
}

/// The middle of a bucket, in nanoseconds.
fn middle(bucket: usize) -> f64 {
    if bucket < 2 * FINE {
        return bucket as f64;
    }
    let coarse = bucket / FINE - 1;
    let low = ((bucket - coarse * FINE) as u128) << coarse;
    let width = 1u128 << coarse;
    (low + width / 2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_back_within_one_per_cent() {
        for shift in 0..63 {
            for nanos in [1u64 << shift, (1u64 << shift) + 1, (1u64 << shift) * 3 / 2, (2u64 << shift) - 1] {
                let mut one = Histogram::default();
                one.add(Duration::from_nanos(nanos));
                let read = one.quantile_us(0.5).unwrap() * 1e3;
                assert!((read - nanos as f64).abs() <= nanos as f64 * 0.01, "{nanos} is read as {read}");
            }
        }
    }

    #[test]
    fn buckets_are_in_order_and_fit_the_longest_time() {
        let mut last = 0;
        for nanos in (0..100_000).chain([1 << 40, 1 << 62, u64::MAX]) {
            assert!(bucket(nanos) >= last, "{nanos}");
            last = bucket(nanos);
        }
        assert!(last < BUCKETS, "{last}");
        Histogram::default().add(Duration::MAX);
    }

    #[test]
    fn quantiles_are_of_all_that_was_counted() {
        let (mut one, mut two) = (Histogram::default(), Histogram::default());
        for micros in 1..=1_000u64 {
            let into = if micros % 2 == 0 { &mut one } else { &mut two };
            into.add(Duration::from_micros(micros));
        }
        one.merge(&two);
        assert_eq!(one.total(), 1_000);
        for (share, micros) in [(0.0, 1.0), (0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)] {
            let read = one.quantile_us(share).unwrap();
            assert!((read - micros).abs() <= micros * 0.01, "{share}: {read}");
        }
    }

    #[test]
    fn nothing_counted_has_no_quantile() {
        assert_eq!(Histogram::default().quantile_us(0.5), None);
    }
}
