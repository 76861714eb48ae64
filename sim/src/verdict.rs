//! What a run came to, as it is told from one process to another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// What did not hold.
    pub violation: Option<Violation>,
    /// Effects that were seen.
    pub events: u64,
    /// Hash over them.
    pub trace: String,
    /// What was met, how often.
    pub marks: BTreeMap<String, u64>,
    /// What it took.
    pub cost: Cost,
}

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Which promise. Two runs fail alike if this is the same.
    pub invariant: String,
    /// How it was broken.
    pub detail: String,
}

/// What a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Operations of people.
    pub operations: u64,
    /// Requests of their phones.
    pub requests: u64,
    /// Those without a reply.
    pub lost: u64,
    /// Syncs of all disks.
    pub syncs: u64,
    /// Packets between nodes.
    pub messages: u64,
    /// Calls of which the history was judged.
    pub judged: u64,
    /// Searches for an order that were given up.
    pub undecided: u64,
    /// The run's own time, in milliseconds.
    pub simulated_ms: u64,
    /// Processor time of its thread, in milliseconds.
    pub cpu_ms: u64,
}

impl Cost {
    /// Of two runs together.
    pub fn plus(self, other: Cost) -> Cost {
        Cost {
            operations: self.operations + other.operations,
            requests: self.requests + other.requests,
            lost: self.lost + other.lost,
            syncs: self.syncs + other.syncs,
            messages: self.messages + other.messages,
            judged: self.judged + other.judged,
            undecided: self.undecided + other.undecided,
            simulated_ms: self.simulated_ms + other.simulated_ms,
            cpu_ms: self.cpu_ms + other.cpu_ms,
        }
    }
}
