//! What is done to the log's files before raft-engine opens them.
//!
//! raft-engine cuts its last file at the first record that it cannot read, whatever comes after it,
//! and checks the payloads of the other records only when they are asked for. Here every record of
//! every file is read first, and damage is told from the torn tail that a crash leaves behind:
//!
//! * Each record carries a [`Mark`]: its number, and the number of the last record that was synced
//!   when it was written. A tail that cannot be read is torn, and is cut, if no readable record after
//!   it says that it was synced. Otherwise it is damage, and the store is not opened.
//! * Numbers are consecutive: a record or a file that is missing in the middle is damage as well.
//! * The rewrite queue has no marks, but each of its records is synced before the next
//!   ([`super::files`]): a readable record after an unreadable one means damage.
//!
//! Afterwards the last file is written again and synced, and a new one is begun. What this process
//! reads is then on the disk, and not only in a page cache that a failed sync of the process before
//! left marked as clean. It also keeps offsets from being used twice: raft-engine caches blocks by
//! thread, file number and offset, so file numbers start at random to be different between stores.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gomer_core::store::StoreFault;
use raft_engine::env::{FileSystem, Handle, Permission};

use super::files::is_rewrite;
use super::{corrupt, io_fault, sync_dir};

/// raft-engine's group whose only row is the latest [`Mark`]. Ours start behind it.
pub const MARK_GROUP: u64 = 0;
/// Key of the mark.
pub const MARK_KEY: &[u8] = b"m";

/// What each record of the append queue says about itself, as its first item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Number of this record; one more than that of the record before it.
    pub number: u64,
    /// Number of the last record that was known to be on disk when this one was written.
    pub synced: u64,
}

impl Mark {
    /// Both numbers, little-endian.
    pub fn encode(self) -> Vec<u8> {
        [self.number.to_le_bytes(), self.synced.to_le_bytes()].concat()
    }

    fn decode(bytes: [u8; 16]) -> Mark {
        let [number, synced] = [&bytes[..8], &bytes[8..]]
            .map(|half| u64::from_le_bytes(half.try_into().expect("half of sixteen bytes")));
        Mark { number, synced }
    }
}

/// Checks and mends the files of both queues in `dir`, and returns the number of the last record.
///
/// `first_file` numbers the first file of a new log.
pub fn prepare<F: FileSystem>(dir: &Path, files: &F, first_file: u64) -> Result<u64, StoreFault> {
    for (_, copy) in list(dir, COPY).map_err(io_fault)? {
        // The start before this one was interrupted.
        files.delete(&copy).map_err(io_fault)?;
    }
    let mut last = 0;
    for extension in ["rewrite", "raftlog"] {
        last = prepare_queue(dir, extension, files, first_file)?;
    }
    sync_dir(dir).map_err(io_fault)?;
    Ok(last)
}

fn prepare_queue<F: FileSystem>(
    dir: &Path,
    extension: &str,
    files: &F,
    first_file: u64,
) -> Result<u64, StoreFault> {
    let mut segments = list(dir, extension).map_err(io_fault)?;
    // As raft-engine does: files before a gap were purged, and a crash undid their removal.
    if let Some(gap) = segments.windows(2).rposition(|pair| pair[0].0 + 1 != pair[1].0) {
        segments.drain(..=gap);
    }
    let mut last_number = None;
    let mut tail = Vec::new();
    let count = segments.len();
    for (at, (number, path)) in segments.iter().enumerate() {
        let mut segment = Segment { number: *number, path, bytes: read(files, path).map_err(io_fault)? };
        let is_last = at + 1 == count;
        if !segment.has_header() {
            if !is_last || segment.next_record(0).is_some() {
                return Err(segment.damaged(0));
            }
            // Begun, and the process or the disk's space ended; the file before it was closed.
            files.delete(path).map_err(io_fault)?;
            segments.pop();
            break;
        }
        let end = segment.check(&mut last_number, is_last)?;
        if end < segment.bytes.len() {
            segment.bytes.truncate(end);
            cut(files, path, end).map_err(io_fault)?;
        }
        tail = segment.bytes;
    }
    match segments.last() {
        None => begin(files, &path_of(dir, first_file, extension)),
        Some(_) if tail.len() <= HEADER_BYTES => Ok(()),
        Some((number, path)) => {
            write_again(files, path, &tail).and_then(|()| begin(files, &path_of(dir, number + 1, extension)))
        }
    }
    .map_err(io_fault)?;
    Ok(last_number.unwrap_or(0))
}

struct Segment<'a> {
    number: u64,
    path: &'a Path,
    bytes: Vec<u8>,
}

/// One record that can be read.
struct Record {
    length: usize,
    mark: Option<Mark>,
}

