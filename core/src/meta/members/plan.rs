//! What would come of the staged changes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::id::{MemberId, Partition};
use crate::ring::claim::claim;
use crate::ring::member::{Member, MemberState};
use crate::ring::plan::{Balance, LeaderChange, Move, leader_changes, moves};
use crate::ring::table::Ring;

use super::Membership;
use super::change::Change;
use super::command::{Command, Event, Refusal};

/// Names a plan: the revision that it is of, and a digest of its changes and its ring. As text `17-9f3ac04e5b21d608`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanId {
    /// The membership's revision.
    pub revision: u64,
    /// XXH3-64 of what the plan does. It keeps operators from mistakes, not from malice.
    pub digest: u64,
}

/// What would come of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What `commit` is told.
    pub id: PlanId,
    /// The staged changes, in order.
    pub changes: Vec<Change>,
    /// The ring that should be.
    pub target: Ring,
    /// Each replica that would move, beside what moves already and still would.
    pub moves: Vec<Move>,
    /// Each partition that somebody else would lead.
    pub leaders: Vec<LeaderChange>,
    /// Partitions that the forced changes leave without any replica: their rows are lost.
    pub lost: Vec<Partition>,
    /// Those, and partitions that they leave with half of their replicas or less: what is left is no majority of them, so
    /// what was acknowledged may be lost.
    pub at_risk: Vec<Partition>,
    /// The load as it is.
    pub before: Balance,
    /// The load when all is done.
    pub after: Balance,
}

/// What forced changes cost, as [`Plan`] says it.
#[derive(PartialEq, Eq)]
pub(super) struct Losses {
    lost: Vec<Partition>,
    at_risk: Vec<Partition>,
}

impl Membership {
    /// What would come of the staged changes.
    pub fn plan(&self) -> Result<Plan, Refusal> {
        let (members, start) = self.changed();
        let holds = |member: &Member| member.state == MemberState::Valid && member.weight.get() > 0;
        if !self.members.is_empty() && !members.values().any(holds) {
            return Err(Refusal::NobodyLeft);
        }
        let target = claim(&members, &start, self.replicas(), self.seed);
        if self.staged.is_empty() && target == self.target {
            return Err(Refusal::NothingStaged);
        }
        let Losses { lost, at_risk } = self.losses();
        Ok(Plan {
            id: self.name(&target),
            changes: self.staged.clone(),
            moves: moves(&self.ring, &target),
            leaders: leader_changes(&self.ring, &target),
            lost,
            at_risk,
            before: Balance::of(&self.ring, &self.members, self.replicas()),
            after: Balance::of(&target, &members, self.replicas()),
            target,
        })
    }

    /// What the forced changes among the staged ones would cost now.
    pub(super) fn losses(&self) -> Losses {
        let left = self.left();
        let broken = |kept: &dyn Fn(usize, usize) -> bool| {
            let broken = |(partition, held): (Partition, &[MemberId])| {
                let kept = kept(left.holders(partition).len(), held.len());
                (!held.is_empty() && !kept).then_some(partition)
            };
            self.ring.sets().filter_map(broken).collect()
        };
        Losses { lost: broken(&|left, _| left > 0), at_risk: broken(&|left, held| 2 * left > held) }
    }

    /// The command that commits the plan of this name, if that is the plan now.
    pub fn propose(&self, id: PlanId) -> Result<Command, Refusal> {
        self.is_current(id)?;
        let plan = self.plan()?;
        if plan.id != id {
            return Err(Refusal::UnknownPlan);
        }
        Ok(Command::Commit { plan: id, target: plan.target })
    }

    /// Refused if the plan is not of this revision, with what has happened since.
    pub(super) fn is_current(&self, id: PlanId) -> Result<(), Refusal> {
        if id.revision > self.revision {
            return Err(Refusal::UnknownPlan);
        }
        if id.revision == self.revision {
            return Ok(());
        }
        let since: Vec<Event> =
            self.history.iter().filter(|event| event.revision > id.revision).cloned().collect();
        let earlier = since.first().is_none_or(|event| event.revision > id.revision + 1);
        Err(Refusal::PlanChanged { since, earlier })
    }

    /// The name of the plan with this target.
    pub(super) fn name(&self, target: &Ring) -> PlanId {
        let bytes = postcard::to_stdvec(&(&self.staged, target)).expect("plain values have bytes");
        PlanId { revision: self.revision, digest: xxh3_64(&bytes) }
    }

    /// The members when the staged changes are made, and the ring that the claim begins with: what should be now, so that a
    /// move that goes on need not begin again.
    pub(super) fn changed(&self) -> (BTreeMap<MemberId, Member>, Ring) {
        let (mut members, mut start) = (self.members.clone(), self.target.clone());
        for change in &self.staged {
            let mut state =
                |id: &MemberId, state| members.get_mut(id).expect("staged for a member").state = state;
            match change {
                Change::Join { member, .. } => state(member, MemberState::Valid),
                Change::Leave(id) => state(id, MemberState::Leaving),
                Change::Down(id) => {
                    state(id, MemberState::Down);
                    // It keeps what it has. What was on its way to it never comes there.
                    start.retain(|partition, holder| {
                        holder != *id || self.ring.holders(partition).contains(&holder)
                    });
                }
                Change::Replace { old, new } => {
                    state(old, MemberState::Leaving);
                    start.replace(*old, *new);
                }
                Change::ForceReplace { old, new } => {
                    members.remove(old);
                    start.replace(*old, *new);
                }
                Change::ForceRemove(id) => {
                    members.remove(id);
                    start.remove(*id);
                }
                // Who is forced out has neither.
                Change::Zone(id, zone) => {
                    members.entry(*id).and_modify(|member| member.zone = zone.clone());
                }
                Change::Weight(id, weight) => {
                    members.entry(*id).and_modify(|member| member.weight = *weight);
                }
            }
        }
        (members, start)
    }

    /// The ring as it is, without those whom the staged changes force out.
    pub(super) fn left(&self) -> Ring {
        let mut left = self.ring.clone();
        for change in &self.staged {
            if let Change::ForceReplace { old: id, .. } | Change::ForceRemove(id) = change {
                left.remove(*id);
            }
        }
        left
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.revision, self.digest)
    }
}

/// The text is not a plan's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanIdError;

impl FromStr for PlanId {
    type Err = PlanIdError;

    fn from_str(text: &str) -> Result<PlanId, PlanIdError> {
        let (revision, digest) = text.split_once('-').ok_or(PlanIdError)?;
        let revision = revision.parse().map_err(|_| PlanIdError)?;
        let digest = u64::from_str_radix(digest, 16).map_err(|_| PlanIdError)?;
        let id = PlanId { revision, digest };
        // One plan has one name: no signs, no zeros before, no capitals.
        if id.to_string() == text { Ok(id) } else { Err(PlanIdError) }
    }
}
