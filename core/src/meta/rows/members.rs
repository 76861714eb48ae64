//! Who belongs to the cluster and who holds what: one row for the whole, one for each member, one for each partition, so that a
//! change writes what it changes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::id::{MemberId, Partition, Position};
use crate::meta::members::Membership;
use crate::meta::members::change::Change;
use crate::meta::members::command::Event;
use crate::meta::members::plan::PlanId;
use crate::ring::member::Member;
use crate::ring::partition::{META, PartitionCount};
use crate::ring::table::Ring;
use crate::rows::key::{KeyReader, KeyWriter, after_prefix};
use crate::rows::{Kind, ROW_BYTES_MAX, Row, Txn, get, seal, unseal};
use crate::store::{Direction, StateRead, StoreFault};

/// What is of no member and no partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Position of the last change of any of the rows.
    pub rev: Position,
    partitions: u16,
    revision: u64,
    generation: u64,
    target_generation: u64,
    staged: Vec<Change>,
    committed: Option<PlanId>,
    history: VecDeque<Event>,
    replicas: u8,
    seed: u64,
}

impl Row for Head {
    const KIND: Kind = Kind::Membership;
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// What is known of it.
    pub member: Member,
}

impl Row for MemberRow {
    const KIND: Kind = Kind::Member;
}

/// Who holds a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holders {
    /// Who does; the one that should lead comes first.
    pub now: Vec<MemberId>,
    /// Who should.
    pub target: Vec<MemberId>,
}

impl Row for Holders {
    const KIND: Kind = Kind::Holders;
}

/// The key of the head.
pub fn head_key() -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Membership).end()
}

/// The key of a member.
pub fn member_key(member: MemberId) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Member).u64(member.0).end()
}

/// Reads what [`member_key`] wrote.
pub fn read_member_key(key: &[u8]) -> Option<MemberId> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Member)?;
    let member = MemberId(rest.u64()?);
    rest.end().map(|()| member)
}

/// The key of a partition's holders.
pub fn holders_key(partition: Partition) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Holders).u16(partition.0).end()
}

/// Reads what [`holders_key`] wrote.
pub fn read_holders_key(key: &[u8]) -> Option<Partition> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Holders)?;
    let partition = Partition(rest.u16()?);
    rest.end().map(|()| partition)
}

/// Position of the last change; nothing while there is no membership.
pub fn rev(rows: &dyn StateRead) -> Result<Option<Position>, StoreFault> {
    Ok(get::<Head>(rows, &head_key())?.map(|head| head.rev))
}

/// Reads all rows.
pub fn read(rows: &dyn StateRead) -> Result<Option<Membership>, StoreFault> {
    let Some(head) = get::<Head>(rows, &head_key())? else { return Ok(None) };
    let corrupt = |what: &str| StoreFault::Corrupt(format!("rows of the membership: {what}"));
    let members: BTreeMap<MemberId, Member> =
        each(rows, Kind::Member, |key, row: MemberRow| Some((read_member_key(key)?, row.member)))?
            .into_iter()
            .collect();
    let holders = each(rows, Kind::Holders, |key, row: Holders| Some((read_holders_key(key)?, row)))?;
    let count =
        PartitionCount::new(head.partitions).map_err(|_| corrupt("that is no number of partitions"))?;
    if !holders.iter().map(|(partition, _)| *partition).eq(count.all()) {
        return Err(corrupt("a partition has none, or is not of the ring"));
    }
    let (now, target): (Vec<_>, Vec<_>) = holders.into_iter().map(|(_, row)| (row.now, row.target)).unzip();
    let of = |sets| Ring::of_sets(sets).filter(|ring| ring.is_sound(|id| members.contains_key(&id)));
    let (Some(ring), Some(target)) = (of(now), of(target)) else {
        return Err(corrupt("a partition is held by no member, or twice by one"));
    };
    let Head { revision, generation, target_generation, staged, committed, history, replicas, seed, .. } =
        head;
    Ok(Some(Membership {
        revision,
        generation,
        target_generation,
        members,
        ring,
        target,
        staged,
        committed,
        history,
        replicas,
        seed,
    }))
}

/// Writes what differs from what was read. `false`: the head has no room for what is staged, and nothing was written.
pub fn write(
    txn: &mut Txn<'_>,
    position: Position,
    old: Option<&Membership>,
    new: &Membership,
) -> Result<bool, StoreFault> {
    let head = Head {
        rev: position,
        partitions: u16::try_from(new.ring.len()).expect("rings have at most 16,384 partitions"),
        revision: new.revision,
        generation: new.generation,
        target_generation: new.target_generation,
        staged: new.staged.clone(),
        committed: new.committed,
        history: new.history.clone(),
        replicas: new.replicas,
        seed: new.seed,
    };
    if seal(&head_key(), &head).len() > ROW_BYTES_MAX {
        return Ok(false);
    }
    txn.put(head_key(), &head)?;
    for (id, member) in &new.members {
        if old.and_then(|old| old.members.get(id)) != Some(member) {
            txn.put(member_key(*id), &MemberRow { member: member.clone() })?;
        }
    }
    for id in old.iter().flat_map(|old| old.members.keys()) {
        if !new.members.contains_key(id) {
            txn.remove(member_key(*id))?;
        }
    }
    for (partition, now) in new.ring.sets() {
        let target = new.target.holders(partition);
        let same =
            |old: &Membership| old.ring.holders(partition) == now && old.target.holders(partition) == target;
        if !old.is_some_and(same) {
            txn.put(holders_key(partition), &Holders { now: now.to_vec(), target: target.to_vec() })?;
        }
    }
    Ok(true)
}

/// Every row of a kind, with what `of` makes of its key and itself.
fn each<R: Row, T>(
    rows: &dyn StateRead,
    kind: Kind,
    mut of: impl FnMut(&[u8], R) -> Option<T>,
) -> Result<Vec<T>, StoreFault> {
    let prefix = KeyWriter::of_partition(META, kind).end();
    let (mut all, mut fault) = (Vec::new(), None);
    rows.scan(&prefix, &after_prefix(&prefix), Direction::Up, &mut |key, value| {
        let made = unseal(key, value).and_then(|row| {
            of(key, row)
                .ok_or_else(|| StoreFault::Corrupt(format!("a key of a {kind:?} row that nobody wrote")))
        });
        match made {
            Ok(one) => {
                all.push(one);
                ControlFlow::Continue(())
            }
            Err(e) => {
                fault = Some(e);
                ControlFlow::Break(())
            }
        }
    })?;
    fault.map_or(Ok(all), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_survive_and_are_ordered(a: u64, b: u64, p: u16, q: u16) {
            prop_assert_eq!(read_member_key(&member_key(MemberId(a))), Some(MemberId(a)));
            prop_assert_eq!(a.cmp(&b), member_key(MemberId(a)).cmp(&member_key(MemberId(b))));
            prop_assert_eq!(read_holders_key(&holders_key(Partition(p))), Some(Partition(p)));
            prop_assert_eq!(p.cmp(&q), holders_key(Partition(p)).cmp(&holders_key(Partition(q))));
            prop_assert_eq!(read_member_key(&holders_key(Partition(p))), None);
        }
    }
}
