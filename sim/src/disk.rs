//! A member's disk: stores that outlive the process on them. When the process ends, what it had not synced is
//! lost after some point, as the seed has it.
//!
//! A handle belongs to one life of the process. Whoever comes back from the dead and still writes ends the run:
//! that would be two processes on one disk.

use std::sync::{Arc, Mutex, MutexGuard};

use gomer_core::rng::Rng;
use gomer_core::store::map::{Keep, MapLog, MapSnapshot, MapState};
use gomer_core::store::{Ballot, GroupId, LogBatch, LogEntry, LogStore, StateBatch, StateStore, StoreFault};

use crate::trace::Trace;

/// A disk with some stores. Cheap to clone; all clones are one disk.
#[derive(Clone)]
pub struct Disk {
    owner: &'static str,
    trace: Trace,
    platters: Arc<Mutex<Platters>>,
}

struct Platters {
    life: u64,
    stores: Vec<(MapLog, MapState)>,
}

impl Disk {
    /// An empty disk.
    pub fn new(owner: &'static str, stores: usize, trace: Trace) -> Disk {
        let stores = (0..stores).map(|_| (MapLog::new(), MapState::new())).collect();
        Disk { owner, trace, platters: Arc::new(Mutex::new(Platters { life: 0, stores })) }
    }

    /// Begins a life: its number, and the stores as they are now.
    pub fn open(&self) -> (u64, Vec<(DiskLog, DiskState)>) {
        let mut platters = self.platters.lock().expect(UNPOISONED);
        platters.life += 1;
        let life = platters.life;
        let part = |number| Part { disk: self.clone(), number, life };
        let stores =
            (0..platters.stores.len()).map(|number| (DiskLog(part(number)), DiskState(part(number))));
        (life, stores.collect())
    }

    /// Ends the life of whoever uses it: of what was never synced, as much is kept as `rng` says.
    pub fn crash(&self, rng: &mut Rng) {
        let mut platters = self.platters.lock().expect(UNPOISONED);
        platters.life += 1;
        for (number, (log, _)) in platters.stores.iter_mut().enumerate() {
            let unsynced = log.unsynced();
            let kept = rng.below(unsynced as u64 + 1) as usize;
            log.crash(Keep::Prefix(kept));
            if unsynced > 0 {
                self.trace.note(
                    self.owner,
                    "lose",
                    format_args!("store {number}: {kept} of {unsynced} kept"),
                );
            }
        }
    }
}

/// One store, in one life.
struct Part {
    disk: Disk,
    number: usize,
    life: u64,
}

impl Part {
    fn platters(&self) -> MutexGuard<'_, Platters> {
        let platters = self.disk.platters.lock().expect(UNPOISONED);
        assert_eq!(platters.life, self.life, "a process that has ended uses its disk");
        platters
    }

    fn log<T>(&self, what: impl FnOnce(&mut MapLog) -> T) -> T {
        what(&mut self.platters().stores[self.number].0)
    }

    fn state<T>(&self, what: impl FnOnce(&mut MapState) -> T) -> T {
        what(&mut self.platters().stores[self.number].1)
    }

    fn note(&self, kind: &str, what: impl std::fmt::Display) {
        self.disk.trace.note(self.disk.owner, kind, format_args!("store {}: {what}", self.number));
    }
}

/// The log of one store.
pub struct DiskLog(Part);

impl LogStore for DiskLog {
    fn append(&mut self, batch: &LogBatch, sync: bool) -> Result<(), StoreFault> {
        let entries: usize = batch.entries.iter().map(|(_, entries)| entries.len()).sum();
        if entries > 0 {
            let synced = if sync { "synced" } else { "not synced" };
            self.0.note("append", format_args!("{entries} entries, {synced}"));
        }
        self.0.log(|log| log.append(batch, sync))
    }

    fn ballot(&self, group: GroupId) -> Result<Option<Ballot>, StoreFault> {
        self.0.log(|log| log.ballot(group))
    }

    fn bounds(&self, group: GroupId) -> Result<Option<(u64, u64)>, StoreFault> {
        self.0.log(|log| log.bounds(group))
    }

    fn entries(
        &self,
        group: GroupId,
        from: u64,
        to: u64,
        max_bytes: u64,
    ) -> Result<Vec<LogEntry>, StoreFault> {
        self.0.log(|log| log.entries(group, from, to, max_bytes))
    }

    fn compact(&mut self, group: GroupId, first: u64) -> Result<(), StoreFault> {
        self.0.log(|log| log.compact(group, first))
    }

    fn groups(&self) -> Result<Vec<GroupId>, StoreFault> {
        self.0.log(|log| log.groups())
    }
}

/// The state of one store. Every commit is on disk when it returns.
pub struct DiskState(Part);

impl StateStore for DiskState {
    type Snapshot = MapSnapshot;

    fn snapshot(&self) -> Result<MapSnapshot, StoreFault> {
        self.0.state(|state| state.snapshot())
    }

    fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault> {
        self.0.note("commit", format_args!("{} rows", batch.rows.len()));
        self.0.state(|state| state.commit(batch))
    }
}

const UNPOISONED: &str = "a run ends with the first panic";

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const GROUP: GroupId = GroupId(1);

    fn entry(index: u64) -> LogBatch {
        let entry = LogEntry { index, term: 1, ..LogEntry::default() };
        LogBatch { entries: vec![(GROUP, vec![entry])], ballots: Vec::new() }
    }

    fn disk() -> Disk {
        Disk::new("m", 1, Trace::new(|| Duration::ZERO, false))
    }

    #[test]
    fn what_was_synced_is_found_again_and_what_was_not_may_be() {
        let mut found = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let disk = disk();
            let (_, mut stores) = disk.open();
            stores[0].0.append(&entry(1), true).unwrap();
            stores[0].0.append(&entry(2), false).unwrap();
            stores[0].0.append(&entry(3), false).unwrap();
            disk.crash(&mut Rng::new(seed));
            let (_, stores) = disk.open();
            found.insert(stores[0].0.bounds(GROUP).unwrap());
        }
        assert_eq!(Vec::from_iter(found), [Some((1, 1)), Some((1, 2)), Some((1, 3))]);
    }

    #[test]
    #[should_panic(expected = "a process that has ended uses its disk")]
    fn the_dead_do_not_write() {
        let disk = disk();
        let (_, mut stores) = disk.open();
        disk.crash(&mut Rng::new(1));
        let _ = stores[0].0.append(&entry(1), true);
    }

    #[test]
    #[should_panic(expected = "a process that has ended uses its disk")]
    fn a_second_process_ends_the_first() {
        let disk = disk();
        let (_, stores) = disk.open();
        let _second = disk.open();
        let _ = stores[0].0.bounds(GROUP);
    }
}
