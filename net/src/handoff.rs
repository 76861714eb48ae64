//! What has to be done so that partitions come to be held by those who should: by whoever leads a partition, one step after
//! the other, each of which may be lost and is found again from what is there.
//!
//! `learner → snapshot → catch up → compare digests → joint change`: the first and the last step are decided here; what lies
//! between is the group's own business, which refuses a voter that is not close behind with equal rows (record 9).
//!
//! Must never learn: how a step travels.

use std::collections::{BTreeMap, BTreeSet};

use gomer_core::id::{MemberId, Partition};
use gomer_core::meta::config::Config;
use gomer_core::meta::members::Membership;
use gomer_core::ring::plan::Move;
use gomer_core::rows::replicas::Replicas;
use gomer_core::vnode::peer::{ReplicaChange, ReplicaRole};

/// What is next for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Its group is to have other replicas.
    Change(ReplicaChange),
    /// The metadata is to be told that a move is done.
    Landed(Move),
}

/// The moves that are left, and which of them are under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moves {
    /// All that are left, by partition.
    pub left: Vec<Move>,
    /// Those that go on: none while they are paused, else the first that keep within the limits for each member.
    pub under_way: Vec<Move>,
}

impl Moves {
    /// Everybody who has the same membership says the same, so nobody needs to ask.
    pub fn of(members: &Membership, config: Config) -> Moves {
        let max = if config.moves_paused { 0 } else { usize::from(config.transfers_max) };
        let (mut coming, mut going): (BTreeMap<MemberId, usize>, BTreeMap<MemberId, usize>) =
            Default::default();
        let mut busy = BTreeSet::new();
        let left = members.moves();
        let mut under_way = left.clone();
        under_way.retain(|one| {
            let free = |counts: &BTreeMap<MemberId, usize>, member: Option<MemberId>| {
                member.is_none_or(|member| counts.get(&member).copied().unwrap_or(0) < max)
            };
            // One replica comes and one goes at a time.
            if busy.contains(&one.partition) || !free(&coming, one.to) || !free(&going, one.from) {
                return false;
            }
            busy.insert(one.partition);
            for (counts, member) in [(&mut coming, one.to), (&mut going, one.from)] {
                if let Some(member) = member {
                    *counts.entry(member).or_default() += 1;
                }
            }
            true
        });
        Moves { left, under_way }
    }

    /// The move of a partition that goes on; or one that its replicas have made already, which is to be noted even if its turn
    /// has gone: else it would be taken back.
    fn of_partition(&self, partition: Partition, has_gone: impl Fn(&Move) -> bool) -> Option<Move> {
        let of = |moves: &[Move], fit: &dyn Fn(&Move) -> bool| {
            moves.iter().find(|one| one.partition == partition && fit(one)).copied()
        };
        of(&self.under_way, &|_| true).or_else(|| of(&self.left, &has_gone))
    }
}

/// Whether a member holds the partition, or is to hold it: then a replica lives there.
pub(crate) fn lives_at(members: &Membership, member: MemberId, partition: Partition) -> bool {
    members.ring.holders(partition).contains(&member) || members.target.holders(partition).contains(&member)
}

