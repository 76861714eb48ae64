//! Finding things by words. An index follows the data by position, like a phone does; it is made of what it was sent and of
//! nothing else, so it can be thrown away and made again.
//!
//! What an index answers are ids, as of a moment ago. Whoever asks reads each thing from its root, through the visibility
//! function, and looks once more whether it fits: an index that is behind shows too little, and never too much.
//!
//! Reading order: [`words`], [`document`], [`question`], [`index`], [`memory`], [`stored`].
//!
//! Must never learn: what a post is, who asks, whence documents come.

pub mod document;
pub mod index;
pub mod memory;
pub mod question;
pub mod stored;
#[cfg(test)]
mod suite;
pub mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gomer_core::id::{AppId, Partition, Position};
use gomer_core::time::Monotonic;
use tokio::sync::oneshot;

use self::document::Mark;
use self::index::{Batch, Hit, Index, IndexFault, Places};
use self::memory::MemoryIndex;
use self::question::Question;
use crate::blob::workers::{Inline, Workers};

/// The form of what is kept. Another one, and the index is made again: whenever [`words`], [`document`] or what documents
/// are made of changes, so does this.
pub const FORMAT: u32 = 1;

/// The index of this member.
pub struct Search {
    index: Arc<dyn Index>,
    /// Who writes, so that nobody waits for a disk on a thread that serves.
    workers: Arc<dyn Workers>,
    standing: Mutex<Standing>,
    /// Held by whoever follows.
    pub following: tokio::sync::Mutex<()>,
}

/// How far the index has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// By partition: the position up to which everything is in it.
    pub followed: BTreeMap<Partition, Position>,
    /// By app and partition: how far it was read. At least as far as the index itself keeps, and further where there was
    /// nothing to put in.
    pub places: Places,
    /// Everything that was written before this moment is in it; nothing: it was never there yet.
    pub as_of: Option<Monotonic>,
}

impl Search {
    /// With this index, which these workers write.
    pub fn new(index: Arc<dyn Index>, workers: Arc<dyn Workers>) -> Search {
        let standing = Mutex::new(Standing { places: index.places(), ..Standing::default() });
        Search { index, workers, standing, following: tokio::sync::Mutex::new(()) }
    }

    /// In memory, for tests and the simulator.
    pub fn in_memory() -> Search {
        Search::new(Arc::new(MemoryIndex::default()), Arc::new(Inline))
    }

    /// See [`Index::find`].
    pub fn find(
        &self,
        question: &Question,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Vec<Hit>, IndexFault> {
        self.index.find(question, after, limit)
    }

    /// How many documents there are.
    pub fn len(&self) -> u64 {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// See [`Index::apply`].
    pub async fn apply(&self, batch: Batch) -> Result<(), IndexFault> {
        self.work(move |index| index.apply(batch)).await
    }

    /// Forgets everything, and that it ever followed.
    pub async fn clear(&self) -> Result<(), IndexFault> {
        *self.standing() = Standing::default();
        self.work(|index| index.clear()).await
    }

    async fn work(
        &self,
        work: impl FnOnce(&dyn Index) -> Result<(), IndexFault> + Send + 'static,
    ) -> Result<(), IndexFault> {
        let (done, was_done) = oneshot::channel();
        let index = self.index.clone();
        let job = move || {
            // Whoever asked may have gone away.
            let _ = done.send(work(&*index));
        };
        if !self.workers.run(Box::new(job)) {
            return Err(IndexFault("too much waits to be written".to_owned()));
        }
        was_done.await.unwrap_or_else(|_| Err(IndexFault("the writing panicked".to_owned())))
    }

    /// How far an app was read in a partition.
    pub fn place(&self, app: AppId, partition: Partition) -> Option<String> {
        self.standing().places.get(&(app, partition)).cloned()
    }

    /// How far it has come.
    pub fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago was what is surely in it. `None` if it never followed to the end since the start.
    pub fn lag(&self, now: Monotonic) -> Option<Duration> {
        self.standing().as_of.map(|as_of| now.since(as_of))
    }
}
