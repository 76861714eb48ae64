//! One vnode in its shard: proposes what it is told, applies what is committed, sends what its outbox
//! holds.

mod compare;
mod lead;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use crate::events::channel::Outbox;
use crate::fault::Fault;
use crate::id::{Id, Partition, Position};
use crate::meta::command::MetaCommand;
use crate::mutant::{Mutant, Mutants};
use crate::ring::partition::{META, PartitionCount};
use crate::rng::Rng;
use crate::rows::applied::{self, Applied};
use crate::rows::channel::{Queue, StepNumber};
use crate::rows::ingest::{self, Ingest};
use crate::rows::key::{KeyWriter, after_prefix};
use crate::rows::replicas::{self, Replicas};
use crate::rows::{Kind, Txn, get, pipe, timer};
use crate::store::{Direction, GroupId, LogBatch, LogStore, StateRead, StoreFault};
use crate::time::{Monotonic, Now, Time};
use crate::vnode::apply::{self, Applier, Emitted, Kept};
use crate::vnode::command::{Command, NumberedStep, Operation, Outcome, Proposal, WRITE_BYTES_MAX, Write};
use crate::vnode::group::{Committed, CommittedKind, Group, GroupConfig, Pending, Unheard};
use crate::vnode::peer::{PeerBody, PeerMessages};
use crate::vnode::snapshot::{ChunkFault, Transfer, Want};

use rest::Rest;

use super::ReplicaSet;
use super::digests::Digests;
use super::input::{Effect, Message, PeerMessage, Ticket};
use super::reads::Reads;
use super::receiving::{Progress, Receiving};
use super::waiting::Waiting;

/// How often old deletions and operation records are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// How soon the next page of a sweep follows: old rows can wait, clients cannot.
const SWEEP_PAGE_EVERY: Duration = Duration::from_secs(1);

/// A vnode.
pub(super) struct Vnode {
    partition: Partition,
    partitions: PartitionCount,
    set: ReplicaSet,
    group: Group,
    applied: Applied,
    waiting: Waiting,
    reads: Reads,
    /// What follows is of the leader alone: found again from rows when it becomes live, forgotten when it
    /// leads no more.
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
    mutants: Mutants,
    leadership: Leadership,
    /// This replica leads, everything of earlier terms is applied, and the era is open: it takes writes,
    /// runs timers and pipes, sends steps.
    live: bool,
    /// The disk has lost what it promised, or rows failed a check and nobody else has them: nothing is done
    /// here any more.
    condemned: bool,
    /// A snapshot that is to take the rows' place. Until it has, there is no state.
    receiving: Option<Receiving>,
    /// A tick has passed since the last question for it.
    ask: bool,
    digests: Digests,
    rest: Rest,
    /// Who should lead, by Raft id.
    preferred: Option<u64>,
    draining: bool,
    /// Since when this replica has been live as the leader.
    led_since: Option<Monotonic>,
    /// When it last began to hand over.
    handed_at: Option<Monotonic>,
    /// What others ask for, by Raft id.
    wants: BTreeMap<u64, Want>,
    /// Answers that need nothing on disk.
    replies: PeerMessages,
}

/// Others' questions that wait, at most.
const WANTS_MAX: usize = 16;

/// What cannot be trusted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// The rows: another replica's can take their place.
    Rows,
    /// The log, and with it what this replica has promised.
    Log,
}

/// A term in which this replica leads, as far as it has come.
#[derive(Debug, Clone, Copy, Default)]
struct Leadership {
    /// The term; zero if it does not lead.
    term: u64,
    /// An entry of this term is applied, so all of the earlier ones' are.
    applied: bool,
    /// It opens an era: a sole voter, whose disk may have been rolled back without anybody to notice, or the
    /// first leader of all.
    opens_era: bool,
    era_proposed: bool,
    era_applied: bool,
}

