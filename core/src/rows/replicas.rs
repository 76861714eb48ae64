//! The replica set of a vnode's group, as of its applied position. Written with that.

use serde::{Deserialize, Serialize};

use crate::id::Partition;

use super::key::KeyWriter;
use super::{Kind, Row};

/// The replicas by their Raft ids. While `outgoing` is not empty, majorities of both are needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Replicas {
    /// Who votes.
    pub voters: Vec<u64>,
    /// Who voted before the change that is under way.
    pub outgoing: Vec<u64>,
    /// Who follows without a vote.
    pub learners: Vec<u64>,
    /// Voters that become learners when the change is through.
    pub learners_next: Vec<u64>,
    /// Whether the leader ends the change by itself.
    pub auto_leave: bool,
}

impl Row for Replicas {
    const KIND: Kind = Kind::Replicas;
}

impl Replicas {
    /// A group of these voters.
    pub fn of(voters: Vec<u64>) -> Replicas {
        Replicas { voters, ..Replicas::default() }
    }

    /// Whether the peer is one of them, in whatever role.
    pub fn contains(&self, peer: u64) -> bool {
        let all = [&self.voters, &self.outgoing, &self.learners, &self.learners_next];
        all.iter().any(|peers| peers.contains(&peer))
    }
}

/// The key.
pub fn key(partition: Partition) -> Vec<u8> {
    KeyWriter::of_partition(partition, Kind::Replicas).end()
}
