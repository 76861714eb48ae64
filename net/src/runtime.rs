//! A running member: its shards, each driven by a loop of its own, and its links to other members.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Partition, Position, Root};
use gomer_core::meta::load;
use gomer_core::mutant::Mutants;
use gomer_core::ring::partition::{META, PartitionCount};
use gomer_core::rng::Rng;
use gomer_core::rows::{applied, get};
use gomer_core::shard::{Input, LOG_SLACK, Shard, ShardConfig, ShardStatus};
use gomer_core::store::memtable::Reader;
use gomer_core::store::{LogStore, StateStore, StoreFault};
use gomer_core::vnode::journal::Journals;
use gomer_core::vnode::query::{Query, Reading};
use gomer_core::vnode::read;
use tokio::sync::{mpsc, oneshot, watch};

use crate::beats::Beats;
use crate::cluster::{Cluster, Inner, Request, ShardHandle, ShardReader};
use crate::driver::Driver;
use crate::edges::{Clock, Entropy};
use crate::exchange::{Exchange, MEMBERS_FEATURE, Superseded, feature_of};
use crate::handoff;
use crate::peer::identity::{Admit, Disk};
use crate::peer::{Links, LinksConfig, Secure};
use crate::peers::{Outward, Peers};
use crate::ring::Ring;
use crate::watch::Watchers;

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
    /// Deliberate bugs: none, outside of the simulator.
    pub mutants: Mutants,
}

impl MemberConfig {
    /// Usual settings for a member with this Raft id.
    pub fn new(peer: u64) -> MemberConfig {
        MemberConfig {
            partitions: PartitionCount::DEFAULT,
            peer,
            checkpoint_bytes: gomer_core::shard::CHECKPOINT_BYTES,
            queue: 4_096,
            mutants: Mutants::NONE,
        }
    }
}

/// How a member takes part in a cluster. `S` secures its links.
pub struct Membership<S> {
    /// Who is there, and what each holds. Its partitions count, not those of [`MemberConfig`].
    pub ring: Ring,
    /// Where this member listens for the others.
    pub listen: SocketAddr,
    /// Secures the links.
    pub secure: S,
    /// This member's disk as it is now.
    pub disk: Arc<dyn Fn() -> Disk + Send + Sync>,
    /// Tells whether another member's disk is superseded.
    pub admit: Arc<Admit>,
    /// Called when this one's is.
    pub superseded: Superseded,
}

/// Why a member did not join its cluster.
#[derive(Debug)]
pub enum JoinFault {
    /// A store failed.
    Store(StoreFault),
    /// It cannot listen for the others.
    Listen(io::Error),
}

