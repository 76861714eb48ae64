//! Who holds which partition in a ring whose members are given once and for all, in an order.
//!
//! It stands where a claim will stand that follows members as they come and go: a function from members to
//! replica sets, and nothing else.

use xxhash_rust::xxh3::xxh3_64;

use crate::id::{Id, Partition};

use super::partition::META;

/// Most members of such a ring: all of them vote on the metadata.
pub const MEMBERS_MAX: usize = 5;

/// The members that hold a partition, by their places in the order; the one that should lead comes first.
/// The metadata is held by all. `replicas` is at most `members`.
pub fn holders(partition: Partition, members: usize, replicas: usize) -> Vec<usize> {
    assert!((1..=members).contains(&replicas), "{replicas} replicas on {members} members");
    if partition == META {
        return (0..members).collect();
    }
    let first = usize::from(partition.0) % members;
    (0..replicas).map(|next| (first + next) % members).collect()
}

/// The Raft id of that member's replica of a partition; never zero.
pub fn raft_id(cluster: Id, member: Id, partition: Partition) -> u64 {
    let mut bytes = [0; 34];
    bytes[..16].copy_from_slice(cluster.as_bytes());
    bytes[16..32].copy_from_slice(member.as_bytes());
    bytes[32..].copy_from_slice(&partition.0.to_be_bytes());
    xxh3_64(&bytes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::partition::PartitionCount;

    #[test]
    fn replicas_are_distinct_and_leaders_even() {
        for members in 1..=MEMBERS_MAX {
            for replicas in 1..=members {
                let mut leads = vec![0; members];
                for partition in PartitionCount::DEFAULT.all() {
                    let mut held = holders(partition, members, replicas);
                    leads[held[0]] += 1;
                    held.sort_unstable();
                    held.dedup();
                    assert_eq!(held.len(), replicas);
                    assert!(held.iter().all(|place| *place < members));
                }
                let (least, most) = (leads.iter().min().unwrap(), leads.iter().max().unwrap());
                assert!(most - least <= 1, "{leads:?}");
            }
        }
    }

    #[test]
    fn everybody_holds_the_metadata() {
        assert_eq!(holders(META, 5, 3), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn raft_ids_never_change_and_differ() {
        let id = |byte| Id::from_bytes([byte; 16]);
        let of = |member, partition| raft_id(id(1), id(member), Partition(partition));
        assert_eq!(of(2, 0), of(2, 0));
        let mut all: Vec<u64> = (2..7).flat_map(|m| (0..64).map(move |p| of(m, p))).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5 * 64);
        assert_ne!(raft_id(id(9), id(2), Partition(0)), of(2, 0), "another cluster's are others");
    }
}
