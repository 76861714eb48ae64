//! The log on disk: raft-engine behind [`LogStore`].
//!
//! One `append` is one record in one file, whatever number of groups it concerns, and with `sync` one
//! `fdatasync`. A failed write or sync is never taken back and never retried: raft-engine panics where
//! a sync fails, which is caught, and from then on this store answers every call with the same fault.
//! Only a full disk is survived: the record that did not fit was cut off again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use gomer_core::store::{self, Ballot, GroupId, LogBatch, LogEntry, LogStore, StoreFault};
use raft::prelude::Entry;
use raft_engine::env::FileSystem;
use raft_engine::internals::LogQueue;
use raft_engine::{Command, Config, Engine, MessageExt, ReadableSize, RecoveryMode};

use super::files::DiskFiles;
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
    engine: Option<Engine<F>>,
    /// The last record written, and the last one known to be on disk.
    mark: Mark,
    /// The last file when old ones were last looked for.
    purged_at: u64,
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
        let engine = guard(|| Engine::open_with_file_system(config, files))?.map_err(engine_fault)?;
        let purged_at = engine.file_span(LogQueue::Append).1;
        Ok(RaftLog { engine: Some(engine), mark: Mark { number, synced: number }, purged_at, failed: None })
    }

    /// Bytes that the log's files may take, counted as whole files.
    pub fn used_bytes(&self) -> u64 {
        self.engine().get_used_size() as u64
    }

    fn engine(&self) -> &Engine<F> {
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
        store::assert_appendable(batch, |group| span(self.engine(), region(group)));
        let nothing_new = batch.is_empty() && !(sync && self.mark.synced < self.mark.number);
        if nothing_new {
            return Ok(());
        }
        let mut record = self.record(batch.entries.len() + batch.ballots.len())?;
        for (group, entries) in &batch.entries {
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
        Ok(span(self.engine(), region(group)))
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
        if span(self.engine(), region(group)).is_none_or(|(held, _)| first <= held) {
            return Ok(());
        }
        let mut record = self.record(1)?;
        record.add_command(region(group), Command::Compact { index: first });
        self.write(record, false)?;
        // Once per file, so that a turn pays for at most one round of moving and removing.
        let last_file = self.engine().file_span(LogQueue::Append).1;
        if last_file == self.purged_at {
            return Ok(());
        }
        self.purged_at = last_file;
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
        // Closing syncs; where that fails, raft-engine panics, and a panic in a drop aborts.
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

fn span<F: FileSystem>(engine: &Engine<F>, region: u64) -> Option<(u64, u64)> {
    Some((engine.first_index(region)?, engine.last_index(region)?))
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
const BALLOT_VERSION: u8 = 1;

#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
