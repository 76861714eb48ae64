//! A shard: the vnodes of a member that share a log file set, a state store and a thread, run in turns.
//!
//! A turn takes what waits, hands each input to its vnode, appends every new log entry with *one* sync,
//! applies what is committed in one state transaction, publishes it, and only then hands out answers.
//! That is group commit by shape: there is no way to answer before the sync.
//!
//! Must never learn: who drives it.

mod input;
mod vnode;

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::Fault;
use crate::id::{Partition, Position};
use crate::ring::partition::{META, PartitionCount};
use crate::rng::Rng;
use crate::rows::Txn;
use crate::store::memtable::{Checkpoint, Reader, Table};
use crate::store::{GroupId, LogBatch, LogStore, StateStore, StoreFault};
use crate::time::Now;

pub use input::{Effect, Input, Message, Ticket};
use vnode::Vnode;

/// What a shard is opened with.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// The ring.
    pub partitions: PartitionCount,
    /// The vnodes that live here.
    pub vnodes: Vec<Partition>,
    /// This replica's Raft id: minted with the disk's incarnation, not zero.
    pub peer: u64,
    /// For era tags and histories.
    pub seed: u64,
    /// Memory table size that starts a checkpoint, in bytes.
    pub checkpoint_bytes: usize,
}

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
}

/// The vnodes of one thread.
pub struct Shard<L: LogStore, S: StateStore> {
    log: L,
    table: Table<S>,
    vnodes: BTreeMap<Partition, Vnode>,
    /// Vnodes with something to write, apply or send.
    busy: BTreeSet<Partition>,
    checkpoint_bytes: usize,
    /// What the checkpoint under way covers.
    covered: Vec<(GroupId, Position)>,
    full: bool,
    counts: ShardStatus,
}

impl<L: LogStore, S: StateStore> Shard<L, S> {
    /// Opens the vnodes from log and state. What is in the log and not in the state is applied by the
    /// first turns; until then [`Shard::is_live`] is false.
    pub fn open(log: L, state: S, config: ShardConfig) -> Result<Shard<L, S>, StoreFault> {
        let table = Table::new(state)?;
        let mut rng = Rng::new(config.seed);
        let mut vnodes = BTreeMap::new();
        let reader = table.reader();
        for &partition in &config.vnodes {
            let rng = rng.split(u64::from(partition.0));
            let vnode = Vnode::open(&log, &reader.view(), partition, config.partitions, config.peer, rng)?;
            vnodes.insert(partition, vnode);
        }
        let busy = vnodes.keys().copied().collect();
        Ok(Shard {
            log,
            table,
            vnodes,
            busy,
            checkpoint_bytes: config.checkpoint_bytes,
            covered: Vec::new(),
            full: false,
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

    /// Whether every vnode has applied all that was in its log at the start.
    pub fn is_live(&self) -> bool {
        self.vnodes.values().all(Vnode::is_live)
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
        let mut effects = Vec::new();
        for input in inputs {
            self.take(now, input, &mut effects);
        }
        let mut batch = LogBatch::default();
        let mut pending = Vec::new();
        for &partition in &self.busy {
            let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
            if let Some(ready) = vnode.collect(now, &mut batch) {
                pending.push((partition, ready));
            }
        }
        if !batch.is_empty() {
            self.log.append(&batch, true)?;
            self.counts.syncs += 1;
            self.counts.entries += batch.entries.iter().map(|(_, entries)| entries.len() as u64).sum::<u64>();
        }
        if !pending.is_empty() {
            let reader = self.table.reader();
            let view = reader.view();
            let mut txn = Txn::new(&view);
            for (partition, ready) in pending {
                let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
                vnode.persisted(now, ready, &mut txn, &mut effects);
            }
            let rows = txn.into_batch();
            drop(view);
            self.counts.rows += rows.rows.len() as u64;
            self.table.publish(rows);
        }
        self.send(now, &mut effects)?;
        Ok(effects)
    }

    fn take(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Write { ticket, partition, write } => match self.vnodes.get_mut(&partition) {
                Some(vnode) => {
                    vnode.write(now, ticket, write, self.full, effects);
                    self.busy.insert(partition);
                }
                None => effects.push(Effect::Done { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Meta { ticket, command } => match self.vnodes.get_mut(&META) {
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
            Input::Tick => {
                for (&partition, vnode) in &mut self.vnodes {
                    vnode.tick(now);
                    if vnode.has_work() {
                        self.busy.insert(partition);
                    }
                }
            }
        }
    }

    /// Sends from outboxes what is published, and keeps those busy that have more.
    fn send(&mut self, now: Now, effects: &mut Vec<Effect>) -> Result<(), StoreFault> {
        let reader = self.table.reader();
        for partition in std::mem::take(&mut self.busy) {
            let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
            vnode.published(now, &reader.view(), effects)?;
            if vnode.has_work() {
                self.busy.insert(partition);
            }
        }
        Ok(())
    }

    /// Begins a checkpoint if it is due and none is under way. What it returns waits for the disk and may
    /// run on any thread; turns go on meanwhile. To be asked when a turn's answers are out.
    pub fn begin_checkpoint(&mut self) -> Option<Checkpoint<S>> {
        if self.table.bytes() < self.checkpoint_bytes { None } else { self.freeze() }
    }

    fn freeze(&mut self) -> Option<Checkpoint<S>> {
        let checkpoint = self.table.begin_checkpoint()?;
        self.covered = self.vnodes.values().map(|vnode| (vnode.group(), vnode.position())).collect();
        Some(checkpoint)
    }

    /// Whether so much waits that turns should wait for the checkpoint under way: memory is bounded.
    pub fn is_behind(&self) -> bool {
        self.table.bytes() >= self.checkpoint_bytes.saturating_mul(3)
    }

    /// The checkpoint that was begun is on disk: the log forgets what it covers.
    pub fn finish_checkpoint(&mut self, base: S::Snapshot) -> Result<(), StoreFault> {
        self.table.finish(base);
        for (group, position) in std::mem::take(&mut self.covered) {
            self.log.compact(group, position.0 + 1)?;
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
