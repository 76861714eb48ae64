//! `hash(app, root) → partition`.

use xxhash_rust::xxh3::xxh3_64;

use crate::id::{AppId, Partition, Root};

/// How many partitions there are: a power of two, fixed when a cluster is created. Default 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionCount(u16);

/// The metadata's log: not part of the ring, but a group like any other.
pub const META: Partition = Partition(u16::MAX);

/// The number is not a power of two in 1..=16,384.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionCountError;

impl PartitionCount {
    /// What a new cluster gets: enough for dozens of members, cheap for one.
    pub const DEFAULT: PartitionCount = PartitionCount(64);

    /// Checks the number.
    pub const fn new(count: u16) -> Result<PartitionCount, PartitionCountError> {
        if count.is_power_of_two() && count <= 16_384 {
            Ok(PartitionCount(count))
        } else {
            Err(PartitionCountError)
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// All partitions in order.
    pub fn all(self) -> impl Iterator<Item = Partition> {
        (0..self.0).map(Partition)
    }

    /// The partition of a root: the upper bits of XXH3-64 over app (big endian), kind, id. Stored
    /// data depends on it: never change it.
    pub fn of(self, app: AppId, root: Root) -> Partition {
        let mut bytes = [0u8; 21];
        bytes[..4].copy_from_slice(&app.0.to_be_bytes());
        bytes[4..].copy_from_slice(&root.to_bytes());
        let hash = xxh3_64(&bytes);
        if self.0 == 1 {
            return Partition(0);
        }
        Partition((hash >> (64 - self.0.trailing_zeros())) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::rng::Rng;

    #[test]
    fn the_ring_hash_never_changes() {
        let root = Root::profile(Id::derived("test", b"ann"));
        let of = |count| PartitionCount::new(count).expect("a power of two").of(AppId(1), root);
        let wide = of(16_384).0;
        assert_eq!(of(64).0, wide >> 8, "a smaller ring takes the upper bits of the same hash");
        assert_eq!(of(1).0, 0);
    }

    #[test]
    fn roots_spread_evenly() {
        let mut rng = Rng::new(1);
        let mut load = [0u32; 64];
        for _ in 0..64_000 {
            let root = Root::post(Id::from_bytes(rng.bytes16()));
            load[PartitionCount::DEFAULT.of(AppId(3), root).0 as usize] += 1;
        }
        assert!(load.iter().all(|n| (850..1_150).contains(n)), "{load:?}");
    }

    #[test]
    fn only_powers_of_two() {
        assert!(PartitionCount::new(0).is_err());
        assert!(PartitionCount::new(48).is_err());
        assert!(PartitionCount::new(32_768).is_err());
    }
}
