//! A directed, typed edge, its place in its list, and the list's count.
//!
//! The list is kept newest first with the data in it, so that a page is one scan; a second row finds
//! a link's place by its target.

use serde::{Deserialize, Serialize};

use crate::id::{Id, LinkType, Position, Section};
use crate::time::Time;

use super::key::{KeyReader, KeyWriter, Place};
use super::{Kind, Row};

/// Where a link stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSlot {
    /// The link's time, by which the list is ordered.
    pub time: Time,
}

impl Row for LinkSlot {
    const KIND: Kind = Kind::Link;
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Position of its last change.
    pub rev: Position,
    /// Who reads it.
    pub section: Section,
    /// JSON text, or empty. Core never parses it.
    pub data: String,
}

impl Row for Link {
    const KIND: Kind = Kind::LinkOrder;
}

/// How many links of one type a root has. A row of its own: it never moves the revision of a node or of
/// another link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCount {
    /// Links that exist now.
    pub count: u64,
    /// Position of its last change.
    pub rev: Position,
    /// Who reads it: who reads the link that changed it last.
    pub section: Section,
}

impl Row for LinkCount {
    const KIND: Kind = Kind::LinkCount;
    const VERSION: u8 = 2;
}

/// Where a link stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinkPlace {
    /// The link's time.
    pub time: Time,
    /// Its target.
    pub to: Id,
}

/// A link as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkView {
    /// Its target.
    pub to: Id,
    /// Its time.
    pub time: Time,
    /// The rest.
    pub link: Link,
}

/// The key of a link's slot.
pub fn slot_key(place: Place, ty: LinkType, to: Id) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Link).u16(ty.0).id(to).end()
}

/// The key of a link in its list.
pub fn order_key(place: Place, ty: LinkType, time: Time, to: Id) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::LinkOrder).u16(ty.0).newest_first(time).id(to).end()
}

/// What all keys of a list begin with.
pub fn list_prefix(place: Place, ty: LinkType) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::LinkOrder).u16(ty.0).end()
}

/// Reads what [`order_key`] wrote.
pub fn read_order_key(key: &[u8]) -> Option<(LinkType, Time, Id)> {
    let (_, mut rest) = KeyReader::of_root(key, Kind::LinkOrder)?;
    let parts = (LinkType(rest.u16()?), rest.newest_first()?, rest.id()?);
    rest.end().map(|()| parts)
}

/// The key of a list's count.
pub fn count_key(place: Place, ty: LinkType) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::LinkCount).u16(ty.0).end()
}
