//! What was deleted, until the horizon; and up to where a section has forgotten its deletions.

use serde::{Deserialize, Serialize};

use crate::id::{Id, NodeType, Position, Section};
use crate::time::Time;

use super::key::{KeyReader, KeyWriter, Place, RowRef};
use super::{Kind, Row};

/// A deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Where it was.
    pub section: Section,
    /// Position of the deletion.
    pub position: Position,
    /// When, by the server's clock.
    pub time: Time,
    /// Who made what was deleted.
    pub author: Id,
    /// Of a node: what it was, so that a follower learns which of its things is gone.
    pub ty: Option<NodeType>,
}

impl Row for Tombstone {
    const KIND: Kind = Kind::Tombstone;
}

/// Greatest position whose deletions a section no longer remembers. A follower behind it is resynced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// That position.
    pub position: Position,
}

impl Row for Forgotten {
    const KIND: Kind = Kind::Forgotten;
}

/// The key of a tombstone.
pub fn key(place: Place, row: RowRef) -> Vec<u8> {
    row.write(KeyWriter::of_root(place, Kind::Tombstone)).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<(Place, RowRef)> {
    let (place, mut rest) = KeyReader::of_root(key, Kind::Tombstone)?;
    let row = RowRef::read(&mut rest)?;
    rest.end().map(|()| (place, row))
}

/// The key of a section's forgotten position.
pub fn forgotten_key(place: Place, section: Section) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Forgotten).u8(section.0).end()
}
