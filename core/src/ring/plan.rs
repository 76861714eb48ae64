//! What it takes to get from one ring to another, and how rings compare.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{MemberId, Partition};

use super::member::Member;
use super::table::Ring;

/// A replica that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The partition.
    pub partition: Partition,
    /// Who gives its place up; none if the partition gets one replica more.
    pub from: Option<MemberId>,
    /// Who takes it; none if the partition has one replica less.
    pub to: Option<MemberId>,
}

/// A partition that somebody else should lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderChange {
    /// The partition.
    pub partition: Partition,
    /// Who should lead it now.
    pub from: Option<MemberId>,
    /// Who should then.
    pub to: Option<MemberId>,
}

/// How a ring loads one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Load {
    /// Replicas that it holds.
    pub replicas: u32,
    /// Partitions that it should lead.
    pub leaders: u32,
}

/// How a ring loads its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The load of every member, and of whoever else holds something.
    pub members: BTreeMap<MemberId, Load>,
    /// Partitions with fewer replicas than wanted.
    pub short: u32,
    /// Partitions with two replicas in one zone.
    pub crowded: u32,
}

/// Each replica that moves, by partition. Who comes is paired with who goes, in the order of their ids.
pub fn moves(before: &Ring, after: &Ring) -> Vec<Move> {
    let mut moves = Vec::new();
    for (partition, set) in after.sets() {
        let held = before.holders(partition);
        let mut going: Vec<_> = held.iter().copied().filter(|holder| !set.contains(holder)).collect();
        let mut coming: Vec<_> = set.iter().copied().filter(|holder| !held.contains(holder)).collect();
        going.sort_unstable();
        coming.sort_unstable();
        for at in 0..going.len().max(coming.len()) {
            moves.push(Move { partition, from: going.get(at).copied(), to: coming.get(at).copied() });
        }
    }
    moves
}

/// Each partition that somebody else should lead.
pub fn leader_changes(before: &Ring, after: &Ring) -> Vec<LeaderChange> {
    let change = |(partition, set): (Partition, &[MemberId])| {
        let (from, to) = (before.leader(partition), set.first().copied());
        (from != to).then_some(LeaderChange { partition, from, to })
    };
    after.sets().filter_map(change).collect()
}

impl Balance {
    /// Of a ring among these members, when each partition should have so many replicas.
    pub fn of(ring: &Ring, members: &BTreeMap<MemberId, Member>, replicas: usize) -> Balance {
        let mut balance = Balance {
            members: members.keys().map(|id| (*id, Load::default())).collect(),
            short: 0,
            crowded: 0,
        };
        for (_, set) in ring.sets() {
            for holder in set {
                balance.members.entry(*holder).or_default().replicas += 1;
            }
            if let Some(leader) = set.first() {
                balance.members.entry(*leader).or_default().leaders += 1;
            }
            let zone = |id: &MemberId| members.get(id).map(|member| &member.zone);
            let crowded =
                (1..set.len()).any(|at| set[..at].iter().any(|other| zone(other) == zone(&set[at])));
            balance.short += u32::from(set.len() < replicas);
            balance.crowded += u32::from(crowded);
        }
        balance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::member::{MemberState, Weight, Zone};
    use crate::ring::partition::PartitionCount;

    fn ring(sets: &[&[u64]]) -> Ring {
        let mut ring = Ring::empty(PartitionCount::new(sets.len() as u16).unwrap());
        for (partition, set) in (0..).map(Partition).zip(sets) {
            ring.set(partition, &set.iter().copied().map(MemberId).collect::<Vec<_>>());
        }
        ring
    }

    fn pairs(before: &[u64], after: &[u64]) -> Vec<(Option<u64>, Option<u64>)> {
        let id = |member: Option<MemberId>| member.map(|member| member.0);
        moves(&ring(&[before]), &ring(&[after])).iter().map(|one| (id(one.from), id(one.to))).collect()
    }

    #[test]
    fn who_comes_is_paired_with_who_goes() {
        assert_eq!(pairs(&[1, 2, 3], &[2, 3, 4]), [(Some(1), Some(4))]);
        assert_eq!(pairs(&[3, 1], &[5, 4]), [(Some(1), Some(4)), (Some(3), Some(5))]);
        assert_eq!(pairs(&[1], &[1, 2, 3]), [(None, Some(2)), (None, Some(3))]);
        assert_eq!(pairs(&[1, 2, 3], &[3]), [(Some(1), None), (Some(2), None)]);
        assert_eq!(pairs(&[1, 2, 3], &[3, 2, 1]), [], "who leads is no matter of rows");
    }

    #[test]
    fn leaders_change_without_moves() {
        let changes = leader_changes(&ring(&[&[1, 2], &[2, 1]]), &ring(&[&[2, 1], &[2, 1]]));
        let (from, to) = (Some(MemberId(1)), Some(MemberId(2)));
        assert_eq!(changes, [LeaderChange { partition: Partition(0), from, to }]);
        assert_eq!(leader_changes(&ring(&[&[]]), &ring(&[&[1]]))[0].from, None);
    }

    #[test]
    fn a_balance_counts_what_is_missing_and_what_is_crowded() {
        let member = |zone: &str| Member {
            name: zone.to_owned(),
            zone: Zone::new(zone).unwrap(),
            weight: Weight::DEFAULT,
            state: MemberState::Valid,
        };
        let members = [(1, "a"), (2, "a"), (3, "b"), (4, "b")].map(|(id, zone)| (MemberId(id), member(zone)));
        let ring = ring(&[&[1, 3], &[2, 1], &[3], &[9, 1]]);
        let balance = Balance::of(&ring, &members.into(), 2);
        assert_eq!((balance.short, balance.crowded), (1, 1));
        let load = |id| balance.members[&MemberId(id)];
        assert_eq!(load(1), Load { replicas: 3, leaders: 1 });
        assert_eq!(load(4), Load::default(), "who holds nothing is told of too");
        assert_eq!(load(9), Load { replicas: 1, leaders: 1 }, "and who is no member any more");
    }
}
