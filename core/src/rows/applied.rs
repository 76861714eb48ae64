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

/// The eras of a log, oldest first: what tells in which one a position was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Eras(Vec<Era>);

/// Eras that are remembered: starts of a group of one.
const ERAS_MAX: usize = 128;

impl Eras {
    /// These eras, oldest first.
    pub fn new(eras: Vec<Era>) -> Eras {
        debug_assert!(eras.is_sorted_by(|a, b| a.first < b.first), "eras are kept oldest first");
        Eras(eras)
    }

    /// The tag of the era that a position belongs to. Zero for one before all that are remembered: it is so
    /// old that every disk that could be put in this one's place has it too.
    pub fn of(&self, position: Position) -> u32 {
        self.0.iter().rev().find(|era| era.first <= position).map_or(0, |era| era.tag)
    }

    /// The tag of the present era; zero before the first.
    pub fn present(&self) -> u32 {
        self.0.last().map_or(0, |era| era.tag)
    }

    /// An era is about to begin, at this position or before it: its tag is not known yet, and whatever is said from
    /// here on is of no era.
    pub(crate) fn prepare(&mut self, first: Position) {
        if self.present() != 0 || self.0.is_empty() {
            self.push(Era { tag: 0, first });
        }
    }

    /// A new era begins, where it was prepared or else where it says. Who is of one that thereby falls out of the list is resynced.
    pub(crate) fn open(&mut self, era: Era) {
        match self.0.last_mut() {
            Some(prepared) if prepared.tag == 0 => prepared.tag = era.tag,
            _ => self.push(era),
        }
    }

    fn push(&mut self, era: Era) {
        self.0.push(era);
        let surplus = self.0.len().saturating_sub(ERAS_MAX);
        self.0.drain(..surplus);
    }
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
    pub eras: Eras,
    /// Raft ids of the voters.
    pub voters: Vec<u64>,
}

impl Row for Applied {
    const KIND: Kind = Kind::Applied;
}

impl Applied {
    /// Passes over an entry of Raft's own: the first of a term. Where the term's leader opens an era, the era begins
    /// here, not with the command that names it: what stood at this position on another disk is not of this log.
    pub(crate) fn pass(&mut self, position: Position, term: u64) {
        (self.position, self.term) = (position, term);
        if self.voters.len() == 1 || self.history == 0 {
            self.eras.prepare(position);
        }
    }

    /// Whether `position` was really reached under the era `tag`. Zero is no era's tag.
    pub fn knows(&self, tag: u32, position: Position) -> bool {
        position <= self.position && tag != 0 && self.eras.of(position) == tag
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
            eras: Eras::new(vec![Era { tag: 7, first: Position(1) }, Era { tag: 9, first: Position(501) }]),
            ..Applied::default()
        };
        assert!(applied.knows(7, Position(500)));
        assert!(!applied.knows(7, Position(501)), "the seventh era ended at 500");
        assert!(applied.knows(9, Position(900)));
        assert!(!applied.knows(9, Position(901)), "not reached yet");
        assert!(!applied.knows(8, Position(3)));
        assert!(!applied.knows(0, Position(0)), "before the first era nothing was reached");
    }

    #[test]
    fn an_era_begins_where_it_was_prepared_and_nothing_is_of_it_before_it_has_a_tag() {
        let mut applied =
            Applied { position: Position(500), history: 1, voters: vec![1], ..Applied::default() };
        applied.eras.open(Era { tag: 7, first: Position(1) });
        applied.pass(Position(501), 2);
        applied.pass(Position(502), 3);
        assert!(applied.knows(7, Position(500)) && !applied.knows(7, Position(501)));
        assert!(!applied.knows(0, Position(502)));
        applied.position = Position(503);
        applied.eras.open(Era { tag: 9, first: Position(503) });
        assert!(!applied.knows(7, Position(501)) && applied.knows(9, Position(501)));
        // Where several replicas keep each other's word, a new leader begins nothing.
        let mut three = Applied { voters: vec![1, 2, 3], ..applied };
        three.pass(Position(504), 4);
        assert!(three.knows(9, Position(504)));
    }

    #[test]
    fn a_position_keeps_its_era_when_later_ones_begin() {
        let mut eras = Eras::default();
        assert_eq!((eras.of(Position(3)), eras.present()), (0, 0));
        for start in 1..=300u32 {
            eras.open(Era { tag: start, first: Position(u64::from(start) * 10) });
            assert_eq!(eras.present(), start);
            // The newest 128 are remembered.
            for era in start.saturating_sub(127).max(1)..=start {
                assert_eq!(eras.of(Position(u64::from(era) * 10)), era);
            }
        }
        assert_eq!(eras.of(Position(1_725)), 0, "forgotten");
        assert_eq!(eras.of(Position(1_730)), 173);
        assert_eq!(eras.of(Position(u64::MAX)), 300);
    }
}