impl Segment<'_> {
    fn has_header(&self) -> bool {
        self.bytes.starts_with(&header())
    }

    /// Walks all records and returns where they end. `last_number` is that of the record before.
    fn check(&self, last_number: &mut Option<u64>, is_last: bool) -> Result<usize, StoreFault> {
        let mut at = HEADER_BYTES;
        while let Some(record) = self.record(at) {
            if let Some(mark) = record.mark {
                if last_number.is_some_and(|last| mark.number != last + 1) {
                    return Err(self.damaged(at));
                }
                *last_number = Some(mark.number);
            }
            at += record.length;
        }
        if self.bytes[at..].iter().all(|&byte| byte == 0) {
            return Ok(at);
        }
        if !is_last {
            return Err(self.damaged(at));
        }
        let mut search = at + 1;
        while let Some((found, record)) = self.next_record(search) {
            let torn = record.mark.is_some_and(|mark| mark.synced <= last_number.unwrap_or(0));
            if !torn {
                return Err(self.damaged(at));
            }
            search = found + record.length;
        }
        Ok(at)
    }

    fn next_record(&self, from: usize) -> Option<(usize, Record)> {
        (from..self.bytes.len()).find_map(|at| Some((at, self.record(at)?)))
    }

    /// The record at an offset, if there is one and both of its checksums are right.
    ///
    /// Layout (raft-engine 0.4.2, `log_batch.rs`): length << 8 | compression and offset of the items,
    /// both 8 bytes big-endian; the payloads and their CRC-32, unless there are none; the items and
    /// their CRC-32, which is combined with the file's number.
    fn record(&self, at: usize) -> Option<Record> {
        let rest = &self.bytes[at..];
        let word = |at: usize| Some(u64::from_be_bytes(rest.get(at..at + 8)?.try_into().ok()?));
        let (length, compression) = ((word(0)? >> 8) as usize, word(0)? as u8);
        let items_at = word(8)? as usize;
        if compression > 1 || length > rest.len() || items_at < RECORD_HEADER_BYTES || items_at >= length {
            return None;
        }
        let payloads = &rest[RECORD_HEADER_BYTES..items_at];
        if !payloads.is_empty() {
            checked(payloads, 0)?;
        }
        // The low half of the number is what raft-engine signs with.
        let items = checked(&rest[items_at..length], self.number as u32)?;
        let mark = if is_rewrite(self.path) { None } else { Some(mark(items)?) };
        Some(Record { length, mark })
    }

    fn damaged(&self, at: usize) -> StoreFault {
        corrupt(format!("log file {} at byte {at}", self.path.display()))
    }
}

/// The bytes before a CRC-32, if it is right.
fn checked(bytes: &[u8], signature: u32) -> Option<&[u8]> {
    let (content, sum) = bytes.split_last_chunk::<4>()?;
    (crc32fast::hash(content) ^ signature == u32::from_le_bytes(*sum)).then_some(content)
}

/// The mark among a record's items: after their count, the first one.
fn mark(items: &[u8]) -> Option<Mark> {
    let count = items.iter().position(|byte| byte & 0x80 == 0)? + 1;
    const KEY_VALUE: u8 = 3;
    const PUT: u8 = 1;
    let prefix = [MARK_GROUP as u8, KEY_VALUE, PUT, MARK_KEY.len() as u8, MARK_KEY[0], 16];
    let value = items[count..].strip_prefix(&prefix)?;
    Some(Mark::decode(*value.first_chunk::<16>()?))
}

fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    // Version 2, big-endian; then the alignment, none.
    header[MAGIC.len() + 7] = 2;
    header
}

fn list(dir: &Path, extension: &str) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let number = stem.filter(|stem| stem.len() == 16).and_then(|stem| stem.parse().ok());
        match number {
            Some(number) if path.extension().is_some_and(|it| it == extension) => found.push((number, path)),
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}

fn path_of(dir: &Path, number: u64, extension: &str) -> PathBuf {
    dir.join(format!("{number:016}.{extension}"))
}

fn read<F: FileSystem>(files: &F, path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    files.new_reader(Arc::new(files.open(path, Permission::ReadOnly)?))?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn cut<F: FileSystem>(files: &F, path: &Path, length: usize) -> std::io::Result<()> {
    let file = files.open(path, Permission::ReadWrite)?;
    file.truncate(length)?;
    file.sync()
}

fn begin<F: FileSystem>(files: &F, path: &Path) -> std::io::Result<()> {
    write_new(files, path, &header())
}

fn write_again<F: FileSystem>(files: &F, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let copy = path.with_extension(COPY);
    match write_new(files, &copy, bytes) {
        Ok(()) => files.rename(copy.as_path(), path),
        // A member must be able to start on a full disk, if only to free space. A sync is the best
        // there is then; a disk whose syncs fail while it is full is two faults at once.
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            files.delete(&copy)?;
            files.open(path, Permission::ReadWrite)?.sync()
        }
        Err(error) => Err(error),
    }
}

fn write_new<F: FileSystem>(files: &F, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let file = Arc::new(files.create(path)?);
    files.new_writer(file.clone())?.write_all(bytes)?;
    // The writer may have claimed space beyond what it wrote.
    file.truncate(bytes.len())?;
    file.sync()
}

/// Extension of a file that is written again.
const COPY: &str = "copy";
const MAGIC: &[u8] = b"RAFT-LOG-FILE-HEADER-9986AB3E47F320B394C8E84916EB0ED5";
const HEADER_BYTES: usize = MAGIC.len() + 16;
const RECORD_HEADER_BYTES: usize = 16;
