//! Blobs in memory: for tests and the simulator.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{BlobFault, BlobStore, Key, Scratch, Source};

/// All of it; clones are the same store, so that it can outlive a process that is simulated.
#[derive(Debug, Default, Clone)]
pub struct MemoryStore {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    scratches: BTreeMap<Scratch, Vec<u8>>,
    blobs: BTreeMap<Key, Bytes>,
}

impl MemoryStore {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobStore for MemoryStore {
    fn append(&self, scratch: Scratch, at: u64, bytes: &[u8]) -> Result<(), BlobFault> {
        let mut held = self.held();
        let end = held.scratches.get(&scratch).map_or(0, Vec::len) as u64;
        if at != end {
            return Err(BlobFault::Moved(end));
        }
        held.scratches.entry(scratch).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn scratch_bytes(&self, scratch: Scratch) -> Result<u64, BlobFault> {
        Ok(self.held().scratches.get(&scratch).map_or(0, Vec::len) as u64)
    }

    fn open_scratch(&self, scratch: Scratch) -> Result<Box<dyn Source>, BlobFault> {
        let bytes = self.held().scratches.get(&scratch).cloned().ok_or(BlobFault::Absent)?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn discard(&self, scratch: Scratch) -> Result<(), BlobFault> {
        self.held().scratches.remove(&scratch);
        Ok(())
    }

    fn scratches(&self) -> Result<Vec<Scratch>, BlobFault> {
        Ok(self.held().scratches.keys().copied().collect())
    }

    fn keep(&self, scratch: Scratch, key: Key) -> Result<(), BlobFault> {
        let mut held = self.held();
        let bytes = held.scratches.remove(&scratch).ok_or(BlobFault::Absent)?;
        held.blobs.insert(key, bytes.into());
        Ok(())
    }

    fn put(&self, key: Key, bytes: &[u8]) -> Result<(), BlobFault> {
        self.held().blobs.insert(key, Bytes::copy_from_slice(bytes));
        Ok(())
    }

    fn bytes(&self, key: Key) -> Result<Option<u64>, BlobFault> {
        Ok(self.held().blobs.get(&key).map(|bytes| bytes.len() as u64))
    }

    fn read(&self, key: Key, at: u64, max: usize) -> Result<Bytes, BlobFault> {
        let held = self.held();
        let bytes = held.blobs.get(&key).ok_or(BlobFault::Absent)?;
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.slice(from..from.saturating_add(max).min(bytes.len())))
    }

    fn delete(&self, key: Key) -> Result<(), BlobFault> {
        self.held().blobs.remove(&key);
        Ok(())
    }

    fn list(&self, first: u8) -> Result<Vec<Key>, BlobFault> {
        Ok(self.held().blobs.keys().filter(|key| key.object.hash[0] == first).copied().collect())
    }
}
