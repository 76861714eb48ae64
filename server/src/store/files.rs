//! The files of the Raft log on a real disk, as raft-engine asks for them.
//!
//! raft-engine brings such a layer of its own. This one differs in what we rely on:
//!
//! * A full disk is reported as it is. (raft-engine's own layer words it so that the engine starts
//!   another file and tries again, on the disk that is full.)
//! * Space is claimed in steps of [`STEP_BYTES`], not 2 MiB: a fresh store is small.
//! * Every write to a file of the *rewrite* queue is synced at once. So there is never more than one
//!   unsynced record in it, and damage before another record is known to be damage
//!   ([`super::segments`]).
//! * Files are readable by their owner alone.

use std::fs::{File, OpenOptions};
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use raft_engine::env::{FileSystem, Handle, Permission, WriteExt};

/// How much space a log file claims ahead of what is written to it.
pub const STEP_BYTES: u64 = 256 * 1024;

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFiles;

/// One open log file.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    sync_each_write: bool,
}

impl DiskFile {
    fn new(file: File, path: &Path) -> DiskFile {
        DiskFile { file, sync_each_write: is_rewrite(path) }
    }
}

/// Whether this is a file of the rewrite queue, whose writes are synced one by one.
pub fn is_rewrite(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rewrite")
}

impl FileSystem for DiskFiles {
    type Handle = DiskFile;
    type Reader = DiskCursor;
    type Writer = DiskCursor;

    fn create<P: AsRef<Path>>(&self, path: P) -> Result<DiskFile> {
        let path = path.as_ref();
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(DiskFile::new(file, path))
    }

    fn open<P: AsRef<Path>>(&self, path: P, permission: Permission) -> Result<DiskFile> {
        let path = path.as_ref();
        let write = permission == Permission::ReadWrite;
        Ok(DiskFile::new(OpenOptions::new().read(true).write(write).open(path)?, path))
    }

    fn delete<P: AsRef<Path>>(&self, path: P) -> Result<()> {
        std::fs::remove_file(path)
    }

    fn rename<P: AsRef<Path>>(&self, from: P, to: P) -> Result<()> {
        std::fs::rename(from, to)
    }

    fn new_reader(&self, file: Arc<DiskFile>) -> Result<DiskCursor> {
        Ok(DiskCursor { file, at: 0, claimed: 0 })
    }

    fn new_writer(&self, file: Arc<DiskFile>) -> Result<DiskCursor> {
        let claimed = file.file.metadata()?.len();
        Ok(DiskCursor { file, at: 0, claimed })
    }
}

impl Handle for DiskFile {
    fn truncate(&self, offset: usize) -> Result<()> {
        self.file.set_len(offset as u64)
    }

    fn file_size(&self) -> Result<usize> {
        Ok(self.file.metadata()?.len() as usize)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data()
    }
}

/// A place in an open log file.
#[derive(Debug)]
pub struct DiskCursor {
    file: Arc<DiskFile>,
    at: u64,
    /// End of the space that was claimed for the file.
    claimed: u64,
}

impl Seek for DiskCursor {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(offset) => (self.at, offset),
            SeekFrom::End(offset) => (self.file.file.metadata()?.len(), offset),
        };
        self.at = base.checked_add_signed(offset).ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl Read for DiskCursor {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let read = self.file.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Write for DiskCursor {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let end = self.at + bytes.len() as u64;
        if end > self.claimed && !self.file.sync_each_write {
            // Only a hint. Where it cannot be followed, because the file system does not know it or
            // is nearly full, the write itself says whether there is space.
            let length = (end - self.claimed).max(STEP_BYTES);
            let flags = rustix::fs::FallocateFlags::empty();
            let _ = rustix::fs::fallocate(&self.file.file, flags, self.claimed, length);
            self.claimed += length;
        }
        // The whole of it or an error, so that the sync below is one per record.
        self.file.file.write_all_at(bytes, self.at)?;
        self.at = end;
        if self.file.sync_each_write {
            self.file.file.sync_data()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl WriteExt for DiskCursor {
    fn truncate(&mut self, offset: usize) -> Result<()> {
        self.claimed = offset as u64;
        self.file.file.set_len(offset as u64)
    }

    fn allocate(&mut self, _offset: usize, _size: usize) -> Result<()> {
        Ok(())
    }
}

/// Files that can be let go of while their disk fails.
///
/// raft-engine syncs both of its queues when it is dropped and panics where that fails: twice is an
/// abort. All that must be on disk is synced before, so once closing has begun, syncs do nothing.
pub(super) struct Closable<F> {
    files: Arc<F>,
    is_closing: Arc<AtomicBool>,
}

impl<F> Closable<F> {
    /// The same files, and the switch that begins closing.
    pub(super) fn new(files: Arc<F>) -> (Closable<F>, Arc<AtomicBool>) {
        let is_closing = Arc::new(AtomicBool::new(false));
        (Closable { files, is_closing: is_closing.clone() }, is_closing)
    }

    fn wrap<H>(&self, file: H) -> ClosableFile<H> {
        ClosableFile { file: Arc::new(file), is_closing: self.is_closing.clone() }
    }
}

impl<F: FileSystem> FileSystem for Closable<F> {
    type Handle = ClosableFile<F::Handle>;
    type Reader = F::Reader;
    type Writer = F::Writer;

    fn create<P: AsRef<Path>>(&self, path: P) -> Result<Self::Handle> {
        Ok(self.wrap(self.files.create(path)?))
    }

    fn open<P: AsRef<Path>>(&self, path: P, permission: Permission) -> Result<Self::Handle> {
        Ok(self.wrap(self.files.open(path, permission)?))
    }

    fn delete<P: AsRef<Path>>(&self, path: P) -> Result<()> {
        self.files.delete(path)
    }

    fn rename<P: AsRef<Path>>(&self, from: P, to: P) -> Result<()> {
        self.files.rename(from, to)
    }

    fn new_reader(&self, file: Arc<Self::Handle>) -> Result<F::Reader> {
        self.files.new_reader(file.file.clone())
    }

    fn new_writer(&self, file: Arc<Self::Handle>) -> Result<F::Writer> {
        self.files.new_writer(file.file.clone())
    }
}

/// One file of [`Closable`].
pub(super) struct ClosableFile<H> {
    file: Arc<H>,
    is_closing: Arc<AtomicBool>,
}

impl<H: Handle> Handle for ClosableFile<H> {
    fn truncate(&self, offset: usize) -> Result<()> {
        self.file.truncate(offset)
    }

    fn file_size(&self) -> Result<usize> {
        self.file.file_size()
    }

    fn sync(&self) -> Result<()> {
        if self.is_closing.load(Ordering::Relaxed) { Ok(()) } else { self.file.sync() }
    }
}
