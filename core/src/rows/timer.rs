//! What is to be done at a time, ordered by when.

use serde::{Deserialize, Serialize};

use crate::id::{Id, Partition};
use crate::time::Time;

use super::key::{KeyReader, KeyWriter};
use super::{Kind, Row};

/// A timer. Set again with another due time, it moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// The write to make then, encoded.
    pub body: Vec<u8>,
}

impl Row for Timer {
    const KIND: Kind = Kind::Timer;
}

/// The key.
pub fn key(partition: Partition, due: Time, id: Id) -> Vec<u8> {
    KeyWriter::of_partition(partition, Kind::Timer).u64(due.as_millis()).id(id).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<(Time, Id)> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Timer)?;
    let parts = (Time::from_millis(rest.u64()?), rest.id()?);
    rest.end().map(|()| parts)
}
