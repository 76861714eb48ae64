//! The two storage traits of core, and what stands behind them in memory.
//!
//! * [`LogStore`]: the logs of many groups in one file set; one sync for a whole turn.
//! * [`StateStore`]: ordered rows. Its transactions are not synced one by one: the log is the
//!   write-ahead log. A *checkpoint* is the one synced transaction, and carries the positions that
//!   it covers; only then is the log compacted. After a crash, state is replayed from there.
//!
//! Real: `raft-engine` and redb (`server/src/store`). Here: plain maps, which lose nothing and are
//! what the simulator wraps with its own disk. All pass the shared suite in [`suite`].
//!
//! Must never learn: what a row means.

pub mod key;
pub mod map;
pub mod memtable;
pub mod shared;
pub mod suite;
pub mod tree;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

pub use self::key::RowKey;

/// A store could not do what it was asked. Never means "absent".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFault {
    /// What was read is not what was written (checksum, impossible length, page error).
    Corrupt(String),
    /// Reading or writing failed at the operating system. After a failed append or sync the process
    /// must end: the page cache can no longer be trusted (`docs/adr`).
    Io(String),
    /// No space left. Nothing of the batch was written.
    Full,
}

impl std::fmt::Display for StoreFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreFault::Corrupt(what) => write!(f, "stored data is damaged: {what}"),
            StoreFault::Io(what) => write!(f, "storage failed: {what}"),
            StoreFault::Full => f.write_str("no space left on the disk"),
        }
    }
}

impl std::error::Error for StoreFault {}

/// Number of a group in the log store: one per partition, and one for the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u64);

/// One entry of a group's log, as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogEntry {
    /// Its index; consecutive within a group, from 1.
    pub index: u64,
    /// Raft's term; never goes back within a group.
    pub term: u64,
    /// Kind of the entry (Raft's `EntryType` as a number); opaque here.
    pub kind: u8,
    /// The payload.
    pub data: Vec<u8>,
}

/// What Raft must remember beside its log: term, vote, commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ballot {
    /// Latest term seen.
    pub term: u64,
    /// Whom this replica voted for in that term; 0 is nobody.
    pub vote: u64,
    /// Highest index known to be committed. May lag behind the truth after a crash.
    pub commit: u64,
}

/// Everything one turn appends, for many groups.
#[derive(Debug, Clone, Default)]
pub struct LogBatch {
    /// New entries by group. If the first index is not past the group's end, the tail from there on
    /// is replaced.
    pub entries: Vec<(GroupId, Vec<LogEntry>)>,
    /// New ballots by group.
    pub ballots: Vec<(GroupId, Ballot)>,
}

impl LogBatch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.ballots.is_empty()
    }
}

/// The logs of many groups. One writer.
pub trait LogStore: Send + 'static {
    /// Writes the whole batch, atomically, and returns when it is on disk (`sync`), or at least
    /// ordered before everything later (not `sync`). An error ends the process.
    ///
    /// Panics, before anything is written, when the batch would leave a hole in a group's log or
    /// reach below its first index (see [`assert_appendable`]): that is a bug of the caller.
    fn append(&mut self, batch: &LogBatch, sync: bool) -> Result<(), StoreFault>;

    /// The ballot of a group, if it ever wrote one.
    fn ballot(&self, group: GroupId) -> Result<Option<Ballot>, StoreFault>;

    /// First and last index that are held, or nothing for an empty log. After compaction the first
    /// index is the one after the compacted prefix.
    fn bounds(&self, group: GroupId) -> Result<Option<(u64, u64)>, StoreFault>;

    /// Entries `from..to` in order: at least one (of a range that is not empty), then as many as keep
    /// their payloads within `max_bytes`. All of them must be held, else [`StoreFault::Corrupt`].
    fn entries(
        &self,
        group: GroupId,
        from: u64,
        to: u64,
        max_bytes: u64,
    ) -> Result<Vec<LogEntry>, StoreFault>;

    /// Forgets entries below `first`, all of them if it lies past the end; the next append may then
    /// start anywhere. May be lazy about the space, and about the disk: after a crash the entries may
    /// be back.
    fn compact(&mut self, group: GroupId, first: u64) -> Result<(), StoreFault>;

    /// Groups that have ever written.
    fn groups(&self) -> Result<Vec<GroupId>, StoreFault>;
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest key of the range up.
    Up,
    /// From the highest key of the range down.
    Down,
}

/// Called for each row of a scan: key, value. [`ControlFlow::Break`] ends it.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Ordered rows, as of one moment.
pub trait StateRead {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault>;

    /// Visits the rows with `from <= key < to` in order.
    fn scan(&self, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) -> Result<(), StoreFault>;
}

/// A set of changes to rows: `None` removes. Applied as a whole or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateBatch {
    /// The new value of each key, in key order.
    pub rows: Rows,
}

/// Changed rows by key; `None` for one that is removed.
pub type Rows = BTreeMap<RowKey, Option<Vec<u8>>>;

impl<K: Into<RowKey>> FromIterator<(K, Option<Vec<u8>>)> for StateBatch {
    fn from_iter<I: IntoIterator<Item = (K, Option<Vec<u8>>)>>(rows: I) -> StateBatch {
        StateBatch { rows: rows.into_iter().map(|(key, value)| (key.into(), value)).collect() }
    }
}

/// Ordered rows that can be changed. One writer; many readers of snapshots.
pub trait StateStore: Send + Sync + 'static {
    /// A consistent view that later commits do not change. Cheap; of use while the store is open.
    type Snapshot: StateRead + Send + Sync + 'static;

    /// The rows as of the last commit.
    fn snapshot(&self) -> Result<Self::Snapshot, StoreFault>;

    /// Applies the batch and returns when it is on disk. An [`StoreFault::Io`] ends the process.
    fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault>;
}

/// Panics unless every group's entries are consecutive and can follow what the group holds (`bounds`).
///
/// An empty log takes any first index: after a snapshot, the log starts behind it. Every `LogStore`
/// calls this before it writes: a hole that reached the disk would stop the store from opening.
pub fn assert_appendable(batch: &LogBatch, bounds: impl Fn(GroupId) -> Option<(u64, u64)>) {
    for (at, (group, entries)) in batch.entries.iter().enumerate() {
        let Some(start) = entries.first() else { continue };
        assert!(start.index > 0, "{group:?}: log indices start at 1");
        assert!(
            entries.iter().zip(start.index..).all(|(entry, index)| entry.index == index),
            "{group:?}: entries are not consecutive"
        );
        assert!(
            batch.entries[..at].iter().all(|(other, _)| other != group),
            "{group:?}: appears twice in one batch"
        );
        if let Some((first, last)) = bounds(*group) {
            let start = start.index;
            assert!(
                start >= first && start <= last + 1,
                "{group:?}: {start} does not follow {first}..={last}"
            );
        }
    }
}

/// The first index held, if `from..to` is held whole; nothing if that range is empty.
///
/// Entries that are asked for and not held are damage or a bug, and never "none".
pub fn check_held(
    group: GroupId,
    from: u64,
    to: u64,
    bounds: Option<(u64, u64)>,
) -> Result<Option<u64>, StoreFault> {
    if from >= to {
        return Ok(None);
    }
    match bounds {
        Some((first, last)) if first <= from && to <= last + 1 => Ok(Some(first)),
        other => Err(StoreFault::Corrupt(format!(
            "entries {from}..{to} of group {} are not held: the log is {other:?}",
            group.0
        ))),
    }
}
