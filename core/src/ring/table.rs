//! Who holds which partition.

use serde::{Deserialize, Serialize};

use crate::id::{MemberId, Partition};

use super::partition::PartitionCount;

/// A ring: for each partition the members that hold it, as an explicit set. No neighbour matters, so there is no
/// seam at which the ring's end meets its beginning (riak_core's "tail violations", `docs/claim-fixes.md`).
///
/// In each set the member that should lead comes first, the others by id: equal rings are equal values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    sets: Vec<Vec<MemberId>>,
}

impl Ring {
    /// The ring that nobody holds.
    pub fn empty(count: PartitionCount) -> Ring {
        Ring { sets: vec![Vec::new(); usize::from(count.get())] }
    }

    /// A ring of these sets, in the order of the partitions; nothing if their number is none for a ring. Whether each set is
    /// one that [`Ring::set`] makes is for [`Ring::is_sound`] to say.
    pub fn of_sets(sets: Vec<Vec<MemberId>>) -> Option<Ring> {
        let count = u16::try_from(sets.len()).ok()?;
        PartitionCount::new(count).ok().map(|_| Ring { sets })
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether nobody holds anything.
    pub fn is_empty(&self) -> bool {
        self.sets.iter().all(Vec::is_empty)
    }

    /// Each partition with its holders.
    pub fn sets(&self) -> impl Iterator<Item = (Partition, &[MemberId])> {
        (0..).map(Partition).zip(self.sets.iter().map(Vec::as_slice))
    }

    /// Who holds it, the one that should lead first.
    pub fn holders(&self, partition: Partition) -> &[MemberId] {
        &self.sets[usize::from(partition.0)]
    }

    /// Who should lead it.
    pub fn leader(&self, partition: Partition) -> Option<MemberId> {
        self.holders(partition).first().copied()
    }

    /// Whether that member holds anything.
    pub fn has(&self, member: MemberId) -> bool {
        self.sets.iter().any(|set| set.contains(&member))
    }

    /// Says who holds a partition; the first should lead. Panics if one stands there twice, which is a bug.
    pub fn set(&mut self, partition: Partition, holders: &[MemberId]) {
        let mut set = holders.to_vec();
        if let [_, rest @ ..] = set.as_mut_slice() {
            rest.sort_unstable();
        }
        let twice = (1..set.len()).any(|at| set[..at].contains(&set[at]));
        assert!(!twice, "{holders:?} of {partition:?}: replicas are on distinct members");
        self.sets[usize::from(partition.0)] = set;
    }

    /// Puts one member in all places of another. `new` must hold nothing.
    pub fn replace(&mut self, old: MemberId, new: MemberId) {
        for partition in 0..self.sets.len() {
            let put = |holder: &MemberId| if *holder == old { new } else { *holder };
            let set: Vec<MemberId> = self.sets[partition].iter().map(put).collect();
            self.set(Partition(partition as u16), &set);
        }
    }

    /// Takes a member out of all its places.
    pub fn remove(&mut self, member: MemberId) {
        self.retain(|_, holder| holder != member);
    }

    /// Takes out of all places whom `keep` says no to.
    pub fn retain(&mut self, mut keep: impl FnMut(Partition, MemberId) -> bool) {
        for (partition, set) in (0..).map(Partition).zip(&mut self.sets) {
            set.retain(|holder| keep(partition, *holder));
        }
    }

    /// Whether each set, however it came here, is one that [`Ring::set`] makes, and `known` says yes to all in it.
    pub fn is_sound(&self, mut known: impl FnMut(MemberId) -> bool) -> bool {
        self.sets.iter().all(|set| {
            let rest = set.get(1..).unwrap_or_default();
            rest.is_sorted_by(|a, b| a < b)
                && set.first().is_none_or(|leader| !rest.contains(leader))
                && set.iter().all(|holder| known(*holder))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(3);

    fn ring(holders: &[u64]) -> Ring {
        let mut ring = Ring::empty(PartitionCount::DEFAULT);
        ring.set(P, &holders.iter().copied().map(MemberId).collect::<Vec<_>>());
        ring
    }

    #[test]
    fn the_leader_is_first_and_the_others_have_no_order() {
        assert_eq!(ring(&[3, 2, 1]), ring(&[3, 1, 2]));
        assert_ne!(ring(&[3, 2, 1]), ring(&[2, 3, 1]));
        assert_eq!(ring(&[3, 2, 1]).leader(P), Some(MemberId(3)));
        assert_eq!(ring(&[]).leader(P), None);
        assert!(ring(&[]).is_empty() && !ring(&[1]).is_empty());
    }

    #[test]
    fn one_takes_all_places_of_another() {
        let mut replaced = ring(&[3, 2, 1]);
        replaced.replace(MemberId(3), MemberId(9));
        assert_eq!(replaced, ring(&[9, 1, 2]));
        replaced.replace(MemberId(1), MemberId(4));
        assert_eq!(replaced.holders(P), [MemberId(9), MemberId(2), MemberId(4)]);
        replaced.remove(MemberId(9));
        assert_eq!(replaced, ring(&[2, 4]));
        assert!(!replaced.has(MemberId(9)) && replaced.has(MemberId(4)));
    }

    #[test]
    fn what_came_from_elsewhere_is_looked_at() {
        let sound = |holders: &[u64]| {
            let mut sets = vec![Vec::new(); 2];
            sets[1] = holders.iter().copied().map(MemberId).collect();
            Ring { sets }.is_sound(|member| member.0 < 10)
        };
        assert!(sound(&[]) && sound(&[4]) && sound(&[4, 1, 5]));
        assert!(!sound(&[4, 5, 1]), "not in order");
        assert!(!sound(&[4, 1, 4]) && !sound(&[4, 1, 1]), "twice");
        assert!(!sound(&[4, 10]), "a stranger");
    }

    #[test]
    #[should_panic(expected = "distinct members")]
    fn nobody_holds_a_partition_twice() {
        ring(&[1, 2, 1]);
    }
}
