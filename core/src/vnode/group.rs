//! The vnode's place in its Raft group, through the `raft` crate.
//!
//! Entries since the last checkpoint are kept in memory, so that applying never reads the log's files.
//! The crate draws its election time-out from OS randomness whenever it resets; the value is overwritten
//! from our own seed after every call that can do so, which makes runs repeatable.

use std::collections::VecDeque;

use raft::prelude::{ConfState, Config, Entry, EntryType, HardState, RawNode, Ready, Snapshot};
use raft::{GetEntriesContext, RaftState, StateRole, Storage, StorageError};

use crate::fault::Fault;
use crate::rng::Rng;
use crate::rows::applied::Applied;
use crate::store::{Ballot, GroupId, LogBatch, LogEntry, LogStore, StoreFault};

/// Ticks without a leader until an election; a tick is about 100 ms.
const ELECTION_TICKS: usize = 10;
/// Largest amount of committed entries that one turn applies, in bytes.
const APPLY_BYTES: u64 = 8 * 1024 * 1024;

/// A member of a group.
pub struct Group {
    id: GroupId,
    node: RawNode<Tail>,
    rng: Rng,
    timeout: (u64, usize),
}

/// A turn's part of the log that is being written. Must be given back with [`Group::persisted`].
pub struct Pending {
    ready: Ready,
    committed: Vec<Entry>,
}

/// A committed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its index, which is the position.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The command; nothing for an entry of Raft's own.
    pub data: Option<Vec<u8>>,
}

impl Group {
    /// Opens a group from its log and from what is applied. A group without a log begins with `peer` as
    /// its only voter.
    pub fn open(
        log: &impl LogStore,
        id: GroupId,
        peer: u64,
        applied: &Applied,
        seed: u64,
    ) -> Result<Group, StoreFault> {
        let ballot = log.ballot(id)?.unwrap_or_default();
        let base = (applied.position.0, applied.term);
        let mut entries = VecDeque::new();
        if let Some((first, last)) = log.bounds(id)?
            && last > base.0
        {
            if first > base.0 + 1 {
                return Err(StoreFault::Corrupt(format!(
                    "group {}: the log begins at {first}, the state ends at {}",
                    id.0, base.0
                )));
            }
            let mut from = base.0 + 1;
            while from <= last {
                for entry in log.entries(id, from, last + 1, APPLY_BYTES)? {
                    from = entry.index + 1;
                    entries.push_back(entry_in(entry));
                }
            }
        }
        let mut hard = HardState::default();
        hard.set_term(ballot.term.max(base.1));
        hard.set_vote(if ballot.term >= base.1 { ballot.vote } else { 0 });
        // A commit index may lag behind what was applied; it never did more than that.
        hard.set_commit(ballot.commit.max(base.0).min(base.0 + entries.len() as u64));
        let voters = if applied.voters.is_empty() { vec![peer] } else { applied.voters.clone() };
        let tail = Tail { hard, conf: ConfState::from((voters, vec![])), base, entries };
        let config = Config {
            id: peer,
            election_tick: ELECTION_TICKS,
            heartbeat_tick: 1,
            applied: base.0,
            max_size_per_msg: 1024 * 1024,
            max_committed_size_per_ready: APPLY_BYTES,
            max_inflight_msgs: 256,
            check_quorum: true,
            pre_vote: true,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&config, tail, &logger)
            .map_err(|e| StoreFault::Corrupt(format!("group {}: {e}", id.0)))?;
        let mut group = Group { id, node, rng: Rng::new(seed), timeout: (u64::MAX, ELECTION_TICKS) };
        group.repeatable();
        Ok(group)
    }

    /// Overwrites the election time-out, drawn anew for each term.
    fn repeatable(&mut self) {
        let term = self.node.raft.term;
        if self.timeout.0 != term {
            self.timeout = (term, ELECTION_TICKS + self.rng.below(ELECTION_TICKS as u64) as usize);
        }
        self.node.raft.set_randomized_election_timeout(self.timeout.1);
    }

    /// Whether this replica is the only voter.
    pub fn is_alone(&self) -> bool {
        self.node.store().conf.voters == [self.node.raft.id]
    }

