//! The cluster as a handler sees it: read rows of roots, write one root. It knows how many members there
//! are, so that nobody else has to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, MemberId, Partition, Position, Root, RootKind};
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::state::MetaState;
use gomer_core::mutant::Mutants;
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rng::Rng;
use gomer_core::rows::applied::Eras;
use gomer_core::shard::{Input, ShardStatus, Ticket};
use gomer_core::time::{Monotonic, Now};
use gomer_core::vnode::command::{Outcome, WRITE_OPERATIONS_MAX, Write, WriteResult};
use gomer_core::vnode::query::{Answer, ChangesFrom, ChangesPage, Query, Reading};
use tokio::sync::{mpsc, oneshot, watch};

use crate::edges::{Clock, Entropy};
use crate::peers::Peers;
use crate::routing::Order;
use crate::watch::{Watch, Watchers};

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) inner: Arc<Inner>,
}

/// Answers reads of the partitions of one shard, on the calling thread, from what was last published.
pub trait ShardReader: Send + Sync + 'static {
    /// Reads one root.
    fn read(&self, partition: Partition, app: AppId, root: Root, query: &Query) -> Result<Reading, Fault>;

    /// What is published of that partition, and what its rows sum to; nothing if it cannot be read.
    fn digest(&self, partition: Partition) -> Option<(Position, u64)>;

    /// What is published of that partition; nothing if it cannot be read.
    fn position(&self, partition: Partition) -> Option<Position> {
        self.digest(partition).map(|(position, _)| position)
    }
}

/// An input on its way to a shard, and who waits for the answer.
pub struct Request {
    pub(crate) input: Input,
    pub(crate) reply: Reply,
    /// Nobody waits for it from then on: nothing is begun.
    pub(crate) until: Option<Monotonic>,
}

impl Request {
    /// An input that nobody waits for.
    pub(crate) fn of(input: Input) -> Request {
        Request { input, reply: Reply::Nobody, until: None }
    }
}

/// Who waits for an answer.
pub(crate) enum Reply {
    /// Nobody.
    Nobody,
    /// Somebody on this member.
    Here(oneshot::Sender<Attempt>),
    /// Another member, which asked this.
    There { member: MemberId, ask: u64 },
}

/// What came of asking a shard.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The write was done or was not.
    Done(WriteResult),
    /// Nothing was done: somebody else leads.
    Elsewhere(Option<MemberId>),
    /// What is published may be read.
    Readable(Result<(), Fault>),
}

/// Where a shard is reached.
pub(crate) struct ShardHandle {
    pub(crate) queue: mpsc::Sender<Request>,
    pub(crate) peers: mpsc::Sender<Input>,
    pub(crate) reader: Arc<dyn ShardReader>,
    pub(crate) status: Arc<Mutex<ShardStatus>>,
}

pub(crate) struct Inner {
    pub(crate) partitions: PartitionCount,
    pub(crate) shards: Vec<ShardHandle>,
    pub(crate) meta_shard: ShardHandle,
    pub(crate) meta: RwLock<Arc<MetaState>>,
    /// Position of the metadata that was followed last.
    pub(crate) meta_followed: watch::Sender<Position>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) rng: Mutex<Rng>,
    pub(crate) watchers: Watchers,
    pub(crate) tokens: AtomicU64,
    /// The other members; nothing: this one is alone, and leads everything.
    pub(crate) peers: Option<Peers>,
    pub(crate) mutants: Mutants,
}

impl Inner {
    /// The shard of a partition, the metadata's too.
    pub(crate) fn shard_of(&self, partition: Partition) -> &ShardHandle {
        if partition == gomer_core::ring::partition::META {
            return &self.meta_shard;
        }
        &self.shards[partition.0 as usize % self.shards.len()]
    }

    /// Who holds a partition now; nobody is known by a member that is alone.
    pub(crate) fn holders(&self, partition: Partition) -> Vec<MemberId> {
        let meta = self.meta.read().expect(UNPOISONED).clone();
        self.peers
            .as_ref()
            .map_or_else(Vec::new, |peers| peers.ring.holders_now(meta.members.as_deref(), partition))
    }

    /// Whether this member holds a partition now.
    pub(crate) fn holds(&self, partition: Partition) -> bool {
        self.peers.as_ref().is_none_or(|peers| self.holders(partition).contains(&peers.ring.own().number))
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.tokens.fetch_add(1, Ordering::Relaxed))
    }
}

impl Cluster {
    pub(crate) fn new(inner: Arc<Inner>) -> Cluster {
        Cluster { inner }
    }

