//! The loop of a shard: takes what waits, runs a turn, and does what the turn says. It is the only driver:
//! the simulator runs it too, with a task where production has a thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{MemberId, Partition, Position};
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::load;
use gomer_core::meta::members::command::Command;
use gomer_core::ring::partition::META;
use gomer_core::shard::{Effect, Input, Message, Shard, ShardStatus, Ticket};
use gomer_core::store::memtable::Reader;
use gomer_core::store::{LogStore, StateStore, StoreFault};
use gomer_core::time::{Monotonic, Now};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::between::{Answered, Between};
use crate::cluster::{Attempt, Cluster, Inner, Reply, Request};
use crate::handoff::{self, Moves, Next};
use crate::runtime::Fatal;

/// Inputs of one turn, at most.
const TURN_INPUTS: usize = 256;
/// How many of them may come from other members: who has many clients must hear its peers, and the other way round.
const TURN_PEER_INPUTS: usize = 192;
/// How often a shard is told that time has passed.
const TICK: Duration = Duration::from_millis(100);
/// So long after one attempt to found the membership the next is made.
const FOUND_AGAIN: Duration = Duration::from_secs(3);
/// How often it is looked what has to move.
const HAND_OFF_EVERY: Duration = Duration::from_secs(1);
/// So long a replica that others have taken over stays open: longer than anybody waits for it.
const RELEASE_AFTER: Duration = Duration::from_secs(5);

pub(crate) struct Driver<L: LogStore, S: StateStore> {
    /// Which of the member's loops this is.
    pub(crate) number: usize,
    pub(crate) shard: Shard<L, S>,
    pub(crate) queue: mpsc::Receiver<Request>,
    /// What other members say to replicas and partitions of this shard.
    pub(crate) peers: mpsc::Receiver<Input>,
    pub(crate) status: Arc<Mutex<ShardStatus>>,
    pub(crate) inner: Arc<Inner>,
    pub(crate) meta: Reader<S>,
    pub(crate) full: Arc<AtomicBool>,
    /// What this member leads is to be handed over.
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) fatal: Fatal,
    pub(crate) waiting: BTreeMap<Ticket, Reply>,
    /// Messages between partitions of this shard.
    pub(crate) inbox: VecDeque<Input>,
    /// What goes to other members when this half of the turn is done: one frame for each.
    pub(crate) outgoing: BTreeMap<MemberId, Vec<Between>>,
    pub(crate) live: Option<oneshot::Sender<()>>,
    /// The checkpoint under way.
    pub(crate) checkpoint: Option<JoinHandle<Result<S::Snapshot, StoreFault>>>,
    pub(crate) ticked: Option<Monotonic>,
    /// When this loop last proposed to found the membership.
    pub(crate) founded: Option<Monotonic>,
    /// When this loop last looked what has to move.
    pub(crate) handed_off: Option<Monotonic>,
    /// Partitions that others hold now, and since when.
    pub(crate) leaving: BTreeMap<Partition, Monotonic>,
    /// Position of the membership by which leaders are preferred.
    pub(crate) preferred: Position,
    pub(crate) _ending: mpsc::Sender<()>,
}

