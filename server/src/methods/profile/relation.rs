//! What is between me and others: read from my own root, which a block's step reaches too.

use std::collections::BTreeMap;

use gomer_core::id::{Id, LinkType, Root};
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{BLOCKED_BY, BLOCKS, FOLLOWED_BY, FOLLOWS, MUTES, REQUESTED, REQUESTED_BY};
use crate::registry::{Call, Stop};
use crate::types::Uuid;
use crate::visibility::Tie;

/// My relation to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Relation {
    /// The other profile.
    pub id: Uuid,
    /// I follow it.
    pub following: bool,
    /// It follows me.
    pub followed_by: bool,
    /// I asked to follow it.
    pub requested: bool,
    /// It asked to follow me.
    pub requested_by: bool,
    /// I mute it.
    pub muted: bool,
    /// I block it.
    pub blocking: bool,
}

impl Relation {
    /// Nothing between us.
    pub fn none(id: Id) -> Relation {
        Relation {
            id: Uuid(id),
            following: false,
            followed_by: false,
            requested: false,
            requested_by: false,
            muted: false,
            blocking: false,
        }
    }
}

/// A relation, and what only the server may know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What I may be told.
    pub relation: Relation,
    /// The other one blocks me.
    pub blocked_by: bool,
}

impl Known {
    /// What the visibility function asks.
    pub fn tie(&self) -> Tie {
        Tie {
            blocked: self.blocked_by || self.relation.blocking,
            follows: self.relation.following,
            named: false,
        }
    }

    /// What I may be told: of somebody who blocks me, nothing but what I did myself.
    pub fn told(&self) -> Relation {
        if self.blocked_by {
            let Relation { id, blocking, muted, .. } = self.relation;
            return Relation { blocking, muted, ..Relation::none(id.0) };
        }
        self.relation
    }
}

/// Notes that there is such a link.
type Set = fn(&mut Known);

/// What decides whether something is shown: follows, blocks and mutes.
const DECIDING: [(LinkType, Set); 4] = [
    (FOLLOWS, |known| known.relation.following = true),
    (BLOCKS, |known| known.relation.blocking = true),
    (BLOCKED_BY, |known| known.blocked_by = true),
    (MUTES, |known| known.relation.muted = true),
];

/// What is only told.
const TOLD: [(LinkType, Set); 3] = [
    (FOLLOWED_BY, |known| known.relation.followed_by = true),
    (REQUESTED, |known| known.relation.requested = true),
    (REQUESTED_BY, |known| known.relation.requested_by = true),
];

/// My relations to these profiles.
pub async fn relations(call: &Call, me: Id, ids: &[Id]) -> Result<BTreeMap<Id, Known>, Stop> {
    known(call, me, ids, &[&DECIDING[..], &TOLD].concat()).await
}

/// As much of my relations to these profiles as decides what I see. Half of all that a reader asks of the
/// graph begins with this, so the lists that do not matter are not read.
pub async fn deciding_relations(call: &Call, me: Id, ids: &[Id]) -> Result<BTreeMap<Id, Known>, Stop> {
    known(call, me, ids, &DECIDING).await
}

async fn known(
    call: &Call,
    me: Id,
    ids: &[Id],
    lists: &[(LinkType, Set)],
) -> Result<BTreeMap<Id, Known>, Stop> {
    let mut known: BTreeMap<Id, Known> =
        ids.iter().map(|&id| (id, Known { relation: Relation::none(id), blocked_by: false })).collect();
    if known.is_empty() {
        return Ok(known);
    }
    let asked: Vec<Id> = known.keys().copied().collect();
    let found = call.links_of(Root::profile(me), lists.iter().map(|(ty, _)| *ty), &asked).await?;
    for (&(ty, set), links) in lists.iter().zip(found) {
        for link in links.into_iter().flatten() {
            if ty == MUTES && has_ended(&link.link.data, call) {
                continue;
            }
            if let Some(known) = known.get_mut(&link.to) {
                set(known);
            }
        }
    }
    Ok(known)
}

/// My relation to one profile.
pub async fn relation(call: &Call, me: Id, id: Id) -> Result<Known, Stop> {
    let known = relations(call, me, &[id]).await?;
    Ok(known.get(&id).copied().unwrap_or(Known { relation: Relation::none(id), blocked_by: false }))
}

fn has_ended(mute: &str, call: &Call) -> bool {
    crate::methods::block::Mute::read(mute).is_none_or(|mute| mute.has_ended(call.now.wall))
}
