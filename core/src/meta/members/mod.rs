//! Membership: who belongs to the cluster, who holds which partition, and how operators change that.
//!
//! An operator *stages* changes, asks for a *plan*, and *commits* it, as with riak-admin (`riak_core_claimant.erl`). What
//! was a gossiped ring, a claimant and a vote on whether all have seen it is here a state machine under one log:
//! [`Membership::apply`] takes one [`Command`] after the other and says what came of each.
//!
//! Reading order: [`change`], [`command`], [`found`] (how it begins), `stage` (what may be staged), [`plan`], `commit`, `landing`
//! (moves that are done).
//!
//! Must never learn: who asks, how rows travel, who is reachable.

pub mod change;
pub mod command;
pub mod found;
pub mod plan;

mod commit;
mod landing;
mod stage;

#[cfg(test)]
mod members_test;
#[cfg(test)]
pub(in crate::meta) mod sequences_test;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::id::MemberId;
use crate::ring::claim::REPLICAS_MAX;
use crate::ring::member::{Member, MemberState};
use crate::ring::partition::PartitionCount;
use crate::ring::plan::moves;
use crate::ring::table::Ring;

use self::change::Change;
use self::command::{Command, Event, Happening, Outcome, Refusal};
use self::plan::PlanId;

/// Most members of a cluster.
pub const MEMBERS_MAX: usize = 256;

/// How many happenings are kept, to tell an operator what has changed since a plan was shown.
pub const HISTORY_MAX: usize = 64;

/// The part of the metadata that says who belongs to the cluster and who holds what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Counts what a plan depends on. A plan is of one revision.
    pub revision: u64,
    /// The ring's. Requests carry it; it goes up whenever `ring` changes.
    pub generation: u64,
    /// The generation at which `target` became what it is. Moves carry it.
    pub target_generation: u64,
    /// Everybody who belongs, or wants to.
    pub members: BTreeMap<MemberId, Member>,
    /// Who holds what.
    pub ring: Ring,
    /// Who should. The moves that are left are what the two differ in.
    pub target: Ring,
    /// What operators want to change, in the order in which they said so.
    pub staged: Vec<Change>,
    /// The plan that was committed last.
    pub committed: Option<PlanId>,
    /// What happened last, each with the revision that it made.
    pub history: VecDeque<Event>,
    pub(in crate::meta) replicas: u8,
    pub(in crate::meta) seed: u64,
}

impl Membership {
    /// A cluster without members. `seed` is drawn once, when the cluster is created.
    pub fn new(count: PartitionCount, replicas: usize, seed: u64) -> Membership {
        assert!((1..=REPLICAS_MAX).contains(&replicas), "{replicas} replicas");
        Membership {
            revision: 0,
            generation: 0,
            target_generation: 0,
            members: BTreeMap::new(),
            ring: Ring::empty(count),
            target: Ring::empty(count),
            staged: Vec::new(),
            committed: None,
            history: VecDeque::new(),
            replicas: replicas as u8,
            seed,
        }
    }

    /// How many replicas each partition should have.
    pub fn replicas(&self) -> usize {
        usize::from(self.replicas)
    }

    /// Does what the command says, or says why not; then nothing has changed. A command that comes again changes
    /// nothing either.
    pub fn apply(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        match command {
            Command::Stage(change) => self.stage(change),
            Command::Clear => Ok(self.clear()),
            Command::Commit { plan, target } => self.commit(*plan, target),
            Command::Up(member) => self.up(*member),
            Command::Landed { since, done } => self.landed(*since, *done),
        }
    }

    /// A member that is there again.
    fn up(&mut self, id: MemberId) -> Result<Outcome, Refusal> {
        let member = self.members.get_mut(&id).ok_or(Refusal::NoSuchMember(id))?;
        if member.state != MemberState::Down {
            return Ok(Outcome::Unchanged);
        }
        member.state = MemberState::Valid;
        self.happened(Happening::Up(id));
        Ok(Outcome::Done)
    }

    fn member(&self, id: MemberId) -> Result<&Member, Refusal> {
        self.members.get(&id).ok_or(Refusal::NoSuchMember(id))
    }

    fn happened(&mut self, what: Happening) {
        self.revision += 1;
        self.history.push_back(Event { revision: self.revision, what });
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// What always holds. Panics with what does not.
    pub fn check(&self) {
        let state = |id: MemberId| self.members.get(&id).map(|member| member.state);
        let holds = |id| matches!(state(id), Some(state) if state != MemberState::Joining);
        let should = |id| matches!(state(id), Some(MemberState::Valid | MemberState::Down));
        assert!(self.ring.is_sound(holds), "who holds a partition is a member that was let in");
        assert!(self.target.is_sound(should), "who should hold one stays");
        assert_eq!(self.ring.len(), self.target.len());
        for (id, member) in &self.members {
            let joins = self
                .staged
                .iter()
                .any(|change| matches!(change, Change::Join { member, .. } if member == id));
            assert_eq!(joins, member.state == MemberState::Joining, "{id:?} joins by a change");
            let leaves = member.state == MemberState::Leaving;
            assert!(!leaves || self.ring.has(*id), "{id:?} holds nothing any more and is gone");
        }
        let known = |change: &Change| change.members().all(|id| self.members.contains_key(&id));
        assert!(self.staged.iter().all(known), "changes are of members");
        let done = moves(&self.ring, &self.target).is_empty();
        assert!(!done || self.ring == self.target, "without moves the ring is what it should be");
        assert!(self.history.back().is_none_or(|event| event.revision == self.revision));
        assert!(self.target_generation <= self.generation);
    }
}
