//! Bytes that are too large for rows: what people upload, and what is made of it.
//!
//! A *blob* is a file that never changes once it is there. It has a name that is never used again, so that one that
//! is being removed can never be one that has just been put. A *scratch* is an upload on its way, which grows.
//! Whether a blob is still wanted is told by rows (`methods/media`), never by files.
//!
//! Reading order: this, [`workers`], [`disk`], [`memory`], [`sniff`], [`sign`].
//!
//! Must never learn: rows, roots, who may see what.

pub mod disk;
pub mod memory;
pub mod moving;
pub mod picture;
pub mod sign;
pub mod sniff;
pub mod workers;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Seek};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gomer_core::id::{AppId, Id};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::workers::{Inline, Workers};

/// Largest upload.
pub const UPLOAD_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// Bytes that are read or written at once.
pub const PIECE_BYTES: usize = 64 * 1024;
/// Files that are on their way to or from clients at once, in the whole process. Each holds a few pieces.
const TRANSFERS_MAX: usize = 1_024;

/// An upload on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scratch {
    /// The tenant.
    pub app: AppId,
    /// The upload.
    pub id: Id,
}

/// What one upload became: a file, or the files of one picture. Its id was never used before and never will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// The tenant.
    pub app: AppId,
    /// SHA-256 of what was uploaded.
    pub hash: [u8; 32],
    /// The id, minted when it was made.
    pub id: Id,
}

/// Which file of an object. The names are part of addresses and of file names: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// What was uploaded; of a picture, without what the camera wrote about itself.
    Original,
    /// At most 1,600 points wide and high.
    Large,
    /// At most 800.
    Medium,
    /// At most 320.
    Small,
}

impl Variant {
    /// All of them.
    pub const ALL: [Variant; 4] = [Variant::Original, Variant::Large, Variant::Medium, Variant::Small];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Variant::Original => "original",
            Variant::Large => "large",
            Variant::Medium => "medium",
            Variant::Small => "small",
        }
    }
}

/// A blob's name: `{hash}-{id}-{variant}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Of what it is a file.
    pub object: Object,
    /// Which.
    pub variant: Variant,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", hex(&self.object.hash), self.object.id, self.variant.name())
    }
}

impl Key {
    /// Reads what its display wrote, for this app. Nothing else passes, so that no name leads elsewhere.
    pub fn parse(app: AppId, text: &str) -> Option<Key> {
        let (hash, rest) = text.split_at_checked(64)?;
        let (id, variant) = rest.strip_prefix('-')?.split_at_checked(36)?;
        let variant = variant.strip_prefix('-')?;
        let variant = Variant::ALL.into_iter().find(|known| known.name() == variant)?;
        let key = Key { object: Object { app, hash: unhex(hash)?, id: Id::from_str(id).ok()? }, variant };
        (key.to_string() == text).then_some(key)
    }
}

/// Lower-case hex digits of a hash.
pub fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash that 64 hex digits of either case say.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(hash)
}

/// Why bytes could not be stored or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobFault {
    /// There is no space. Nothing of the call's bytes is left.
    Full,
    /// Too much is being done already. Nothing was done.
    Busy,
    /// There is no such thing.
    Absent,
    /// The scratch ends elsewhere than was said: here.
    Moved(u64),
    /// The system refused.
    Io(String),
}

impl fmt::Display for BlobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlobFault::Full => f.write_str("no space is left for uploads"),
            BlobFault::Busy => f.write_str("too many files are being worked on"),
            BlobFault::Absent => f.write_str("there is no such file"),
            BlobFault::Moved(at) => write!(f, "the upload ends at byte {at}"),
            BlobFault::Io(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for BlobFault {}

impl From<std::io::Error> for BlobFault {
    fn from(error: std::io::Error) -> BlobFault {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => BlobFault::Full,
            std::io::ErrorKind::NotFound => BlobFault::Absent,
            _ => BlobFault::Io(error.to_string()),
        }
    }
}

/// A file to read from, anywhere in it.
pub trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}

/// Where bytes are. Each call may block: it is made where [`Workers`] run it.
pub trait BlobStore: Send + Sync + 'static {
    /// Adds to the end of a scratch, which is at `at`; one that is not there begins. Not durable: what a power cut
    /// takes, the hash tells. On a fault the scratch is as before.
    fn append(&self, scratch: Scratch, at: u64, bytes: &[u8]) -> Result<(), BlobFault>;
    /// Bytes of a scratch; 0 if it is not there.
    fn scratch_bytes(&self, scratch: Scratch) -> Result<u64, BlobFault>;
    /// Reads a scratch.
    fn open_scratch(&self, scratch: Scratch) -> Result<Box<dyn Source>, BlobFault>;
    /// Removes a scratch, if it is there.
    fn discard(&self, scratch: Scratch) -> Result<(), BlobFault>;
    /// All scratches.
    fn scratches(&self) -> Result<Vec<Scratch>, BlobFault>;
    /// Makes a scratch this blob. When it returns, the blob is durable and the scratch is gone.
    fn keep(&self, scratch: Scratch, key: Key) -> Result<(), BlobFault>;
    /// Stores a blob. When it returns, it is durable; before, nothing of it is to be seen.
    fn put(&self, key: Key, bytes: &[u8]) -> Result<(), BlobFault>;
    /// Bytes of a blob; nothing if it is not there.
    fn bytes(&self, key: Key) -> Result<Option<u64>, BlobFault>;
    /// Reads a part of a blob, at most `max` bytes; fewer only at its end.
    fn read(&self, key: Key, at: u64, max: usize) -> Result<Bytes, BlobFault>;
    /// Removes a blob, if it is there.
    fn delete(&self, key: Key) -> Result<(), BlobFault>;
    /// The blobs of all apps whose hash begins with this byte.
    fn list(&self, first: u8) -> Result<Vec<Key>, BlobFault>;
}

