//! A shard: the vnodes of a member that share a log file set, a state store and a thread, run in turns.
//!
//! A turn takes what waits, hands each input to its vnode, appends every new log entry with *one* sync,
//! applies what is committed in one state transaction, publishes it, and only then hands out answers.
//! That is group commit by shape: there is no way to answer before the sync. What a leader may tell its
//! followers before it is handed out first: the turn is taken in two halves, [`Shard::begin`] and
//! [`Shard::finish`].
//!
//! Must never learn: who drives it.

mod checkpoints;
mod digests;
mod input;
mod reads;
mod receiving;
mod sending;
mod stamp;
mod turn;
mod vnode;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::id::{MemberId, Partition, Position};
use crate::mutant::Mutants;
use crate::ring::partition::PartitionCount;
use crate::rng::Rng;
use crate::rows::replicas::Replicas;
use crate::store::memtable::{Reader, Table};
use crate::store::{LogStore, StateStore, StoreFault};
use crate::time::{Monotonic, Now};
use crate::vnode::journal::Journals;

pub use input::{Effect, Input, Message, PeerMessage, ReadPermit, Ticket};
use sending::Sendings;
pub use stamp::last_stamp;
pub use turn::Turn;
use vnode::Vnode;
pub use waiting::WRITE_WAIT;

/// What a shard is opened with.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// The ring.
    pub partitions: PartitionCount,
    /// The vnodes that live here.
    pub vnodes: Vec<Partition>,
    /// Raft id of the replicas that are alone: minted with the disk's incarnation, not zero.
    pub peer: u64,
    /// The replicas of the partitions that are not alone.
    pub replicas: BTreeMap<Partition, ReplicaSet>,
    /// Where each replica lives, by its Raft id.
    pub peers: BTreeMap<u64, MemberId>,
    /// Log entries that are kept behind a checkpoint for followers that are slower. Who is further
    /// behind gets a snapshot.
    pub log_slack: u64,
    /// For era tags and histories.
    pub seed: u64,
    /// Memory table size that starts a checkpoint, in bytes.
    pub checkpoint_bytes: usize,
    /// Deliberate bugs: none, outside of the simulator.
    pub mutants: Mutants,
}

/// The replicas of a partition, as they were when its group began. What came of them since is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSet {
    /// Raft id of the replica on this member: minted per incarnation and partition, never used twice.
    pub peer: u64,
    /// Raft ids of the first voters.
    pub voters: Vec<u64>,
    /// Whether this replica should lead when it can.
    pub preferred: bool,
}

/// Usual [`ShardConfig::log_slack`].
pub const LOG_SLACK: u64 = 10_000;

/// Memory table size that starts a checkpoint by default: a fraction of a second to replay.
pub const CHECKPOINT_BYTES: usize = 24 * 1024 * 1024;

/// A member whose link is silent for so long may be dead: its groups rest no longer.
const LINK_SILENT: Duration = Duration::from_millis(600);

/// How things stand, for status and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShardStatus {
    /// Vnodes and what they have applied.
    pub positions: Vec<(Partition, Position)>,
    /// Steps waiting in outboxes.
    pub steps: usize,
    /// Fan-outs under way.
    pub pipes: usize,
    /// Vnodes that do not trust their rows.
    pub suspect: Vec<Partition>,
    /// Bytes in the memory table.
    pub table_bytes: usize,
    /// Log syncs since the start.
    pub syncs: u64,
    /// Log entries written since the start.
    pub entries: u64,
    /// Rows written since the start.
    pub rows: u64,
    /// Checkpoints since the start.
    pub checkpoints: u64,
    /// Vnodes whose groups rest.
    pub resting: usize,
    /// Vnodes that have no state until a snapshot has come.
    pub receiving: Vec<Partition>,
    /// Snapshots received whole since the start.
    pub snapshots: u64,
    /// Snapshots that were begun again, because the log behind them grew too long.
    pub snapshots_restarted: u64,
}