impl fmt::Display for JoinFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinFault::Store(fault) => fmt::Display::fmt(fault, f),
            JoinFault::Listen(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for JoinFault {}

impl From<StoreFault> for JoinFault {
    fn from(fault: StoreFault) -> JoinFault {
        JoinFault::Store(fault)
    }
}

/// A running member.
pub struct Member {
    cluster: Cluster,
    stop: watch::Sender<bool>,
    ended: mpsc::Receiver<()>,
    full: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    /// The links; what others hold of them ends with this.
    links: Option<Arc<dyn Linked>>,
}

/// Links of any kind, as their owner holds them.
trait Linked: Send + Sync {
    /// Says goodbye and ends.
    fn stop(&self, within: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Where peers connect.
    fn address(&self) -> SocketAddr;
}

impl<S: Secure> Linked for Links<S, Exchange> {
    fn stop(&self, within: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(Links::stop(self, within))
    }

    fn address(&self) -> SocketAddr {
        self.local_addr()
    }
}

impl Member {
    /// Opens the shards of a member that is alone, replays their logs, and returns when every partition serves.
    /// Partition p lives on shard p modulo their number, which is fixed when the stores are made.
    pub async fn start<L: LogStore, S: StateStore>(
        config: MemberConfig,
        edges: Edges,
        shards: Vec<(L, S)>,
        meta: (L, S),
    ) -> Result<Member, StoreFault> {
        let (member, live) = Member::open(config, &edges, shards, meta, None)?;
        for live in live {
            live.await.map_err(|_| StoreFault::Io("a shard ended while it was starting".into()))?;
        }
        Ok(member)
    }

    /// Opens the shards of a member of a cluster, and its links. Returns at once: whether enough others are
    /// there, so that partitions have leaders, is for [`Cluster::is_live`] to say.
    pub async fn join<L: LogStore, S: StateStore, Z: Secure>(
        mut config: MemberConfig,
        edges: Edges,
        shards: Vec<(L, S)>,
        meta: (L, S),
        membership: Membership<Z>,
    ) -> Result<Member, JoinFault> {
        let Membership { ring, listen, secure, disk, admit, superseded } = membership;
        config.partitions = ring.partitions();
        let mut seed = [0; 16];
        edges.entropy.fill(&mut seed);
        let (first, seed) = seed.split_at(8);
        let [first, seed] =
            [first, seed].map(|half| u64::from_le_bytes(half.try_into().expect("eight bytes")));
        // One loop for each shard, and one for the metadata.
        let beats = Arc::new(Beats::new(shards.len() + 1));
        let (own_beats, clock) = (beats.clone(), edges.clock.clone());
        let links_config = LinksConfig {
            disk: disk.clone(),
            turns: Arc::new(move || own_beats.all_turn(clock.now().mono)),
            admit,
            features: vec![feature_of(&ring), MEMBERS_FEATURE.to_owned()],
            seed,
            ..LinksConfig::new(listen, ring.cluster(), ring.own().id, disk())
        };
        let peers = Peers::new(ring.clone(), first, beats);
        let (mut member, _) = Member::open(config, &edges, shards, meta, Some(peers))?;
        let exchange = Arc::new(Exchange::new(member.cluster.clone(), superseded));
        let links = Links::start(links_config, secure, exchange).await.map_err(JoinFault::Listen)?;
        let links = Arc::new(links);
        let peers = member.cluster.inner.peers.as_ref().expect("they were given");
        let weak: Weak<Links<Z, Exchange>> = Arc::downgrade(&links);
        peers.link(weak as Weak<dyn Outward>);
        for other in ring.others() {
            links.connect(other.id, &other.address);
        }
        member.links = Some(links);
        Ok(member)
    }

    /// Opens the shards and starts their loops. Also returns what tells when each is live.
    fn open<L: LogStore, S: StateStore>(
        config: MemberConfig,
        edges: &Edges,
        shards: Vec<(L, S)>,
        meta: (L, S),
        peers: Option<Peers>,
    ) -> Result<(Member, Vec<oneshot::Receiver<()>>), StoreFault> {
        let mut seed = [0; 32];
        edges.entropy.fill(&mut seed);
        let mut rng = Rng::new(u64::from_le_bytes(seed[..8].try_into().expect("eight bytes")));
        let count = shards.len();
        let (full, draining) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut opened = Vec::new();
        let ring = peers.as_ref().map(|peers| &peers.ring);
        let seeds: Vec<u64> = (0..=count).map(|_| rng.next_u64()).collect();
        let meta = open(&config, ring, meta.0, meta.1, vec![META], seeds[count])?;
        let meta_reader = meta.shard.reader();
        let known = load::load(&meta_reader.view())?;
        // What is to come here lives here, too: it may have come in part.
        let held = |partition: &Partition| match (ring, &known.members) {
            (Some(ring), Some(members)) => handoff::lives_at(members, ring.own().number, *partition),
            (Some(ring), None) => ring.holds(*partition),
            (None, _) => true,
        };
        for (number, (log, state)) in shards.into_iter().enumerate() {
            let own = |p: &Partition| p.0 as usize % count == number && held(p);
            let vnodes = config.partitions.all().filter(own).collect();
            opened.push(open(&config, ring, log, state, vnodes, seeds[number])?);
        }
        let followed = known.position;
        let inner = Arc::new(Inner {
            partitions: config.partitions,
            shards: opened.iter().map(Opened::handle).collect(),
            meta_shard: meta.handle(),
            meta: RwLock::new(Arc::new(known)),
            meta_followed: watch::channel(followed).0,
            clock: edges.clock.clone(),
            entropy: edges.entropy.clone(),
            rng: Mutex::new(rng),
            watchers: Watchers::default(),
            tokens: AtomicU64::new(1),
            peers,
            mutants: config.mutants,
        });
        let (stop, stopped) = watch::channel(false);
        let (ending, ended) = mpsc::channel(1);
        let mut live = Vec::new();
        let spawn = |number: usize, name: String, opened: Opened<L, S>| {
            let (live, is_live) = oneshot::channel();
            let driver = Driver {
                number,
                shard: opened.shard,
                queue: opened.receiver,
                peers: opened.peers_receiver,
                status: opened.status,
                inner: inner.clone(),
                meta: meta_reader.clone(),
                full: full.clone(),
                draining: draining.clone(),
                fatal: edges.fatal.clone(),
                waiting: BTreeMap::new(),
                inbox: VecDeque::new(),
                outgoing: BTreeMap::new(),
                live: Some(live),
                checkpoint: None,
                ticked: None,
                founded: None,
                handed_off: None,
                leaving: BTreeMap::new(),
                preferred: Position::ZERO,
                _ending: ending.clone(),
            };
            edges.spawner.spawn(name, Box::pin(driver.run(stopped.clone())));
            is_live
        };
        live.push(spawn(count, "meta".into(), meta));
        for (number, opened) in opened.into_iter().enumerate() {
            live.push(spawn(number, format!("shard-{number}"), opened));
        }
        Ok((Member { cluster: Cluster::new(inner), stop, ended, full, draining, links: None }, live))
    }

    /// The handle for those who use the member.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Where other members connect, if there are any.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.links.as_ref().map(|links| links.address())
    }

    /// Says whether the disk is below its reserve: while it is, writes that grow are refused.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Hands over what it leads to others, if there are any and they take it in time; finishes the turns under
    /// way, checkpoints, and returns when every shard has ended. Writes that come later are refused as unavailable.
    pub async fn stop(mut self) {
        if let Some(peers) = &self.cluster.inner.peers {
            self.draining.store(true, Ordering::Relaxed);
            let until = self.cluster.now().mono + HAND_OVER;
            while peers.routes.leads() && self.cluster.now().mono < until && peers.reaches_any() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        if let Some(links) = self.links.take() {
            links.stop(GOODBYE).await;
        }
        let _ = self.stop.send(true);
        // Ends when the last driver has dropped its sender.
        let _ = self.ended.recv().await;
    }
}

/// How long others may take to lead what this member led.
const HAND_OVER: Duration = Duration::from_secs(3);
/// How long the last words to other members may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// Inputs from other members that may wait for one shard.
const PEER_QUEUE: usize = 8_192;

struct Opened<L: LogStore, S: StateStore> {
    shard: Shard<L, S>,
    sender: mpsc::Sender<Request>,
    receiver: mpsc::Receiver<Request>,
    peers: mpsc::Sender<Input>,
    peers_receiver: mpsc::Receiver<Input>,
    status: Arc<Mutex<ShardStatus>>,
    clustered: bool,
    mutants: Mutants,
}

fn open<L: LogStore, S: StateStore>(
    config: &MemberConfig,
    ring: Option<&Ring>,
    log: L,
    state: S,
    vnodes: Vec<Partition>,
    seed: u64,
) -> Result<Opened<L, S>, StoreFault> {
    let (partitions, peer, checkpoint_bytes) = (config.partitions, config.peer, config.checkpoint_bytes);
    let sets = |ring: &Ring| vnodes.iter().map(|&p| (p, ring.replica_set(p))).collect();
    let replicas = ring.map(sets).unwrap_or_default();
    let peers = ring.map(|ring| ring.locations().collect()).unwrap_or_default();
    let log_slack = LOG_SLACK;
    let mutants = config.mutants;
    let config_of_shard =
        ShardConfig { partitions, vnodes, peer, replicas, peers, log_slack, seed, checkpoint_bytes, mutants };
    let mut shard = Shard::open(log, state, config_of_shard)?;
    if let Some(ring) = ring {
        for partition in shard.partitions().collect::<Vec<_>>() {
            let preferred = ring.holders(partition).next().map(|holder| ring.raft_id(holder, partition));
            shard.prefer(partition, preferred);
        }
    }
    let (sender, receiver) = mpsc::channel(config.queue);
    let (peers, peers_receiver) = mpsc::channel(PEER_QUEUE);
    let clustered = ring.is_some();
    let status = Arc::default();
    Ok(Opened { shard, sender, receiver, peers, peers_receiver, status, clustered, mutants })
}

impl<L: LogStore, S: StateStore> Opened<L, S> {
    fn handle(&self) -> ShardHandle {
        let damaged = self.clustered.then(|| self.peers.clone());
        let (reader, journals) = (self.shard.reader(), self.shard.journals());
        let reader = Arc::new(TableReader { reader, journals, damaged, mutants: self.mutants });
        let (queue, peers) = (self.sender.clone(), self.peers.clone());
        ShardHandle { queue, peers, reader, status: self.status.clone() }
    }
}

struct TableReader<S: StateStore> {
    reader: Reader<S>,
    journals: Journals,
    /// In a cluster: whom to tell of a row that does not check, so that other replicas' take its place.
    damaged: Option<mpsc::Sender<Input>>,
    mutants: Mutants,
}

impl<S: StateStore> ShardReader for TableReader<S> {
    fn read(&self, partition: Partition, app: AppId, root: Root, query: &Query) -> Result<Reading, Fault> {
        let (rows, journals) = (self.reader.view(), Some(&self.journals));
        read::answer_with(&rows, journals, partition, app, root, query, self.mutants).map_err(|fault| {
            tracing::error!(partition = partition.0, %fault, "a row cannot be read");
            if let Some(damaged) = &self.damaged {
                // If there is no room, the next read tells.
                let _ = damaged.try_send(Input::Damaged { partition, fault });
            }
            Fault::Corrupt
        })
    }

    fn digest(&self, partition: Partition) -> Option<(Position, u64)> {
        let applied: Option<applied::Applied> =
            get(&self.reader.view(), &applied::key(partition)).ok().flatten();
        applied.map(|applied| (applied.position, applied.digest))
    }
}
