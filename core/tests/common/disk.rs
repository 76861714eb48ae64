//! Stores of maps that outlive the shard that uses them.

use std::sync::{Arc, Mutex};

use gomer_core::store::map::{MapLog, MapSnapshot, MapState};
use gomer_core::store::{Ballot, GroupId, LogBatch, LogEntry, LogStore, StateBatch, StateStore, StoreFault};

/// A log that is found again after a crash.
#[derive(Debug, Clone, Default)]
pub struct SharedLog(pub Arc<Mutex<MapLog>>);

impl LogStore for SharedLog {
    fn append(&mut self, batch: &LogBatch, sync: bool) -> Result<(), StoreFault> {
        self.0.lock().unwrap().append(batch, sync)
    }

    fn ballot(&self, group: GroupId) -> Result<Option<Ballot>, StoreFault> {
        self.0.lock().unwrap().ballot(group)
    }

    fn bounds(&self, group: GroupId) -> Result<Option<(u64, u64)>, StoreFault> {
        self.0.lock().unwrap().bounds(group)
    }

    fn entries(
        &self,
        group: GroupId,
        from: u64,
        to: u64,
        max_bytes: u64,
    ) -> Result<Vec<LogEntry>, StoreFault> {
        self.0.lock().unwrap().entries(group, from, to, max_bytes)
    }

    fn compact(&mut self, group: GroupId, first: u64) -> Result<(), StoreFault> {
        self.0.lock().unwrap().compact(group, first)
    }

    fn groups(&self) -> Result<Vec<GroupId>, StoreFault> {
        self.0.lock().unwrap().groups()
    }
}

/// State that is found again after a crash.
#[derive(Debug, Clone, Default)]
pub struct SharedState(pub Arc<Mutex<MapState>>);

impl StateStore for SharedState {
    type Snapshot = MapSnapshot;

    fn snapshot(&self) -> Result<MapSnapshot, StoreFault> {
        self.0.lock().unwrap().snapshot()
    }

    fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault> {
        self.0.lock().unwrap().commit(batch)
    }
}