/// The vnodes of one thread.
pub struct Shard<L: LogStore, S: StateStore> {
    log: L,
    table: Table<S>,
    vnodes: BTreeMap<Partition, Vnode>,
    /// Vnodes with something to write, apply or send.
    busy: BTreeSet<Partition>,
    peers: BTreeMap<u64, MemberId>,
    checkpoint_bytes: usize,
    log_slack: u64,
    /// What the checkpoint under way covers.
    covered: Vec<(Partition, Position)>,
    /// When each other member was last heard.
    heard: BTreeMap<MemberId, Monotonic>,
    sendings: Sendings<S::Snapshot>,
    journals: Journals,
    /// Somebody needs later rows than the last checkpoint's.
    checkpoint_wanted: bool,
    full: bool,
    mutants: Mutants,
    partitions: PartitionCount,
    rng: Rng,
    counts: ShardStatus,
}

impl<L: LogStore, S: StateStore> Shard<L, S> {
    /// Opens the vnodes from log and state. What is in the log and not in the state is applied by the
    /// first turns; until then [`Shard::is_live`] is false.
    pub fn open(mut log: L, state: S, config: ShardConfig) -> Result<Shard<L, S>, StoreFault> {
        let table = Table::new(state)?;
        let mut rng = Rng::new(config.seed);
        let mut vnodes = BTreeMap::new();
        let journals = Journals::default();
        let reader = table.reader();
        for &partition in &config.vnodes {
            let rng = rng.split(u64::from(partition.0));
            let alone = || ReplicaSet { peer: config.peer, voters: vec![config.peer], preferred: false };
            let replicas = config.replicas.get(&partition).cloned().unwrap_or_else(alone);
            let view = reader.view();
            let vnode =
                Vnode::open(&mut log, &view, partition, config.partitions, replicas, rng, config.mutants)?;
            journals.begin(partition, vnode.position());
            vnodes.insert(partition, vnode);
        }
        let busy = vnodes.keys().copied().collect();
        Ok(Shard {
            log,
            table,
            vnodes,
            busy,
            peers: config.peers,
            checkpoint_bytes: config.checkpoint_bytes,
            log_slack: config.log_slack,
            covered: Vec::new(),
            heard: BTreeMap::new(),
            sendings: Sendings::new(),
            journals,
            checkpoint_wanted: false,
            full: false,
            mutants: config.mutants,
            partitions: config.partitions,
            rng,
            counts: ShardStatus::default(),
        })
    }

    /// Reads what is published, from any thread.
    pub fn reader(&self) -> Reader<S> {
        self.table.reader()
    }

    /// Which roots changed of late, for readers of what is published.
    pub fn journals(&self) -> Journals {
        self.journals.clone()
    }

    /// Whether the vnode of this partition lives here.
    pub fn holds(&self, partition: Partition) -> bool {
        self.vnodes.contains_key(&partition)
    }

