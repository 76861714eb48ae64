//! What operators may want to change.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::MemberId;
use crate::ring::member::{Weight, Zone};

/// A change that is staged until a plan with it is committed. The words are riak-admin's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented; their fields are what they are called")]
pub enum Change {
    /// Lets a member in. Until the commit it is *joining* and holds nothing.
    Join { member: MemberId, name: String, zone: Zone, weight: Weight },
    /// Lets a member give away what it holds, and go.
    Leave(MemberId),
    /// Puts a joining member in all places of one that then leaves. Nothing else moves, if both have one weight and zone.
    Replace { old: MemberId, new: MemberId },
    /// The same, when the old one cannot give anything: its replicas are lost at the commit.
    ForceReplace { old: MemberId, new: MemberId },
    /// Takes a member out that cannot give anything: its replicas are lost at the commit.
    ForceRemove(MemberId),
    /// Says that a member is out of reach for now: it keeps what it holds, leads nothing and is given nothing.
    Down(MemberId),
    /// Says what a member may fail together with.
    Zone(MemberId, Zone),
    /// Says how much a member should hold.
    Weight(MemberId, Weight),
}

/// What a change is about, for a member: of each kind there is one staged at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// That it comes.
    Coming,
    /// Whether it stays.
    Staying,
    /// Whose places it takes.
    Taking,
    /// Its zone.
    Zone,
    /// Its weight.
    Weight,
}

impl Change {
    /// Whom it is about, and in which matter.
    pub fn matters(&self) -> impl Iterator<Item = (MemberId, Matter)> {
        let (first, second) = match self {
            Change::Join { member, .. } => ((*member, Matter::Coming), None),
            Change::Leave(member) | Change::ForceRemove(member) | Change::Down(member) => {
                ((*member, Matter::Staying), None)
            }
            Change::Replace { old, new } | Change::ForceReplace { old, new } => {
                ((*old, Matter::Staying), Some((*new, Matter::Taking)))
            }
            Change::Zone(member, _) => ((*member, Matter::Zone), None),
            Change::Weight(member, _) => ((*member, Matter::Weight), None),
        };
        [Some(first), second].into_iter().flatten()
    }

    /// Whom it is about.
    pub fn members(&self) -> impl Iterator<Item = MemberId> {
        self.matters().map(|(member, _)| member)
    }

    /// Whether rows are lost by it.
    pub fn is_forced(&self) -> bool {
        matches!(self, Change::ForceReplace { .. } | Change::ForceRemove(_))
    }

    /// The command's word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Change::Join { .. } => "join",
            Change::Leave(_) => "leave",
            Change::Replace { .. } => "replace",
            Change::ForceReplace { .. } => "force-replace",
            Change::ForceRemove(_) => "force-remove",
            Change::Down(_) => "down",
            Change::Zone(..) => "zone",
            Change::Weight(..) => "weight",
        }
    }
}

impl Change {
    /// The command for it, with members called as `name` calls them.
    pub fn told(&self, name: &dyn Fn(MemberId) -> String) -> String {
        let mut words = vec![self.word().to_owned()];
        words.extend(self.members().map(name));
        match self {
            Change::Zone(_, zone) => words.push(zone.name().to_owned()),
            Change::Weight(_, weight) => words.push(weight.get().to_string()),
            _ => {}
        }
        words.join(" ")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&|member| member.0.to_string()))
    }
}
