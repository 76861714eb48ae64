//! A fan-out under way: one step for each root that a link list names. Its progress is written with
//! its output.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Id, LinkType, Partition, Root};
use crate::time::Time;

use super::key::{KeyReader, KeyWriter};
use super::{Kind, Row};

/// A pipe from a link list to the roots it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipe {
    /// The tenant.
    pub app: AppId,
    /// Whose list.
    pub root: Root,
    /// Which list; its targets are profiles.
    pub links: LinkType,
    /// The last link that was read, or the start.
    pub after: Option<(Time, Id)>,
    /// The step for each target, encoded.
    pub body: Vec<u8>,
    /// Depth of that step in its chain.
    pub depth: u8,
    /// Targets reached so far.
    pub sent: u64,
}

impl Row for Pipe {
    const KIND: Kind = Kind::Pipe;
}

/// The key.
pub fn key(partition: Partition, id: Id) -> Vec<u8> {
    KeyWriter::of_partition(partition, Kind::Pipe).id(id).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<Id> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Pipe)?;
    let id = rest.id()?;
    rest.end().map(|()| id)
}
