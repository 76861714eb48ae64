//! The settings of the cluster, once somebody has changed them.

use serde::{Deserialize, Serialize};

use crate::id::Position;
use crate::meta::config::Config;
use crate::ring::partition::META;
use crate::rows::key::KeyWriter;
use crate::rows::{Kind, Row};

/// The settings, and when they were changed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRow {
    /// What is set.
    pub config: Config,
    /// Position of the last change.
    pub rev: Position,
}

impl Row for ConfigRow {
    const KIND: Kind = Kind::ClusterConfig;
}

/// The key.
pub fn key() -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::ClusterConfig).end()
}
