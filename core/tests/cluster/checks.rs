//! What must hold after every turn, whatever happens.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use gomer_core::id::{Partition, Position};
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rows::applied::{self, Applied};
use gomer_core::rows::key::{KeyWriter, after_prefix};
use gomer_core::rows::replicas::Replicas;
use gomer_core::rows::txn::row_hash;
use gomer_core::rows::{Kind, get};
use gomer_core::store::{Direction, GroupId, LogEntry, LogStore, StateRead, StateStore, StoreFault};

use crate::world::{Member, member_of};

/// Digests by replica.
pub type Sums = Vec<(u64, u64)>;

#[derive(Debug, Default)]
pub struct Checks {
    /// The log of each partition, as somebody has applied it.
    committed: BTreeMap<(Partition, u64), LogEntry>,
    digests: BTreeMap<(Partition, u64), u64>,
    /// The replica sets, each from a position on.
    sets: BTreeMap<Partition, BTreeMap<u64, Replicas>>,
    /// The replica sets of each member before and after what it last applied.
    now: BTreeMap<(usize, Partition), (Replicas, Replicas)>,
    /// How far each member's log is compared.
    seen: BTreeMap<(usize, Partition), u64>,
    leaders: BTreeMap<(Partition, u64), usize>,
    /// The latest position that anybody was told of.
    told: BTreeMap<Partition, u64>,
    pub suspects: Vec<(usize, Partition, StoreFault)>,
    /// Who said of which position that digests differ, and how.
    pub differences: Vec<(usize, Partition, Position, Sums)>,
    /// Rows were changed on purpose: the members themselves must notice.
    pub tolerant: bool,
    pub crashes_left: u64,
    pub crash_one_in: u64,
    /// Members that come back.
    pub down: Vec<(Duration, usize)>,
    /// Leaders that were seen: a run without changes of leadership shows little.
    pub elections: usize,
}

fn group(partition: Partition) -> GroupId {
    GroupId(u64::from(partition.0) + 1)
}

impl Checks {
    pub fn started(&mut self, member: usize) {
        self.seen.retain(|key, _| key.0 != member);
        self.now.retain(|key, _| key.0 != member);
    }

    /// A member has taken a turn.
    pub fn turned(&mut self, members: &mut [Member], member: usize, partitions: PartitionCount) {
        let m = &mut members[member];
        let shard = m.shard.as_ref().expect("it runs");
        let reader = shard.reader();
        for partition in partitions.all() {
            if let Some(term) = shard.leader_term(partition) {
                let first = self.leaders.entry((partition, term)).or_insert_with(|| {
                    self.elections += 1;
                    member
                });
                assert_eq!(*first, member, "two leaders in term {term} of partition {}", partition.0);
            }
            let Some(position) = shard.position(partition) else { continue };
            let seen = self.seen.entry((member, partition)).or_default();
            if position.0 == *seen {
                continue;
            }
            let applied: Applied =
                get(&reader.view(), &applied::key(partition)).expect("rows check").expect("it has applied");
            assert_eq!(applied.position, position, "what is published is what is applied");
            // After a snapshot the log may hold nothing.
            if let Some((first, last)) = m.log.bounds(group(partition)).expect("a map") {
                assert!(last >= position.0, "applied is in the log");
                let from = first.max(*seen + 1);
                for entry in m.log.entries(group(partition), from, position.0 + 1, u64::MAX).expect("a map") {
                    let key = (partition, entry.index);
                    let known = self.committed.entry(key).or_insert_with(|| entry.clone());
                    assert_eq!(*known, entry, "a committed prefix of partition {} has changed", partition.0);
                }
            }
            let replicas = shard.replicas(partition).expect("it lives here");
            let sets = self.sets.entry(partition).or_default();
            if sets.last_key_value().is_none_or(|(at, last)| *at < position.0 && *last != replicas) {
                // The entry that made it so is one of those that were just applied.
                let changes = self.committed.range((partition, *seen + 1)..=(partition, position.0));
                let at = changes.filter(|(_, entry)| entry.kind == 2).map(|(key, _)| key.1).max();
                sets.insert(at.unwrap_or(position.0), replicas.clone());
            }
            let now =
                self.now.entry((member, partition)).or_insert_with(|| (replicas.clone(), replicas.clone()));
            *now = (std::mem::replace(&mut now.1, replicas.clone()), replicas);
            let digest = *self.digests.entry((partition, position.0)).or_insert(applied.digest);
            assert!(
                self.tolerant || digest == applied.digest,
                "replicas of partition {} differ at position {position}",
                partition.0
            );
            *seen = position.0;
        }
    }

