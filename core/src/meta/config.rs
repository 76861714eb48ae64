//! What operators set for the whole cluster.

use serde::{Deserialize, Serialize};

/// Most replicas that may come to a member, or go from one, at once.
pub const TRANSFERS_LIMIT: u8 = 16;

/// The settings of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Replicas that come to one member, or go from one, at once: 1 to [`TRANSFERS_LIMIT`].
    pub transfers_max: u8,
    /// Replicas stay where they are, also those that have begun to move. What is done already is still noted.
    pub moves_paused: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { transfers_max: 2, moves_paused: false }
    }
}
