//! A vertex of the graph.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{Id, NodeType, Position, Section};
use crate::time::Time;

use super::key::{KeyWriter, Place};
use super::{Kind, Row};

/// When and by which operation an attribute was edited. The later stamp wins; equal times are told
/// apart by the operation id, so that replicas and phones agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Stamp {
    /// The device's claim, clamped to the command's time.
    pub time: Time,
    /// The operation.
    pub op: Id,
}

/// An attribute's value as JSON text (`None`: cleared), with its stamp. Core never parses the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attr {
    /// The value.
    pub json: Option<String>,
    /// Its last edit.
    pub stamp: Stamp,
}

/// Marks that can be lifted again: not deletions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// The person is banned.
    pub const BANNED: Flags = Flags(1);
    /// A moderator took it down.
    pub const REMOVED: Flags = Flags(2);
    /// Hidden until approved.
    pub const HIDDEN: Flags = Flags(4);
    /// The account is private: followers are asked for.
    pub const PRIVATE: Flags = Flags(8);

    /// Whether all of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// With `set` added and `clear` taken away.
    pub const fn changed(self, set: Flags, clear: Flags) -> Flags {
        Flags((self.0 | set.0) & !clear.0)
    }
}

/// A vertex: typed, with attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is.
    pub ty: NodeType,
    /// Who reads it.
    pub section: Section,
    /// Who made it. The same id by another author is refused.
    pub author: Id,
    /// Position of its last change.
    pub rev: Position,
    /// When it was made, by the server's clock.
    pub created: Time,
    /// When it was last changed, by the server's clock.
    pub updated: Time,
    /// Marks.
    pub flags: Flags,
    /// Values by name.
    pub attrs: BTreeMap<String, Attr>,
}

impl Row for Node {
    const KIND: Kind = Kind::Node;
}

impl Node {
    /// The JSON text of an attribute, if it is set.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.get(name)?.json.as_deref()
    }
}

/// The key of a node.
pub fn key(place: Place, id: Id) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Node).id(id).end()
}
