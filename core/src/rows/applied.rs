//! How far a vnode has applied its log, written with what it applied.

use serde::{Deserialize, Serialize};

use crate::id::{Partition, Position};
use crate::time::Time;

use super::key::KeyWriter;
use super::{Kind, Row};

/// A stretch of a log under one owner's watch. A group of one opens an era at each start, because its
/// disk may have been rolled back with nobody to notice: revisions and cursors carry the era, and one
/// that is not in the list, or lies beyond its era's end, is from a past that did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// Random.
    pub tag: u32,
    /// First position of the era.
    pub first: Position,
}

/// The vnode's own row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Applied {
    /// Position of the last entry applied.
    pub position: Position,
    /// Its term.
    pub term: u64,
    /// Stamp of the last command; the next is never less.
    pub time: Time,
    /// Sum of the hashes of all replicated rows, but for this one: equal on replicas at equal positions.
    pub digest: u64,
    /// Identity of the log, drawn when it began or was restored.
    pub history: u64,
    /// Eras, oldest first.
    pub eras: Vec<Era>,
    /// Raft ids of the voters.
    pub voters: Vec<u64>,
}

impl Row for Applied {
    const KIND: Kind = Kind::Applied;
}

impl Applied {
    /// The era that a position belongs to.
    pub fn era_of(&self, position: Position) -> Option<Era> {
        self.eras.iter().rev().find(|era| era.first <= position).copied()
    }

    /// Whether `position` was really reached under the era `tag`.
    pub fn knows(&self, tag: u32, position: Position) -> bool {
        position <= self.position && self.era_of(position).is_some_and(|era| era.tag == tag)
    }
}

/// The key.
pub fn key(partition: Partition) -> Vec<u8> {
    KeyWriter::of_partition(partition, Kind::Applied).end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_beyond_its_eras_end_is_not_known() {
        let applied = Applied {
            position: Position(900),
            eras: vec![Era { tag: 7, first: Position(1) }, Era { tag: 9, first: Position(501) }],
            ..Applied::default()
        };
        assert!(applied.knows(7, Position(500)));
        assert!(!applied.knows(7, Position(501)), "the seventh era ended at 500");
        assert!(applied.knows(9, Position(900)));
        assert!(!applied.knows(9, Position(901)), "not reached yet");
        assert!(!applied.knows(8, Position(3)));
    }
}
