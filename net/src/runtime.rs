//! The runtime that drives core: a loop per shard that takes what waits, runs a turn, and does what the
//! turn says. It is the only driver: the simulator runs it too, with a task where production has a
//! thread.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Partition, Root};
use gomer_core::meta::load;
use gomer_core::ring::partition::{META, PartitionCount};
use gomer_core::rng::Rng;
use gomer_core::shard::{Effect, Input, LOG_SLACK, Shard, ShardConfig, ShardStatus, Ticket};
use gomer_core::store::memtable::Reader;
use gomer_core::store::{LogStore, StateStore, StoreFault};
use gomer_core::time::Monotonic;
use gomer_core::vnode::command::WriteResult;
use gomer_core::vnode::query::{Query, Reading};
use gomer_core::vnode::read;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::cluster::{Cluster, Inner, Request, ShardHandle, ShardReader};
use crate::edges::{Clock, Entropy};
use crate::watch::Watchers;

/// Inputs of one turn, at most.
const TURN_INPUTS: usize = 256;
/// How often a shard is told that time has passed.
const TICK: Duration = Duration::from_millis(100);

/// Runs a shard's loop until it ends: on a thread of its own, or as a task in the simulator.
pub trait Spawner: Send + Sync + 'static {
    /// Starts it. A panic in it must end the process: the state of a turn that panicked is not trusted.
    fn spawn(&self, name: String, run: Pin<Box<dyn Future<Output = ()> + Send>>);
}

/// Called when a store has failed: must end the process, loudly.
pub type Fatal = Arc<dyn Fn(&StoreFault) + Send + Sync>;

/// The edges of a member: what is outside of the state machines.
#[derive(Clone)]
pub struct Edges {
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Secrets.
    pub entropy: Arc<dyn Entropy>,
    /// Threads.
    pub spawner: Arc<dyn Spawner>,
    /// The end.
    pub fatal: Fatal,
}

/// How a member is set up.
#[derive(Debug, Clone)]
pub struct MemberConfig {
    /// The ring, fixed when the store was made.
    pub partitions: PartitionCount,
    /// This replica's Raft id: minted with the disk's incarnation, not zero.
    pub peer: u64,
    /// Memory table size that starts a checkpoint, in bytes.
    pub checkpoint_bytes: usize,
    /// Inputs that may wait for one shard. Beyond it writes are refused as busy.
    pub queue: usize,
}

impl MemberConfig {
    /// Usual settings for a member with this Raft id.
    pub fn new(peer: u64) -> MemberConfig {
        MemberConfig {
            partitions: PartitionCount::DEFAULT,
            peer,
            checkpoint_bytes: gomer_core::shard::CHECKPOINT_BYTES,
            queue: 4_096,
        }
    }
}

/// A running member.
pub struct Member {
    cluster: Cluster,
    stop: watch::Sender<bool>,
    ended: mpsc::Receiver<()>,
    full: Arc<AtomicBool>,
}

impl Member {
    /// Opens the shards on their stores, replays their logs, and returns when every partition serves.
    /// Partition p lives on shard p modulo their number, which is fixed when the stores are made.
    pub async fn start<L: LogStore, S: StateStore>(
        config: MemberConfig,
        edges: Edges,
        shards: Vec<(L, S)>,
        meta: (L, S),
    ) -> Result<Member, StoreFault> {
        let mut seed = [0; 32];
        edges.entropy.fill(&mut seed);
        let mut rng = Rng::new(u64::from_le_bytes(seed[..8].try_into().expect("eight bytes")));
        let count = shards.len();
        let full = Arc::new(AtomicBool::new(false));
        let mut opened = Vec::new();
        for (number, (log, state)) in shards.into_iter().enumerate() {
            let vnodes = config.partitions.all().filter(|p| p.0 as usize % count == number).collect();
            opened.push(open(&config, log, state, vnodes, rng.next_u64())?);
        }
        let meta = open(&config, meta.0, meta.1, vec![META], rng.next_u64())?;
        let meta_reader = meta.shard.reader();
        let inner = Arc::new(Inner {
            partitions: config.partitions,
            shards: opened.iter().map(Opened::handle).collect(),
            meta_shard: meta.handle(),
            meta: RwLock::default(),
            clock: edges.clock.clone(),
            entropy: edges.entropy.clone(),
            rng: Mutex::new(rng),
            watchers: Watchers::default(),
            tokens: AtomicU64::new(1),
        });
        let (stop, stopped) = watch::channel(false);
        let (ending, ended) = mpsc::channel(1);
        let mut live = Vec::new();
        let spawn = |name: String, opened: Opened<L, S>| {
            let (live, is_live) = oneshot::channel();
            let driver = Driver {
                shard: opened.shard,
                queue: opened.receiver,
                status: opened.status,
                inner: inner.clone(),
                meta: meta_reader.clone(),
                full: full.clone(),
                fatal: edges.fatal.clone(),
                waiting: BTreeMap::new(),
                inbox: VecDeque::new(),
                live: Some(live),
                checkpoint: None,
                ticked: None,
                _ending: ending.clone(),
            };
            edges.spawner.spawn(name, Box::pin(driver.run(stopped.clone())));
            is_live
        };
        live.push(spawn("meta".into(), meta));
        for (number, opened) in opened.into_iter().enumerate() {
            live.push(spawn(format!("shard-{number}"), opened));
        }
        drop(ending);
        for live in live {
            live.await.map_err(|_| StoreFault::Io("a shard ended while it was starting".into()))?;
        }
        let state = load::load(&meta_reader.view())?;
        *inner.meta.write().expect(UNPOISONED) = Arc::new(state);
        Ok(Member { cluster: Cluster::new(inner), stop, ended, full })
    }

