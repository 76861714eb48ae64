//! Some members and what lies between them, in one test, without a runtime: messages are lost, delayed,
//! doubled and overtaken, links cut, members paused and killed with what they had not synced, and time
//! jumps to the next event. One seed decides all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, MemberId, NodeType, Partition, Root, Section};
use gomer_core::mutant::Mutants;
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rng::Rng;
use gomer_core::rows::node::Flags;
use gomer_core::shard::{
    Effect, Input, Message, PeerMessage, ReadPermit, ReplicaSet, Shard, ShardConfig, Ticket,
};
use gomer_core::store::StoreFault;
use gomer_core::store::memtable::Checkpoint;
use gomer_core::time::{Monotonic, Now, Time};
use gomer_core::vnode::command::{Operation, Outcome, Step, Write};
use gomer_core::vnode::peer::{ReplicaChange, ReplicaRole};
use gomer_core::vnode::query::{Answer, Query};
use gomer_core::vnode::read;

use crate::checks::Checks;
use crate::disk::{Bug, Disk};
use crate::state::SharedState;

pub const APP: AppId = AppId(1);
const TICK: Duration = Duration::from_millis(100);

/// What can happen at a moment.
#[derive(Debug)]
enum Event {
    Tick {
        boot: u64,
    },
    /// The link to another member says that it lives.
    Heard(usize),
    Peer(Vec<PeerMessage>),
    Between {
        from: Partition,
        to: Partition,
        message: Message,
    },
    Begin(Input),
    /// A reader begins and ends at once, if the member may serve it.
    Read {
        partition: Partition,
        floor: u64,
    },
}

pub struct Member {
    pub shard: Option<Shard<Disk, SharedState>>,
    pub log: Disk,
    pub state: SharedState,
    /// The disk that it lost.
    pub lost: Option<(Disk, SharedState)>,
    /// It is of no group any more.
    pub gone: bool,
    /// How often its disk was replaced by an empty one.
    pub incarnation: u64,
    boot: u64,
    booted_at: Duration,
    /// Parts in ten thousand that its clock is fast.
    drift: i64,
    base: Duration,
    skew: i64,
    pub paused_until: Duration,
    held: Vec<Event>,
    /// A checkpoint under way.
    checkpoint: Option<Checkpoint<SharedState>>,
}

/// What becomes of a message between two members: changed in place, and lost if it says so.
pub type Meddle = Box<dyn FnMut(usize, usize, &mut PeerMessage) -> bool>;

/// How unfriendly the network is, in percent and milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Net {
    pub loss: u64,
    pub double: u64,
    pub delay_max: u64,
}

pub const CALM: Net = Net { loss: 0, double: 0, delay_max: 5 };

/// What became of what a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    Done(Result<Outcome, Fault>),
    Elsewhere(Option<MemberId>),
    ReadAt(Result<u64, Fault>),
}

pub struct World {
    pub members: Vec<Member>,
    pub time: Duration,
    events: BTreeMap<(Duration, u64), (usize, Event)>,
    events_made: u64,
    pub net: Net,
    pub cut: BTreeSet<(usize, usize)>,
    pub rng: Rng,
    pub partitions: PartitionCount,
    /// Members that hold replicas from the beginning.
    voters: usize,
    pub answers: BTreeMap<Ticket, Answered>,
    /// Tickets that wait, by member; the floor of a read.
    pub asked: BTreeMap<Ticket, (usize, Partition, u64)>,
    tickets: u64,
    pub bug: Option<Bug>,
    pub checks: Checks,
    pub preferred: Option<usize>,
    pub log_slack: u64,
    /// How seldom a turn is followed by a checkpoint; never if zero.
    pub checkpoint_one_in: u64,
    pub meddle: Option<Meddle>,
    /// Whether links tell who lives.
    pub links: bool,
    /// Served reads.
    pub reads: usize,
    pub frames: usize,
    /// Snapshots received by members that were killed since.
    pub snapshots: u64,
    pub early: usize,
}

pub fn peer(member: usize, partition: Partition) -> u64 {
    incarnate(member, 0, partition)
}

