//! One vnode in its shard: proposes what it is told, applies what is committed, sends what its outbox
//! holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use crate::events::channel::Outbox;
use crate::fault::Fault;
use crate::id::{Id, Partition, Position};
use crate::meta::command::MetaCommand;
use crate::ring::partition::{META, PartitionCount};
use crate::rng::Rng;
use crate::rows::applied::{self, Applied};
use crate::rows::channel::{Queue, StepNumber};
use crate::rows::key::{KeyWriter, after_prefix};
use crate::rows::{Kind, Txn, get, pipe, timer};
use crate::store::{Direction, GroupId, LogBatch, LogStore, StateRead, StoreFault};
use crate::time::{Monotonic, Now, Time};
use crate::vnode::apply::{self, Applier, Emitted, Kept};
use crate::vnode::command::{Command, NumberedStep, Operation, Proposal, WRITE_BYTES_MAX, Write};
use crate::vnode::group::{Committed, Group, Pending};

use super::input::{Effect, Message, Ticket};

/// How often old deletions and operation records are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// How soon the next page of a sweep follows: old rows can wait, clients cannot.
const SWEEP_PAGE_EVERY: Duration = Duration::from_secs(1);

/// A vnode.
pub(super) struct Vnode {
    partition: Partition,
    partitions: PartitionCount,
    group: Group,
    applied: Applied,
    /// Who waits for which index, and in which term it was proposed.
    waiting: BTreeMap<u64, (u64, Ticket)>,
    outbox: Outbox,
    /// Last step of each incoming queue that is proposed and not yet applied.
    arriving: BTreeMap<(Partition, Queue), StepNumber>,
    pipes: BTreeSet<Id>,
    /// When the next timer may be due.
    timer: Option<Time>,
    clock_proposed: bool,
    /// When rows past the horizon are looked for next; set by the first tick.
    sweep_at: Option<Monotonic>,
    sweep_from: Option<Vec<u8>>,
    rng: Rng,
    /// The command that opens this start's era is applied: everything before it is, too.
    live: bool,
    era_proposed: bool,
    /// A row could not be read or did not check: nothing is written here any more.
    suspect: bool,
}

impl Vnode {
    pub(super) fn open(
        log: &impl LogStore,
        rows: &dyn StateRead,
        partition: Partition,
        partitions: PartitionCount,
        peer: u64,
        mut rng: Rng,
    ) -> Result<Vnode, StoreFault> {
        let mut applied: Applied = get(rows, &applied::key(partition))?.unwrap_or_default();
        if applied.voters.is_empty() {
            applied.voters = vec![peer];
        }
        let id = group_id(partition);
        let mut group = Group::open(log, id, peer, &applied, rng.next_u64())?;
        if group.is_alone() {
            group.campaign();
        }
        Ok(Vnode {
            partition,
            partitions,
            group,
            applied,
            waiting: BTreeMap::new(),
            outbox: Outbox::load(rows, partition)?,
            arriving: BTreeMap::new(),
            pipes: load_pipes(rows, partition)?,
            timer: first_timer(rows, partition)?,
            clock_proposed: false,
            sweep_at: None,
            sweep_from: None,
            rng,
            live: false,
            era_proposed: false,
            suspect: false,
        })
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.suspect
    }

    pub(super) fn position(&self) -> Position {
        self.applied.position
    }

    pub(super) fn group(&self) -> GroupId {
        group_id(self.partition)
    }

    pub(super) fn has_work(&self) -> bool {
        self.group.has_ready() || self.outbox.is_dirty()
    }

    /// Steps waiting in the outbox, and pipes under way.
    pub(super) fn backlog(&self) -> (usize, usize) {
        (self.outbox.waiting(), self.pipes.len())
    }

    /// A client's write. `full`: the disk is below its reserve.
    pub(super) fn write(
        &mut self,
        now: Now,
        ticket: Ticket,
        write: Box<Write>,
        full: bool,
        effects: &mut Vec<Effect>,
    ) {
        if let Err(fault) = self.try_write(now, ticket, write, full) {
            effects.push(Effect::Done { ticket, result: Err(fault) });
        }
    }

    fn try_write(&mut self, now: Now, ticket: Ticket, write: Box<Write>, full: bool) -> Result<(), Fault> {
        if self.suspect {
            return Err(Fault::Corrupt);
        }
        if !self.live {
            return Err(Fault::Unavailable);
        }
        apply::check(&write)?;
        if full && write.ops.iter().any(grows) {
            return Err(Fault::DiskFull);
        }
        if (!write.steps.is_empty() || write.ops.iter().any(|op| matches!(op, Operation::FanOut { .. })))
            && self.outbox.is_full()
        {
            return Err(Fault::Busy);
        }
        let index = self.propose(now, Proposal::Write(write))?;
        self.waiting.insert(index, (self.group.term(), ticket));
        Ok(())
    }

