//! A disk in memory that crashes, loses, tears, rots and fills: what tests run the stores on.
//!
//! Test support; nothing in the product uses it. It is raft-engine's file system ([`FaultyDisk`]) and
//! redb's storage ([`FaultyDisk::rows`]) at once, so that a crash hits the log and the state together.
//!
//! Each file has a live content, which the process sees, and a durable one, which is there after a
//! crash. A sync makes one the other. At a crash, what was written since is lost as [`Loss`] says.
//!
//! raft-engine lists its directory and syncs it by the operating system and not by its file system.
//! So a real directory holds an empty file for each of ours, and directory syncs are not seen here:
//! creations are durable at once (whoever creates a file syncs the directory before it relies on it);
//! removals and renames may be undone by a crash until something is created after them, or
//! [`FaultyDisk::sync_dir`] is called.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use gomer_core::rng::Rng;
use raft_engine::env::{FileSystem, Handle, Permission, WriteExt};
use redb::StorageBackend;

use super::files::is_rewrite;

/// Smallest unit that a disk writes as a whole, in bytes.
pub const SECTOR_BYTES: usize = 512;

/// How much space a log file claims ahead of what is written to it.
const STEP_BYTES: usize = 2048;

/// What becomes of writes that were not synced when the disk crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// None is left.
    All,
    /// The first ones of each file are left.
    Suffix,
    /// Any sectors of any of them are left.
    AnySectors,
    /// The first ones are left, and the first sectors of the next.
    TornSector,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct FaultyDisk(Arc<Mutex<Disk>>);

struct Disk {
    rng: Rng,
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    /// Names before each removal or rename since something was created.
    undo: Vec<BTreeMap<PathBuf, u64>>,
    next_id: u64,
    operations: u64,
    crash: Option<(u64, Loss)>,
    /// What is there after the crash, once it happened.
    survivors: Option<(BTreeMap<u64, Content>, BTreeMap<PathBuf, u64>)>,
    capacity: u64,
    syncs_fail: bool,
}

#[derive(Debug, Clone, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(at, new) => write_at(bytes, *at, new),
            Change::SetLen(length) => bytes.resize(*length, 0),
        }
    }
}

fn write_at(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

impl Content {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.unsynced.push(change);
    }

    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What a crash leaves.
    fn survivor(&self, loss: Loss, rng: &mut Rng) -> Content {
        let mut left = self.durable.clone();
        let kept = match loss {
            Loss::All => 0,
            Loss::AnySectors => self.unsynced.len(),
            Loss::Suffix | Loss::TornSector => rng.below(self.unsynced.len() as u64 + 1) as usize,
        };
        for change in &self.unsynced[..kept] {
            match (loss, change) {
                (Loss::AnySectors, Change::Write(at, bytes)) => {
                    for (at, sector) in sectors(*at, bytes) {
                        if rng.below(2) == 0 {
                            write_at(&mut left, at, sector);
                        }
                    }
                }
                _ => change.apply(&mut left),
            }
        }
        if let (Loss::TornSector, Some(Change::Write(at, bytes))) = (loss, self.unsynced.get(kept)) {
            let torn: Vec<_> = sectors(*at, bytes).collect();
            for (at, sector) in &torn[..rng.below(torn.len() as u64 + 1) as usize] {
                write_at(&mut left, *at, sector);
            }
        }
        Content { live: left.clone(), durable: left, unsynced: Vec::new() }
    }
}

/// A write, cut where sectors of the disk begin.
fn sectors(at: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let length = (SECTOR_BYTES - (at + from) % SECTOR_BYTES).min(bytes.len() - from);
        let sector = (at + from, &bytes[from..from + length]);
        from += length;
        (length > 0).then_some(sector)
    })
}

impl FaultyDisk {
    /// An empty disk. The seed decides what a crash leaves.
    pub fn new(seed: u64) -> FaultyDisk {
        FaultyDisk(Arc::new(Mutex::new(Disk {
            rng: Rng::new(seed),
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            undo: Vec::new(),
            next_id: 0,
            operations: 0,
            crash: None,
            survivors: None,
            capacity: u64::MAX,
            syncs_fail: false,
        })))
    }

    /// How many operations that change something there were so far.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Crashes in the middle of the operation of that number, 1 being the very first. The process
    /// does not notice: it goes on as in a dream until [`FaultyDisk::restart`].
    pub fn crash_at(&self, operation: u64, loss: Loss) {
        self.disk().crash = Some((operation, loss));
    }

    /// Crashes now.
    pub fn crash(&self, loss: Loss) {
        self.disk().crash_now(loss);
    }

    /// Whether the crash has happened: nothing since then is on disk.
    pub fn has_crashed(&self) -> bool {
        self.disk().survivors.is_some()
    }