/// The next step for a partition with these replicas, for its leader: its voters should be those who hold it, with the move that
/// is under way done. `peer`: the Raft id of a member's replica of it.
///
/// It follows from what the metadata says and from what the group is, and not from what was done before. A leader whose
/// copy of the metadata is behind may take back what another has done; that is done again, and nothing is lost by it, because
/// a replica goes only where a majority of the others agrees.
pub(crate) fn next(
    members: &Membership,
    moves: &Moves,
    partition: Partition,
    replicas: &Replicas,
    peer: impl Fn(MemberId) -> u64,
) -> Option<Next> {
    if !replicas.outgoing.is_empty() {
        return None;
    }
    let votes = |member: Option<MemberId>| member.is_none_or(|it| replicas.voters.contains(&peer(it)));
    let one =
        moves.of_partition(partition, |one| votes(one.to) && one.from.is_none_or(|it| !votes(Some(it))));
    let (from, to) = one.map_or((None, None), |one| (one.from, one.to));
    let held = members.ring.holders(partition).iter().copied().filter(|holder| Some(*holder) != from);
    let wanted: Vec<u64> = to.into_iter().chain(held).map(&peer).collect();
    let step = |steps: &[(u64, ReplicaRole)]| Some(Next::Change(ReplicaChange { steps: steps.to_vec() }));
    let comes = wanted.iter().copied().find(|peer| !replicas.voters.contains(peer));
    let goes = replicas.voters.iter().copied().find(|peer| !wanted.contains(peer));
    match (comes, goes) {
        (Some(comes), _) if !replicas.learners.contains(&comes) => step(&[(comes, ReplicaRole::Learner)]),
        (Some(comes), Some(goes)) => step(&[(comes, ReplicaRole::Voter), (goes, ReplicaRole::Gone)]),
        (Some(comes), None) => step(&[(comes, ReplicaRole::Voter)]),
        (None, Some(goes)) => step(&[(goes, ReplicaRole::Gone)]),
        (None, None) => {
            // Of a transfer that was given up; one that waits for its turn stays.
            let target: Vec<u64> =
                members.target.holders(partition).iter().map(|&holder| peer(holder)).collect();
            let stray = replicas.learners.iter().find(|learner| !target.contains(learner));
            match stray {
                Some(&stray) => step(&[(stray, ReplicaRole::Gone)]),
                None => one.map(Next::Landed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gomer_core::meta::members::change::Change;
    use gomer_core::meta::members::command::Command;
    use gomer_core::meta::members::found::Founding;
    use gomer_core::ring::member::{Member, MemberState, Weight, Zone};
    use gomer_core::ring::partition::PartitionCount;
    use gomer_core::ring::table::Ring;

    use super::*;
    use ReplicaRole::{Gone, Learner, Voter};

    const ONLY: Partition = Partition(0);

    fn usual(members: &Membership) -> Moves {
        Moves::of(members, Config::default())
    }

    fn peer(member: MemberId) -> u64 {
        member.0 * 10
    }

    /// Members 1 to 4, of whom three hold each of so many partitions.
    fn founded(partitions: u16) -> Membership {
        let count = PartitionCount::new(partitions).unwrap();
        let mut ring = Ring::empty(count);
        for partition in count.all() {
            let first = u64::from(partition.0);
            ring.set(partition, &[0, 1, 2].map(|next| MemberId((first + next) % 4 + 1)));
        }
        let member = |id| {
            let (name, zone, weight) = (format!("m{id}"), Zone::default(), Weight::DEFAULT);
            (MemberId(id), Member { name, zone, weight, state: MemberState::Valid })
        };
        let founding = Founding { members: (1..=4).map(member).collect(), ring, replicas: 3, seed: 1 };
        Membership::found(&founding).unwrap()
    }

    fn leave(members: &mut Membership, member: u64) {
        members.apply(&Command::Stage(Change::Leave(MemberId(member)))).unwrap();
        let plan = members.plan().unwrap();
        let commit = members.propose(plan.id).unwrap();
        members.apply(&commit).unwrap();
    }

    fn changed(replicas: &mut Replicas, change: &ReplicaChange) {
        for &(peer, role) in &change.steps {
            replicas.voters.retain(|voter| *voter != peer);
            replicas.learners.retain(|learner| *learner != peer);
            match role {
                Voter => replicas.voters.push(peer),
                Learner => replicas.learners.push(peer),
                Gone => {}
            }
        }
    }

    #[test]
    fn step_after_step_a_replica_moves() {
        let mut members = founded(1);
        leave(&mut members, 2);
        let (from, to) = (Some(MemberId(2)), Some(MemberId(4)));
        let moved = Move { partition: ONLY, from, to };
        assert_eq!(usual(&members).under_way, [moved]);
        let mut replicas = Replicas::of(vec![10, 20, 30]);
        let mut steps = Vec::new();
        while let Some(next) = next(&members, &usual(&members), ONLY, &replicas, peer) {
            match next {
                Next::Change(change) => {
                    changed(&mut replicas, &change);
                    steps.push(change.steps);
                }
                Next::Landed(done) => {
                    assert_eq!(done, moved);
                    members.apply(&Command::Landed { since: members.target_generation, done }).unwrap();
                }
            }
        }
        assert_eq!(steps, [vec![(40, Learner)], vec![(40, Voter), (20, Gone)]]);
        assert!(!members.members.contains_key(&MemberId(2)), "it has given all away");
    }

    #[test]
    fn nothing_is_begun_while_a_change_is_under_way_nor_without_a_move() {
        let mut members = founded(1);
        let replicas = Replicas::of(vec![10, 20, 30]);
        assert_eq!(next(&members, &usual(&members), ONLY, &replicas, peer), None);
        leave(&mut members, 2);
        let joint = Replicas { outgoing: vec![10, 20, 30], ..Replicas::of(vec![10, 40, 30]) };
        assert_eq!(next(&members, &usual(&members), ONLY, &joint, peer), None);
    }

    #[test]
    fn what_another_leader_has_done_is_gone_on_from() {
        let mut members = founded(1);
        leave(&mut members, 2);
        let moves = usual(&members);
        let step = |replicas: Replicas| next(&members, &moves, ONLY, &replicas, peer);
        let change =
            |steps: &[(u64, ReplicaRole)]| Some(Next::Change(ReplicaChange { steps: steps.to_vec() }));
        let voters = |voters: &[u64]| Replicas::of(voters.to_vec());
        assert_eq!(step(voters(&[10, 20, 30, 40])), change(&[(20, Gone)]));
        assert_eq!(step(Replicas { learners: vec![40], ..voters(&[10, 30]) }), change(&[(40, Voter)]));
        assert_eq!(step(Replicas { learners: vec![20], ..voters(&[10, 30, 40]) }), change(&[(20, Gone)]));
        assert_eq!(step(voters(&[20, 30, 40])), change(&[(10, Learner)]), "it was taken out by mistake");
        assert_eq!(step(voters(&[10, 30, 40])), Some(Next::Landed(moves.left[0])));
    }

    #[test]
    fn a_learner_of_a_transfer_that_was_given_up_goes() {
        let members = founded(1);
        let replicas = Replicas { learners: vec![40], ..Replicas::of(vec![10, 20, 30]) };
        let gone = Next::Change(ReplicaChange { steps: vec![(40, Gone)] });
        assert_eq!(next(&members, &usual(&members), ONLY, &replicas, peer), Some(gone));
        // One that waits for its turn stays.
        let mut members = members;
        leave(&mut members, 2);
        let paused = Moves::of(&members, Config { moves_paused: true, ..Config::default() });
        assert_eq!(next(&members, &paused, ONLY, &replicas, peer), None);
    }

    #[test]
    fn who_is_forced_out_goes_from_the_groups() {
        let mut members = founded(1);
        members.apply(&Command::Stage(Change::ForceRemove(MemberId(2)))).unwrap();
        let plan = members.plan().unwrap();
        let commit = members.propose(plan.id).unwrap();
        members.apply(&commit).unwrap();
        let moves = usual(&members);
        assert_eq!(moves.under_way, [Move { partition: ONLY, from: None, to: Some(MemberId(4)) }]);
        let change =
            |steps: &[(u64, ReplicaRole)]| Some(Next::Change(ReplicaChange { steps: steps.to_vec() }));
        let mut replicas = Replicas { learners: vec![40], ..Replicas::of(vec![10, 20, 30]) };
        let step = |replicas: &Replicas| next(&members, &moves, ONLY, replicas, peer);
        assert_eq!(step(&replicas), change(&[(40, Voter), (20, Gone)]));
        replicas = Replicas::of(vec![10, 30, 40]);
        assert_eq!(step(&replicas), Some(Next::Landed(moves.left[0])));
    }

    #[test]
    fn what_is_paused_is_neither_gone_on_with_nor_taken_back() {
        let mut members = founded(1);
        leave(&mut members, 2);
        let paused = Moves::of(&members, Config { moves_paused: true, ..Config::default() });
        assert_eq!((paused.left.len(), paused.under_way.len()), (1, 0));
        let step = |replicas: Replicas| next(&members, &paused, ONLY, &replicas, peer);
        let voters = |voters: &[u64]| Replicas::of(voters.to_vec());
        assert_eq!(step(voters(&[10, 20, 30])), None);
        assert_eq!(step(Replicas { learners: vec![40], ..voters(&[10, 20, 30]) }), None);
        assert_eq!(step(voters(&[10, 30, 40])), Some(Next::Landed(paused.left[0])), "it is done");
    }

    #[test]
    fn no_more_move_at_once_than_the_limits_allow() {
        for max in [1, 2, 5] {
            let config = Config { transfers_max: max, ..Config::default() };
            let mut members = founded(64);
            leave(&mut members, 2);
            let (mut landed, mut most) = (0, 0);
            loop {
                let moves = Moves::of(&members, config).under_way;
                let Some(&done) = moves.first() else { break };
                let count = |of: fn(&Move) -> Option<MemberId>, id| {
                    moves.iter().filter(|one| of(one) == Some(MemberId(id))).count()
                };
                for id in 1..=4 {
                    let (going, coming) = (count(|one| one.from, id), count(|one| one.to, id));
                    assert!(going.max(coming) <= usize::from(max));
                    most = most.max(going);
                }
                let partitions: BTreeSet<Partition> = moves.iter().map(|one| one.partition).collect();
                assert_eq!(partitions.len(), moves.len(), "one at a time of a partition");
                members.apply(&Command::Landed { since: members.target_generation, done }).unwrap();
                landed += 1;
            }
            assert_eq!((landed, members.members.len(), most), (48, 3, usize::from(max)));
        }
    }
}
