//! The part of a group's log that is in memory, as the `raft` crate sees it.
//!
//! In memory: all that is not applied, and some of what is, because followers are usually close behind.
//! What a slow follower needs from further back is asked for here and read from the log store between two
//! calls of the crate, which knows such storage ("temporarily unavailable"). The terms of all entries on
//! disk are known as runs, so that asking for a term never reads.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};

use raft::prelude::{ConfState, Entry, EntryType, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use crate::store::{GroupId, LogEntry, LogStore, StoreFault};

/// Entries read at once, in bytes.
pub(super) const READ_BYTES: u64 = 1024 * 1024;

/// A stretch that a follower needs and that is not in memory.
pub(super) struct Wanted {
    from: u64,
    to: u64,
    pub(super) context: GetEntriesContext,
}

/// The log of a group.
pub(super) struct Tail {
    pub(super) hard: HardState,
    pub(super) conf: ConfState,
    /// Index and term of the entry before the first in memory. Never past what is applied.
    base: (u64, u64),
    entries: VecDeque<Entry>,
    bytes: usize,
    /// First index that can be sent: held on disk, with the term of the one before it known.
    first: u64,
    /// Where each term begins, from the entry before `first` on.
    runs: VecDeque<(u64, u64)>,
    /// Old entries that were read for a follower, until the crate has taken them.
    fetched: Vec<Entry>,
    wanted: RefCell<Vec<Wanted>>,
    /// Peers that need what the log no longer holds.
    lacking: RefCell<BTreeSet<u64>>,
}

impl Tail {
    /// Reads the log of a group whose state ends at `base` (index and term).
    ///
    /// Entries behind `base` count only if the log agrees with the state about `base` itself: after a
    /// snapshot the log may still hold what another leader had proposed and nobody committed.
    pub(super) fn open(log: &mut impl LogStore, id: GroupId, base: (u64, u64)) -> Result<Tail, StoreFault> {
        let mut tail = Tail {
            hard: HardState::default(),
            conf: ConfState::default(),
            base,
            entries: VecDeque::new(),
            bytes: 0,
            first: base.0 + 1,
            runs: VecDeque::from([base]),
            fetched: Vec::new(),
            wanted: RefCell::default(),
            lacking: RefCell::default(),
        };
        let Some((first, last)) = log.bounds(id)? else {
            return Ok(tail);
        };
        if first > base.0 + 1 {
            return Err(StoreFault::Corrupt(format!(
                "group {}: the log begins at {first}, the state ends at {}",
                id.0, base.0
            )));
        }
        let term_at = |log: &dyn Fn(u64) -> Result<Vec<LogEntry>, StoreFault>, index| {
            log(index).map(|entries| entries.first().map_or(0, |entry| entry.term))
        };
        let read = |index| log.entries(id, index, index + 1, 1);
        let agrees = last >= base.0
            && if first <= base.0 {
                term_at(&read, base.0)? == base.1
            } else {
                last == base.0 || term_at(&read, first)? >= base.1
            };
        if !agrees {
            log.compact(id, last + 1)?;
            return Ok(tail);
        }
        if first <= base.0 {
            // The term before a log's first entry is known only if that is the first of all.
            tail.first = if first == 1 { 1 } else { first + 1 };
            tail.runs.clear();
            if first == 1 {
                tail.runs.push_back((0, 0));
            }
            // Terms only rise: each run's end is found by halving.
            let mut start = first;
            while start <= base.0 {
                let term = term_at(&read, start)?;
                tail.runs.push_back((start, term));
                let (mut low, mut high) = (start, base.0 + 1);
                while high - low > 1 {
                    let middle = low + (high - low) / 2;
                    if term_at(&read, middle)? == term { low = middle } else { high = middle }
                }
                start = high;
            }
        }
        let mut from = base.0 + 1;
        while from <= last {
            let entries = log.entries(id, from, last + 1, 8 * READ_BYTES)?;
            from += entries.len() as u64;
            tail.append(entries.into_iter().map(entry_in).collect());
        }
        Ok(tail)
    }

    /// Whether a state as of `position` and what this log holds make a whole.
    pub(super) fn follows(&self, position: u64) -> bool {
        position + 1 >= self.first || position >= self.last()
    }

    /// The least position whose state this log can follow.
    pub(super) fn floor(&self) -> u64 {
        (self.first - 1).min(self.last())
    }

    /// Index of the last entry.
    pub(super) fn last(&self) -> u64 {
        self.base.0 + self.entries.len() as u64
    }

    /// New entries, which replace what is there from the first of them on.
    pub(super) fn append(&mut self, new: Vec<Entry>) {
        let first = new[0].get_index();
        debug_assert!(first > self.base.0, "entries that are applied are never replaced");
        for old in self.entries.drain((first - self.base.0 - 1) as usize..) {
            self.bytes -= size(&old);
        }
        while self.runs.back().is_some_and(|run| run.0 >= first && run.0 > self.base.0) {
            self.runs.pop_back();
        }
        for entry in &new {
            self.bytes += size(entry);
            if self.runs.back().is_none_or(|run| run.1 != entry.get_term()) {
                self.runs.push_back((entry.get_index(), entry.get_term()));
            }
        }
        self.entries.extend(new);
    }

    /// Forgets what is applied, the oldest first, until at most `keep` bytes are in memory.
    pub(super) fn trim(&mut self, applied: u64, keep: usize) {
        while self.bytes > keep
            && let Some(front) = self.entries.front()
            && front.get_index() <= applied
        {
            self.bytes -= size(front);
            self.base = (front.get_index(), front.get_term());
            self.entries.pop_front();
        }
        if keep == 0 {
            self.compacted(self.base.0 + 1);
        }
    }

    /// The log store begins at `first` now.
    pub(super) fn compacted(&mut self, first: u64) {
        if first <= self.first {
            return;
        }
        self.first = first;
        while self.runs.len() > 1 && self.runs[1].0 < first {
            self.runs.pop_front();
        }
    }

    /// What followers need from the log store.
    pub(super) fn wants(&self) -> bool {
        !self.wanted.borrow().is_empty()
    }

    /// Takes the next stretch that is needed.
    pub(super) fn take_wanted(&mut self) -> Option<Wanted> {
        self.wanted.get_mut().pop()
    }

    /// Reads it, to be taken by the crate at once; then [`Tail::forget_fetched`].
    pub(super) fn fetch(
        &mut self,
        log: &impl LogStore,
        id: GroupId,
        wanted: &Wanted,
    ) -> Result<(), StoreFault> {
        self.fetched.clear();
        // Compacted meanwhile: the crate will ask again, and be told so.
        if wanted.from >= self.first {
            let entries = log.entries(id, wanted.from, wanted.to, READ_BYTES)?;
            self.fetched.extend(entries.into_iter().map(entry_in));
        }
        Ok(())
    }

    /// Frees what was read.
    pub(super) fn forget_fetched(&mut self) {
        self.fetched = Vec::new();
    }

    /// Peers that need what the log no longer holds; asked for again while they do.
    pub(super) fn take_lacking(&mut self) -> BTreeSet<u64> {
        std::mem::take(self.lacking.get_mut())
    }
}

fn size(entry: &Entry) -> usize {
    entry.get_data().len() + 64
}

fn entry_in(entry: LogEntry) -> Entry {
    let mut out = Entry::default();
    out.set_entry_type(match entry.kind {
        0 => EntryType::EntryNormal,
        1 => EntryType::EntryConfChange,
        _ => EntryType::EntryConfChangeV2,
    });
    out.set_index(entry.index);
    out.set_term(entry.term);
    out.set_data(entry.data.into());
    out
}

pub(super) fn entry_out(entry: &Entry) -> LogEntry {
    let kind = match entry.get_entry_type() {
        EntryType::EntryNormal => 0,
        EntryType::EntryConfChange => 1,
        EntryType::EntryConfChangeV2 => 2,
    };
    LogEntry { index: entry.get_index(), term: entry.get_term(), kind, data: entry.get_data().to_vec() }
}

fn take<'e>(range: impl Iterator<Item = &'e Entry>, max_size: Option<u64>) -> Vec<Entry> {
    let mut left = max_size.unwrap_or(u64::MAX);
    let mut out: Vec<Entry> = Vec::new();
    for entry in range {
        let size = entry.get_data().len() as u64 + 24;
        if !out.is_empty() && size > left {
            break;
        }
        left = left.saturating_sub(size);
        out.push(entry.clone());
    }
    out
}

