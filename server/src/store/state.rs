//! The state on disk: redb behind [`StateStore`], one table of bytes to bytes.
//!
//! A commit is one durable transaction in two phases, with redb's *quick repair*: what a crash
//! leaves behind opens at once, whatever its size. Snapshots are redb's read transactions.
//!
//! redb does not survive a full disk: after any failed write it answers nothing more until it is
//! opened again, which is not safe while snapshots live. So a commit first asks how much space there
//! is, and is refused as [`StoreFault::Full`] before it begins when that may not do. If the disk fills
//! up all the same, the commit is [`StoreFault::Full`] and every later one [`StoreFault::Io`].
//!
//! redb checks its pages when it repairs, not when it reads them; rows carry checksums of their own
//! (`core/src/rows`). A page that redb stumbles over is [`StoreFault::Corrupt`].

use std::fs::OpenOptions;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use gomer_core::store::{Direction, StateBatch, StateRead, StateStore, StoreFault, Visit};
use redb::{
    Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};

use super::reserve::Space;
use super::{corrupt, io_fault, panic_message, sync_dir};

/// Memory for pages that were read or are to be written, by default 64 MiB a store.
pub const CACHE_BYTES: usize = 64 << 20;

/// How many bytes may still be written, if that is known.
pub type FreeBytes = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// Ordered rows in one file.
pub struct RedbState {
    /// Always there until the store is dropped.
    database: Option<Database>,
    free_bytes: FreeBytes,
    /// What every commit answers after one that failed at the disk.
    failed: Option<StoreFault>,
}

impl RedbState {
    /// Opens the file, or makes it, its directory being there.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<RedbState, StoreFault> {
        let dir = path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let open = |path: &Path| {
            let dir = dir.clone();
            let free_bytes = move || Space::of(&dir).ok().map(|space| space.free);
            let database = guard(|| Database::builder().set_cache_size(cache_bytes).create(path))?;
            RedbState::begin(database.map_err(redb_fault)?, Box::new(free_bytes))
        };
        if !path.exists() {
            // Made under another name: what a crash leaves of a file that redb has begun, redb refuses.
            let new = path.with_extension("new");
            match std::fs::remove_file(&new) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io_fault(error)),
                _ => {}
            }
            // For its owner only, also where the directory was made by somebody else; redb would let everybody read it.
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(io_fault)?;
            drop(open(&new)?);
            std::fs::rename(&new, path).and_then(|()| sync_dir(&dir)).map_err(io_fault)?;
        }
        open(path)
    }

    /// The same on another backend.
    pub fn open_on(
        backend: impl StorageBackend,
        cache_bytes: usize,
        free_bytes: FreeBytes,
    ) -> Result<RedbState, StoreFault> {
        let database =
            guard(|| Database::builder().set_cache_size(cache_bytes).create_with_backend(backend))?;
        RedbState::begin(database.map_err(redb_fault)?, free_bytes)
    }

    /// The first transaction. It makes the table of a new store; and it makes sure that the state that
    /// was found is on disk, not only in a page cache that a failed sync left marked as clean.
    fn begin(database: Database, free_bytes: FreeBytes) -> Result<RedbState, StoreFault> {
        let state = RedbState { database: Some(database), free_bytes, failed: None };
        guard(|| -> Result<(), redb::Error> {
            let transaction = begin_write(state.database())?;
            transaction.open_table(ROWS)?;
            let mut about = transaction.open_table(ABOUT)?;
            let opened = about.get(OPENED)?.map_or(0, |count| count.value());
            about.insert(OPENED, opened + 1)?;
            drop(about);
            transaction.commit()?;
            Ok(())
        })?
        .map_err(redb_fault)?;
        Ok(state)
    }

    fn database(&self) -> &Database {
        self.database.as_ref().expect("the database is there until drop")
    }

    fn write(&self, batch: &StateBatch) -> Result<(), redb::Error> {
        let transaction = begin_write(self.database())?;
        let mut table = transaction.open_table(ROWS)?;
        for (key, value) in &batch.rows {
            match value {
                Some(value) => drop(table.insert(&key[..], &value[..])?),
                None => drop(table.remove(&key[..])?),
            }
        }
        drop(table);
        transaction.commit()?;
        Ok(())
    }
}

impl StateStore for RedbState {
    type Snapshot = RedbSnapshot;

    fn snapshot(&self) -> Result<RedbSnapshot, StoreFault> {
        guard(|| -> Result<_, redb::Error> {
            Ok(RedbSnapshot { rows: self.database().begin_read()?.open_table(ROWS)? })
        })?
        .map_err(redb_fault)
    }

    fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault> {
        if let Some(fault) = &self.failed {
            return Err(fault.clone());
        }
        if (self.free_bytes)().is_some_and(|free| free < needed_bytes(batch)) {
            return Err(StoreFault::Full);
        }
        let written = guard(|| self.write(batch)).and_then(|result| result.map_err(redb_fault));
        if let Err(fault) = &written {
            self.failed = Some(StoreFault::Io(format!("the state failed and takes no more: {fault}")));
        }
        written
    }
}

impl Drop for RedbState {
    fn drop(&mut self) {
        // Closing writes, which may fail or stumble over damage like any other write.
        let database = self.database.take();
        let _ = guard(|| drop(database));
    }
}

/// The rows as of one commit. Holds back the space of what was replaced since.
pub struct RedbSnapshot {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl StateRead for RedbSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        guard(|| Ok(self.rows.get(key)?.map(|value| value.value().to_vec())))?
            .map_err(|error: redb::StorageError| redb_fault(error))
    }

    fn scan(&self, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) -> Result<(), StoreFault> {
        if from >= to {
            return Ok(());
        }
        let mut rows = guard(|| self.rows.range::<&[u8]>(from..to))?.map_err(redb_fault)?;
        loop {
            let next = guard(|| match direction {
                Direction::Up => rows.next(),
                Direction::Down => rows.next_back(),
            })?;
            let Some(row) = next else { return Ok(()) };
            let (key, value) = row.map_err(redb_fault)?;
            // The visitor runs outside the guard: a panic of its own is not damage.
            if let ControlFlow::Break(()) = visit(key.value(), value.value()) {
                return Ok(());
            }
        }
    }
}

fn begin_write(database: &Database) -> Result<redb::WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// More than a transaction writes: every row in a page of its own, twice over for the pages above.
fn needed_bytes(batch: &StateBatch) -> u64 {
    const PAGE_BYTES: u64 = 4096;
    const FIXED_BYTES: u64 = 1 << 20;
    let rows = batch.rows.iter();
    let bytes: usize = rows.map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum();
    FIXED_BYTES + 2 * (bytes as u64 + PAGE_BYTES * batch.rows.len() as u64)
}

/// Runs what may panic in redb on a file that is not what redb wrote.
fn guard<T>(run: impl FnOnce() -> T) -> Result<T, StoreFault> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| corrupt(panic_message(&*panic).to_owned()))
}

fn redb_fault(error: impl Into<redb::Error>) -> StoreFault {
    let error = error.into();
    match error {
        redb::Error::Io(error) => match error.kind() {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => corrupt(error.to_string()),
            _ => io_fault(error),
        },
        redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableDoesNotExist(_) => corrupt(error.to_string()),
        other => StoreFault::Io(other.to_string()),
    }
}

const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");
const ABOUT: TableDefinition<'static, &'static str, u64> = TableDefinition::new("about");
/// How often the store was opened.
const OPENED: &str = "opened";

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
