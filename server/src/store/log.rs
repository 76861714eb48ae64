//! The log on disk: raft-engine behind [`LogStore`].
//!
//! One `append` is one record in one file, whatever number of groups it concerns, and with `sync` one
//! `fdatasync`. A failed write or sync is never taken back and never retried: raft-engine panics where
//! a sync fails, which is caught, and from then on this store answers every call with the same fault.
//! Only a full disk is survived: the record that did not fit was cut off again.
//!
//! raft-engine moves old entries to its *rewrite queue*, and when it opens it lays what the other queue
//! holds over them. Two things come back by that which were gone, so compaction has a row of its own
//! for each group, and the last entry of a group is never given away:
//!
//! * Entries that were compacted, when the file that held the compaction was removed.
//! * A tail that was replaced, when all that replaced it was compacted: nothing lies over it any more.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gomer_core::store::{self, Ballot, GroupId, LogBatch, LogEntry, LogStore, StoreFault};
use raft::prelude::Entry;
use raft_engine::env::FileSystem;
use raft_engine::internals::LogQueue;
use raft_engine::{Command, Config, Engine, MessageExt, ReadableSize, RecoveryMode};

use super::files::{Closable, DiskFiles};
use super::segments::{self, MARK_GROUP, MARK_KEY, Mark};
use super::{corrupt, io_fault, panic_message};

/// Sizes of the log on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// A file is closed and the next one begun past so many bytes. Default 8 MiB.
    pub file_bytes: u64,
    /// Past so many bytes of files, what is left of old ones is moved so that they can be removed.
    /// At least `file_bytes`; default 64 MiB.
    pub purge_bytes: u64,
}

impl Default for LogSettings {
    fn default() -> LogSettings {
        LogSettings { file_bytes: 8 << 20, purge_bytes: 64 << 20 }
    }
}

/// The logs of many groups, in one directory. [`GroupId`]s up to `u64::MAX - 1`.
pub struct RaftLog<F: FileSystem = DiskFiles> {
    /// Always there until the store is dropped.
    engine: Option<Engine<Closable<F>>>,
    /// Set when the engine need not sync any more.
    is_closing: Arc<AtomicBool>,
    /// The last record written, and the last one known to be on disk.
    mark: Mark,
    /// The last file when old ones were last looked for.
    purged_at: u64,
    /// Entries that were compacted since then.
    released: u64,
    /// First index after the last compaction of each group that had one. An entry below it may still
    /// be there, for raft-engine.
    compacted: BTreeMap<GroupId, u64>,
    /// What every call answers after a failed write or sync.
    failed: Option<StoreFault>,
}

impl RaftLog {
    /// Opens the log in `dir`, or makes one, its parent being there.
    ///
    /// [`StoreFault::Corrupt`] if anything is damaged that was once on disk; a tail that was cut off
    /// or torn by a crash is not.
    pub fn open(dir: &Path, settings: LogSettings) -> Result<RaftLog, StoreFault> {
        // Far from zero and from each other; 16 digits are what raft-engine writes in a file name.
        let random = getrandom::u64().map_err(|error| StoreFault::Io(error.to_string()))?;
        RaftLog::open_on(dir, Arc::new(DiskFiles), settings, (random % 1_000_000_000 + 1) * 1_000_000)
    }
}

