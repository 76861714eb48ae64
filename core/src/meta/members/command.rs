//! What membership is told, and what it answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::MemberId;
use crate::ring::member::MemberState;
use crate::ring::plan::Move;
use crate::ring::table::Ring;

use super::change::Change;
use super::plan::PlanId;

/// A command on the membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented; their fields are what they are called")]
pub enum Command {
    /// Adds a change to those that the next plan is about.
    Stage(Change),
    /// Throws all staged changes away. Who was joining is no member any more.
    Clear,
    /// Makes the staged changes, and `target` the ring that should be, if both are what the plan said. The ring comes with the
    /// command, so that whoever applies it need not claim: members of different versions may claim differently.
    Commit { plan: PlanId, target: Ring },
    /// A member that was down is there again. It says so itself.
    Up(MemberId),
    /// A move of the target of generation `since` is done: the change of the replicas is committed by the partition's group.
    Landed { since: u64, done: Move },
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was so already.
    Unchanged,
    /// The plan is committed; the ring's generation is now this.
    Committed(u64),
    /// This very plan was committed already, by somebody else or by the same command before.
    AlreadyCommitted,
}

/// Why a command was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// That is no name for a member.
    BadName,
    /// A member with this id is there and is not joining so.
    AlreadyMember(MemberId),
    /// Another member is called so.
    NameTaken(MemberId),
    /// There are as many members as there may be.
    TooManyMembers,
    /// There is no such member.
    NoSuchMember(MemberId),
    /// A member cannot be replaced by itself.
    SameMember(MemberId),
    /// The change is not for a member in this state.
    WrongState(MemberId, MemberState),
    /// Something else is staged for the member in this matter. Clear it first.
    AlreadyStaged(Change),
    /// Nothing is staged, and the ring is what it should be.
    NothingStaged,
    /// Nobody would be left to hold anything.
    NobodyLeft,
    /// This happened since the plan was made; `earlier` says that there is more that is no longer known.
    PlanChanged {
        /// What happened, the oldest first.
        since: Vec<Event>,
        /// Whether there was more before.
        earlier: bool,
    },
    /// No such plan was shown at this revision, or the command brings another ring than the plan's.
    UnknownPlan,
    /// The ring has a partition held by somebody who will not be there, or another number of partitions.
    UnsoundRing,
    /// The move belongs to a target that was given up; the present one is of this generation.
    TargetChanged(u64),
    /// There is no such move to be done.
    NoSuchMove,
}

/// Something that happened, and made this revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The revision.
    pub revision: u64,
    /// What happened.
    pub what: Happening,
}

/// What a plan depends on, when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happening {
    /// A change was staged.
    Staged(Change),
    /// The staged changes were thrown away.
    Cleared,
    /// A plan was committed.
    Committed(PlanId),
    /// A member came back.
    Up(MemberId),
    /// A staged change was dropped, because its member has left.
    Dropped(Change),
    /// A move was done that changes what the staged changes would lose.
    Landed(Move),
}

impl Happening {
    /// What happened, with members called as `name` calls them.
    pub fn told(&self, name: &dyn Fn(MemberId) -> String) -> String {
        match self {
            Happening::Staged(change) => format!("`{}` was staged", change.told(name)),
            Happening::Cleared => "the staged changes were cleared".to_owned(),
            Happening::Committed(plan) => format!("plan {plan} was committed"),
            Happening::Up(member) => format!("member {} came back", name(*member)),
            Happening::Landed(done) => {
                format!("a replica of partition {} moved, and other rows would be lost", done.partition.0)
            }
            Happening::Dropped(change) => {
                format!("`{}` was dropped, because the member has left", change.told(name))
            }
        }
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&|member| member.0.to_string()))
    }
}

impl Refusal {
    /// Why, with members called as `name` calls them.
    pub fn told(&self, name: &dyn Fn(MemberId) -> String) -> String {
        match self {
            Refusal::BadName => {
                "not a member's name: 1 to 63 of a-z, 0-9 and -, with - neither first nor last".to_owned()
            }
            Refusal::AlreadyMember(id) => format!("{} is a member already", name(*id)),
            Refusal::NameTaken(id) => format!("member {} is called so", name(*id)),
            Refusal::TooManyMembers => format!("a cluster has {} members at most", super::MEMBERS_MAX),
            Refusal::NoSuchMember(id) => format!("there is no member {}", name(*id)),
            Refusal::SameMember(id) => format!("member {} cannot take its own place", name(*id)),
            Refusal::WrongState(id, state) => {
                let is = match state {
                    MemberState::Joining => "only joining: clear, or commit first",
                    MemberState::Valid => "a valid member, not one that joins",
                    MemberState::Leaving => "leaving already",
                    MemberState::Down => "down and can give nothing: force-replace or force-remove it",
                };
                format!("member {} is {is}", name(*id))
            }
            Refusal::AlreadyStaged(change) => format!("`{}` is staged: clear it first", change.told(name)),
            Refusal::NothingStaged => "nothing is staged".to_owned(),
            Refusal::NobodyLeft => "nobody would be left to hold anything".to_owned(),
            Refusal::PlanChanged { since, earlier } => {
                let mut happened: Vec<String> = since.iter().map(|event| event.what.told(name)).collect();
                if *earlier {
                    happened.insert(0, "…".to_owned());
                }
                format!("the cluster has changed since that plan: {}", happened.join(", "))
            }
            Refusal::UnknownPlan => "there is no such plan".to_owned(),
            Refusal::UnsoundRing => "not a ring of these members".to_owned(),
            Refusal::TargetChanged(generation) => {
                format!("the target is now that of generation {generation}")
            }
            Refusal::NoSuchMove => "there is no such move".to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&|member| member.0.to_string()))
    }
}

impl std::error::Error for Refusal {}
