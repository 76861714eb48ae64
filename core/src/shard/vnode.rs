//! One vnode in its shard: proposes what it is told ([`propose`]), applies what is committed and sends what its
//! outbox holds ([`turn`]). What it decides about its group has files of its own: [`lead`], [`rest`],
//! [`compare`], [`repair`].

mod compare;
mod lead;
mod propose;
mod repair;
mod rest;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::events::channel::Outbox;
use crate::fault::Fault;
use crate::id::{Id, Partition, Position};
use crate::mutant::Mutants;
use crate::ring::partition::PartitionCount;
use crate::rng::Rng;
use crate::rows::applied::{self, Applied};
use crate::rows::channel::{Queue, StepNumber};
use crate::rows::get;
use crate::rows::ingest::{self, Ingest};
use crate::rows::replicas::{self, Replicas};
use crate::store::{GroupId, LogStore, StateRead, StoreFault};
use crate::time::{Monotonic, Now, Time};
use crate::vnode::command::Proposal;
use crate::vnode::group::{Group, GroupConfig, Unheard};
use crate::vnode::peer::{PeerBody, PeerMessages};
use crate::vnode::snapshot::Want;

use rest::Rest;
use turn::{first_timer, load_pipes};

use super::ReplicaSet;
use super::digests::Digests;
use super::input::{Effect, PeerMessage, Ticket};
use super::reads::Reads;
use super::receiving::Receiving;
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
            mutants,
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

    /// Time has passed.
    /// `heard`: the members of all other replicas are.
    pub(super) fn tick(&mut self, now: Now, heard: bool, effects: &mut Vec<Effect>) {
        if self.condemned && !self.group.is_alone() {
            return;
        }
        self.rest_or_wake(now, heard);
        if self.rests() {
            self.group.tick_at_rest();
        } else {
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
}

/// The group of a partition. Zero is left free: some log stores reserve it.
pub(super) fn group_id(partition: Partition) -> GroupId {
    GroupId(u64::from(partition.0) + 1)
}