    /// Starts again after a crash, on what survived. Without one, only the process ended: what was
    /// written is there, synced or not. The process before must have let go of its files.
    pub fn restart(&self) {
        let mut disk = self.disk();
        disk.crash = None;
        if let Some((files, names)) = disk.survivors.take() {
            disk.undo.clear();
            let gone: Vec<PathBuf> =
                disk.names.keys().filter(|name| !names.contains_key(*name)).cloned().collect();
            for name in gone {
                let _ = std::fs::remove_file(name);
            }
            for name in names.keys().filter(|name| !name.exists()) {
                mirror(name).expect("the directory of a file is there");
            }
            disk.files = files;
            disk.names = names;
        }
        let Disk { files, names, undo, .. } = &mut *disk;
        files.retain(|id, _| {
            names.values().chain(undo.iter().flat_map(|names| names.values())).any(|it| it == id)
        });
    }

    /// From here on the disk holds so many bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.disk().capacity = bytes;
    }

    /// Bytes in all files.
    pub fn used_bytes(&self) -> u64 {
        self.disk().used_bytes()
    }

    /// Whether syncs fail from here on. As on Linux, what a failed sync did not write is never written
    /// by a later one, and can be read until the machine goes down.
    pub fn set_syncs_fail(&self, fail: bool) {
        self.disk().syncs_fail = fail;
    }

    /// Syncs the directory: what was removed and renamed stays so.
    pub fn sync_dir(&self) {
        self.disk().undo.clear();
    }

    /// Flips bits of a byte at rest.
    pub fn rot(&self, path: &Path, at: usize, mask: u8) {
        let mut disk = self.disk();
        let id = disk.names[path];
        let content = disk.files.get_mut(&id).expect("a name has a file");
        content.live[at] ^= mask;
        content.durable[at] ^= mask;
    }

    /// Names and sizes of all files.
    pub fn list(&self) -> Vec<(PathBuf, usize)> {
        let disk = self.disk();
        disk.names.iter().map(|(name, id)| (name.clone(), disk.files[id].live.len())).collect()
    }

    /// One file as redb's storage, made if it is not there.
    pub fn rows(&self, path: &Path) -> FaultyFile {
        let id = self.disk().names.get(path).copied();
        let id = id.unwrap_or_else(|| {
            mirror(path).expect("the directory of a file is there");
            self.disk().create(path)
        });
        self.file(path, id)
    }

    /// How much fits on the disk still.
    pub fn free_bytes(&self) -> u64 {
        let disk = self.disk();
        disk.capacity.saturating_sub(disk.used_bytes())
    }

    fn file(&self, path: &Path, id: u64) -> FaultyFile {
        FaultyFile { disk: self.clone(), id, sync_each_write: is_rewrite(path) }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().expect("the disk does not panic")
    }
}

impl Disk {
    /// Counts an operation that has been done, or is being done when the crash comes.
    fn tick(&mut self) {
        self.operations += 1;
        if let Some((at, loss)) = self.crash
            && self.operations == at
        {
            self.crash_now(loss);
        }
    }

    fn crash_now(&mut self, loss: Loss) {
        if self.survivors.is_some() {
            return;
        }
        let rng = &mut self.rng;
        let files = self.files.iter().map(|(id, content)| (*id, content.survivor(loss, rng))).collect();
        let undone = rng.below(self.undo.len() as u64 + 1) as usize;
        let names = if undone == 0 { &self.names } else { &self.undo[self.undo.len() - undone] };
        self.survivors = Some((files, names.clone()));
    }

    fn create(&mut self, path: &Path) -> u64 {
        self.next_id += 1;
        self.undo.clear();
        self.names.insert(path.to_owned(), self.next_id);
        self.files.insert(self.next_id, Content::default());
        self.tick();
        self.next_id
    }

    fn content(&mut self, id: u64) -> &mut Content {
        self.files.get_mut(&id).expect("an open file is not forgotten")
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|id| self.files[id].live.len() as u64).sum()
    }

    /// Writes what fits, and fails if that is not all.
    fn write(&mut self, id: u64, at: usize, bytes: &[u8]) -> Result<()> {
        let length = self.content(id).live.len();
        let free = self.capacity.saturating_sub(self.used_bytes());
        let fits = (length.saturating_sub(at)).saturating_add(free as usize).min(bytes.len());
        self.content(id).change(Change::Write(at, bytes[..fits].to_vec()));
        self.tick();
        if fits < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn set_len(&mut self, id: u64, length: usize) -> Result<()> {
        let grows = length.saturating_sub(self.content(id).live.len()) as u64;
        if grows > self.capacity.saturating_sub(self.used_bytes()) {
            return Err(ErrorKind::StorageFull.into());
        }
        self.content(id).change(Change::SetLen(length));
        self.tick();
        Ok(())
    }

    fn sync(&mut self, id: u64) -> Result<()> {
        // A crash during the sync comes before it is done.
        self.tick();
        if self.syncs_fail {
            self.content(id).unsynced.clear();
            return Err(Error::other("the disk does not sync"));
        }
        self.content(id).sync();
        Ok(())
    }
}