fn incarnate(member: usize, incarnation: u64, partition: Partition) -> u64 {
    (member as u64 + 1) * 1_000 + incarnation * 100 + u64::from(partition.0) + 1
}

/// Where a replica lives.
pub fn member_of(peer: u64) -> usize {
    (peer / 1_000 - 1) as usize
}

impl World {
    pub fn new(seed: u64, members: usize, partitions: u16) -> World {
        World::with(seed, members, members, partitions, None)
    }

    pub fn with(seed: u64, members: usize, voters: usize, partitions: u16, bug: Option<Bug>) -> World {
        let mut rng = Rng::new(seed);
        let partitions = PartitionCount::new(partitions).expect("a power of two");
        let bound = if bug == Some(Bug::ClocksBeyondBound) { 6_000 } else { 50 };
        let members = (0..members).map(|_| Member {
            shard: None,
            log: Disk { bug, ..Disk::default() },
            state: SharedState::default(),
            lost: None,
            gone: false,
            incarnation: 0,
            boot: 0,
            booted_at: Duration::ZERO,
            drift: rng.below(2 * bound + 1) as i64 - bound as i64,
            base: Duration::from_millis(rng.below(1_000_000)),
            skew: rng.below(2_000) as i64 - 1_000,
            paused_until: Duration::ZERO,
            held: Vec::new(),
            checkpoint: None,
        });
        let members: Vec<Member> = members.collect();
        let count = members.len();
        let mut world = World {
            members,
            time: Duration::ZERO,
            events: BTreeMap::new(),
            events_made: 0,
            net: CALM,
            cut: BTreeSet::new(),
            rng,
            partitions,
            voters,
            answers: BTreeMap::new(),
            asked: BTreeMap::new(),
            tickets: 0,
            bug,
            checks: Checks::default(),
            preferred: None,
            log_slack: 20,
            checkpoint_one_in: 0,
            meddle: None,
            links: false,
            reads: 0,
            frames: 0,
            snapshots: 0,
            early: 0,
        };
        for member in 0..count {
            world.start(member);
        }
        world
    }

    fn config(&mut self, member: usize) -> ShardConfig {
        let voters: Vec<usize> = (0..self.voters).collect();
        let replicas = self.partitions.all().map(|partition| {
            let set = ReplicaSet {
                peer: self.peer(member, partition),
                voters: voters.iter().map(|&voter| peer(voter, partition)).collect(),
                preferred: self.preferred == Some(member),
            };
            (partition, set)
        });
        let replicas = replicas.collect();
        let peers =
            (0..self.members.len()).flat_map(|m| (0..9).map(move |incarnation| (m, incarnation))).flat_map(
                |(m, inc)| self.partitions.all().map(move |p| (incarnate(m, inc, p), MemberId(m as u64))),
            );
        ShardConfig {
            partitions: self.partitions,
            vnodes: self.partitions.all().collect(),
            peer: 1,
            replicas,
            peers: peers.collect(),
            log_slack: self.log_slack,
            seed: self.rng.next_u64(),
            checkpoint_bytes: 1,
            mutants: Mutants::NONE,
        }
    }

    /// Starts a member on its disk.
    pub fn start(&mut self, member: usize) {
        self.try_start(member).expect("the disk is whole");
    }

    /// Starts a member on a disk that may be damaged.
    pub fn try_start(&mut self, member: usize) -> Result<(), StoreFault> {
        let config = self.config(member);
        let m = &mut self.members[member];
        assert!(m.shard.is_none(), "it runs already");
        m.boot += 1;
        m.booted_at = self.time;
        m.shard = Some(Shard::open(m.log.clone(), m.state.clone(), config)?);
        let boot = m.boot;
        self.checks.started(member);
        self.at(Duration::ZERO, member, Event::Tick { boot });
        Ok(())
    }

    /// The replica of a partition that a member has now.
    pub fn peer(&self, member: usize, partition: Partition) -> u64 {
        incarnate(member, self.members[member].incarnation, partition)
    }

