//! One element of a stream: an Activity Streams item (actor, verb, object, target).

use serde::{Deserialize, Serialize};

use crate::id::{Id, Order, Position, Root, Section, StreamId};
use crate::time::Time;

use super::key::{KeyReader, KeyWriter, Place};
use super::{Kind, Row};

/// Who did what to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The profile that acted.
    pub actor: Id,
    /// An Activity Streams 2.0 verb, by the product's number.
    pub verb: u16,
    /// What was acted on.
    pub object: Root,
    /// Where to, if anywhere.
    pub target: Option<Root>,
    /// JSON text with what a reader needs beside it, or empty.
    pub extra: String,
}

/// A stored entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id: appending the same id again changes nothing.
    pub id: Id,
    /// Who reads it.
    pub section: Section,
    /// Position of its last change.
    pub rev: Position,
    /// When it was appended, by the server's clock.
    pub time: Time,
    /// What happened.
    pub activity: Activity,
}

impl Row for Entry {
    const KIND: Kind = Kind::Entry;
}

/// Finds an entry by its id, and remembers a retraction until the horizon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntrySlot {
    /// Its place in the stream.
    pub order: Order,
    /// When it was retracted, and at which position; final.
    pub retracted: Option<(Time, Position)>,
}

impl Row for EntrySlot {
    const KIND: Kind = Kind::EntryId;
}

/// An entry as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    /// Its place.
    pub order: Order,
    /// The rest.
    pub entry: Entry,
}

/// The key of an entry.
pub fn key(place: Place, stream: StreamId, order: Order) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Entry).u16(stream.0).order(order).end()
}

/// What all keys of a stream begin with.
pub fn stream_prefix(place: Place, stream: StreamId) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Entry).u16(stream.0).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<(StreamId, Order)> {
    let (_, mut rest) = KeyReader::of_root(key, Kind::Entry)?;
    let parts = (StreamId(rest.u16()?), rest.order()?);
    rest.end().map(|()| parts)
}

/// The key of an entry's slot.
pub fn slot_key(place: Place, stream: StreamId, id: Id) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::EntryId).u16(stream.0).id(id).end()
}
