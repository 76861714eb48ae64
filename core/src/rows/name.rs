//! Unique names: who owns a handle or an e-mail address.

use serde::{Deserialize, Serialize};

use crate::id::{Id, Position};
use crate::time::Time;

use super::key::{KeyWriter, Place};
use super::{Kind, Row};

/// A name that is reserved or owned. No row: free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// The claiming profile.
    pub owner: Id,
    /// Identity of the claim: what its profile confirms or refuses.
    pub reservation: Id,
    /// Until it is confirmed: when to ask the claiming root.
    pub due: Option<Time>,
    /// Position of its last change.
    pub rev: Position,
}

impl Row for Name {
    const KIND: Kind = Kind::Name;
}

/// A reservation that its claiming root was asked about and had not used: no later write may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// When.
    pub time: Time,
}

impl Row for Refusal {
    const KIND: Kind = Kind::Refusal;
}

/// The key of a name, in the name's root.
pub fn key(place: Place) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Name).end()
}

/// The key of a refusal, in the claiming root.
pub fn refusal_key(place: Place, reservation: Id) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Refusal).id(reservation).end()
}