/// The handle: calls the store from async code, where there are threads for it. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn BlobStore>,
    /// For short work: reads, writes.
    io: Arc<dyn Workers>,
    /// For long work: pictures, hashes of large files.
    long: Arc<dyn Workers>,
    full: AtomicBool,
    occupied: Mutex<BTreeSet<Scratch>>,
    transfers: Arc<Semaphore>,
}

impl Blobs {
    /// A handle over this store. `io` runs what is short, `long` what is not.
    pub fn new(store: Arc<dyn BlobStore>, io: Arc<dyn Workers>, long: Arc<dyn Workers>) -> Blobs {
        let transfers = Arc::new(Semaphore::new(TRANSFERS_MAX));
        let full = AtomicBool::new(false);
        let inner = Inner { store, io, long, full, occupied: Mutex::default(), transfers };
        Blobs { inner: Arc::new(inner) }
    }

    /// In memory, without threads: for tests and the simulator.
    pub fn in_memory() -> Blobs {
        Blobs::inline(Arc::new(memory::MemoryStore::default()))
    }

    /// Over this store, without threads.
    pub fn inline(store: Arc<dyn BlobStore>) -> Blobs {
        Blobs::new(store, Arc::new(Inline), Arc::new(Inline))
    }

    /// Has uploads refused, or not any more: the disk is nearly full.
    pub fn set_full(&self, full: bool) {
        self.inner.full.store(full, Ordering::Relaxed);
    }

    /// Nobody else works on this scratch until the value is dropped; nothing if somebody does.
    pub fn occupy(&self, scratch: Scratch) -> Option<Occupied> {
        let mut occupied = self.inner.occupied.lock().unwrap_or_else(PoisonError::into_inner);
        occupied.insert(scratch).then(|| Occupied { inner: self.inner.clone(), scratch })
    }

    /// Room for one more file on its way to or from a client, until the value is dropped.
    pub fn transfer(&self) -> Result<OwnedSemaphorePermit, BlobFault> {
        self.inner.transfers.clone().try_acquire_owned().map_err(|_| BlobFault::Busy)
    }

    /// Short work.
    pub async fn io<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn BlobStore) -> Result<T, BlobFault> + Send + 'static,
    ) -> Result<T, BlobFault> {
        self.run(&self.inner.io, work).await
    }

    /// Long work.
    pub async fn long<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn BlobStore) -> Result<T, BlobFault> + Send + 'static,
    ) -> Result<T, BlobFault> {
        self.run(&self.inner.long, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        workers: &Arc<dyn Workers>,
        work: impl FnOnce(&dyn BlobStore) -> Result<T, BlobFault> + Send + 'static,
    ) -> Result<T, BlobFault> {
        let (reply, answer) = oneshot::channel();
        let store = self.inner.store.clone();
        let job = move || {
            // Whoever asked may have gone away.
            let _ = reply.send(work(&*store));
        };
        if !workers.run(Box::new(job)) {
            return Err(BlobFault::Busy);
        }
        answer.await.unwrap_or_else(|_| Err(BlobFault::Io("the work on a file was given up".to_owned())))
    }

    /// Adds to an upload.
    pub async fn append(&self, scratch: Scratch, at: u64, bytes: Bytes) -> Result<(), BlobFault> {
        if self.inner.full.load(Ordering::Relaxed) {
            return Err(BlobFault::Full);
        }
        self.io(move |store| store.append(scratch, at, &bytes)).await
    }

    /// Bytes of an upload that have come.
    pub async fn scratch_bytes(&self, scratch: Scratch) -> Result<u64, BlobFault> {
        self.io(move |store| store.scratch_bytes(scratch)).await
    }

    /// SHA-256 of an upload, and its first bytes.
    pub async fn digest(&self, scratch: Scratch) -> Result<([u8; 32], Vec<u8>), BlobFault> {
        self.long(move |store| {
            let mut source = store.open_scratch(scratch)?;
            let mut hasher = Sha256::new();
            let mut head = Vec::new();
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let count = source.read(&mut piece)?;
                if count == 0 {
                    return Ok((hasher.finalize().into(), head));
                }
                let missing = sniff::HEAD_BYTES.saturating_sub(head.len());
                head.extend_from_slice(&piece[..count.min(missing)]);
                hasher.update(&piece[..count]);
            }
        })
        .await
    }

    /// Removes an upload.
    pub async fn discard(&self, scratch: Scratch) -> Result<(), BlobFault> {
        self.io(move |store| store.discard(scratch)).await
    }

    /// Bytes of a blob; nothing if it is not there.
    pub async fn bytes(&self, key: Key) -> Result<Option<u64>, BlobFault> {
        self.io(move |store| store.bytes(key)).await
    }

    /// Reads a part of a blob.
    pub async fn read(&self, key: Key, at: u64, max: usize) -> Result<Bytes, BlobFault> {
        self.io(move |store| store.read(key, at, max)).await
    }

    /// Removes all files of an object.
    pub async fn delete(&self, object: Object) -> Result<(), BlobFault> {
        self.io(move |store| {
            Variant::ALL.into_iter().try_for_each(|variant| store.delete(Key { object, variant }))
        })
        .await
    }
}

/// A scratch that is being worked on.
pub struct Occupied {
    inner: Arc<Inner>,
    scratch: Scratch,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.inner.occupied.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scratch);
    }
}

#[cfg(test)]
#[path = "blob_test.rs"]
mod tests;
