//! A snapshot that is being received. While this row stands, the vnode has no state: its rows are partly of
//! one position and partly of another.

use serde::{Deserialize, Serialize};

use crate::id::{Partition, Position};

use super::applied::Applied;
use super::key::KeyWriter;
use super::replicas::Replicas;
use super::{Kind, Row};

/// A moment of a partition: what its rows are as of one position, without the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The position, and what the rows sum to.
    pub applied: Applied,
    /// The replicas, as of there.
    pub replicas: Replicas,
}

/// Names a cut. Two with the same name have the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CutName {
    /// The position.
    pub position: Position,
    /// The term of the entry there.
    pub term: u64,
    /// Identity of the log.
    pub history: u64,
    /// Sum of the rows.
    pub digest: u64,
}

impl Cut {
    /// Its name.
    pub fn name(&self) -> CutName {
        let Applied { position, term, history, digest, .. } = self.applied;
        CutName { position, term, history, digest }
    }
}

/// How far a snapshot is received. Written with the rows that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingest {
    /// What the vnode had applied before: its log is still read from there.
    pub before: Applied,
    /// What is being received; nothing yet if the vnode only knows that its rows are damaged.
    pub cut: Option<Cut>,
    /// Raft id of who sends it.
    pub source: u64,
    /// All rows below this key are those of the cut.
    pub next: Vec<u8>,
    /// Their sum.
    pub sum: u64,
    /// The rows failed a check: this is a repair.
    pub damaged: bool,
}

impl Row for Ingest {
    const KIND: Kind = Kind::Ingest;
}

/// The key.
pub fn key(partition: Partition) -> Vec<u8> {
    KeyWriter::of_partition(partition, Kind::Ingest).end()
}