    /// The handle for those who use the member.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Says whether the disk is below its reserve: while it is, writes that grow are refused.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Finishes the turns under way, checkpoints, and returns when every shard has ended. Writes that
    /// come later are refused as unavailable.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        // Ends when the last driver has dropped its sender.
        let _ = self.ended.recv().await;
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

struct Opened<L: LogStore, S: StateStore> {
    shard: Shard<L, S>,
    sender: mpsc::Sender<Request>,
    receiver: mpsc::Receiver<Request>,
    status: Arc<Mutex<ShardStatus>>,
}

fn open<L: LogStore, S: StateStore>(
    config: &MemberConfig,
    log: L,
    state: S,
    vnodes: Vec<Partition>,
    seed: u64,
) -> Result<Opened<L, S>, StoreFault> {
    let (partitions, peer, checkpoint_bytes) = (config.partitions, config.peer, config.checkpoint_bytes);
    let (replicas, peers, log_slack) = (BTreeMap::new(), BTreeMap::new(), LOG_SLACK);
    let config_of_shard =
        ShardConfig { partitions, vnodes, peer, replicas, peers, log_slack, seed, checkpoint_bytes };
    let shard = Shard::open(log, state, config_of_shard)?;
    let (sender, receiver) = mpsc::channel(config.queue);
    Ok(Opened { shard, sender, receiver, status: Arc::default() })
}

impl<L: LogStore, S: StateStore> Opened<L, S> {
    fn handle(&self) -> ShardHandle {
        let reader = Arc::new(TableReader { reader: self.shard.reader() });
        ShardHandle { queue: self.sender.clone(), reader, status: self.status.clone() }
    }
}

struct TableReader<S: StateStore> {
    reader: Reader<S>,
}

impl<S: StateStore> ShardReader for TableReader<S> {
    fn read(&self, partition: Partition, app: AppId, root: Root, query: &Query) -> Result<Reading, Fault> {
        read::answer(&self.reader.view(), partition, app, root, query).map_err(|fault| {
            tracing::error!(partition = partition.0, %fault, "a row cannot be read");
            Fault::Corrupt
        })
    }
}

struct Driver<L: LogStore, S: StateStore> {
    shard: Shard<L, S>,
    queue: mpsc::Receiver<Request>,
    status: Arc<Mutex<ShardStatus>>,
    inner: Arc<Inner>,
    meta: Reader<S>,
    full: Arc<AtomicBool>,
    fatal: Fatal,
    waiting: BTreeMap<Ticket, oneshot::Sender<WriteResult>>,
    /// Messages between partitions of this shard.
    inbox: VecDeque<Input>,
    live: Option<oneshot::Sender<()>>,
    /// The checkpoint under way.
    checkpoint: Option<JoinHandle<Result<S::Snapshot, StoreFault>>>,
    ticked: Option<Monotonic>,
    _ending: mpsc::Sender<()>,
}

impl<L: LogStore, S: StateStore> Driver<L, S> {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            let mut inputs: Vec<Input> = Vec::new();
            if !self.shard.has_work() && self.inbox.is_empty() {
                tokio::select! {
                    request = self.queue.recv() => match request {
                        Some(request) => inputs.push(self.admit(request)),
                        None => break,
                    },
                    _ = tick.tick() => {}
                    _ = stop.changed() => break,
                }
            }
            let turned = self.turn(inputs);
            if let Err(fault) = match turned {
                Ok(()) => self.go_on_with_checkpoint(false).await,
                Err(fault) => Err(fault),
            } {
                (self.fatal)(&fault);
                return;
            }
            // Lets other tasks run where a shard is a task; on its own thread it costs nothing.
            tokio::task::yield_now().await;
        }
        self.queue.close();
        while let Ok(request) = self.queue.try_recv() {
            let input = self.admit(request);
            self.inbox.push_back(input);
        }
        let turned = self.turn(Vec::new());
        if let Err(fault) = match turned {
            Ok(()) => self.go_on_with_checkpoint(true).await.and_then(|()| self.shard.checkpoint()),
            Err(fault) => Err(fault),
        } {
            (self.fatal)(&fault);
        }
    }

    /// Begins a checkpoint when it is due, on a thread of its own, and takes it over when it is done. Waits
    /// for it only if the memory table has grown too much meanwhile, or to `finish`.
    async fn go_on_with_checkpoint(&mut self, finish: bool) -> Result<(), StoreFault> {
        if let Some(job) = self.checkpoint.take() {
            if !finish && !job.is_finished() && !self.shard.is_behind() {
                self.checkpoint = Some(job);
                return Ok(());
            }
            let base = job.await.map_err(|e| StoreFault::Io(format!("a checkpoint ended early: {e}")))??;
            self.shard.finish_checkpoint(base)?;
        }
        if !finish && let Some(checkpoint) = self.shard.begin_checkpoint() {
            self.checkpoint = Some(tokio::task::spawn_blocking(move || checkpoint.run()));
        }
        Ok(())
    }

    fn admit(&mut self, request: Request) -> Input {
        if let (Some(reply), Input::Write { ticket, .. } | Input::Meta { ticket, .. }) =
            (request.reply, &request.input)
        {
            self.waiting.insert(*ticket, reply);
        }
        request.input
    }

    fn turn(&mut self, mut inputs: Vec<Input>) -> Result<(), StoreFault> {
        while inputs.len() < TURN_INPUTS
            && let Some(input) = self.inbox.pop_front()
        {
            inputs.push(input);
        }
        while inputs.len() < TURN_INPUTS
            && let Ok(request) = self.queue.try_recv()
        {
            inputs.push(self.admit(request));
        }
        // Sampled after the requests were taken: what a lease proves must be later than what it serves.
        let now = self.inner.clock.now();
        if self.ticked.is_none_or(|ticked| now.mono.since(ticked) >= TICK) {
            self.ticked = Some(now.mono);
            inputs.push(Input::Tick);
            *self.status.lock().expect(UNPOISONED) = self.shard.status();
        }
        self.shard.set_full(self.full.load(Ordering::Relaxed));
        let mut turn = self.shard.begin(now, inputs)?;
        for effect in turn.take_early() {
            self.carry_out(effect);
        }
        let effects = self.shard.finish(turn)?;
        // Before any answer: who changed the metadata must find the change there.
        if effects.iter().any(|effect| matches!(effect, Effect::MetaChanged { .. })) {
            self.follow_meta()?;
        }
        for effect in effects {
            self.carry_out(effect);
        }
        if self.live.is_some() && self.shard.is_live() {
            let _ = self.live.take().expect("just seen").send(());
        }
        Ok(())
    }

    fn follow_meta(&mut self) -> Result<(), StoreFault> {
        let old = self.inner.meta.read().expect(UNPOISONED).clone();
        let new = load::catch_up(&self.meta.view(), &old)?;
        *self.inner.meta.write().expect(UNPOISONED) = Arc::new(new);
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Done { ticket, result } => {
                if let Some(reply) = self.waiting.remove(&ticket) {
                    // Who asked may have gone; the write is done all the same.
                    let _ = reply.send(result);
                }
            }
            Effect::Send { from, to, message } => {
                let input = Input::Message { from, to, message };
                if self.shard.holds(to) {
                    self.inbox.push_back(input);
                } else {
                    // A full queue drops it; the sender sends it again.
                    let shard = self.inner.shard_of(to);
                    let _ = shard.queue.try_send(Request { input, reply: None });
                }
            }
            Effect::NotLeader { ticket, .. } => {
                if let Some(reply) = self.waiting.remove(&ticket) {
                    let _ = reply.send(Err(Fault::Unavailable));
                }
            }
            // A member alone has no peers, and reads under a lease that nobody can take from it.
            Effect::ReadIndex { .. } | Effect::ToPeer { .. } => {}
            Effect::Changed { app, root, .. } => self.inner.watchers.wake(app, root),
            Effect::MetaChanged { .. } => {}
            Effect::Differs { partition, position, digests } => {
                tracing::error!(partition = partition.0, %position, ?digests, "replicas have different rows");
            }
            Effect::Suspect { partition, fault } => {
                tracing::error!(partition = partition.0, %fault, "partition is read-only until it is repaired");
            }
        }
    }
}
