//! What can go wrong, each as a line of the plan. All end when the hurting ends.

use serde::{Deserialize, Serialize};

use super::Config;

/// One thing that goes wrong at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// When it begins, in milliseconds since the hurting began.
    pub at_ms: u64,
    /// How long it lasts. For what ends a process: how long it stays down.
    pub for_ms: u64,
    /// What it is.
    pub what: What,
}

/// What goes wrong. Members and people are numbered from 0. "So often" is in a million.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the variants are documented, and their fields are named after what they are")]
pub enum What {
    /// The process is killed between two of its steps.
    Kill { member: u32, loss: Loss },
    /// The process is killed at the n-th of its effects from then on.
    KillAt { member: u32, effect: Effect, nth: u32, loss: Loss },
    /// The process does not run, and goes on with what it had.
    Pause { member: u32 },
    /// Each turn of a shard begins late.
    SlowDisk { member: u32, mean_us: u64 },
    /// Nothing comes back from the disk until it is over.
    StuckDisk { member: u32 },
    /// The n-th sync from then on fails; what it should have made durable is gone.
    FailingSync { member: u32, nth: u32 },
    /// What is read is not what was written, so often.
    Rot { member: u32, per_million: u32 },
    /// The disk is below its reserve.
    ScarceDisk { member: u32 },
    /// The disk has no space at all: not for the log either.
    FullDisk { member: u32 },
    /// The disk is replaced by a copy that was made at the beginning. The process is killed at the end.
    RolledBack { member: u32, down_ms: u64 },
    /// The wall clock is off by this.
    Skew { member: u32, millis: i64 },
    /// Both clocks run fast (or slow) by so many parts in a million.
    Drift { member: u32, ppm: i32 },
    /// The wall clock jumps, and stays there.
    Step { member: u32, millis: i64 },
    /// The clock of a phone is off by this.
    PhoneSkew { person: u32, millis: i64 },
    /// What a link carries takes longer: exponential around a mean, and now and then very long.
    Delay { link: Link, mean_us: u64, tail_per_million: u32, tail_ms: u64 },
    /// Packets are lost, so often, and sent again.
    Lossy { link: Link, per_million: u32 },
    /// The connection is reset in the middle of what it carries, so often.
    Reset { link: Link, per_million: u32 },
    /// One end forgets the connection, so often; the other waits.
    HalfOpen { link: Link, per_million: u32 },
    /// Nothing comes through: to the member, from it, or both.
    Cut { link: Link, to: bool, from: bool },
    /// Cut and whole by turns.
    Flap { link: Link, each_ms: u64 },
    /// Nothing of what a member sends arrives at another one. Both ways are two of these.
    PeerCut { from: u32, to: u32 },
}

/// Between whom. Links between members have no more than cuts: see [`What::PeerCut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Link {
    /// Whose phone.
    pub person: u32,
    /// Which member.
    pub member: u32,
}

/// What is left of what was never synced, when a process or a machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Loss {
    /// All is there: the system had written it anyway.
    Nothing,
    /// None of it is there.
    Everything,
    /// In every file, what was written before some point.
    Tail,
    /// As `Tail`, and the next record is there by half: to be found out by its checksum, and dropped.
    Torn,
}

/// What a member does to the world, and can die at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Before anything of a batch is written.
    Append,
    /// When a batch is written and not yet synced.
    Sync,
    /// When it is synced, and nothing of it was answered.
    Send,
    /// When a checkpoint is on disk, and the log does not know it yet.
    Commit,
}

impl What {
    /// Its class, as it is counted and shown.
    pub fn class(&self) -> &'static str {
        match self {
            What::Kill { .. } => "kill",
            What::KillAt { effect: Effect::Append, .. } => "kill-at-append",
            What::KillAt { effect: Effect::Sync, .. } => "kill-at-sync",
            What::KillAt { effect: Effect::Send, .. } => "kill-at-send",
            What::KillAt { effect: Effect::Commit, .. } => "kill-at-commit",
            What::Pause { .. } => "pause",
            What::SlowDisk { .. } => "slow-disk",
            What::StuckDisk { .. } => "stuck-disk",
            What::FailingSync { .. } => "failing-sync",
            What::Rot { .. } => "rot",
            What::ScarceDisk { .. } => "scarce-disk",
            What::FullDisk { .. } => "full-disk",
            What::RolledBack { .. } => "rolled-back",
            What::Skew { .. } => "skew",
            What::Drift { .. } => "drift",
            What::Step { .. } => "step",
            What::PhoneSkew { .. } => "phone-skew",
            What::Delay { .. } => "delay",
            What::Lossy { .. } => "lossy",
            What::Reset { .. } => "reset",
            What::HalfOpen { .. } => "half-open",
            What::Cut { .. } => "cut",
            What::Flap { .. } => "flap",
            What::PeerCut { .. } => "peer-cut",
        }
    }

    /// The member that it is at, if it is at one.
    pub fn member(&self) -> Option<u32> {
        match *self {
            What::Kill { member, .. }
            | What::KillAt { member, .. }
            | What::Pause { member }
            | What::SlowDisk { member, .. }
            | What::StuckDisk { member }
            | What::FailingSync { member, .. }
            | What::Rot { member, .. }
            | What::ScarceDisk { member }
            | What::FullDisk { member }
            | What::RolledBack { member, .. }
            | What::Skew { member, .. }
            | What::Drift { member, .. }
            | What::Step { member, .. } => Some(member),
            // Where it is sent.
            What::PeerCut { from, .. } => Some(from),
            What::PhoneSkew { .. }
            | What::Delay { .. }
            | What::Lossy { .. }
            | What::Reset { .. }
            | What::HalfOpen { .. }
            | What::Cut { .. }
            | What::Flap { .. } => None,
        }
    }

    /// The link that it is on, if it is on one.
    pub fn link(&self) -> Option<Link> {
        match *self {
            What::Delay { link, .. }
            | What::Lossy { link, .. }
            | What::Reset { link, .. }
            | What::HalfOpen { link, .. }
            | What::Cut { link, .. }
            | What::Flap { link, .. } => Some(link),
            _ => None,
        }
    }

    /// Whether those whom it names are there.
    pub(super) fn is_within(&self, config: &Config) -> bool {
        let link = self.link();
        let member = self.member().or(link.map(|link| link.member)).unwrap_or(0);
        let person = match *self {
            What::PhoneSkew { person, .. } => person,
            _ => link.map_or(0, |link| link.person),
        };
        let peer = match *self {
            What::PeerCut { from, to } => to < config.members && to != from,
            _ => true,
        };
        member < config.members && person < config.people && peer
    }
}