    /// The partitions whose vnodes live here.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + '_ {
        self.vnodes.keys().copied()
    }

    /// Whether every vnode serves: it leads and has applied all that its log holds, or knows who leads, or is of no group yet.
    pub fn is_live(&self) -> bool {
        let serves = |vnode: &Vnode| {
            vnode.is_live()
                || vnode.leader().is_some_and(|_| !vnode.leads())
                || !vnode.replicas().contains(vnode.peer())
        };
        self.vnodes.values().all(serves)
    }

    /// Whether the vnode of this partition leads, and has applied all that its log holds.
    pub fn leads(&self, partition: Partition) -> bool {
        self.vnodes.get(&partition).is_some_and(|vnode| vnode.is_live() && vnode.leads())
    }

    /// The term in which the vnode of this partition leads.
    pub fn leader_term(&self, partition: Partition) -> Option<u64> {
        self.vnodes.get(&partition).filter(|vnode| vnode.leads()).map(Vnode::term)
    }

    /// Whether the partition may be read here without asking anybody. `now` must have been sampled after
    /// the request was read.
    pub fn read_permit(&self, now: Now, partition: Partition) -> ReadPermit {
        match self.vnodes.get(&partition) {
            Some(vnode) if vnode.leads() => match vnode.lease(now) {
                Some(until) => ReadPermit::Lease(until),
                None => ReadPermit::NeedsReadIndex,
            },
            Some(vnode) => ReadPermit::NotLeader { leader: self.leader_of(vnode) },
            None => ReadPermit::NotLeader { leader: None },
        }
    }

    /// What the vnode of this partition has applied, if it has any state.
    pub fn position(&self, partition: Partition) -> Option<Position> {
        self.vnodes.get(&partition).filter(|vnode| vnode.has_state()).map(Vnode::position)
    }

    /// The replicas of a partition that lives here, as far as they are known here.
    pub fn replicas(&self, partition: Partition) -> Option<Replicas> {
        self.vnodes.get(&partition).map(Vnode::replicas)
    }

    /// Opens the vnode of a partition that comes to this member: a replica that follows once its leader has made it a learner, and
    /// that votes once it is made a voter. `set` names the first voters of the group, as for those that began with it. What an
    /// earlier stay has left on disk is where it goes on. Lives here already: nothing.
    pub fn adopt(&mut self, partition: Partition, set: ReplicaSet) -> Result<(), StoreFault> {
        if self.holds(partition) {
            return Ok(());
        }
        let rng = self.rng.split(u64::from(partition.0));
        let reader = self.table.reader();
        let vnode =
            Vnode::open(&mut self.log, &reader.view(), partition, self.partitions, set, rng, self.mutants)?;
        self.vnodes.insert(partition, vnode);
        self.busy.insert(partition);
        Ok(())
    }

    /// Closes the vnode of a partition that others hold now. Log and rows stay on disk. Writes that wait for it are answered
    /// nothing: it must have led nothing for [`WRITE_WAIT`].
    pub fn release(&mut self, partition: Partition) {
        self.vnodes.remove(&partition);
        self.busy.remove(&partition);
        self.sendings.forget(partition);
    }

    fn leader_of(&self, vnode: &Vnode) -> Option<MemberId> {
        vnode.leader().and_then(|peer| self.peers.get(&peer).copied())
    }

    /// A replica lives there, from now on.
    pub fn locate(&mut self, peer: u64, member: MemberId) {
        self.peers.insert(peer, member);
    }

    /// Names who should lead a partition, by Raft id. Its leader hands over when that one is ready.
    pub fn prefer(&mut self, partition: Partition, peer: Option<u64>) {
        if let Some(vnode) = self.vnodes.get_mut(&partition) {
            vnode.prefer(peer);
        }
    }

    /// The member is about to stop: with the next ticks leadership goes to others, where there are others
    /// that are ready. `false` takes it back.
    pub fn drain(&mut self, draining: bool) {
        for vnode in self.vnodes.values_mut() {
            vnode.drain(draining);
        }
    }

    /// Whether nothing is led here that others could lead.
    pub fn is_drained(&self) -> bool {
        self.vnodes.values().all(Vnode::is_drained)
    }

    /// Another member lives: its link has said so. To be called several times a second, and only while that
    /// member takes its turns; groups whose members all are heard may rest. Never called, none rests.
    pub fn heard(&mut self, now: Now, member: MemberId) {
        self.heard.insert(member, now.mono);
    }

    fn hears(&self, now: Now, peer: u64) -> bool {
        let member = self.peers.get(&peer);
        member.and_then(|member| self.heard.get(member)).is_some_and(|&at| now.mono.since(at) < LINK_SILENT)
    }

    /// Whether another turn would do something without any input.
    pub fn has_work(&self) -> bool {
        !self.busy.is_empty()
    }

    /// The disk fell below its reserve, or is above it again. While it is full, writes that grow are
    /// refused; deletes, and what is under way, use the reserve.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// How things stand.
    pub fn status(&self) -> ShardStatus {
        let backlogs = self.vnodes.values().map(Vnode::backlog);
        let (steps, pipes) = backlogs.fold((0, 0), |sum, backlog| (sum.0 + backlog.0, sum.1 + backlog.1));
        ShardStatus {
            positions: self.vnodes.iter().map(|(&partition, vnode)| (partition, vnode.position())).collect(),
            steps,
            pipes,
            suspect: self.vnodes.iter().filter(|(_, vnode)| vnode.is_suspect()).map(|(&p, _)| p).collect(),
            table_bytes: self.table.bytes(),
            receiving: self
                .vnodes
                .iter()
                .filter(|(_, vnode)| vnode.is_receiving())
                .map(|(&p, _)| p)
                .collect(),
            resting: self.vnodes.values().filter(|vnode| vnode.rests()).count(),
            snapshots_restarted: self.sendings.restarted,
            ..self.counts.clone()
        }
    }
}
