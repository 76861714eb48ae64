//! The change index: what changed in a section, in order of position. One row per live thing: when
//! it changes again, its change moves.

use serde::{Deserialize, Serialize};

use crate::id::{Position, Section};

use super::key::{KeyReader, KeyWriter, Place, RowRef};
use super::{Kind, Row};

/// Says nothing beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change;

impl Row for Change {
    const KIND: Kind = Kind::Change;
}

/// The key.
pub fn key(place: Place, section: Section, position: Position, row: RowRef) -> Vec<u8> {
    row.write(KeyWriter::of_root(place, Kind::Change).u8(section.0).u64(position.0)).end()
}

/// The first key of a section after `position`.
pub fn from(place: Place, section: Section, position: Position) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Change).u8(section.0).u64(position.0.saturating_add(1)).end()
}

/// Reads what [`key`] wrote, but for the place.
pub fn read_key(key: &[u8]) -> Option<(Section, Position, RowRef)> {
    read_whole_key(key).map(|(_, section, position, row)| (section, position, row))
}

/// Reads what [`key`] wrote.
pub fn read_whole_key(key: &[u8]) -> Option<(Place, Section, Position, RowRef)> {
    let (place, mut rest) = KeyReader::of_root(key, Kind::Change)?;
    let section = Section(rest.u8()?);
    let position = Position(rest.u64()?);
    let row = RowRef::read(&mut rest)?;
    rest.end().map(|()| (place, section, position, row))
}