    /// Writes one root. When it returns, the write is durable, applied and visible to every read.
    ///
    /// [`Fault::Busy`] when a queue is full; [`Fault::TooLarge`] beyond the limits of a write;
    /// [`Fault::Unavailable`] when nobody leads its partition for [`PATIENCE`](crate::routing::PATIENCE);
    /// [`Fault::Timeout`] when who had the write in hand went away: its outcome is unknown.
    pub async fn write(&self, write: Write) -> Result<Outcome, Fault> {
        if write.ops.len() > WRITE_OPERATIONS_MAX {
            return Err(Fault::TooLarge("256 operations a write"));
        }
        let partition = self.inner.partitions.of(write.app, write.root);
        let write = Box::new(write);
        if let Some(peers) = &self.inner.peers {
            return self.carry(peers, Order::Write(partition, write)).await;
        }
        let input = Input::Write { ticket: self.inner.ticket(), partition, write };
        self.ask_alone(self.inner.shard_of(partition), input).await
    }

    /// Reads one root at its leader, as of the last acknowledged write or later. A member that leads the
    /// partition answers on the calling thread, without waiting.
    pub async fn read(&self, app: AppId, root: Root, query: Query) -> Result<Reading, Fault> {
        let partition = self.inner.partitions.of(app, root);
        match &self.inner.peers {
            Some(peers) => self.find(peers, partition, app, root, query).await,
            None => self.inner.shard_of(partition).reader.read(partition, app, root, &query),
        }
    }

    /// What changed of an app in a whole partition, read like [`Cluster::read`]; with the position that it is as of, and
    /// the eras that positions belong to.
    pub async fn changes(
        &self,
        app: AppId,
        partition: Partition,
        from: ChangesFrom,
        limit: u32,
    ) -> Result<(ChangesPage, Position, Eras), Fault> {
        debug_assert!(partition.0 < self.inner.partitions.get());
        let query = Query::Changes { from, limit };
        // Any root will do: none is looked at.
        let root = Root::new(RootKind::Misc, Id::NIL);
        let reading = match &self.inner.peers {
            Some(peers) => self.find(peers, partition, app, root, query).await?,
            None => self.inner.shard_of(partition).reader.read(partition, app, root, &query)?,
        };
        match reading.answer {
            Answer::Changes(page) => Ok((page, reading.position, reading.eras)),
            // Of an older program, which does not know the question.
            _ => Err(Fault::Unavailable),
        }
    }

    /// Whether this member leads a partition, as far as it knows: see [`Cluster::leads`].
    pub fn leads_partition(&self, partition: Partition) -> bool {
        let Some(peers) = &self.inner.peers else { return true };
        peers.routes.leader(partition) == Some(peers.ring.own().number)
    }

    /// The metadata, as this member knows it.
    pub fn meta(&self) -> Arc<MetaState> {
        self.inner.meta.read().expect(UNPOISONED).clone()
    }

    /// Changes the metadata. When it returns, the change is durable and [`Cluster::meta`] has it.
    /// [`Outcome::rev`] is the revision of what was changed.
    pub async fn change_meta(&self, command: MetaCommand) -> Result<Outcome, Fault> {
        let command = Box::new(command);
        if let Some(peers) = &self.inner.peers {
            let outcome = self.carry(peers, Order::Meta(command)).await?;
            self.until_followed(outcome.position).await;
            return Ok(outcome);
        }
        let input = Input::Meta { ticket: self.inner.ticket(), command };
        self.ask_alone(&self.inner.meta_shard, input).await
    }

    /// Watches roots for changes. Register first, then read.
    pub fn watch(&self, app: AppId, roots: Vec<Root>) -> Watch {
        let far = roots.iter().any(|&root| !self.inner.holds(self.inner.partitions.of(app, root)));
        self.inner.watchers.watch(app, roots, self.inner.tokens.fetch_add(1, Ordering::Relaxed), far)
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        self.inner.clock.now()
    }

    /// A new id. Not a secret.
    pub fn mint(&self) -> Id {
        Id::mint(self.now().wall, &mut self.inner.rng.lock().expect(UNPOISONED))
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
        let of = |shard: &ShardHandle| shard.status.lock().expect(UNPOISONED).clone();
        (of(&self.inner.meta_shard), self.inner.shards.iter().map(of).collect())
    }

    /// Deliberate bugs: none, outside of the simulator.
    pub fn mutants(&self) -> Mutants {
        self.inner.mutants
    }

    /// How far this member has applied a partition, and what the rows sum to: the same on every member that has come
    /// as far.
    pub fn digest(&self, partition: Partition) -> Option<(Position, u64)> {
        self.inner.shard_of(partition).reader.digest(partition)
    }

    async fn ask_alone(&self, shard: &ShardHandle, input: Input) -> Result<Outcome, Fault> {
        match self.ask_here(shard, input, None).await? {
            Attempt::Done(result) => result,
            Attempt::Elsewhere(_) | Attempt::Readable(_) => Err(Fault::Unavailable),
        }
    }

    /// Asks a shard of this member.
    pub(crate) async fn ask_here(
        &self,
        shard: &ShardHandle,
        input: Input,
        until: Option<Monotonic>,
    ) -> Result<Attempt, Fault> {
        let (reply, answer) = oneshot::channel();
        match shard.queue.try_send(Request { input, reply: Reply::Here(reply), until }) {
            Ok(()) => answer.await.map_err(|_| Fault::Timeout),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Fault::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Fault::Unavailable),
        }
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