    /// Kills a member, and its disk is lost: it comes back as somebody else.
    pub fn wipe(&mut self, member: usize) {
        if self.is_up(member) {
            self.crash(member);
        }
        let m = &mut self.members[member];
        let log = std::mem::replace(&mut m.log, Disk { bug: self.bug, ..Disk::default() });
        m.lost = Some((log, std::mem::take(&mut m.state)));
        m.incarnation += 1;
    }

    /// Changes the replicas, wherever the leader is, and tries until it is done.
    pub fn change(&mut self, partition: Partition, steps: &[(u64, ReplicaRole)]) {
        for _ in 0..400 {
            let leader = self.wait_for_leader(partition);
            if self.try_change(leader, partition, steps).is_ok() {
                for _ in 0..100 {
                    self.millis(50);
                    let leader = self.leader(partition);
                    if leader.is_some_and(|l| self.shard(l).replicas(partition).unwrap().outgoing.is_empty())
                    {
                        return;
                    }
                }
            }
            self.millis(50);
        }
        panic!("a change is never done: {:?}", self.positions());
    }

    /// Asks a member to change the replicas.
    pub fn begin_change(
        &mut self,
        member: usize,
        partition: Partition,
        steps: &[(u64, ReplicaRole)],
    ) -> Ticket {
        let ticket = self.ticket(member, partition, 0);
        let change = ReplicaChange { steps: steps.to_vec() };
        self.happen(member, Event::Begin(Input::Change { ticket, partition, change }));
        ticket
    }

    /// A clock is set.
    pub fn skew(&mut self, member: usize, skew: i64) {
        self.members[member].skew = skew;
    }

    /// Everybody who is not of every group, or whose disk was lost, joins: then all must agree. Whose
    /// replicas were lost, and nobody misses, leaves.
    pub fn gather(&mut self) {
        self.net = CALM;
        self.checks.crashes_left = 0;
        self.checks.down.clear();
        for member in 0..self.members.len() {
            self.members[member].paused_until = self.time;
            if !self.is_up(member) {
                self.start(member);
            }
        }
        self.millis(5_000);
        for partition in self.partitions.all().collect::<Vec<_>>() {
            for member in 0..self.members.len() {
                let leader = self.wait_for_leader(partition);
                let set = self.shard(leader).replicas(partition).expect("it lives here");
                let own = self.peer(member, partition);
                if !set.contains(own) {
                    self.change(partition, &[(own, ReplicaRole::Learner)]);
                }
                for lost in (0..self.members[member].incarnation).map(|of| incarnate(member, of, partition)) {
                    if set.voters.contains(&lost) {
                        self.change(partition, &[(own, ReplicaRole::Voter), (lost, ReplicaRole::Gone)]);
                    } else if set.contains(lost) {
                        self.change(partition, &[(lost, ReplicaRole::Gone)]);
                    }
                }
            }
        }
    }

    /// A member is of no group any more: it does not come back.
    pub fn gone(&mut self, member: usize) {
        if self.is_up(member) {
            self.crash(member);
        }
        self.members[member].gone = true;
    }

    /// Asks a member to change the replicas, once, and waits.
    pub fn try_change(
        &mut self,
        member: usize,
        partition: Partition,
        steps: &[(u64, ReplicaRole)],
    ) -> Result<(), Option<Fault>> {
        let ticket = self.begin_change(member, partition, steps);
        for _ in 0..60 {
            match self.answers.remove(&ticket) {
                Some(Answered::Done(result)) => return result.map(|_| ()).map_err(Some),
                Some(_) => return Err(None),
                None => self.millis(50),
            }
        }
        Err(None)
    }

    /// Kills a member: what it had in memory is gone, and what its disk had not synced.
    pub fn crash(&mut self, member: usize) {
        let m = &mut self.members[member];
        self.snapshots += m.shard.take().map_or(0, |shard| shard.status().snapshots);
        m.log.crash();
        m.held.clear();
        m.checkpoint = None;
        m.paused_until = Duration::ZERO;
        self.asked.retain(|_, asked| asked.0 != member);
    }

