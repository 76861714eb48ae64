//! Numbers that are given out once and never again.

use serde::{Deserialize, Serialize};

use crate::id::AppId;
use crate::ring::partition::META;
use crate::rows::key::KeyWriter;
use crate::rows::{Kind, Row};

/// The last number that was given out. No row: none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The number.
    pub last: u32,
}

impl Row for Counter {
    const KIND: Kind = Kind::Counter;
}

/// The counter of apps.
pub fn apps_key() -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Counter).u8(1).u32(0).end()
}

/// The counter of an app's types.
pub fn types_key(app: AppId) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Counter).u8(2).u32(app.0).end()
}
