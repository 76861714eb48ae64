//! The rows of one store. Every commit is on disk when it returns. What is read may be rotten: a byte of the
//! value is not what was written, which its checksum must tell.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use gomer_core::store::map::MapSnapshot;
use gomer_core::store::{Direction, StateBatch, StateRead, StateStore, StoreFault, Visit};

use super::{Disk, Part};
use crate::plan::Effect;

/// The rows of one store.
pub struct DiskState(Part);

impl DiskState {
    pub(super) fn new(part: Part) -> DiskState {
        DiskState(part)
    }
}

impl StateStore for DiskState {
    type Snapshot = DiskSnapshot;

    fn snapshot(&self) -> Result<DiskSnapshot, StoreFault> {
        let rows = self.0.platters().stores[self.0.number].1.snapshot()?;
        Ok(DiskSnapshot { rows, disk: self.0.disk.clone() })
    }

    fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault> {
        let mut platters = self.0.platters();
        assert!(!platters.failed, "a process writes on after its disk has failed");
        if platters.full {
            platters.failed = true;
            self.0.disk.marks.hit("disk full");
            self.0.note("full", "no space for a checkpoint");
            return Err(StoreFault::Full);
        }
        platters.stores[self.0.number].1.commit(batch)?;
        drop(platters);
        self.0.disk.marks.hit("checkpoint");
        self.0.note("commit", format_args!("{} rows", batch.rows.len()));
        self.0.step(Effect::Commit)
    }
}

/// The rows as of one commit.
pub struct DiskSnapshot {
    rows: MapSnapshot,
    disk: Disk,
}

impl DiskSnapshot {
    fn rate(&self) -> u32 {
        self.disk.rot.load(Ordering::Relaxed)
    }

    /// What is read of a value.
    fn rotten(&self, rate: u32, value: &[u8]) -> Option<Vec<u8>> {
        if value.is_empty() || !self.disk.chance.per_million("rot", rate) {
            return None;
        }
        let mut rotten = value.to_vec();
        let at = self.disk.chance.below("rot at", value.len() as u64) as usize;
        rotten[at] ^= 1 << self.disk.chance.below("rot bit", 8);
        self.disk.marks.hit("read rotten");
        self.disk.note("rot", format_args!("byte {at} of {}", value.len()));
        Some(rotten)
    }
}

impl StateRead for DiskSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        let read = self.rows.get(key)?;
        match (self.rate(), &read) {
            (0, _) | (_, None) => Ok(read),
            (rate, Some(value)) => Ok(self.rotten(rate, value).or(read)),
        }
    }

    fn scan(&self, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) -> Result<(), StoreFault> {
        let rate = self.rate();
        if rate == 0 {
            return self.rows.scan(from, to, direction, visit);
        }
        self.rows.scan(from, to, direction, &mut |key: &[u8], value: &[u8]| -> ControlFlow<()> {
            match self.rotten(rate, value) {
                Some(rotten) => visit(key, &rotten),
                None => visit(key, value),
            }
        })
    }
}