/// Creates the empty real file by which a directory listing sees ours.
fn mirror(path: &Path) -> Result<()> {
    std::fs::File::create(path).map(drop)
}

impl FileSystem for FaultyDisk {
    type Handle = FaultyFile;
    type Reader = FaultyCursor;
    type Writer = FaultyCursor;

    fn create<P: AsRef<Path>>(&self, path: P) -> Result<FaultyFile> {
        let path = path.as_ref();
        mirror(path)?;
        let id = self.disk().create(path);
        Ok(self.file(path, id))
    }

    fn open<P: AsRef<Path>>(&self, path: P, _permission: Permission) -> Result<FaultyFile> {
        let path = path.as_ref();
        let id = *self.disk().names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(self.file(path, id))
    }

    fn delete<P: AsRef<Path>>(&self, path: P) -> Result<()> {
        let path = path.as_ref();
        std::fs::remove_file(path)?;
        let mut disk = self.disk();
        let before = disk.names.clone();
        disk.undo.push(before);
        disk.names.remove(path);
        disk.tick();
        Ok(())
    }

    fn rename<P: AsRef<Path>>(&self, from: P, to: P) -> Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        std::fs::rename(from, to)?;
        let mut disk = self.disk();
        let before = disk.names.clone();
        disk.undo.push(before);
        let id = disk.names.remove(from).ok_or(ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), id);
        disk.tick();
        Ok(())
    }

    fn new_reader(&self, file: Arc<FaultyFile>) -> Result<FaultyCursor> {
        Ok(FaultyCursor { file, at: 0, claimed: usize::MAX })
    }

    fn new_writer(&self, file: Arc<FaultyFile>) -> Result<FaultyCursor> {
        let claimed = file.file_size()?;
        Ok(FaultyCursor { file, at: 0, claimed })
    }
}

/// One open file of a [`FaultyDisk`].
#[derive(Clone)]
pub struct FaultyFile {
    disk: FaultyDisk,
    id: u64,
    sync_each_write: bool,
}

impl fmt::Debug for FaultyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyFile({})", self.id)
    }
}

impl FaultyFile {
    fn read_at(&self, at: usize, into: &mut [u8]) -> usize {
        let mut disk = self.disk.disk();
        let live = &disk.content(self.id).live;
        let from = live.len().min(at);
        let length = into.len().min(live.len() - from);
        into[..length].copy_from_slice(&live[from..from + length]);
        length
    }
}

impl Handle for FaultyFile {
    fn truncate(&self, offset: usize) -> Result<()> {
        self.disk.disk().set_len(self.id, offset)
    }

    fn file_size(&self) -> Result<usize> {
        Ok(self.disk.disk().content(self.id).live.len())
    }

    fn sync(&self) -> Result<()> {
        self.disk.disk().sync(self.id)
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> Result<u64> {
        Ok(self.disk.disk().content(self.id).live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        if self.read_at(offset as usize, out) < out.len() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.disk.disk().set_len(self.id, len as usize)
    }

    fn sync_data(&self) -> Result<()> {
        self.disk.disk().sync(self.id)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.disk.disk().write(self.id, offset as usize, data)
    }
}

/// A place in an open file of a [`FaultyDisk`].
pub struct FaultyCursor {
    file: Arc<FaultyFile>,
    at: usize,
    /// End of the space that was claimed for the file, as by the real files.
    claimed: usize,
}

impl Seek for FaultyCursor {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(offset) => (self.at as u64, offset),
            SeekFrom::End(offset) => (self.file.file_size()? as u64, offset),
        };
        let at = base.checked_add_signed(offset).ok_or(ErrorKind::InvalidInput)?;
        self.at = at as usize;
        Ok(at)
    }
}

impl Read for FaultyCursor {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let read = self.file.read_at(self.at, into);
        self.at += read;
        Ok(read)
    }
}

impl Write for FaultyCursor {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut disk = self.file.disk.disk();
        let end = self.at + bytes.len();
        if end > self.claimed && !self.file.sync_each_write {
            self.claimed = end + STEP_BYTES;
            // A hint; the write says whether there is space.
            let _ = disk.set_len(self.file.id, self.claimed);
        }
        disk.write(self.file.id, self.at, bytes)?;
        if self.file.sync_each_write {
            disk.sync(self.file.id)?;
        }
        self.at += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl WriteExt for FaultyCursor {
    fn truncate(&mut self, offset: usize) -> Result<()> {
        self.claimed = offset;
        self.file.disk.disk().set_len(self.file.id, offset)
    }

    fn allocate(&mut self, _offset: usize, _size: usize) -> Result<()> {
        Ok(())
    }
}
