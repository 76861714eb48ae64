//! How membership begins: with the ring that a cluster has when nobody has changed it yet.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::MemberId;
use crate::ring::claim::REPLICAS_MAX;
use crate::ring::member::{Member, MemberState, is_member_name};
use crate::ring::partition::PartitionCount;
use crate::ring::table::Ring;

use super::command::Refusal;
use super::{MEMBERS_MAX, Membership};

/// What a membership is founded with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founding {
    /// The first members, all of them valid.
    pub members: Vec<(MemberId, Member)>,
    /// Who holds what.
    pub ring: Ring,
    /// How many replicas each partition should have.
    pub replicas: u8,
    /// For claims: drawn once.
    pub seed: u64,
}

impl Membership {
    /// The membership of a cluster whose ring is already what it should be, in generation 1. Refused: a name that is none
    /// or stands there twice, too many members, one that is not valid, or a ring that is not of these members.
    pub fn found(founding: &Founding) -> Result<Membership, Refusal> {
        let Founding { members, ring, replicas, seed } = founding;
        if members.len() > MEMBERS_MAX {
            return Err(Refusal::TooManyMembers);
        }
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (id, member) in members {
            if !is_member_name(&member.name) {
                return Err(Refusal::BadName);
            }
            if member.state != MemberState::Valid {
                return Err(Refusal::WrongState(*id, member.state));
            }
            if !ids.insert(*id) {
                return Err(Refusal::AlreadyMember(*id));
            }
            if !names.insert(member.name.as_str()) {
                return Err(Refusal::NameTaken(*id));
            }
        }
        let count = u16::try_from(ring.len()).ok().and_then(|count| PartitionCount::new(count).ok());
        let (Some(count), true) = (count, (1..=REPLICAS_MAX).contains(&usize::from(*replicas))) else {
            return Err(Refusal::UnsoundRing);
        };
        if !ring.is_sound(|id| ids.contains(&id)) {
            return Err(Refusal::UnsoundRing);
        }
        Ok(Membership {
            generation: 1,
            target_generation: 1,
            members: members.iter().cloned().collect(),
            ring: ring.clone(),
            target: ring.clone(),
            ..Membership::new(count, usize::from(*replicas), *seed)
        })
    }
}
