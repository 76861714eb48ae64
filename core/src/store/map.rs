//! The stores in memory: what tests run on, and what the simulator puts its disk around.
//!
//! [`MapLog`] models a file that is appended to: records that were not synced are kept aside until
//! a sync, and [`MapLog::crash`] loses those after any point. [`MapState`] models a database whose
//! commits are synced one by one; a simulated disk that wants a commit to be lost keeps a clone from
//! before it, which costs nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::tree::Tree;
use super::{
    Ballot, Direction, GroupId, LogBatch, LogEntry, LogStore, StateBatch, StateRead, StateStore, StoreFault,
    Visit,
};

/// Which of the records that were never synced a crash leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All: the operating system had written them anyway.
    All,
    /// None.
    None,
    /// The first so many. A record is one `append` or `compact`, and is kept whole or not at all;
    /// a later one is never kept without those before it.
    Prefix(usize),
}

/// The logs of many groups, in memory.
#[derive(Debug, Clone, Default)]
pub struct MapLog {
    live: Logs,
    durable: Logs,
    unsynced: Vec<Record>,
}

type Logs = BTreeMap<GroupId, Log>;

#[derive(Debug, Clone, Default)]
struct Log {
    entries: VecDeque<Arc<LogEntry>>,
    ballot: Option<Ballot>,
}

#[derive(Debug, Clone)]
enum Record {
    Append { entries: Vec<(GroupId, Vec<Arc<LogEntry>>)>, ballots: Vec<(GroupId, Ballot)> },
    Compact { group: GroupId, first: u64 },
}

impl MapLog {
    /// An empty store.
    pub fn new() -> MapLog {
        MapLog::default()
    }

    /// How many records would be at stake if the process crashed now.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Makes all that was written durable, as an `append` with `sync` does.
    pub fn sync(&mut self) {
        for record in self.unsynced.drain(..) {
            record.apply(&mut self.durable);
        }
    }

    /// What is found after the process or the machine went down now: everything synced, and of the
    /// rest what `keep` says. What is kept is durable from here on.
    pub fn crash(&mut self, keep: Keep) {
        match keep {
            Keep::All => {}
            Keep::None => self.unsynced.clear(),
            Keep::Prefix(records) => self.unsynced.truncate(records),
        }
        self.sync();
        self.live = self.durable.clone();
    }
}

impl Record {
    fn apply(&self, logs: &mut Logs) {
        match self {
            Record::Append { entries, ballots } => {
                for (group, entries) in entries {
                    logs.entry(*group).or_default().append(entries);
                }
                for (group, ballot) in ballots {
                    logs.entry(*group).or_default().ballot = Some(*ballot);
                }
            }
            Record::Compact { group, first } => {
                if let Some(log) = logs.get_mut(group) {
                    log.compact(*first);
                }
            }
        }
    }
}

impl Log {
    fn bounds(&self) -> Option<(u64, u64)> {
        Some((self.entries.front()?.index, self.entries.back()?.index))
    }

    fn append(&mut self, new: &[Arc<LogEntry>]) {
        if let (Some((first, _)), Some(at)) = (self.bounds(), new.first()) {
            self.entries.truncate((at.index - first) as usize);
        }
        self.entries.extend(new.iter().cloned());
    }

    fn compact(&mut self, first: u64) {
        while self.entries.front().is_some_and(|entry| entry.index < first) {
            self.entries.pop_front();
        }
    }
}

impl LogStore for MapLog {
    fn append(&mut self, batch: &LogBatch, sync: bool) -> Result<(), StoreFault> {
        super::assert_appendable(batch, |group| self.live.get(&group).and_then(Log::bounds));
        if !batch.is_empty() {
            let share = |entries: &Vec<LogEntry>| entries.iter().cloned().map(Arc::new).collect();
            let record = Record::Append {
                entries: batch.entries.iter().map(|(group, entries)| (*group, share(entries))).collect(),
                ballots: batch.ballots.clone(),
            };
            record.apply(&mut self.live);
            self.unsynced.push(record);
        }
        if sync {
            self.sync();
        }
        Ok(())
    }

    fn ballot(&self, group: GroupId) -> Result<Option<Ballot>, StoreFault> {
        Ok(self.live.get(&group).and_then(|log| log.ballot))
    }

    fn bounds(&self, group: GroupId) -> Result<Option<(u64, u64)>, StoreFault> {
        Ok(self.live.get(&group).and_then(Log::bounds))
    }

    fn entries(
        &self,
        group: GroupId,
        from: u64,
        to: u64,
        max_bytes: u64,
    ) -> Result<Vec<LogEntry>, StoreFault> {
        let bounds = self.bounds(group)?;
        let Some(first) = super::check_held(group, from, to, bounds)? else {
            return Ok(Vec::new());
        };
        let log = &self.live[&group];
        let range = (from - first) as usize..(to - first) as usize;
        let mut bytes = 0;
        let mut taken = Vec::new();
        for entry in log.entries.range(range) {
            bytes += entry.data.len() as u64;
            if bytes > max_bytes && !taken.is_empty() {
                break;
            }
            taken.push(LogEntry::clone(entry));
        }
        Ok(taken)
    }

    fn compact(&mut self, group: GroupId, first: u64) -> Result<(), StoreFault> {
        let record = Record::Compact { group, first };
        record.apply(&mut self.live);
        self.unsynced.push(record);
        Ok(())
    }

    fn groups(&self) -> Result<Vec<GroupId>, StoreFault> {
        Ok(self.live.keys().copied().collect())
    }
}

/// Ordered rows in memory. Cloning is free, and the clone is a store of its own.
#[derive(Debug, Clone, Default)]
pub struct MapState {
    rows: Tree,
}

impl MapState {
    /// An empty store.
    pub fn new() -> MapState {
        MapState::default()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl StateStore for MapState {
    type Snapshot = MapSnapshot;

    fn snapshot(&self) -> Result<MapSnapshot, StoreFault> {
        Ok(MapSnapshot { rows: self.rows.clone() })
    }

    fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault> {
        for (key, value) in &batch.rows {
            match value {
                Some(value) => self.rows.insert(key, value),
                None => {
                    self.rows.remove(key);
                }
            }
        }
        Ok(())
    }
}

/// The rows of a [`MapState`] as of one commit.
#[derive(Debug, Clone, Default)]
pub struct MapSnapshot {
    rows: Tree,
}

impl StateRead for MapSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        Ok(self.rows.get(key).map(<[u8]>::to_vec))
    }

    fn scan(&self, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) -> Result<(), StoreFault> {
        self.rows.scan(from, to, direction, visit);
        Ok(())
    }
}

#[cfg(test)]
#[path = "map_test.rs"]
mod tests;