impl<F: FileSystem> RaftLog<F> {
    /// The same on other files. A new log numbers its files from `first_file`, which no two stores
    /// used by one thread may share.
    pub fn open_on(
        dir: &Path,
        files: Arc<F>,
        settings: LogSettings,
        first_file: u64,
    ) -> Result<RaftLog<F>, StoreFault> {
        if !dir.exists() {
            std::fs::create_dir(dir).map_err(io_fault)?;
        }
        let number = segments::prepare(dir, &*files, first_file)?;
        let config = Config {
            dir: dir.to_str().ok_or_else(|| StoreFault::Io(format!("{dir:?} is not UTF-8")))?.to_owned(),
            // All that a crash may leave behind was mended already.
            recovery_mode: RecoveryMode::AbsoluteConsistency,
            // Threads live while it opens only; our logs are small.
            recovery_threads: 1,
            batch_compression_threshold: ReadableSize(0),
            target_file_size: ReadableSize(settings.file_bytes),
            purge_threshold: ReadableSize(settings.purge_bytes),
            purge_rewrite_threshold: Some(ReadableSize(settings.file_bytes * 2)),
            // A small disk should get its space back.
            enable_log_recycle: false,
            ..Config::default()
        };
        let (files, is_closing) = Closable::new(files);
        let engine = guard(|| Engine::open_with_file_system(config, Arc::new(files)))
            // What raft-engine asserts while it opens is that it reads what it wrote.
            .map_err(|fault| corrupt(fault.to_string()))?
            .map_err(engine_fault)?;
        let purged_at = engine.file_span(LogQueue::Append).1;
        let mark = Mark { number, synced: number };
        let compacted = BTreeMap::new();
        let mut log = RaftLog {
            engine: Some(engine),
            is_closing,
            mark,
            purged_at,
            released: 0,
            compacted,
            failed: None,
        };
        log.compact_again()?;
        Ok(log)
    }

    /// Reads up to where each group was compacted, and gives that to raft-engine where it forgot.
    fn compact_again(&mut self) -> Result<(), StoreFault> {
        let mut record = self.record(0)?;
        let mut is_needed = false;
        for group in self.engine().raft_groups().into_iter().filter_map(group) {
            let Some(bytes) = self.engine().get(region(group), COMPACTED_KEY) else { continue };
            let first = bytes.try_into().map(u64::from_le_bytes);
            let first = first.map_err(|_| corrupt(format!("the compaction of group {}", group.0)))?;
            self.compacted.insert(group, first);
            if let Some((held, last)) = self.held(group)
                && held < first.min(last)
            {
                record.add_command(region(group), Command::Compact { index: first.min(last) });
                is_needed = true;
            }
        }
        if is_needed { self.write(record, false) } else { Ok(()) }
    }

    /// What raft-engine holds of a group.
    fn held(&self, group: GroupId) -> Option<(u64, u64)> {
        let engine = self.engine();
        Some((engine.first_index(region(group))?, engine.last_index(region(group))?))
    }

    /// What is left of a group after its compaction.
    fn span(&self, group: GroupId) -> Option<(u64, u64)> {
        let (held, last) = self.held(group)?;
        let first = self.compacted.get(&group).map_or(held, |&first| first.max(held));
        (first <= last).then_some((first, last))
    }

    /// Bytes that the log's files may take, counted as whole files.
    pub fn used_bytes(&self) -> u64 {
        self.engine().get_used_size() as u64
    }

    fn engine(&self) -> &Engine<Closable<F>> {
        self.engine.as_ref().expect("the engine is there until drop")
    }

    /// Writes one record, with its mark in front.
    fn write(&mut self, mut record: raft_engine::LogBatch, sync: bool) -> Result<(), StoreFault> {
        let written = guard(|| self.engine().write(&mut record, sync));
        match written.and_then(|result| result.map_err(engine_fault)) {
            Ok(_) => {
                self.mark.number += 1;
                if sync {
                    self.mark.synced = self.mark.number;
                }
                Ok(())
            }
            Err(StoreFault::Full) => Err(StoreFault::Full),
            Err(fault) => Err(self.fail(fault)),
        }
    }

    /// A record that says which it will be.
    fn record(&self, items: usize) -> Result<raft_engine::LogBatch, StoreFault> {
        let mut record = raft_engine::LogBatch::with_capacity(items + 1);
        let mark = Mark { number: self.mark.number + 1, synced: self.mark.synced };
        record.put(MARK_GROUP, MARK_KEY.to_vec(), mark.encode()).map_err(engine_fault)?;
        Ok(record)
    }

    fn check_alive(&self) -> Result<(), StoreFault> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, fault: StoreFault) -> StoreFault {
        // What was damaged while writing is a failed write all the same.
        let fault = StoreFault::Io(format!("the log failed and takes no more: {fault}"));
        self.failed = Some(fault.clone());
        fault
    }
}

