//! A read mark: how far somebody has read a stream.

use serde::{Deserialize, Serialize};

use crate::id::{Order, Position, StreamId};

use super::key::{KeyWriter, Place};
use super::node::Stamp;
use super::{Kind, Row};

/// A stamped register, so that "mark unread" can move it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The last entry that was read.
    pub at: Order,
    /// The edit that set it.
    pub stamp: Stamp,
    /// Position of its last change.
    pub rev: Position,
}

impl Row for Mark {
    const KIND: Kind = Kind::Mark;
}

/// The key. Marks are private.
pub fn key(place: Place, stream: StreamId) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Mark).u16(stream.0).end()
}