impl<L: LogStore, S: StateStore> Driver<L, S> {
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            let mut inputs: Vec<Input> = Vec::new();
            if !self.shard.has_work() && self.inbox.is_empty() {
                tokio::select! {
                    biased;
                    _ = stop.changed() => break,
                    Some(input) = self.peers.recv() => inputs.push(input),
                    request = self.queue.recv() => match request {
                        Some(request) => inputs.extend(self.admit(request)),
                        None => break,
                    },
                    _ = tick.tick() => {}
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
            if stop.has_changed().unwrap_or(true) {
                break;
            }
        }
        self.queue.close();
        while let Ok(request) = self.queue.try_recv() {
            let input = self.admit(request);
            self.inbox.extend(input);
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

    /// Takes a request, unless nobody waits for it any more: then nothing is begun.
    fn admit(&mut self, request: Request) -> Option<Input> {
        let Request { input, reply, until } = request;
        if until.is_some_and(|until| self.inner.clock.now().mono >= until) {
            self.answer(reply, Attempt::Done(Err(Fault::Unavailable)));
            return None;
        }
        if let Input::Write { ticket, .. } | Input::Meta { ticket, .. } | Input::ReadIndex { ticket, .. } =
            &input
        {
            self.waiting.insert(*ticket, reply);
        }
        Some(input)
    }

    fn turn(&mut self, mut inputs: Vec<Input>) -> Result<(), StoreFault> {
        while inputs.len() < TURN_PEER_INPUTS
            && let Ok(input) = self.peers.try_recv()
        {
            inputs.push(input);
        }
        while inputs.len() < TURN_INPUTS
            && let Some(input) = self.inbox.pop_front()
        {
            inputs.push(input);
        }
        while inputs.len() < TURN_INPUTS
            && let Ok(request) = self.queue.try_recv()
        {
            inputs.extend(self.admit(request));
        }
        // Sampled after the requests were taken: what a lease proves must be later than what it serves.
        let now = self.inner.clock.now();
        let ticks = self.ticked.is_none_or(|ticked| now.mono.since(ticked) >= TICK);
        if ticks {
            self.ticked = Some(now.mono);
            inputs.push(Input::Tick);
            *self.status.lock().expect(UNPOISONED) = self.shard.status();
            if self.draining.load(Ordering::Relaxed) {
                self.shard.drain(true);
            }
            self.listen(now);
            inputs.extend(self.found(now));
            self.hand_off(now, &mut inputs)?;
            self.prefer();
        }
        let touched = self.touched(&inputs);
        self.shard.set_full(self.full.load(Ordering::Relaxed));
        let mut turn = self.shard.begin(now, inputs)?;
        // Before any message: a leader that hands over must not be read any more when the next one begins.
        self.publish_routes(now, &touched, ticks);
        for effect in turn.take_early() {
            self.carry_out(effect);
        }
        self.send_off();
        let effects = self.shard.finish(turn)?;
        // Before any answer: who changed the metadata must find the change there.
        if effects.iter().any(|effect| matches!(effect, Effect::MetaChanged { .. })) {
            self.follow_meta()?;
        }
        self.publish_routes(now, &touched, ticks);
        for effect in effects {
            self.carry_out(effect);
        }
        self.send_off();
        if self.live.is_some() && self.shard.is_live() {
            if self.shard.holds(META) {
                // An era that a start has opened is told nobody else.
                self.follow_meta()?;
            }
            let _ = self.live.take().expect("just seen").send(());
            if let Some(peers) = &self.inner.peers {
                peers.live.fetch_add(1, Ordering::AcqRel);
            }
        }
        Ok(())
    }

    /// Says that this loop goes round, and hears of whose loops elsewhere do: their groups may rest.
    fn listen(&mut self, now: Now) {
        if let Some(peers) = &self.inner.peers {
            peers.beats.turned(self.number, now.mono);
            for (member, at) in peers.beats.all_heard() {
                self.shard.heard(Now { mono: at, ..now }, member);
            }
        }
    }

    /// Whoever leads the metadata of a cluster whose members stood in configuration so far founds the membership with
    /// them, as soon as every program knows what that is.
    fn found(&mut self, now: Now) -> Option<Input> {
        let peers = self.inner.peers.as_ref()?;
        let waits = self.founded.is_some_and(|at| now.mono.since(at) < FOUND_AGAIN);
        if waits || !self.shard.leads(META) || !peers.all_versed() {
            return None;
        }
        if self.inner.meta.read().expect(UNPOISONED).members.is_some() {
            return None;
        }
        self.founded = Some(now.mono);
        let command = Box::new(MetaCommand::Found(Box::new(peers.ring.founding())));
        Some(Input::Meta { ticket: self.inner.ticket(), command })
    }

    /// Opens what is to come here, closes what others hold now, and asks for the next step of each move that is led here.
    fn hand_off(&mut self, now: Now, inputs: &mut Vec<Input>) -> Result<(), StoreFault> {
        let shards = self.inner.shards.len();
        let rests = self.handed_off.is_some_and(|at| now.mono.since(at) < HAND_OFF_EVERY);
        let Some(peers) = self.inner.peers.as_ref().filter(|_| self.number < shards && !rests) else {
            return Ok(());
        };
        let meta = self.inner.meta.read().expect(UNPOISONED).clone();
        let Some(members) = &meta.members else { return Ok(()) };
        self.handed_off = Some(now.mono);
        let own = peers.ring.own().number;
        let moves = Moves::of(members, meta.config);
        for partition in self.inner.partitions.all().filter(|p| usize::from(p.0) % shards == self.number) {
            if handoff::lives_at(members, own, partition) {
                self.leaving.remove(&partition);
                if !self.shard.holds(partition) {
                    tracing::info!(partition = partition.0, "a replica comes here");
                    self.shard.adopt(partition, peers.ring.replica_set(partition))?;
                    self.preferred = Position::ZERO;
                }
            } else if self.shard.holds(partition) && !self.shard.leads(partition) {
                peers.routes.leave(partition);
                let since = *self.leaving.entry(partition).or_insert(now.mono);
                if now.mono.since(since) >= RELEASE_AFTER {
                    tracing::info!(partition = partition.0, "a replica has gone from here");
                    self.leaving.remove(&partition);
                    self.shard.release(partition);
                }
            }
            let Some(replicas) = self.shard.replicas(partition).filter(|_| self.shard.leads(partition))
            else {
                continue;
            };
            let peer = |member| peers.ring.raft_of(member, partition);
            match handoff::next(members, &moves, partition, &replicas, peer) {
                Some(Next::Change(change)) => {
                    // What cannot be done yet is refused, and asked for again.
                    inputs.push(Input::Change { ticket: self.inner.ticket(), partition, change });
                }
                Some(Next::Landed(done)) => {
                    let since = members.target_generation;
                    let landed = MetaCommand::Members(Box::new(Command::Landed { since, done }));
                    let cluster = Cluster::new(self.inner.clone());
                    tokio::spawn(async move {
                        // Told again if it is lost. Refused: the target is another one by now.
                        if let Err(fault) = cluster.change_meta(landed).await {
                            tracing::debug!(partition = done.partition.0, %fault, "a move could not be told");
                        }
                    });
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Lets those lead who should as the metadata says, when that has changed.
    fn prefer(&mut self) {
        let Some(peers) = &self.inner.peers else { return };
        let meta = self.inner.meta.read().expect(UNPOISONED).clone();
        if meta.members_rev == self.preferred {
            return;
        }
        self.preferred = meta.members_rev;
        for partition in self.shard.partitions().collect::<Vec<_>>() {
            let leader = peers.ring.leader(meta.members.as_deref(), partition);
            let peer = leader.map(|leader| peers.ring.raft_id(leader, partition));
            self.shard.prefer(partition, peer);
        }
    }

    /// The partitions whose leader may be another one after a turn with these inputs.
    fn touched(&self, inputs: &[Input]) -> BTreeSet<Partition> {
        let mut touched = BTreeSet::new();
        if self.inner.peers.is_some() {
            touched.extend(inputs.iter().filter_map(|input| match input {
                Input::Peer(message) => Some(message.partition),
                _ => None,
            }));
        }
        touched
    }

    /// Tells everybody who leads what, and until when it may be read here.
    fn publish_routes(&self, now: Now, touched: &BTreeSet<Partition>, all: bool) {
        let Some(peers) = &self.inner.peers else { return };
        let publish = |partition| {
            // What came here and is not told yet, and what has gone and is not closed yet, others know better.
            if !self.inner.holds(partition) && !self.shard.leads(partition) {
                return;
            }
            peers.routes.publish(now.mono, partition, self.shard.read_permit(now, partition));
        };
        if all {
            self.shard.partitions().for_each(publish);
        } else {
            touched.iter().copied().for_each(publish);
        }
    }

    fn follow_meta(&mut self) -> Result<(), StoreFault> {
        let old = self.inner.meta.read().expect(UNPOISONED).clone();
        let new = load::catch_up(&self.meta.view(), &old)?;
        let position = new.position;
        *self.inner.meta.write().expect(UNPOISONED) = Arc::new(new);
        self.inner.meta_followed.send_replace(position);
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Done { ticket, result } => self.answer_ticket(ticket, Attempt::Done(result)),
            Effect::NotLeader { ticket, leader } => self.answer_ticket(ticket, Attempt::Elsewhere(leader)),
            Effect::ReadIndex { ticket, result } => {
                self.answer_ticket(ticket, Attempt::Readable(result.map(drop)));
            }
            Effect::Send { from, to, message } => self.deliver(from, to, message),
            Effect::ToPeer { member, messages } => {
                self.outgoing.entry(member).or_default().extend(messages.into_iter().map(Between::Raft));
            }
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

    /// Brings a message to another partition, to where that is led. What is dropped comes again.
    fn deliver(&mut self, from: Partition, to: Partition, message: Message) {
        if let Some(peers) = &self.inner.peers {
            let known = peers.routes.leader(to);
            // Not held here: any of its members can say who leads it.
            let guess = || {
                let holders = self.inner.holders(to);
                holders.first().copied().filter(|_| !holders.contains(&peers.ring.own().number))
            };
            match known.or_else(guess) {
                Some(leader) if leader == peers.ring.own().number => {}
                Some(leader) => {
                    return self.outgoing.entry(leader).or_default().push(Between::Steps {
                        from,
                        to,
                        message,
                    });
                }
                None => return,
            }
        }
        let input = Input::Message { from, to, message };
        if self.shard.holds(to) {
            self.inbox.push_back(input);
        } else {
            // A full queue drops it; the sender sends it again.
            let _ = self.inner.shard_of(to).queue.try_send(Request::of(input));
        }
    }

    fn send_off(&mut self) {
        if let Some(peers) = &self.inner.peers {
            for (member, messages) in std::mem::take(&mut self.outgoing) {
                peers.send(member, messages);
            }
        }
    }

    fn answer_ticket(&mut self, ticket: Ticket, attempt: Attempt) {
        if let Some(reply) = self.waiting.remove(&ticket) {
            self.answer(reply, attempt);
        }
    }

    fn answer(&mut self, reply: Reply, attempt: Attempt) {
        match reply {
            Reply::Nobody => {}
            Reply::Here(waiting) => {
                // Who asked may have gone; the write is done all the same.
                let _ = waiting.send(attempt);
            }
            Reply::There { member, ask } => {
                let answer = match attempt {
                    Attempt::Done(result) => Answered::Written(result.map_err(Into::into)),
                    Attempt::Elsewhere(leader) => Answered::Elsewhere(leader),
                    Attempt::Readable(_) => unreachable!("nobody asks another member for a permit"),
                };
                let answer = Between::Answer { id: ask, answer: Box::new(answer) };
                self.outgoing.entry(member).or_default().push(answer);
            }
        }
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
