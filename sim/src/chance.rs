//! Decisions that fall while a run goes on. Each is a hash of the seed, the place where it falls and how many
//! fell there before: what happens at one place changes nothing at another, so that a smaller plan stays the
//! same run where it is the same plan.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The dice of one run. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Chance {
    seed: u64,
    fell: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Chance {
    /// Dice that a seed decides.
    pub fn new(seed: u64) -> Chance {
        Chance { seed, fell: Arc::default() }
    }

    /// The next number of this place, evenly below `bound`.
    pub fn below(&self, site: &str, bound: u64) -> u64 {
        let mut fell = self.fell.lock().expect(UNPOISONED);
        let count = match fell.get_mut(site) {
            Some(count) => count,
            None => fell.entry(site.to_owned()).or_default(),
        };
        *count += 1;
        mix(hash(self.seed, site) ^ mix(*count)) % bound.max(1)
    }

    /// Whether what happens so often in a million has happened now.
    pub fn per_million(&self, site: &str, rate: u32) -> bool {
        rate > 0 && self.below(site, 1_000_000) < u64::from(rate)
    }

    /// Exponentially distributed around `mean`, at most twenty times that.
    pub fn around(&self, site: &str, mean: u64) -> u64 {
        let even = (self.below(site, 1 << 32) + 1) as f64 / (1_u64 << 32) as f64;
        (mean as f64 * (-even.ln()).min(20.0)) as u64
    }
}

/// The seed of a stream of randomness with a name of its own.
pub fn hash(seed: u64, site: &str) -> u64 {
    let bytes = site.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(bytes ^ mix(seed))
}

/// SplitMix64's finisher.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_does_not_move_another() {
        let (left, right) = (Chance::new(1), Chance::new(1));
        let alone: Vec<u64> = (0..20).map(|_| left.below("a", 100)).collect();
        let mut between = Vec::new();
        for _ in 0..20 {
            right.below("b", 7);
            between.push(right.below("a", 100));
        }
        assert_eq!(alone, between);
        assert_ne!(alone, (0..20).map(|_| Chance::new(2).below("a", 100)).collect::<Vec<_>>());
    }

    #[test]
    fn rates_are_what_they_say() {
        let chance = Chance::new(3);
        let often = (0..100_000).filter(|_| chance.per_million("x", 100_000)).count();
        assert!((9_000..11_000).contains(&often), "{often}");
        assert!((0..1_000).all(|_| !chance.per_million("x", 0)));
        let mean = (0..100_000).map(|_| chance.around("y", 1_000)).sum::<u64>() / 100_000;
        assert!((950..1_050).contains(&mean), "{mean}");
    }
}
