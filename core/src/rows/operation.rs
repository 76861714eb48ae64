//! Operation records: an operation id takes effect once, and the same reply comes again.

use serde::{Deserialize, Serialize};

use crate::id::{Id, Position};
use crate::time::Time;

use super::key::{KeyWriter, Place};
use super::{Kind, Row};

/// What an operation did, kept 30 days by the command's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpRecord {
    /// Hash of method and body: the same id with another body is refused.
    pub fingerprint: [u8; 16],
    /// Position of the write.
    pub position: Position,
    /// Revision of the entity the reply speaks of.
    pub rev: Position,
    /// When.
    pub time: Time,
    /// The reply as it was given, in parts between which the revision stands.
    pub reply: Vec<Vec<u8>>,
}

impl Row for OpRecord {
    const KIND: Kind = Kind::Operation;
}

/// The key: operation ids are per (app, caller, root).
pub fn key(place: Place, caller: Id, op: Id) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Operation).id(caller).id(op).end()
}