impl<F: FileSystem + 'static> LogStore for RaftLog<F> {
    fn append(&mut self, batch: &LogBatch, sync: bool) -> Result<(), StoreFault> {
        self.check_alive()?;
        store::assert_appendable(batch, |group| self.span(group));
        let nothing_new = batch.is_empty() && !(sync && self.mark.synced < self.mark.number);
        if nothing_new {
            return Ok(());
        }
        let mut record = self.record(batch.entries.len() + batch.ballots.len())?;
        for (group, entries) in &batch.entries {
            if let (Some(start), Some((_, last))) = (entries.first(), self.held(*group))
                && self.span(*group).is_none()
            {
                // The log begins anew behind a gap; now its last entry may go.
                assert!(start.index > last, "{group:?}: {} was compacted", start.index);
                record.add_command(region(*group), Command::Compact { index: start.index });
            }
            let stored: Vec<Entry> = entries.iter().map(encode).collect();
            record.add_entries::<Stored>(region(*group), &stored).map_err(engine_fault)?;
        }
        for (group, ballot) in &batch.ballots {
            record.put(region(*group), BALLOT_KEY.to_vec(), encode_ballot(*ballot)).map_err(engine_fault)?;
        }
        self.write(record, sync)
    }

    fn ballot(&self, group: GroupId) -> Result<Option<Ballot>, StoreFault> {
        self.check_alive()?;
        let stored = self.engine().get(region(group), BALLOT_KEY);
        stored.map(|bytes| decode_ballot(group, &bytes)).transpose()
    }

    fn bounds(&self, group: GroupId) -> Result<Option<(u64, u64)>, StoreFault> {
        self.check_alive()?;
        Ok(self.span(group))
    }

    fn entries(
        &self,
        group: GroupId,
        from: u64,
        to: u64,
        max_bytes: u64,
    ) -> Result<Vec<LogEntry>, StoreFault> {
        store::check_held(group, from, to, self.bounds(group)?)?;
        let mut bytes = 0;
        let mut taken = Vec::new();
        for index in from..to {
            // raft-engine asserts what it reads; to us that is damage like any other.
            let read = guard(|| self.engine().get_entry::<Stored>(region(group), index));
            let entry = read
                .map_err(|fault| corrupt(fault.to_string()))?
                .map_err(engine_fault)?
                .ok_or_else(|| corrupt(format!("entry {index} of group {} is missing", group.0)))?;
            bytes += entry.data.len() as u64;
            if bytes > max_bytes && !taken.is_empty() {
                break;
            }
            taken.push(decode(entry)?);
        }
        Ok(taken)
    }

    fn compact(&mut self, group: GroupId, first: u64) -> Result<(), StoreFault> {
        self.check_alive()?;
        let (Some((held, last)), Some((kept, _))) = (self.held(group), self.span(group)) else {
            return Ok(());
        };
        if first <= kept {
            return Ok(());
        }
        let mut record = self.record(2)?;
        if held < first.min(last) {
            record.add_command(region(group), Command::Compact { index: first.min(last) });
        }
        let row = first.to_le_bytes().to_vec();
        record.put(region(group), COMPACTED_KEY.to_vec(), row).map_err(engine_fault)?;
        // Once per file, so that a turn pays for at most one round of moving and removing. And once in a
        // while when no file is begun any more, because the disk is full.
        self.released += first.min(last + 1) - kept;
        let last_file = self.engine().file_span(LogQueue::Append).1;
        let is_purge_due = last_file != self.purged_at || self.released >= RELEASED_MAX;
        // Files are removed for good, so what makes them superfluous must be on disk before.
        self.write(record, is_purge_due)?;
        self.compacted.insert(group, first);
        if !is_purge_due {
            return Ok(());
        }
        self.purged_at = last_file;
        self.released = 0;
        let purged = guard(|| self.engine().purge_expired_files());
        match purged.and_then(|result| result.map_err(engine_fault)) {
            // Nothing was moved; the next file tries again.
            Ok(_) | Err(StoreFault::Full) => Ok(()),
            Err(fault) => Err(self.fail(fault)),
        }
    }

    fn groups(&self) -> Result<Vec<GroupId>, StoreFault> {
        self.check_alive()?;
        let mut groups: Vec<GroupId> = self.engine().raft_groups().into_iter().filter_map(group).collect();
        groups.sort();
        Ok(groups)
    }
}

