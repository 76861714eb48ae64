//! The cluster as a handler sees it: read rows of roots, write one root. It knows how many members there
//! are, so that nobody else has to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, Partition, Root};
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::state::MetaState;
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rng::Rng;
use gomer_core::shard::{Input, ShardStatus, Ticket};
use gomer_core::time::Now;
use gomer_core::vnode::command::{Outcome, WRITE_OPERATIONS_MAX, Write, WriteResult};
use gomer_core::vnode::query::{Query, Reading};
use tokio::sync::{mpsc, oneshot};

use crate::edges::{Clock, Entropy};
use crate::watch::{Watch, Watchers};

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

/// Answers reads of the partitions of one shard, on the calling thread, from what was last published.
pub trait ShardReader: Send + Sync + 'static {
    /// Reads one root.
    fn read(&self, partition: Partition, app: AppId, root: Root, query: &Query) -> Result<Reading, Fault>;
}

/// An input on its way to a shard, and who waits for the answer.
pub struct Request {
    pub(crate) input: Input,
    pub(crate) reply: Option<oneshot::Sender<WriteResult>>,
}

/// Where a shard is reached.
pub(crate) struct ShardHandle {
    pub(crate) queue: mpsc::Sender<Request>,
    pub(crate) reader: Arc<dyn ShardReader>,
    pub(crate) status: Arc<Mutex<ShardStatus>>,
}

pub(crate) struct Inner {
    pub(crate) partitions: PartitionCount,
    pub(crate) shards: Vec<ShardHandle>,
    pub(crate) meta_shard: ShardHandle,
    pub(crate) meta: RwLock<Arc<MetaState>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) rng: Mutex<Rng>,
    pub(crate) watchers: Watchers,
    pub(crate) tokens: AtomicU64,
}

impl Inner {
    pub(crate) fn shard_of(&self, partition: Partition) -> &ShardHandle {
        &self.shards[partition.0 as usize % self.shards.len()]
    }
}

impl Cluster {
    pub(crate) fn new(inner: Arc<Inner>) -> Cluster {
        Cluster { inner }
    }

    /// Writes one root. When it returns, the write is durable, applied and visible to every read.
    ///
    /// [`Fault::Busy`] when the shard's queue is full; [`Fault::TooLarge`] beyond the limits of a write;
    /// [`Fault::Timeout`] when the shard went away with the write in hand: its outcome is unknown.
    pub async fn write(&self, write: Write) -> Result<Outcome, Fault> {
        if write.ops.len() > WRITE_OPERATIONS_MAX {
            return Err(Fault::TooLarge("256 operations a write"));
        }
        let partition = self.inner.partitions.of(write.app, write.root);
        let ticket = self.ticket();
        let input = Input::Write { ticket, partition, write: Box::new(write) };
        self.ask(self.inner.shard_of(partition), input).await
    }

    /// Reads one root at its leader, as of the last acknowledged write or later. Does not wait: a member
    /// that holds the partition answers on the calling thread.
    pub async fn read(&self, app: AppId, root: Root, query: Query) -> Result<Reading, Fault> {
        let partition = self.inner.partitions.of(app, root);
        self.inner.shard_of(partition).reader.read(partition, app, root, &query)
    }

    /// The metadata, as this member knows it.
    pub fn meta(&self) -> Arc<MetaState> {
        self.inner.meta.read().expect("nothing panics under this lock").clone()
    }

    /// Changes the metadata. When it returns, the change is durable and [`Cluster::meta`] has it.
    /// [`Outcome::rev`] is the revision of what was changed.
    pub async fn change_meta(&self, command: MetaCommand) -> Result<Outcome, Fault> {
        let input = Input::Meta { ticket: self.ticket(), command: Box::new(command) };
        self.ask(&self.inner.meta_shard, input).await
    }

    /// Watches roots for changes. Register first, then read.
    pub fn watch(&self, app: AppId, roots: Vec<Root>) -> Watch {
        self.inner.watchers.watch(app, roots, self.inner.tokens.fetch_add(1, Ordering::Relaxed))
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        self.inner.clock.now()
    }

    /// A new id. Not a secret.
    pub fn mint(&self) -> Id {
        Id::mint(self.now().wall, &mut self.inner.rng.lock().expect("nothing panics under this lock"))
    }

    /// Random bytes fit for secrets.
    pub fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.inner.entropy.fill(&mut bytes);
        bytes
    }

    /// Registrations of [`Cluster::watch`] that live.
    pub fn watching(&self) -> usize {
        self.inner.watchers.len()
    }

    /// How the metadata's shard and each data shard stand, as of the last 100 ms.
    pub fn status(&self) -> (ShardStatus, Vec<ShardStatus>) {
        let of = |shard: &ShardHandle| shard.status.lock().expect("nothing panics under this lock").clone();
        (of(&self.inner.meta_shard), self.inner.shards.iter().map(of).collect())
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.inner.tokens.fetch_add(1, Ordering::Relaxed))
    }

    async fn ask(&self, shard: &ShardHandle, input: Input) -> Result<Outcome, Fault> {
        let (reply, answer) = oneshot::channel();
        match shard.queue.try_send(Request { input, reply: Some(reply) }) {
            Ok(()) => answer.await.unwrap_or(Err(Fault::Timeout)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Fault::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Fault::Unavailable),
        }
    }
}
