//! A shard: the vnodes of a member that share a log file set, a state store and a thread, run in turns.
//!
//! A turn takes what waits, hands each input to its vnode, appends every new log entry with *one* sync,
//! applies what is committed in one state transaction, publishes it, and only then hands out answers.
//! That is group commit by shape: there is no way to answer before the sync. What a leader may tell its
//! followers before it is handed out first: the turn is taken in two halves, [`Shard::begin`] and
//! [`Shard::finish`].
//!
//! Must never learn: who drives it.

mod digests;
mod input;
mod reads;
mod receiving;
mod sending;
mod stamp;
mod vnode;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::fault::Fault;
use crate::id::{MemberId, Partition, Position};
use crate::mutant::{Mutant, Mutants};
use crate::ring::partition::{META, PartitionCount};
use crate::rng::Rng;
use crate::rows::Txn;
use crate::rows::replicas::Replicas;
use crate::store::memtable::{Checkpoint, Reader, Table};
use crate::store::{LogBatch, LogStore, StateStore, StoreFault};
use crate::time::{Monotonic, Now};
use crate::vnode::group::Pending;
use crate::vnode::peer::{PeerBody, PeerMessages};
use crate::vnode::snapshot::Transfer;

pub use input::{Effect, Input, Message, PeerMessage, ReadPermit, Ticket};
use sending::{Offer, Sendings};
pub use stamp::last_stamp;
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
    /// Somebody needs later rows than the last checkpoint's.
    checkpoint_wanted: bool,
    full: bool,
    mutants: Mutants,
    counts: ShardStatus,
}

