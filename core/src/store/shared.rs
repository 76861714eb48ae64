//! A store that outlives those who use it, as a file does: what is opened again after a restart in tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Ballot, GroupId, LogBatch, LogEntry, LogStore, StateBatch, StateStore, StoreFault};

/// A handle to a store. Clones are the same store.
#[derive(Debug, Default)]
pub struct Shared<S>(Arc<Mutex<S>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Shared<S> {
        Shared(self.0.clone())
    }
}

impl<S> Shared<S> {
    /// The store itself. A process that panicked while it held it is as good as one that was killed there.
    pub fn store(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: LogStore> LogStore for Shared<L> {
    fn append(&mut self, batch: &LogBatch, sync: bool) -> Result<(), StoreFault> {
        self.store().append(batch, sync)
    }

    fn ballot(&self, group: GroupId) -> Result<Option<Ballot>, StoreFault> {
        self.store().ballot(group)
    }

    fn bounds(&self, group: GroupId) -> Result<Option<(u64, u64)>, StoreFault> {
        self.store().bounds(group)
    }

    fn entries(
        &self,
        group: GroupId,
        from: u64,
        to: u64,
        max_bytes: u64,
    ) -> Result<Vec<LogEntry>, StoreFault> {
        self.store().entries(group, from, to, max_bytes)
    }

    fn compact(&mut self, group: GroupId, first: u64) -> Result<(), StoreFault> {
        self.store().compact(group, first)
    }

    fn groups(&self) -> Result<Vec<GroupId>, StoreFault> {
        self.store().groups()
    }
}

impl<S: StateStore> StateStore for Shared<S> {
    type Snapshot = S::Snapshot;

    fn snapshot(&self) -> Result<S::Snapshot, StoreFault> {
        self.store().snapshot()
    }

    fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault> {
        self.store().commit(batch)
    }
}