impl<F: FileSystem> Drop for RaftLog<F> {
    fn drop(&mut self) {
        if self.failed.is_none() && self.mark.synced < self.mark.number {
            // Nobody waits for it; whoever opens the log next syncs it again.
            let _ = self.record(0).and_then(|record| self.write(record, true));
        }
        self.is_closing.store(true, Ordering::Relaxed);
        let engine = self.engine.take();
        let _ = guard(|| drop(engine));
    }
}

/// Runs what may panic in raft-engine. The engine is not used for writing again afterwards.
fn guard<T>(run: impl FnOnce() -> T) -> Result<T, StoreFault> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| StoreFault::Io(panic_message(&*panic).to_owned()))
}

fn engine_fault(error: raft_engine::Error) -> StoreFault {
    match error {
        raft_engine::Error::Io(error) => io_fault(error),
        raft_engine::Error::Corruption(_)
        | raft_engine::Error::Codec(_)
        | raft_engine::Error::Protobuf(_)
        | raft_engine::Error::EntryCompacted
        | raft_engine::Error::EntryNotFound => corrupt(error.to_string()),
        other => StoreFault::Io(other.to_string()),
    }
}

/// raft-engine's number of a group; the first one holds the mark.
fn region(group: GroupId) -> u64 {
    group.0.checked_add(MARK_GROUP + 1).expect("u64::MAX is no group")
}

fn group(region: u64) -> Option<GroupId> {
    region.checked_sub(MARK_GROUP + 1).map(GroupId)
}

/// How raft-engine sees an entry: as the `raft` crate's message, read back from our own disk only.
struct Stored;

impl MessageExt for Stored {
    type Entry = Entry;

    fn index(entry: &Entry) -> u64 {
        entry.index
    }
}

fn encode(entry: &LogEntry) -> Entry {
    // The kind is opaque here, so it is not put where protobuf knows three kinds only.
    let kind = if entry.kind == 0 { Vec::new() } else { vec![entry.kind] };
    Entry {
        index: entry.index,
        term: entry.term,
        data: entry.data.clone().into(),
        context: kind.into(),
        ..Entry::default()
    }
}

fn decode(stored: Entry) -> Result<LogEntry, StoreFault> {
    let kind = match &stored.context[..] {
        [] => 0,
        [kind] => *kind,
        _ => return Err(corrupt(format!("entry {} has an impossible kind", stored.index))),
    };
    Ok(LogEntry { index: stored.index, term: stored.term, kind, data: stored.data.into() })
}

fn encode_ballot(ballot: Ballot) -> Vec<u8> {
    let mut bytes = vec![BALLOT_VERSION];
    for word in [ballot.term, ballot.vote, ballot.commit] {
        bytes.extend(word.to_le_bytes());
    }
    bytes
}

fn decode_ballot(group: GroupId, bytes: &[u8]) -> Result<Ballot, StoreFault> {
    let Some((&BALLOT_VERSION, words)) = bytes.split_first().filter(|(_, words)| words.len() == 24) else {
        return Err(corrupt(format!("the ballot of group {}", group.0)));
    };
    let word = |at: usize| u64::from_le_bytes(words[at..at + 8].try_into().expect("eight of 24 bytes"));
    Ok(Ballot { term: word(0), vote: word(8), commit: word(16) })
}

const BALLOT_KEY: &[u8] = b"b";
/// First index after the last compaction.
const COMPACTED_KEY: &[u8] = b"c";
const BALLOT_VERSION: u8 = 1;
/// After so many compacted entries, old files are looked for.
const RELEASED_MAX: u64 = 1_024;

#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
