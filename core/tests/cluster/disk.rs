//! A disk per member, and the lies that a broken one tells.

use std::sync::{Arc, Mutex};

use gomer_core::store::map::{Keep, MapLog};
use gomer_core::store::{Ballot, GroupId, LogBatch, LogEntry, LogStore, StoreFault};

/// Deliberate bugs: each must be caught by a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// What is said to be on disk is not: a crash takes all since the start.
    NothingSynced,
    /// Peers and callers are answered before the sync, which a crash prevents.
    AnsweredBeforeSync,
    /// Leases are believed far longer than they last.
    LeaseWithoutEnd,
    /// Clocks differ in speed by more than the stated bound.
    ClocksBeyondBound,
    /// A message between partitions changes its number on the way, so that a repetition looks new.
    StepsRenumbered,
}

/// A log that is found again after a crash.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    pub log: Arc<Mutex<MapLog>>,
    pub bug: Option<Bug>,
}

impl Disk {
    pub fn crash(&self) {
        self.log.lock().unwrap().crash(Keep::None);
    }

    /// Nothing since then has reached it.
    pub fn put_back(&self, log: MapLog) {
        *self.log.lock().unwrap() = log;
    }

    /// What would be found after a crash now.
    pub fn durable(&self) -> MapLog {
        let mut log = self.log.lock().unwrap().clone();
        if log.unsynced() > 0 {
            log.crash(Keep::None);
        }
        log
    }
}

impl LogStore for Disk {
    fn append(&mut self, batch: &LogBatch, sync: bool) -> Result<(), StoreFault> {
        let mut log = self.log.lock().unwrap();
        match self.bug {
            Some(Bug::NothingSynced) => log.append(batch, false),
            _ => log.append(batch, sync),
        }
    }

    fn ballot(&self, group: GroupId) -> Result<Option<Ballot>, StoreFault> {
        self.log.lock().unwrap().ballot(group)
    }

    fn bounds(&self, group: GroupId) -> Result<Option<(u64, u64)>, StoreFault> {
        self.log.lock().unwrap().bounds(group)
    }

    fn entries(&self, group: GroupId, from: u64, to: u64, max: u64) -> Result<Vec<LogEntry>, StoreFault> {
        self.log.lock().unwrap().entries(group, from, to, max)
    }

    fn compact(&mut self, group: GroupId, first: u64) -> Result<(), StoreFault> {
        self.log.lock().unwrap().compact(group, first)
    }

    fn groups(&self) -> Result<Vec<GroupId>, StoreFault> {
        self.log.lock().unwrap().groups()
    }
}