    pub fn is_up(&self, member: usize) -> bool {
        self.members[member].shard.is_some()
    }

    pub fn shard(&mut self, member: usize) -> &mut Shard<Disk, SharedState> {
        self.members[member].shard.as_mut().expect("it runs")
    }

    pub fn now(&self, member: usize) -> Now {
        let m = &self.members[member];
        let passed = (self.time - m.booted_at).as_nanos() as i128 * i128::from(10_000 + m.drift) / 10_000;
        let mono = Monotonic(m.base + Duration::from_nanos(passed as u64));
        let wall = 1_700_000_000_000 + self.time.as_millis() as i64 + m.skew;
        Now { mono, wall: Time::from_millis(wall as u64) }
    }

    fn at(&mut self, delay: Duration, member: usize, event: Event) {
        self.events_made += 1;
        self.events.insert((self.time + delay, self.events_made), (member, event));
    }

    /// Hands something to the network.
    fn send(&mut self, from: usize, to: usize, make: impl Fn() -> Event) {
        if from != to && (self.cut.contains(&(from, to)) || self.rng.below(100) < self.net.loss) {
            return;
        }
        let copies = 1 + usize::from(self.rng.below(100) < self.net.double);
        for _ in 0..copies {
            let delay = Duration::from_micros(500 + self.rng.below(self.net.delay_max * 1_000));
            self.at(delay, to, make());
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) {
        let end = self.time + span;
        while let Some((&(at, _), _)) = self.events.first_key_value()
            && at <= end
        {
            let ((at, _), (member, event)) = self.events.pop_first().expect("just seen");
            self.time = at;
            self.happen(member, event);
        }
        self.time = end;
    }

    pub fn millis(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis));
    }

    fn happen(&mut self, member: usize, event: Event) {
        let m = &mut self.members[member];
        if m.shard.is_none() {
            return;
        }
        if let Event::Tick { boot } = event
            && boot != m.boot
        {
            return;
        }
        if self.time < m.paused_until {
            let until = m.paused_until - self.time;
            let first = m.held.is_empty();
            m.held.push(event);
            if first {
                // Whatever came meanwhile is found in one turn.
                let boot = m.boot;
                self.at(until, member, Event::Tick { boot });
            }
            return;
        }
        let mut inputs = Vec::new();
        let mut reads = Vec::new();
        let mut ticked = false;
        let held = std::mem::take(&mut m.held);
        for event in held.into_iter().chain([event]) {
            match event {
                Event::Tick { .. } if ticked => {}
                Event::Tick { boot } => {
                    ticked = true;
                    let rate = (10_000 + self.members[member].drift) as u64;
                    let next = Duration::from_nanos(TICK.as_nanos() as u64 * 10_000 / rate + 1);
                    self.at(next, member, Event::Tick { boot });
                    let links = self.links;
                    for other in (0..self.members.len()).filter(|&other| links && other != member) {
                        self.send(member, other, || Event::Heard(member));
                    }
                }
                Event::Heard(other) => {
                    let now = self.now(member);
                    self.shard(member).heard(now, MemberId(other as u64));
                }
                Event::Peer(messages) => inputs.extend(messages.into_iter().map(Input::Peer)),
                Event::Between { from, to, message } => inputs.push(Input::Message { from, to, message }),
                Event::Begin(input) => inputs.push(input),
                Event::Read { partition, floor } => reads.push((partition, floor)),
            }
        }
        if ticked {
            inputs.push(Input::Tick);
        }
        self.turns(member, inputs);
        for (partition, floor) in reads {
            // It may have died in the turn.
            if !self.is_up(member) {
                return;
            }
            self.read(member, partition, floor);
        }
    }

    /// Turns until nothing happens any more.
    fn turns(&mut self, member: usize, mut inputs: Vec<Input>) {
        for _ in 0..1_000 {
            if !self.turn(member, std::mem::take(&mut inputs)) || !self.is_up(member) {
                return;
            }
            if !self.shard(member).has_work() {
                return;
            }
        }
        panic!("a member never comes to rest");
    }

    fn turn(&mut self, member: usize, inputs: Vec<Input>) -> bool {
        let now = self.now(member);
        let mut turn = self.shard(member).begin(now, inputs).expect("the disk is whole");
        for effect in turn.take_early() {
            self.early += 1;
            self.carry_out(member, effect);
        }
        // Ten times likelier here than anywhere else.
        if self.checks.crashes_left > 0 && self.rng.below(self.checks.crash_one_in) == 0 {
            if self.bug == Some(Bug::AnsweredBeforeSync) {
                // What should have waited for the disk leaves, and the disk never gets it.
                let before = self.members[member].log.durable();
                let effects = self.shard(member).finish(turn).expect("the disk is whole");
                for effect in effects {
                    self.carry_out(member, effect);
                }
                self.members[member].log.put_back(before);
            }
            self.crash_for_a_while(member);
            return false;
        }
        let effects = self.shard(member).finish(turn).expect("the disk is whole");
        self.checks.turned(&mut self.members, member, self.partitions);
        for effect in effects {
            self.carry_out(member, effect);
        }
        self.checkpoint(member);
        true
    }

    /// Checkpoints take a while; turns go on meanwhile.
    fn checkpoint(&mut self, member: usize) {
        if self.checkpoint_one_in == 0 || self.rng.below(self.checkpoint_one_in) > 0 {
            return;
        }
        match self.members[member].checkpoint.take() {
            None => self.members[member].checkpoint = self.shard(member).begin_checkpoint(),
            Some(checkpoint) => {
                let base = checkpoint.run().expect("the disk is whole");
                // It is on disk, and nobody was told.
                if self.checks.crashes_left > 0 && self.rng.below(self.checks.crash_one_in) == 0 {
                    return self.crash_for_a_while(member);
                }
                self.shard(member).finish_checkpoint(base).expect("the disk is whole");
            }
        }
    }

    fn crash_for_a_while(&mut self, member: usize) {
        self.checks.crashes_left -= 1;
        self.crash(member);
        let later = Duration::from_millis(50 + self.rng.below(1_500));
        self.checks.down.push((self.time + later, member));
    }

    fn carry_out(&mut self, member: usize, effect: Effect) {
        match effect {
            Effect::Done { ticket, result } => {
                if let Some((_, partition, _)) = self.asked.remove(&ticket) {
                    if let Ok(outcome) = &result {
                        self.checks.acknowledged(&mut self.members, member, partition, outcome.position);
                    }
                    self.answers.insert(ticket, Answered::Done(result));
                }
            }
            Effect::NotLeader { ticket, leader } => {
                self.asked.remove(&ticket);
                self.answers.insert(ticket, Answered::Elsewhere(leader));
            }
            Effect::ReadIndex { ticket, result } => {
                if let Some((_, partition, floor)) = self.asked.remove(&ticket) {
                    if let Ok(position) = result {
                        self.checks.read("read-index", partition, position.0, floor);
                        self.reads += 1;
                    }
                    self.answers.insert(ticket, Answered::ReadAt(result.map(|position| position.0)));
                }
            }
            Effect::ToPeer { member: to, messages } => {
                self.frames += 1;
                // As the wire would carry them.
                let messages = self.meddled(member, to.0 as usize, messages);
                let bytes = postcard::to_stdvec(&messages).expect("messages are plain data");
                self.send(member, to.0 as usize, || {
                    Event::Peer(postcard::from_bytes(&bytes).expect("what was encoded is decoded"))
                });
            }
            Effect::Send { from, to, message } => {
                // Nobody knows who leads: all are told, and only the leader takes it.
                for other in 0..self.members.len() {
                    let message = self.bent(message.clone());
                    self.send(member, other, || Event::Between { from, to, message: message.clone() });
                }
            }
            Effect::Differs { partition, position, digests } => {
                self.checks.differences.push((member, partition, position, digests));
            }
            Effect::Suspect { partition, fault } => self.checks.suspect(member, partition, fault),
            Effect::Changed { .. } | Effect::MetaChanged { .. } => {}
        }
    }

    fn meddled(&mut self, from: usize, to: usize, messages: Vec<PeerMessage>) -> Vec<PeerMessage> {
        let Some(meddle) = &mut self.meddle else { return messages };
        let mut messages = messages;
        messages.retain_mut(|message| meddle(from, to, message));
        messages
    }

    fn bent(&mut self, message: Message) -> Message {
        match message {
            Message::Steps { queue, mut steps }
                if self.bug == Some(Bug::StepsRenumbered) && self.rng.below(10) == 0 =>
            {
                for step in &mut steps {
                    step.previous = step.number;
                    step.number.ordinal += 1;
                }
                Message::Steps { queue, steps }
            }
            message => message,
        }
    }

    /// A reader at this member, who may rely on all that was acknowledged or read before.
    pub fn begin_read(&mut self, member: usize, partition: Partition) {
        let floor = self.checks.floor(partition);
        self.happen(member, Event::Read { partition, floor });
    }

    fn read(&mut self, member: usize, partition: Partition, floor: u64) {
        let now = self.now(member);
        let believed = self.bug == Some(Bug::LeaseWithoutEnd);
        let leads = self.shard(member).leads(partition);
        match self.shard(member).read_permit(now, partition) {
            ReadPermit::Lease(until) => {
                assert!(until > now.mono, "a lease that has ended");
                let position = self.shard(member).position(partition).expect("a leader has state");
                self.checks.read("lease", partition, position.0, floor);
                self.reads += 1;
            }
            ReadPermit::NeedsReadIndex if believed && leads => {
                let position = self.shard(member).position(partition).expect("a leader has state");
                self.checks.read("lease", partition, position.0, floor);
            }
            ReadPermit::NeedsReadIndex | ReadPermit::NotLeader { .. } => {
                let ticket = self.ticket(member, partition, floor);
                self.happen(member, Event::Begin(Input::ReadIndex { ticket, partition }));
            }
        }
    }

    fn ticket(&mut self, member: usize, partition: Partition, floor: u64) -> Ticket {
        self.tickets += 1;
        self.asked.insert(Ticket(self.tickets), (member, partition, floor));
        Ticket(self.tickets)
    }

    /// Begins a write at a member.
    pub fn begin_write(&mut self, member: usize, write: Write) -> Ticket {
        let partition = self.partitions.of(write.app, write.root);
        let ticket = self.ticket(member, partition, 0);
        let input = Input::Write { ticket, partition, write: Box::new(write) };
        self.happen(member, Event::Begin(input));
        ticket
    }

    /// Writes at the member that leads, once.
    pub fn write_at(&mut self, leader: usize, write: Write) {
        let ticket = self.begin_write(leader, write);
        self.millis(25);
        let answer = self.answers.remove(&ticket);
        assert!(matches!(answer, Some(Answered::Done(Ok(_)))), "{answer:?}");
    }

    /// A message arrives that somebody has kept.
    pub fn deliver(&mut self, member: usize, message: PeerMessage) {
        self.happen(member, Event::Peer(vec![message]));
    }

    /// A reader finds a row that does not check.
    pub fn damaged(&mut self, member: usize, partition: Partition, fault: StoreFault) {
        self.happen(member, Event::Begin(Input::Damaged { partition, fault }));
    }

    /// A whole checkpoint at once.
    pub fn checkpoint_now(&mut self, member: usize) {
        if let Some(checkpoint) = self.members[member].checkpoint.take() {
            let base = checkpoint.run().expect("the disk is whole");
            self.shard(member).finish_checkpoint(base).expect("the disk is whole");
        }
        self.shard(member).checkpoint().expect("the disk is whole");
    }

    /// Writes, wherever the leader is, and tries until it is done.
    pub fn write(&mut self, write: Write) -> Outcome {
        let mut member = 0;
        for _ in 0..200 {
            while !self.is_up(member) {
                member = (member + 1) % self.members.len();
            }
            let ticket = self.begin_write(member, write.clone());
            for _ in 0..60 {
                if self.answers.contains_key(&ticket) {
                    break;
                }
                self.millis(50);
            }
            match self.answers.remove(&ticket) {
                Some(Answered::Done(Ok(outcome))) => return outcome,
                Some(Answered::Elsewhere(Some(leader))) if self.is_up(leader.0 as usize) => {
                    member = leader.0 as usize;
                }
                _ => member = (member + 1) % self.members.len(),
            }
            self.millis(50);
        }
        panic!("a write is never done");
    }

    /// The member that leads and can serve.
    pub fn leader(&self, partition: Partition) -> Option<usize> {
        let leads = |m: &Member| m.shard.as_ref().is_some_and(|shard| shard.leads(partition));
        self.members.iter().position(leads)
    }

    pub fn wait_for_leader(&mut self, partition: Partition) -> usize {
        for _ in 0..400 {
            if let Some(leader) = self.leader(partition) {
                return leader;
            }
            self.millis(50);
        }
        panic!("nobody is ever elected");
    }

    /// Cuts a member off, both ways.
    pub fn isolate(&mut self, member: usize) {
        for other in 0..self.members.len() {
            if other != member {
                self.cut.extend([(member, other), (other, member)]);
            }
        }
    }

    /// Everything runs and reaches everything again; waits until all agree.
    pub fn heal(&mut self) {
        self.net = CALM;
        self.cut.clear();
        self.checks.crashes_left = 0;
        self.checks.down.clear();
        for member in 0..self.members.len() {
            self.members[member].paused_until = self.time;
            if !self.is_up(member) && !self.members[member].gone {
                self.start(member);
            }
        }
        for _ in 0..600 {
            self.millis(100);
            if self.is_settled() {
                return;
            }
        }
        panic!("the members never agree: {:?}", self.positions());
    }

    fn positions(&self) -> Vec<Vec<u64>> {
        let of = |m: &Member| match &m.shard {
            Some(shard) => shard.status().positions.iter().map(|(_, position)| position.0).collect(),
            None => Vec::new(),
        };
        self.members.iter().filter(|m| !m.gone).map(of).collect()
    }

    fn is_settled(&self) -> bool {
        let positions = self.positions();
        let whole = |m: &Member| m.shard.as_ref().is_some_and(|s| s.status().receiving.is_empty());
        self.members.iter().filter(|m| !m.gone).all(whole)
            && positions.iter().all(|of| *of == positions[0])
            && self.partitions.all().all(|p| self.leader(p).is_some())
            && self
                .members
                .iter()
                .filter(|m| !m.gone)
                .all(|m| m.shard.as_ref().is_some_and(|s| s.status().steps == 0))
    }

    pub fn id(&mut self) -> Id {
        Id::mint(Time::from_millis(1_700_000_000_000), &mut self.rng)
    }

    /// The attribute `n` of a node that is its own root, as a replica has it.
    pub fn number(&mut self, member: usize, id: Id) -> u64 {
        let partition = self.partitions.of(APP, Root::post(id));
        let reader = self.shard(member).reader();
        let reading =
            read::answer(&reader.view(), partition, APP, Root::post(id), &Query::Node(id), Mutants::NONE);
        match reading.expect("rows check").answer {
            Answer::Node(Some(node)) => node.attr("n").map_or(0, |n| n.parse().expect("a number")),
            _ => 0,
        }
    }
}

fn count(id: Id) -> Vec<Operation> {
    let create = Operation::CreateNode {
        id,
        ty: NodeType(2),
        section: Section::PUBLIC,
        author: id,
        flags: Flags::default(),
        attrs: Vec::new(),
    };
    vec![create, Operation::AddToAttr { id, name: "n".into(), delta: 1 }]
}

/// Adds one to the node `from`, and by a step to each of `to`.
pub fn increment(from: Id, to: &[Id]) -> Write {
    let mut write = Write::new(APP, Root::post(from), from);
    write.ops = count(from);
    for &target in to {
        write = write.step(Step::to(Root::post(target), count(target)));
    }
    write
}