    /// Whether this replica orders writes now.
    pub fn leads(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// The present term.
    pub fn term(&self) -> u64 {
        self.node.raft.term
    }

    /// Stands for election at once: a group of one has nobody to wait for.
    pub fn campaign(&mut self) {
        // Refused only while a configuration change is being applied; the next tick tries again.
        let _ = self.node.campaign();
        self.repeatable();
    }

    /// About 100 ms have passed.
    pub fn tick(&mut self) {
        self.node.tick();
        self.repeatable();
    }

    /// Proposes a command. Returns the index it will have if it is committed in this term.
    pub fn propose(&mut self, data: Vec<u8>) -> Result<u64, Fault> {
        if !self.leads() {
            return Err(Fault::Unavailable);
        }
        let result = self.node.propose(Vec::new(), data);
        self.repeatable();
        result.map_err(|_| Fault::Busy)?;
        Ok(self.node.raft.raft_log.last_index())
    }

    /// Whether there is anything to write or apply.
    pub fn has_ready(&self) -> bool {
        self.node.has_ready()
    }

    /// Adds what must be written to the turn's batch.
    pub fn collect(&mut self, batch: &mut LogBatch) -> Option<Pending> {
        if !self.node.has_ready() {
            return None;
        }
        let mut ready = self.node.ready();
        let committed = ready.take_committed_entries();
        let entries = ready.take_entries();
        if !entries.is_empty() {
            batch.entries.push((self.id, entries.iter().map(entry_out).collect()));
            self.node.mut_store().append(entries);
        }
        if let Some(hard) = ready.hs() {
            let ballot = Ballot { term: hard.get_term(), vote: hard.get_vote(), commit: hard.get_commit() };
            batch.ballots.push((self.id, ballot));
            let hard = hard.clone();
            self.node.mut_store().hard = hard;
        }
        Some(Pending { ready, committed })
    }

    /// What was collected is on disk: returns what is committed now, in order.
    pub fn persisted(&mut self, pending: Pending) -> Vec<Committed> {
        let Pending { ready, mut committed } = pending;
        let mut light = self.node.advance(ready);
        if let Some(commit) = light.commit_index() {
            self.node.mut_store().hard.set_commit(commit);
        }
        committed.append(&mut light.take_committed_entries());
        self.node.advance_apply();
        self.repeatable();
        committed.into_iter().map(committed_out).collect()
    }

    /// Everything up to here is applied. A group of one needs it no longer in memory.
    pub fn applied(&mut self, index: u64, term: u64) {
        if self.is_alone() {
            self.node.mut_store().compact(index, term);
        }
    }
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

fn entry_out(entry: &Entry) -> LogEntry {
    let kind = match entry.get_entry_type() {
        EntryType::EntryNormal => 0,
        EntryType::EntryConfChange => 1,
        EntryType::EntryConfChangeV2 => 2,
    };
    LogEntry { index: entry.get_index(), term: entry.get_term(), kind, data: entry.get_data().to_vec() }
}

fn committed_out(entry: Entry) -> Committed {
    let normal = entry.get_entry_type() == EntryType::EntryNormal && !entry.get_data().is_empty();
    Committed {
        index: entry.get_index(),
        term: entry.get_term(),
        data: normal.then(|| entry.get_data().to_vec()),
    }
}

/// The end of the log, in memory.
struct Tail {
    hard: HardState,
    conf: ConfState,
    /// Index and term of the entry before the first.
    base: (u64, u64),
    entries: VecDeque<Entry>,
}

impl Tail {
    fn append(&mut self, new: Vec<Entry>) {
        let first = new[0].get_index();
        debug_assert!(first > self.base.0, "entries that are applied are never replaced");
        self.entries.truncate((first - self.base.0 - 1) as usize);
        self.entries.extend(new);
    }

    fn compact(&mut self, index: u64, term: u64) {
        if index > self.base.0 {
            self.entries.drain(..((index - self.base.0) as usize).min(self.entries.len()));
            self.base = (index, term);
        }
    }
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
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.base.0 {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let mut left = max_size.into().unwrap_or(u64::MAX);
        let range = self.entries.range((low - self.base.0 - 1) as usize..(high - self.base.0 - 1) as usize);
        let mut out: Vec<Entry> = Vec::new();
        for entry in range {
            let size = entry.get_data().len() as u64 + 24;
            if !out.is_empty() && size > left {
                break;
            }
            left = left.saturating_sub(size);
            out.push(entry.clone());
        }
        Ok(out)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.base.0 {
            return Ok(self.base.1);
        }
        if index < self.base.0 {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        match self.entries.get((index - self.base.0 - 1) as usize) {
            Some(entry) => Ok(entry.get_term()),
            None => Err(raft::Error::Store(StorageError::Unavailable)),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.base.0 + self.entries.len() as u64)
    }

    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        // Nobody but this replica is in the group yet.
        Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}