impl Storage for Tail {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState { hard_state: self.hard.clone(), conf_state: self.conf.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low < self.first {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        if low > self.base.0 {
            let range = (low - self.base.0 - 1) as usize..(high - self.base.0 - 1) as usize;
            return Ok(take(self.entries.range(range), max_size.into()));
        }
        if !context.can_async() {
            return Err(raft::Error::Store(StorageError::Unavailable));
        }
        let at = self.fetched.partition_point(|entry| entry.get_index() < low);
        if self.fetched.get(at).is_some_and(|entry| entry.get_index() == low) {
            let range = self.fetched[at..].iter().take_while(|entry| entry.get_index() < high);
            return Ok(take(range, max_size.into()));
        }
        let to = high.min(self.base.0 + 1);
        self.wanted.borrow_mut().push(Wanted { from: low, to, context });
        Err(raft::Error::Store(StorageError::LogTemporarilyUnavailable))
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index + 1 < self.first {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        if index > self.last() {
            return Err(raft::Error::Store(StorageError::Unavailable));
        }
        match self.runs.partition_point(|run| run.0 <= index) {
            0 => Err(raft::Error::Store(StorageError::Compacted)),
            at => Ok(self.runs[at - 1].1),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, _request_index: u64, to: u64) -> raft::Result<Snapshot> {
        // Snapshots do not travel through the crate: they are many messages, resumed after restarts.
        self.lacking.borrow_mut().insert(to);
        Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LogBatch;
    use crate::store::map::MapLog;

    fn log(from: u64, to: u64) -> MapLog {
        let entry = |index| LogEntry { index, term: 1, ..LogEntry::default() };
        let mut log = MapLog::new();
        let batch =
            LogBatch { entries: vec![(GroupId(1), (from..to).map(entry).collect())], ..LogBatch::default() };
        log.append(&batch, true).unwrap();
        log
    }

    /// A restarted leader took the first entry of all for one whose predecessor is unknown, and a follower
    /// that had never received it waited for ever for what nobody could send.
    #[test]
    fn a_log_that_begins_at_the_beginning_can_be_sent_from_its_first_entry() {
        let tail = Tail::open(&mut log(1, 4), GroupId(1), (2, 1)).unwrap();
        assert_eq!(tail.first_index(), Ok(1));
        assert_eq!((tail.term(0), tail.term(1), tail.term(3)), (Ok(0), Ok(1), Ok(1)));
    }

    #[test]
    fn the_first_entry_of_a_log_that_was_cut_has_no_known_predecessor() {
        let mut cut = log(1, 7);
        cut.compact(GroupId(1), 3).unwrap();
        let tail = Tail::open(&mut cut, GroupId(1), (5, 1)).unwrap();
        assert_eq!(tail.first_index(), Ok(4));
        assert!(tail.term(2).is_err());
        assert_eq!(tail.term(3), Ok(1));
    }

    #[test]
    fn a_log_that_begins_after_the_state_ends_is_damage() {
        let mut cut = log(1, 7);
        cut.compact(GroupId(1), 4).unwrap();
        assert!(matches!(Tail::open(&mut cut, GroupId(1), (1, 1)), Err(StoreFault::Corrupt(_))));
    }
}