impl<L: LogStore, S: StateStore> Shard<L, S> {
    /// Opens the vnodes from log and state. What is in the log and not in the state is applied by the
    /// first turns; until then [`Shard::is_live`] is false.
    pub fn open(mut log: L, state: S, config: ShardConfig) -> Result<Shard<L, S>, StoreFault> {
        let table = Table::new(state)?;
        let mut rng = Rng::new(config.seed);
        let mut vnodes = BTreeMap::new();
        let reader = table.reader();
        for &partition in &config.vnodes {
            let rng = rng.split(u64::from(partition.0));
            let alone = || ReplicaSet { peer: config.peer, voters: vec![config.peer], preferred: false };
            let replicas = config.replicas.get(&partition).cloned().unwrap_or_else(alone);
            let view = reader.view();
            let vnode =
                Vnode::open(&mut log, &view, partition, config.partitions, replicas, rng, config.mutants)?;
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
            checkpoint_wanted: false,
            full: false,
            mutants: config.mutants,
            counts: ShardStatus::default(),
        })
    }

    /// Reads what is published, from any thread.
    pub fn reader(&self) -> Reader<S> {
        self.table.reader()
    }

    /// Whether the vnode of this partition lives here.
    pub fn holds(&self, partition: Partition) -> bool {
        self.vnodes.contains_key(&partition)
    }

    /// The partitions whose vnodes live here.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + '_ {
        self.vnodes.keys().copied()
    }

    /// Whether every vnode serves: it leads and has applied all that its log holds, or knows who leads.
    pub fn is_live(&self) -> bool {
        self.vnodes.values().all(|vnode| vnode.is_live() || vnode.leader().is_some_and(|_| !vnode.leads()))
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

    /// One turn. An error means that the disk failed: the process must end, nothing of this turn was
    /// answered.
    pub fn turn(
        &mut self,
        now: Now,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<Vec<Effect>, StoreFault> {
        let mut turn = self.begin(now, inputs)?;
        let mut effects = turn.take_early();
        effects.append(&mut self.finish(turn)?);
        Ok(effects)
    }

    /// The first half of a turn: up to what must be on disk. Its early effects ([`Turn::take_early`]) should
    /// be carried out before the second half, which waits for the disk.
    pub fn begin(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>) -> Result<Turn, StoreFault> {
        let mut turn = Turn { now, ..Turn::default() };
        self.open_received(&mut turn.effects)?;
        for input in inputs {
            self.take(now, input, &mut turn.effects);
        }
        let mut early = Outgoing::default();
        for &partition in &self.busy {
            let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
            let (pending, messages) = vnode.collect(now, &self.log, &mut turn.batch, &mut turn.effects)?;
            turn.pending.extend(pending.map(|pending| (partition, pending)));
            early.add(&self.peers, partition, vnode.peer(), messages);
        }
        turn.early = early.effects();
        Ok(turn)
    }

    /// The second half: one sync, then what is committed is applied and published, and answers.
    pub fn finish(&mut self, turn: Turn) -> Result<Vec<Effect>, StoreFault> {
        let Turn { now, batch, pending, early, mut effects } = turn;
        debug_assert!(early.is_empty(), "early effects are taken before the second half");
        if !batch.is_empty() {
            self.log.append(&batch, !self.mutants.has(Mutant::AcknowledgeBeforeSync))?;
            self.counts.syncs += 1;
            self.counts.entries += batch.entries.iter().map(|(_, entries)| entries.len() as u64).sum::<u64>();
        }
        if !pending.is_empty() || self.busy.iter().any(|partition| self.vnodes[partition].has_chunk()) {
            let reader = self.table.reader();
            let view = reader.view();
            let mut txn = Txn::new(&view);
            let mut outgoing = Outgoing::default();
            for (partition, ready) in pending {
                let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
                let messages = vnode.persisted(now, ready, &mut txn, &mut effects);
                outgoing.add(&self.peers, partition, vnode.peer(), messages);
            }
            for partition in &self.busy {
                let vnode = self.vnodes.get_mut(partition).expect("only vnodes are busy");
                if vnode.has_chunk() {
                    vnode.ingest(now, &mut txn, &mut effects)?;
                }
            }
            let rows = txn.into_batch();
            drop(view);
            self.counts.rows += rows.rows.len() as u64;
            self.table.publish(rows);
            effects.append(&mut outgoing.effects());
        }
        self.send(now, &mut effects)?;
        Ok(effects)
    }

    fn take(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Write { ticket, partition, write } => match self.vnodes.get_mut(&partition) {
                Some(vnode) if vnode.is_elsewhere() => {
                    let leader = vnode.leader().and_then(|peer| self.peers.get(&peer).copied());
                    effects.push(Effect::NotLeader { ticket, leader });
                }
                Some(vnode) => {
                    vnode.write(now, ticket, write, self.full, effects);
                    self.busy.insert(partition);
                }
                None => effects.push(Effect::Done { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Meta { ticket, command } => match self.vnodes.get_mut(&META) {
                Some(vnode) if vnode.is_elsewhere() => {
                    let leader = vnode.leader().and_then(|peer| self.peers.get(&peer).copied());
                    effects.push(Effect::NotLeader { ticket, leader });
                }
                Some(vnode) => {
                    vnode.meta(now, ticket, command, effects);
                    self.busy.insert(META);
                }
                None => effects.push(Effect::Done { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Message { from, to, message } => {
                if let Some(vnode) = self.vnodes.get_mut(&to) {
                    vnode.message(now, from, message);
                    self.busy.insert(to);
                }
            }
            Input::Peer(message) => {
                if let Some(vnode) = self.vnodes.get_mut(&message.partition) {
                    vnode.peer_message(now, message, effects);
                    self.busy.insert(vnode.partition());
                }
            }
            Input::ReadIndex { ticket, partition } => match self.vnodes.get_mut(&partition) {
                Some(vnode) => {
                    vnode.read_index(now, ticket, effects);
                    self.busy.insert(partition);
                }
                None => effects.push(Effect::ReadIndex { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Change { ticket, partition, change } => match self.vnodes.get_mut(&partition) {
                Some(vnode) if vnode.is_elsewhere() => {
                    let leader = vnode.leader().and_then(|peer| self.peers.get(&peer).copied());
                    effects.push(Effect::NotLeader { ticket, leader });
                }
                Some(vnode) => {
                    vnode.change(now, ticket, &change, effects);
                    self.busy.insert(partition);
                }
                None => effects.push(Effect::Done { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Damaged { partition, fault } => {
                if let Some(vnode) = self.vnodes.get_mut(&partition).filter(|vnode| vnode.has_state()) {
                    self.sendings.forget(partition);
                    vnode.distrust_rows(fault, effects);
                    self.busy.insert(partition);
                }
            }
            Input::Tick => {
                self.sendings.tick(now.mono);
                let vnodes = &self.vnodes;
                self.sendings.done(|partition, peer, at| vnodes[&partition].has_matched(peer, at));
                let heard: Vec<bool> = if self.heard.is_empty() {
                    vec![false; self.vnodes.len()]
                } else {
                    let all = |vnode: &Vnode| vnode.others().iter().all(|&peer| self.hears(now, peer));
                    self.vnodes.values().map(all).collect()
                };
                for ((&partition, vnode), heard) in self.vnodes.iter_mut().zip(heard) {
                    vnode.tick(now, heard, effects);
                    if vnode.has_work() {
                        self.busy.insert(partition);
                    }
                }
            }
        }
    }

    /// Sends from outboxes what is published, and snapshots; keeps those busy that have more.
    fn send(&mut self, now: Now, effects: &mut Vec<Effect>) -> Result<(), StoreFault> {
        let reader = self.table.reader();
        let mut outgoing = Outgoing::default();
        let mut chunks = CHUNKS_A_TURN;
        for partition in std::mem::take(&mut self.busy) {
            let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
            vnode.published(now, &reader.view(), effects)?;
            let (peer, mut messages) = (vnode.peer(), PeerMessages::new());
            messages.extend(
                vnode.ask(now, &reader.view()).map(|(to, want)| (to, Transfer::Want(want))).map(transfer),
            );
            self.serve(now, partition, &mut chunks, &mut messages, effects)?;
            outgoing.add(&self.peers, partition, peer, messages);
            let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
            if vnode.has_work() {
                self.busy.insert(partition);
            }
        }
        effects.append(&mut outgoing.effects());
        Ok(())
    }

    /// Answers what other replicas ask of a snapshot, and offers one to those for whom the log will not do.
    fn serve(
        &mut self,
        now: Now,
        partition: Partition,
        chunks: &mut usize,
        messages: &mut PeerMessages,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
        let mut offers: BTreeMap<u64, u64> = vnode.lacking().into_iter().map(|peer| (peer, 0)).collect();
        let term = vnode.term();
        while *chunks > 0
            && let Some((peer, want)) = vnode.take_want()
        {
            *chunks -= 1;
            match self.sendings.chunk(now.mono, partition, peer, &want) {
                Ok(Some(chunk)) => messages.push(transfer((peer, Transfer::Chunk(chunk)))),
                Ok(None) => {
                    offers.insert(peer, want.at_least);
                }
                Err(fault @ StoreFault::Corrupt(_)) => {
                    self.sendings.forget(partition);
                    vnode.distrust_rows(fault, effects);
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            }
        }
        for (peer, at_least) in offers {
            match self.sendings.offer(now.mono, partition, peer, at_least, self.table.base())? {
                Offer::Cut(cut) => messages.push(transfer((peer, Transfer::Offer { term, cut }))),
                Offer::Later => self.checkpoint_wanted = true,
                Offer::NotNow => {}
            }
        }
        Ok(())
    }

    /// Opens the vnodes whose snapshots have come and are on disk.
    fn open_received(&mut self, effects: &mut Vec<Effect>) -> Result<(), StoreFault> {
        let reader = self.table.reader();
        for (&partition, vnode) in &mut self.vnodes {
            if vnode.receiving().is_some_and(|receiving| receiving.is_durable()) {
                vnode.reopen(&mut self.log, &reader.view())?;
                self.busy.insert(partition);
                self.counts.snapshots += 1;
                if partition == META {
                    effects.push(Effect::MetaChanged { position: vnode.position() });
                }
            }
        }
        Ok(())
    }

    /// Begins a checkpoint if it is due and none is under way. What it returns waits for the disk and may
    /// run on any thread; turns go on meanwhile. To be asked when a turn's answers are out.
    pub fn begin_checkpoint(&mut self) -> Option<Checkpoint<S>> {
        let received =
            |vnode: &mut Vnode| vnode.receiving().is_some_and(|receiving| receiving.wants_checkpoint());
        let wanted = self.checkpoint_wanted || self.vnodes.values_mut().any(received);
        if self.table.bytes() < self.checkpoint_bytes && !wanted { None } else { self.freeze() }
    }

    fn freeze(&mut self) -> Option<Checkpoint<S>> {
        let checkpoint = self.table.begin_checkpoint()?;
        self.checkpoint_wanted = false;
        for receiving in self.vnodes.values_mut().filter_map(Vnode::receiving) {
            receiving.frozen();
        }
        self.covered = self.vnodes.iter().map(|(&partition, vnode)| (partition, vnode.position())).collect();
        Some(checkpoint)
    }

    /// Whether so much waits that turns should wait for the checkpoint under way: memory is bounded.
    pub fn is_behind(&self) -> bool {
        self.table.bytes() >= self.checkpoint_bytes.saturating_mul(3)
    }

    /// The checkpoint that was begun is on disk: the log forgets what it covers.
    pub fn finish_checkpoint(&mut self, base: S::Snapshot) -> Result<(), StoreFault> {
        self.table.finish(base);
        for (partition, position) in std::mem::take(&mut self.covered) {
            let vnode = self.vnodes.get_mut(&partition).expect("vnodes stay");
            if let Some(receiving) = vnode.receiving() {
                // The log that there is must be able to follow whatever comes.
                receiving.checkpointed();
                continue;
            }
            let sent = self.sendings.keep_from(partition, position.0);
            let first = vnode.keep_from(position, self.log_slack).min(sent);
            self.log.compact(vnode.group(), first)?;
            vnode.compacted(first);
        }
        self.counts.checkpoints += 1;
        Ok(())
    }

    /// A whole checkpoint, at once. None may be under way.
    pub fn checkpoint(&mut self) -> Result<(), StoreFault> {
        match self.freeze() {
            Some(checkpoint) => self.finish_checkpoint(checkpoint.run()?),
            None => Ok(()),
        }
    }
}

/// A member whose link is silent for so long may be dead: its groups rest no longer.
const LINK_SILENT: Duration = Duration::from_millis(600);
/// Chunks of snapshots that one turn reads.
const CHUNKS_A_TURN: usize = 4;

fn transfer((to, transfer): (u64, Transfer)) -> (u64, PeerBody) {
    (to, PeerBody::Transfer(transfer))
}

/// A turn between its halves. To be given to [`Shard::finish`]; if it is not, the shard must be thrown away.
#[derive(Default)]
#[must_use = "a turn has a second half"]
pub struct Turn {
    now: Now,
    batch: LogBatch,
    pending: Vec<(Partition, Pending)>,
    early: Vec<Effect>,
    effects: Vec<Effect>,
}

impl Turn {
    /// Messages to other members that need nothing of this turn on disk.
    pub fn take_early(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.early)
    }
}

/// Messages to other members, by member.
#[derive(Default)]
struct Outgoing(BTreeMap<MemberId, Vec<PeerMessage>>);

impl Outgoing {
    fn add(
        &mut self,
        peers: &BTreeMap<u64, MemberId>,
        partition: Partition,
        from: u64,
        messages: PeerMessages,
    ) {
        for (to, body) in messages {
            // Nobody knows yet where it lives: as if it was lost.
            let Some(&member) = peers.get(&to) else { continue };
            self.0.entry(member).or_default().push(PeerMessage { partition, from, to, body });
        }
    }

    fn effects(self) -> Vec<Effect> {
        self.0.into_iter().map(|(member, messages)| Effect::ToPeer { member, messages }).collect()
    }
}