    /// A change of the metadata.
    pub(super) fn meta(
        &mut self,
        now: Now,
        ticket: Ticket,
        command: Box<MetaCommand>,
        effects: &mut Vec<Effect>,
    ) {
        debug_assert_eq!(self.partition, META);
        let proposed = if self.suspect {
            Err(Fault::Corrupt)
        } else if !self.live {
            Err(Fault::Unavailable)
        } else {
            self.propose(now, Proposal::Meta(command))
        };
        match proposed {
            Ok(index) => {
                self.waiting.insert(index, (self.group.term(), ticket));
            }
            Err(fault) => effects.push(Effect::Done { ticket, result: Err(fault) }),
        }
    }

    /// A message from another partition. What cannot be taken now is sent again.
    pub(super) fn message(&mut self, now: Now, from: Partition, message: Message) {
        if self.suspect || !self.live {
            return;
        }
        match message {
            Message::Kept { queue, kept } => self.outbox.kept(now.mono, from, queue, kept),
            Message::Steps { queue, steps } => self.arrive(now, from, queue, steps),
        }
    }

    fn arrive(&mut self, now: Now, source: Partition, queue: Queue, mut steps: Vec<NumberedStep>) {
        if let Some(&proposed) = self.arriving.get(&(source, queue)) {
            // A repetition: what is proposed already will be answered when it is applied.
            steps.retain(|step| step.number > proposed);
            if steps.is_empty() {
                return;
            }
        }
        let last = steps.last().map(|step| step.number);
        if self.propose(now, Proposal::Steps { source, queue, steps }).is_ok()
            && let Some(last) = last
        {
            self.arriving.insert((source, queue), last);
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Now) {
        self.group.tick();
        if self.suspect || !self.group.leads() || !self.live {
            return;
        }
        self.outbox.tick(now.mono);
        let trimmable = self.outbox.trimmable();
        if !trimmable.is_empty() {
            let _ = self.propose(now, Proposal::Trimmed(trimmable));
        }
        if !self.clock_proposed && self.timer.is_some_and(|due| due <= now.wall) {
            self.clock_proposed = self.propose(now, Proposal::Clock).is_ok();
        }
        // Spread over the hour, so that partitions do not sweep all at once.
        let first = now.mono + Duration::from_millis(self.rng.below(SWEEP_EVERY.as_millis() as u64));
        if now.mono >= *self.sweep_at.get_or_insert(first) {
            let from = self.sweep_from.take().unwrap_or_default();
            if self.propose(now, Proposal::Sweep { from }).is_ok() {
                self.sweep_at = Some(now.mono + SWEEP_EVERY);
            }
        }
        self.go_on_with_pipes(now);
    }

    /// Proposes the next page of each pipe, unless the bulk queues are long.
    fn go_on_with_pipes(&mut self, now: Now) {
        if self.outbox.is_bulky() {
            return;
        }
        // Taken out while a page is proposed; applying it puts it back.
        while let Some(id) = self.pipes.pop_first() {
            if self.propose(now, Proposal::Pipe { id }).is_err() {
                self.pipes.insert(id);
                return;
            }
        }
    }

    fn propose(&mut self, now: Now, what: Proposal) -> Result<u64, Fault> {
        let time = self.applied.time.max(now.wall);
        let data = postcard::to_stdvec(&Command { time, what }).expect("commands are plain data");
        if data.len() > WRITE_BYTES_MAX {
            return Err(Fault::TooLarge("1 MiB a write"));
        }
        self.group.propose(data)
    }

    /// Adds what must be written to the turn's batch.
    pub(super) fn collect(&mut self, now: Now, batch: &mut LogBatch) -> Option<Pending> {
        if self.group.leads() && !self.era_proposed && self.group.is_alone() {
            let (tag, history) = (self.rng.next_u64() as u32, self.rng.next_u64() | 1);
            self.era_proposed = self.propose(now, Proposal::Era { tag, history }).is_ok();
        }
        self.group.collect(batch)
    }

    /// What was collected is on disk: applies what is committed.
    pub(super) fn persisted(
        &mut self,
        now: Now,
        pending: Pending,
        txn: &mut Txn<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let committed = self.group.persisted(pending);
        if committed.is_empty() || self.suspect {
            return;
        }
        let mut emitted = Emitted::default();
        for entry in committed {
            if let Err(fault) = self.apply(entry, txn, &mut emitted, effects) {
                self.suspect = true;
                effects.push(Effect::Suspect { partition: self.partition, fault });
                for (_, (_, ticket)) in std::mem::take(&mut self.waiting) {
                    effects.push(Effect::Done { ticket, result: Err(Fault::Corrupt) });
                }
                break;
            }
        }
        txn.put_local(applied::key(self.partition), &self.applied);
        self.group.applied(self.applied.position.0, self.applied.term);
        self.digest(now, emitted, effects);
    }

    fn apply(
        &mut self,
        entry: Committed,
        txn: &mut Txn<'_>,
        emitted: &mut Emitted,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        let position = Position(entry.index);
        let waiting = self.waiting.remove(&entry.index);
        let Some(data) = entry.data else {
            self.applied.position = position;
            self.applied.term = entry.term;
            if let Some((_, ticket)) = waiting {
                effects.push(Effect::Done { ticket, result: Err(Fault::Unavailable) });
            }
            return Ok(());
        };
        let command: Command = postcard::from_bytes(&data)
            .map_err(|e| StoreFault::Corrupt(format!("entry {position} cannot be read: {e}")))?;
        let mut next = self.applied.clone();
        let mut inner = Txn::new(txn);
        let result = Applier::new(&mut inner, self.partition, self.partitions, &mut next, emitted)
            .command(position, entry.term, &command)?;
        let changes = inner.into_changes();
        txn.absorb(changes);
        self.applied = next;
        match command.what {
            Proposal::Era { .. } => self.live |= self.era_proposed && entry.term == self.group.term(),
            Proposal::Clock => self.clock_proposed = false,
            _ => {}
        }
        if let Some((term, ticket)) = waiting {
            // Another term's entry at this index is not what was proposed.
            let result = if term == entry.term { result } else { Err(Fault::Unavailable) };
            effects.push(Effect::Done { ticket, result });
        }
        Ok(())
    }

    /// Takes note of what applying made necessary.
    fn digest(&mut self, now: Now, emitted: Emitted, effects: &mut Vec<Effect>) {
        for (target, queue) in emitted.queues {
            self.outbox.added(target, queue);
        }
        for (target, queue, count, trimmed) in emitted.trimmed {
            self.outbox.removed(target, queue, count, trimmed);
        }
        for Kept { source, queue, kept, gap } in emitted.kept {
            // After a gap nothing that was proposed counts as on its way: it must be taken again when it
            // is repeated.
            if gap || self.arriving.get(&(source, queue)).is_some_and(|&proposed| proposed <= kept) {
                self.arriving.remove(&(source, queue));
            }
            let message = Message::Kept { queue, kept };
            effects.push(Effect::Send { from: self.partition, to: source, message });
        }
        self.pipes.extend(emitted.pipes);
        for id in emitted.piped {
            self.pipes.remove(&id);
        }
        if self.live {
            self.go_on_with_pipes(now);
        }
        if let Some(due) = emitted.timer {
            self.timer = Some(self.timer.map_or(due, |first| first.min(due)));
        }
        if emitted.sweep.is_some() {
            self.sweep_from = emitted.sweep;
            self.sweep_at = Some(now.mono + SWEEP_PAGE_EVERY);
        }
        for (app, root) in emitted.changed {
            effects.push(Effect::Changed { app, root, position: self.applied.position });
        }
        if emitted.meta {
            effects.push(Effect::MetaChanged { position: self.applied.position });
        }
    }

    /// Sends from the outbox and looks for the next timer, from rows that are published.
    pub(super) fn published(
        &mut self,
        now: Now,
        rows: &dyn StateRead,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        if self.suspect || !self.live || !self.group.leads() {
            return Ok(());
        }
        if self.timer.is_some_and(|due| due <= self.applied.time) && !self.clock_proposed {
            self.timer = first_timer(rows, self.partition)?;
        }
        for (to, queue, steps) in self.outbox.send(now.mono, rows, self.partition)? {
            let message = Message::Steps { queue, steps };
            effects.push(Effect::Send { from: self.partition, to, message });
        }
        Ok(())
    }
}

/// Whether an operation needs room that a nearly full disk keeps for deletes.
fn grows(op: &Operation) -> bool {
    !matches!(
        op,
        Operation::DeleteNode { .. }
            | Operation::DeleteLink { .. }
            | Operation::Retract { .. }
            | Operation::Trim { .. }
            | Operation::ReleaseName { .. }
    )
}

/// The group of a partition. Zero is left free: some log stores reserve it.
fn group_id(partition: Partition) -> GroupId {
    GroupId(u64::from(partition.0) + 1)
}

fn load_pipes(rows: &dyn StateRead, partition: Partition) -> Result<BTreeSet<Id>, StoreFault> {
    let prefix = KeyWriter::of_partition(partition, Kind::Pipe).end();
    let mut pipes = BTreeSet::new();
    rows.scan(&prefix, &after_prefix(&prefix), Direction::Up, &mut |key, _| {
        pipes.extend(pipe::read_key(key));
        ControlFlow::Continue(())
    })?;
    Ok(pipes)
}

fn first_timer(rows: &dyn StateRead, partition: Partition) -> Result<Option<Time>, StoreFault> {
    let prefix = KeyWriter::of_partition(partition, Kind::Timer).end();
    let mut first = None;
    rows.scan(&prefix, &after_prefix(&prefix), Direction::Up, &mut |key, _| {
        first = timer::read_key(key).map(|(due, _)| due);
        ControlFlow::Break(())
    })?;
    Ok(first)
}
