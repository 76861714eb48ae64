//! The operator's credential.

use serde::{Deserialize, Serialize};

use crate::id::Position;
use crate::ring::partition::META;
use crate::rows::key::KeyWriter;
use crate::rows::{Kind, Row};

/// The credential, set once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Position at which it was set.
    pub rev: Position,
}

impl Row for Operator {
    const KIND: Kind = Kind::Operator;
}

/// The key.
pub fn key() -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Operator).end()
}