impl Vnode {
    pub(super) fn open(
        log: &mut impl LogStore,
        rows: &dyn StateRead,
        partition: Partition,
        partitions: PartitionCount,
        set: ReplicaSet,
        mut rng: Rng,
        mutants: Mutants,
    ) -> Result<Vnode, StoreFault> {
        let ingest: Option<Ingest> = get(rows, &ingest::key(partition))?;
        let mut applied: Applied = match &ingest {
            Some(ingest) => ingest.before.clone(),
            None => get(rows, &applied::key(partition))?.unwrap_or_default(),
        };
        if applied.voters.is_empty() {
            applied.voters = set.voters.clone();
        }
        let stored: Option<Replicas> = get(rows, &replicas::key(partition))?;
        let config = GroupConfig {
            peer: set.peer,
            replicas: stored.unwrap_or_else(|| Replicas::of(applied.voters.clone())),
            seed: rng.next_u64(),
            priority: i64::from(set.preferred),
        };
        let mut group = Group::open(log, group_id(partition), &applied, config)?;
        if ingest.is_some() {
            group.lose_state();
        } else if group.is_sole_voter() {
            // Nobody else could repair what is damaged: it is said before anything begins.
            Outbox::load(rows, partition)?;
            load_pipes(rows, partition)?;
            first_timer(rows, partition)?;
            group.campaign();
        }
        Ok(Vnode {
            partition,
            partitions,
            preferred: set.preferred.then_some(set.peer),
            draining: false,
            led_since: None,
            handed_at: None,
            digests: Digests::default(),
            rest: Rest::default(),
            reads: Reads::new(set.peer, rng.next_u64()),
            set,
            group,
            applied,
            waiting: Waiting::default(),
            outbox: Outbox::default(),
            arriving: BTreeMap::new(),
            pipes: BTreeSet::new(),
            timer: None,
            clock_proposed: false,
            sweep_at: None,
            sweep_from: None,
            rng,
            mutants,
            leadership: Leadership::default(),
            live: false,
            condemned: false,
            receiving: ingest.map(Receiving::resume),
            ask: false,
            wants: BTreeMap::new(),
            replies: PeerMessages::new(),
        })
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether the rows cannot be trusted. They may be about to be replaced.
    pub(super) fn is_suspect(&self) -> bool {
        self.condemned || self.receiving.as_ref().is_some_and(Receiving::is_damaged)
    }

    /// Whether the rows are those of the position.
    pub(super) fn has_state(&self) -> bool {
        !self.condemned && self.receiving.is_none()
    }

    pub(super) fn receiving(&mut self) -> Option<&mut Receiving> {
        self.receiving.as_mut()
    }

    pub(super) fn is_receiving(&self) -> bool {
        self.receiving.is_some()
    }

    pub(super) fn position(&self) -> Position {
        self.applied.position
    }

    pub(super) fn group(&self) -> GroupId {
        group_id(self.partition)
    }

    pub(super) fn partition(&self) -> Partition {
        self.partition
    }

    pub(super) fn others(&self) -> Vec<u64> {
        self.group.others()
    }

    pub(super) fn peer(&self) -> u64 {
        self.group.peer()
    }

    pub(super) fn replicas(&self) -> Replicas {
        self.group.replicas()
    }

    pub(super) fn leads(&self) -> bool {
        self.group.leads()
    }

    pub(super) fn term(&self) -> u64 {
        self.group.term()
    }

    pub(super) fn leader(&self) -> Option<u64> {
        self.group.leader()
    }

    /// Whether somebody else must be asked, if anybody.
    pub(super) fn is_elsewhere(&self) -> bool {
        !self.group.leads() && !self.group.is_sole_voter() && !self.condemned
    }

    /// Until when reads are linearizable here without asking anybody.
    pub(super) fn lease(&self, now: Now) -> Option<Monotonic> {
        let settled = self.leadership.applied && self.leadership.term == self.group.term();
        if settled && self.has_state() { self.group.lease(now) } else { None }
    }

    pub(super) fn keep_from(&self, position: Position, slack: u64) -> u64 {
        self.group.keep_from(position.0, slack)
    }

    pub(super) fn compacted(&mut self, first: u64) {
        self.group.compacted(first);
    }

    pub(super) fn has_work(&self) -> bool {
        let asks = self.ask || !self.wants.is_empty() || !self.replies.is_empty();
        self.group.has_ready() || self.outbox.is_dirty() || self.reads.has_fresh() || asks
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
        if self.condemned {
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
        self.waiting.add(now.mono, index, self.group.term(), ticket);
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
        let proposed = if self.condemned {
            Err(Fault::Corrupt)
        } else if !self.live {
            Err(Fault::Unavailable)
        } else {
            self.propose(now, Proposal::Meta(command))
        };
        match proposed {
            Ok(index) => self.waiting.add(now.mono, index, self.group.term(), ticket),
            Err(fault) => effects.push(Effect::Done { ticket, result: Err(fault) }),
        }
    }

    /// A message from another replica.
    pub(super) fn peer_message(&mut self, now: Now, message: PeerMessage, effects: &mut Vec<Effect>) {
        // Who is meant has another disk, or none: this one's promises are not its.
        if message.to != self.group.peer() || self.condemned {
            return;
        }
        if let PeerBody::Transfer(transfer) = message.body {
            return self.transfer(now, message.from, transfer, effects);
        }
        match message.body {
            PeerBody::Digest { position, digest } => {
                return self.compared(message.from, Position(position), digest, effects);
            }
            PeerBody::Rest { term, index, now } => {
                return self.asked_to_rest(message.from, term, index, now);
            }
            PeerBody::Rested { term, index } => {
                return self.agreed_to_rest(message.from, term, index);
            }
            PeerBody::Wake => return self.wake(),
            // Heartbeats go on until all rest.
            PeerBody::Alive { .. } | PeerBody::Appended { .. } => {}
            _ => self.wake(),
        }
        match self.group.step(message.from, message.body) {
            Ok(()) | Err(Unheard::Refused) => {}
            Err(Unheard::RolledBack) => {
                let what = "the log ends before what this replica has acknowledged";
                self.distrust(Lost::Log, StoreFault::Corrupt(what.into()), effects);
            }
        }
    }

    /// May be read here, when?
    pub(super) fn read_index(&mut self, now: Now, ticket: Ticket, effects: &mut Vec<Effect>) {
        if self.condemned {
            effects.push(Effect::ReadIndex { ticket, result: Err(Fault::Corrupt) });
        } else if self.receiving.is_some() {
            effects.push(Effect::ReadIndex { ticket, result: Err(Fault::Unavailable) });
        } else {
            self.wake();
            self.reads.add(now.mono, ticket);
        }
    }

    /// The rows or the log cannot be trusted. Others go on; rows are asked of them.
    fn distrust(&mut self, lost: Lost, fault: StoreFault, effects: &mut Vec<Effect>) {
        effects.push(Effect::Suspect { partition: self.partition, fault });
        self.wake_all();
        // Alone, nobody else can have done it.
        let alone = self.group.is_alone();
        let fault = if alone { Fault::Corrupt } else { Fault::Timeout };
        self.waiting.give_up(fault, effects);
        if alone || lost == Lost::Log {
            self.condemned = true;
            self.reads.give_up(effects);
            if !alone && self.group.leads() {
                self.group.resign();
            }
        } else {
            self.receive(true, effects);
        }
    }

    /// A row did not check.
    pub(super) fn distrust_rows(&mut self, fault: StoreFault, effects: &mut Vec<Effect>) {
        self.distrust(Lost::Rows, fault, effects);
    }

    /// From here on there is no state, until a snapshot is whole.
    fn receive(&mut self, damaged: bool, effects: &mut Vec<Effect>) {
        self.wake();
        self.reads.give_up(effects);
        self.wants.clear();
        self.group.lose_state();
        self.notice();
        self.ask = true;
        let before = self.applied.clone();
        self.receiving = Some(Receiving::begin(self.partition, before, damaged));
    }

    /// Another replica speaks of snapshots.
    fn transfer(&mut self, now: Now, from: u64, transfer: Transfer, effects: &mut Vec<Effect>) {
        match transfer {
            Transfer::Want(want) => {
                if self.has_state() && (self.wants.len() < WANTS_MAX || self.wants.contains_key(&from)) {
                    self.wants.insert(from, want);
                }
            }
            Transfer::Chunk(chunk) => {
                if let Some(receiving) = &mut self.receiving {
                    receiving.chunk(chunk);
                }
            }
            Transfer::Offer { term, cut } => {
                let Applied { position, history, .. } = cut.applied;
                // Another log's rows: a restored group's, or another cluster's.
                let strange = self.applied.history != 0 && history != self.applied.history;
                if strange || position.0 == 0 {
                    return;
                }
                let fits = self.group.can_follow(position.0);
                if let Some(receiving) = self.receiving.as_mut() {
                    if fits {
                        receiving.offered(now.mono, self.partition, from, *cut);
                        self.ask = true;
                    }
                    return;
                }
                // Only the present leader knows that the log will not do.
                if term != self.group.term() || self.group.leader() != Some(from) {
                    return;
                }
                if position <= self.applied.position {
                    self.replies.push((from, self.group.acknowledge(self.applied.position.0)));
                } else if fits {
                    self.receive(false, effects);
                    if let Some(receiving) = self.receiving.as_mut() {
                        receiving.offered(now.mono, self.partition, from, *cut);
                    }
                }
            }
        }
    }

    /// Whether the snapshot that is received has something to write.
    pub(super) fn has_chunk(&self) -> bool {
        self.receiving.as_ref().is_some_and(Receiving::must_write)
    }

    /// Writes what has come of a snapshot.
    pub(super) fn ingest(
        &mut self,
        now: Now,
        txn: &mut Txn<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        let Some(receiving) = &mut self.receiving else { return Ok(()) };
        self.ask = true;
        match receiving.write(now.mono, txn, self.partition) {
            Ok(Progress::Going | Progress::Whole) | Err(ChunkFault::Refused(_)) => Ok(()),
            Ok(Progress::Differs) => {
                let what = "a received snapshot does not sum to its digest";
                effects.push(Effect::Suspect {
                    partition: self.partition,
                    fault: StoreFault::Corrupt(what.into()),
                });
                Ok(())
            }
            // Rows that cannot be read cannot be replaced one by one either: the disk is at fault.
            Err(ChunkFault::Store(fault)) => Err(fault),
        }
    }

    /// What to ask whom for, if a snapshot is being received.
    pub(super) fn ask(&mut self, now: Now, rows: &dyn StateRead) -> Option<(u64, Want)> {
        self.ask = false;
        let (leader, others) = (self.group.leader(), self.group.others());
        let floor = self.group.floor();
        let receiving = self.receiving.as_mut().filter(|receiving| receiving.is_due(now.mono))?;
        receiving.ask(now.mono, rows, self.partition, floor, leader, &others)
    }

    /// What others ask for.
    pub(super) fn take_want(&mut self) -> Option<(u64, Want)> {
        self.wants.pop_first()
    }

    /// Replicas that need what the log no longer holds.
    pub(super) fn lacking(&mut self) -> BTreeSet<u64> {
        let lacking = self.group.lacking();
        if self.has_state() { lacking } else { BTreeSet::new() }
    }

    /// Whether a replica follows the log from there.
    pub(super) fn has_matched(&self, peer: u64, position: Position) -> bool {
        self.group.has_matched(peer, position.0)
    }

    /// A received snapshot is on disk: the vnode is opened from it, as if it had been restarted.
    pub(super) fn reopen(&mut self, log: &mut impl LogStore, rows: &dyn StateRead) -> Result<(), StoreFault> {
        let rng = self.rng.split(self.applied.position.0);
        let next =
            Vnode::open(log, rows, self.partition, self.partitions, self.set.clone(), rng, self.mutants)?;
        let old = std::mem::replace(self, next);
        self.waiting = old.waiting;
        self.prefer(old.preferred);
        self.drain(old.draining);
        Ok(())
    }

    /// A message from another partition. What cannot be taken now is sent again.
    pub(super) fn message(&mut self, now: Now, from: Partition, message: Message) {
        if !self.has_state() || !self.live {
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
    /// `heard`: the members of all other replicas are.
    pub(super) fn tick(&mut self, now: Now, heard: bool, effects: &mut Vec<Effect>) {
        if self.condemned && !self.group.is_alone() {
            return;
        }
        self.rest_or_wake(now, heard);
        if !self.rests() {
            self.group.tick();
        }
        self.ask |= self.receiving.is_some();
        if self.has_state() {
            self.compare_resting(now, effects);
        }
        if !self.group.is_alone() {
            self.waiting.tick(now.mono, effects);
            self.reads.tick(now.mono, effects);
        }
        if !self.has_state() || !self.group.leads() || !self.live {
            return;
        }
        self.yield_lead(now);
        self.outbox.tick(now.mono);
        let trimmable = self.outbox.trimmable();
        if !trimmable.is_empty() {
            let _ = self.propose(now, Proposal::Trimmed(trimmable));
        }
        if !self.clock_proposed && self.timer.is_some_and(|due| due <= now.wall) {
            self.clock_proposed = self.propose(now, Proposal::Clock).is_ok();
        }
        // Spread over the hour, so that partitions do not sweep all at once.
        let spread = SWEEP_EVERY.as_millis() as u64;
        let first = || now.mono + Duration::from_millis(self.rng.below(spread));
        if now.mono >= *self.sweep_at.get_or_insert_with(first) {
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
        self.wake();
        let time = self.applied.time.max(now.wall);
        let data = postcard::to_stdvec(&Command { time, what }).expect("commands are plain data");
        if data.len() > WRITE_BYTES_MAX {
            return Err(Fault::TooLarge("1 MiB a write"));
        }
        self.group.propose(data)
    }

    /// Takes note of whether this replica leads, and in which term.
    fn notice(&mut self) {
        let term = if self.group.leads() { self.group.term() } else { 0 };
        if term == self.leadership.term {
            return;
        }
        let opens_era = term != 0 && (self.group.is_sole_voter() || self.applied.history == 0);
        self.leadership = Leadership { term, opens_era, ..Leadership::default() };
        self.live = false;
        self.outbox = Outbox::default();
        self.arriving.clear();
        self.pipes.clear();
        (self.timer, self.clock_proposed) = (None, false);
        (self.sweep_at, self.sweep_from) = (None, None);
        (self.led_since, self.handed_at) = (None, None);
    }

    /// Adds what must be written to the turn's batch. Also returns messages to other replicas that need
    /// nothing on disk.
    pub(super) fn collect(
        &mut self,
        now: Now,
        log: &impl LogStore,
        batch: &mut LogBatch,
        effects: &mut Vec<Effect>,
    ) -> Result<(Option<Pending>, PeerMessages), StoreFault> {
        self.notice();
        // A sole voter has all that can ever be committed in its log; others wait until it is applied.
        let settled = self.group.is_sole_voter() || self.leadership.applied;
        if self.leadership.opens_era && !self.leadership.era_proposed && settled {
            let (tag, history) = (self.rng.next_u64() as u32, self.rng.next_u64() | 1);
            self.leadership.era_proposed = self.propose(now, Proposal::Era { tag, history }).is_ok();
        }
        if let Some(context) = self.reads.ask(now.mono) {
            self.group.read_index(context);
        }
        if let Err(fault) = self.group.fetch(log) {
            match fault {
                StoreFault::Corrupt(_) => self.distrust(Lost::Log, fault, effects),
                fault => return Err(fault),
            }
        }
        let mut messages = std::mem::take(&mut self.replies);
        let pending = self.group.collect(now, batch).map(|(pending, mut early)| {
            messages.append(&mut early);
            pending
        });
        Ok((pending, messages))
    }

    /// What was collected is on disk: applies what is committed. Returns messages to other replicas.
    pub(super) fn persisted(
        &mut self,
        now: Now,
        pending: Pending,
        txn: &mut Txn<'_>,
        effects: &mut Vec<Effect>,
    ) -> PeerMessages {
        let persisted = self.group.persisted(now, pending);
        for (context, index) in persisted.reads {
            self.reads.answered(&context, index);
        }
        if !persisted.committed.is_empty() && self.has_state() {
            let mut emitted = Emitted::default();
            for entry in persisted.committed {
                if let Err(fault) = self.apply(now, entry, txn, &mut emitted, effects) {
                    self.distrust(Lost::Rows, fault, effects);
                }
                if !self.has_state() {
                    break;
                }
            }
            txn.put_local(applied::key(self.partition), &self.applied);
            self.digest(now, emitted, effects);
        }
        self.group.applied();
        self.notice();
        if self.condemned {
            return Vec::new();
        }
        self.reads.applied(self.applied.position, effects);
        persisted.messages
    }

    fn apply(
        &mut self,
        now: Now,
        entry: Committed,
        txn: &mut Txn<'_>,
        emitted: &mut Emitted,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        let position = Position(entry.index);
        let own = entry.term == self.leadership.term;
        let result = match entry.what {
            CommittedKind::Nothing => {
                if self.mutants.has(Mutant::EraBeginsLate) {
                    (self.applied.position, self.applied.term) = (position, entry.term);
                } else {
                    self.applied.pass(position, entry.term);
                }
                Err(Fault::Unavailable)
            }
            CommittedKind::Change(change) => {
                (self.applied.position, self.applied.term) = (position, entry.term);
                let replicas = self.group.change(&change)?;
                self.applied.voters.clone_from(&replicas.voters);
                txn.put_local(replicas::key(self.partition), &replicas);
                Ok(Outcome {
                    position,
                    time: self.applied.time,
                    era: 0,
                    rev: Position::ZERO,
                    done: Vec::new(),
                    overruled: Vec::new(),
                    replayed: None,
                })
            }
            CommittedKind::Command(data) => {
                let mut command: Command = postcard::from_bytes(&data)
                    .map_err(|e| StoreFault::Corrupt(format!("entry {position} cannot be read: {e}")))?;
                if self.mutants.has(Mutant::ApplyReadsClock) {
                    command.time = now.wall;
                }
                let mut next = self.applied.clone();
                let mark = txn.mark();
                let applied = Applier::new(txn, self.partition, self.partitions, &mut next, emitted)
                    .with(self.mutants)
                    .command(position, entry.term, &command);
                // A store that fails in the middle of a command must not leave half of it.
                let result = applied.inspect_err(|_| txn.go_back(mark))?;
                txn.keep();
                self.applied = next;
                match command.what {
                    Proposal::Era { .. } => self.leadership.era_applied |= own,
                    Proposal::Clock => self.clock_proposed = false,
                    _ => {}
                }
                result
            }
        };
        self.leadership.applied |= own;
        self.waiting.applied(entry.index, entry.term, result, effects);
        self.compare_applied(effects);
        Ok(())
    }

    /// Takes note of what applying made necessary.
    fn digest(&mut self, now: Now, emitted: Emitted, effects: &mut Vec<Effect>) {
        for &(app, root) in &emitted.changed {
            effects.push(Effect::Changed { app, root, position: self.applied.position });
        }
        if emitted.meta {
            effects.push(Effect::MetaChanged { position: self.applied.position });
        }
        if !self.live {
            // All of the rest is found in the rows when it is needed.
            return;
        }
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
        self.go_on_with_pipes(now);
        if let Some(due) = emitted.timer {
            self.timer = Some(self.timer.map_or(due, |first| first.min(due)));
        }
        if emitted.sweep.is_some() {
            self.sweep_from = emitted.sweep;
            self.sweep_at = Some(now.mono + SWEEP_PAGE_EVERY);
        }
    }

    /// Sends from the outbox and looks for the next timer, from rows that are published.
    pub(super) fn published(
        &mut self,
        now: Now,
        rows: &dyn StateRead,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        match self.send(now, rows, effects) {
            // Damage here is this replica's alone: no reason for all partitions of the member to end.
            Err(fault @ StoreFault::Corrupt(_)) => {
                self.distrust(Lost::Rows, fault, effects);
                Ok(())
            }
            result => result,
        }
    }

    fn send(&mut self, now: Now, rows: &dyn StateRead, effects: &mut Vec<Effect>) -> Result<(), StoreFault> {
        if !self.has_state() || !self.group.leads() {
            return Ok(());
        }
        if !self.live {
            let Leadership { applied, opens_era, era_applied, .. } = self.leadership;
            if !applied || (opens_era && !era_applied) {
                return Ok(());
            }
            self.outbox = Outbox::load(rows, self.partition)?;
            self.pipes = load_pipes(rows, self.partition)?;
            self.timer = first_timer(rows, self.partition)?;
            self.live = true;
            self.go_on_with_pipes(now);
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
            | Operation::TrimSeldom { .. }
            | Operation::ReleaseName { .. }
    )
}

/// The group of a partition. Zero is left free: some log stores reserve it.
pub(super) fn group_id(partition: Partition) -> GroupId {
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
