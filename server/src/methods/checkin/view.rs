//! A check-in as clients send and see it, as its node's attributes, and what one caller may see of many.

use std::collections::BTreeMap;

use gomer_core::id::{Id, Root, RootKind};
use gomer_core::rows::node::{Flags, Node};
use schemars::JsonSchema;
use serde::Serialize;

use super::globe::Point;
use super::place::{Place, place};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{AUDIENCE, Audience, CREATED_AT, audience, json, read};
use crate::methods::publication::Publication;
use crate::model::{CHECKED_IN, CHECKIN};
use crate::registry::{Call, NodeView, Rev, Stop};
use crate::types::{Timestamp, Uuid};

/// Verb of an entry: somebody arrived somewhere (Activity Streams 2.0 `Arrive`).
pub const VERB_ARRIVE: u16 = 80;

/// Most characters of what a check-in says.
pub const NOTE_CHARS_MAX: usize = 1_000;

/// The place of a check-in.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlaceInBrief {
    /// The place.
    pub id: Uuid,
    /// What people call it; absent if it was taken down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is; absent if it was taken down.
    #[serde(flatten)]
    pub point: Option<Point>,
}

impl PlaceInBrief {
    /// The gist of a place.
    pub fn of(id: Id, place: Option<&Place>) -> PlaceInBrief {
        PlaceInBrief {
            id: Uuid(id),
            name: place.map(|place| place.name.clone()),
            point: place.map(|place| place.point),
        }
    }
}

/// A check-in.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckIn {
    /// Its id, chosen by the author's device.
    pub id: Uuid,
    /// Who was there.
    pub author: Uuid,
    /// Where.
    pub place: PlaceInBrief,
    /// What they say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who may know.
    pub audience: Audience,
    /// When, by the server's clock.
    pub created_at: Timestamp,
    /// Its revision.
    pub rev: Rev,
    /// A moderator took it down; only its author still sees it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl CheckIn {
    /// Reads a check-in's node. What cannot be read (a newer program wrote it) is as if it were not set.
    pub fn read(id: Id, view: &NodeView, place: PlaceInBrief) -> CheckIn {
        let node = &view.node;
        CheckIn {
            id: Uuid(id),
            author: Uuid(node.author),
            place,
            note: read(node, NOTE),
            audience: audience(node),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            rev: view.rev,
            removed: node.flags.has(Flags::REMOVED),
        }
    }

    /// The attributes of a new check-in's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs = vec![
            (PLACE.to_owned(), json(&self.place.id)),
            (AUDIENCE.to_owned(), json(&self.audience)),
            (CREATED_AT.to_owned(), json(&self.created_at)),
        ];
        attrs.extend(self.note.as_ref().map(|note| (NOTE.to_owned(), json(note))));
        attrs
    }

    /// What it is as something that was published.
    pub fn publication(&self) -> Publication {
        Publication {
            author: self.author.0,
            object: checkin_root(self.id.0),
            verb: VERB_ARRIVE,
            audience: self.audience,
            own: CHECKED_IN,
        }
    }
}

/// The root of a check-in.
pub fn checkin_root(id: Id) -> Root {
    Root::new(RootKind::CheckIn, id)
}

/// The place that a check-in's node names.
pub fn place_of(node: &Node) -> Id {
    read(node, PLACE).map_or(Id::NIL, |place: Uuid| place.0)
}

/// These check-ins as far as the caller may see them, in the order asked.
pub async fn checkins(call: &Call, reader: &mut Reader, ids: &[Id]) -> Result<Vec<CheckIn>, Stop> {
    let mut places: BTreeMap<Id, PlaceInBrief> = BTreeMap::new();
    let mut items = Vec::with_capacity(ids.len());
    for &id in ids {
        let Some(view) = call.node(checkin_root(id), id).await?.filter(|view| view.node.ty == CHECKIN) else {
            continue;
        };
        if !reader.sees(&view.node).await? {
            continue;
        }
        let at = place_of(&view.node);
        let brief = match places.get(&at) {
            Some(known) => known.clone(),
            None => {
                let brief = PlaceInBrief::of(at, place(call, reader, at).await?.as_ref());
                places.entry(at).or_insert(brief).clone()
            }
        };
        items.push(CheckIn::read(id, &view, brief));
    }
    Ok(items)
}

/// The same for lists that nobody asked for one by one: what the caller mutes is left out.
pub async fn listed_checkins(call: &Call, reader: &mut Reader, ids: &[Id]) -> Result<Vec<CheckIn>, Stop> {
    let mut items = checkins(call, reader, ids).await?;
    let mutes = reader.own_mutes().await?;
    items.retain(|item| {
        let note = item.note.as_deref().unwrap_or_default();
        !reader.mutes(item.author.0) && !mutes.iter().any(|mute| mute.silences(item.id.0, note, &[]))
    });
    Ok(items)
}

/// Attribute: the place's id.
const PLACE: &str = "place";
/// Attribute: what is said of it.
const NOTE: &str = "note";