    /// A client is told that its write is done.
    pub fn acknowledged(
        &mut self,
        members: &mut [Member],
        member: usize,
        partition: Partition,
        position: Position,
    ) {
        let told = self.told.entry(partition).or_default();
        *told = position.0.max(*told);
        let entry = self.committed.get(&(partition, position.0)).expect("acknowledged is applied");
        let holds = |voter: u64| {
            // A disk that is lost since counts: that is the loss which the others are there for.
            let (m, incarnation) = (&members[member_of(voter)], voter % 1_000 / 100);
            let (log, state) = match &m.lost {
                _ if m.incarnation == incarnation => (&m.log, &m.state),
                Some(lost) if m.incarnation == incarnation + 1 => (&lost.0, &lost.1),
                _ => return false,
            };
            let log = log.durable();
            let state = state.snapshot().expect("a map");
            let applied: Option<Applied> = get(&state, &applied::key(partition)).expect("rows check");
            match log.bounds(group(partition)).expect("a map") {
                // Compacted is in the state, which is synced before.
                _ if applied.is_some_and(|applied| applied.position >= position) => true,
                Some((first, last)) if first <= position.0 && last >= position.0 => {
                    let found = log.entries(group(partition), position.0, position.0 + 1, 1).expect("a map");
                    found[0] == *entry
                }
                _ => false,
            }
        };
        // A change counts for what is committed once it is applied. What is applied together with it was
        // committed by those who voted before: any two such sets have a voter in common.
        let sets = &self.sets[&partition];
        let set = sets.range(..position.0).next_back().or(sets.first_key_value()).expect("somebody votes").1;
        let before = self.now.get(&(member, partition)).map(|now| &now.0);
        let majority = |set: &Replicas| {
            [&set.voters, &set.outgoing].into_iter().filter(|voters| !voters.is_empty()).all(|voters| {
                let copies = voters.iter().filter(|&&voter| holds(voter)).count();
                copies > voters.len() / 2
            })
        };
        assert!(
            majority(set) || before.is_some_and(majority),
            "position {position} of partition {} is acknowledged, and not on a majority of {set:?} nor {before:?}",
            partition.0
        );
    }

    /// What a read that begins now must see.
    pub fn floor(&self, partition: Partition) -> u64 {
        self.told.get(&partition).copied().unwrap_or(0)
    }

    /// A read has ended.
    pub fn read(&mut self, how: &str, partition: Partition, position: u64, floor: u64) {
        assert!(
            position >= floor,
            "a {how} read of partition {} saw position {position}, and {floor} was known before it began",
            partition.0
        );
        let told = self.told.entry(partition).or_default();
        *told = position.max(*told);
    }

    pub fn suspect(&mut self, member: usize, partition: Partition, fault: StoreFault) {
        self.suspects.push((member, partition, fault));
    }

    /// After all has healed: the rows themselves, and that nothing is missing.
    pub fn healed(&self, members: &[Member], partitions: PartitionCount) {
        assert_eq!(self.suspects, [], "nobody's disk was hurt");
        assert_eq!(self.differences, [], "nobody's rows were changed");
        for partition in partitions.all() {
            let members: Vec<_> = members.iter().filter(|m| !m.gone).collect();
            let rows: Vec<_> = members.iter().map(|m| replicated(m, partition)).collect();
            for (member, of) in rows.iter().enumerate() {
                assert_eq!(*of, rows[0], "rows of member {member}, partition {}", partition.0);
            }
            let shard = members[0].shard.as_ref().expect("it runs");
            let position = shard.position(partition).expect("it has state");
            assert!(position.0 >= self.floor(partition), "what was told is lost");
            let sum = rows[0].iter().fold(0u64, |sum, (key, row)| sum.wrapping_add(row_hash(key, row)));
            let reader = shard.reader();
            let applied: Applied =
                get(&reader.view(), &applied::key(partition)).expect("rows check").expect("it has applied");
            assert_eq!(applied.digest, sum, "the digest is that of the rows");
        }
    }
}

/// The rows that every replica must have.
pub fn replicated(member: &Member, partition: Partition) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let reader = member.shard.as_ref().expect("it runs").reader();
    let from = KeyWriter::of_partition(partition, Kind::Node).end();
    let to = after_prefix(&KeyWriter::of_partition(partition, Kind::Touched).end());
    let mut rows = BTreeMap::new();
    reader
        .view()
        .scan(&from, &to, Direction::Up, &mut |key, row| {
            rows.insert(key.to_vec(), row.to_vec());
            ControlFlow::Continue(())
        })
        .expect("rows check");
    rows
}
