//! The log of one store: written, then synced, with a place to die or to fail at each step.

use gomer_core::store::{Ballot, GroupId, LogBatch, LogEntry, LogStore, StoreFault};

use super::Part;
use crate::plan::Effect;

/// The log of one store.
pub struct DiskLog(Part);

impl DiskLog {
    pub(super) fn new(part: Part) -> DiskLog {
        DiskLog(part)
    }

    fn write(&mut self, batch: &LogBatch) -> Result<(), StoreFault> {
        let mut platters = self.0.platters();
        assert!(!platters.failed, "a process writes on after its disk has failed");
        if platters.full {
            platters.failed = true;
            self.0.disk.marks.hit("disk full");
            self.0.note("full", "no space for the log");
            return Err(StoreFault::Full);
        }
        platters.stores[self.0.number].0.append(batch, false)
    }

    fn sync(&mut self) -> Result<(), StoreFault> {
        let mut platters = self.0.platters();
        if let Some(left) = &mut platters.fails {
            *left = left.saturating_sub(1);
            if *left == 0 {
                platters.fails = None;
                platters.failed = true;
                self.0.disk.marks.hit("sync failed");
                self.0.note("sync-fails", "what was written is gone");
                return Err(StoreFault::Io("the sync failed".to_owned()));
            }
        }
        platters.syncs += 1;
        platters.stores[self.0.number].0.sync();
        Ok(())
    }
}

impl LogStore for DiskLog {
    fn append(&mut self, batch: &LogBatch, sync: bool) -> Result<(), StoreFault> {
        let entries: usize = batch.entries.iter().map(|(_, entries)| entries.len()).sum();
        self.0.step(Effect::Append)?;
        self.write(batch)?;
        if sync {
            self.0.step(Effect::Sync)?;
            self.sync()?;
            if entries > 0 {
                self.0.note("append", format_args!("{entries} entries"));
            }
            self.0.step(Effect::Send)?;
        }
        Ok(())
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
