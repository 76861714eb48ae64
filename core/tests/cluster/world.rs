//! Some members and what lies between them, in one test, without a runtime: messages are lost, delayed,
//! doubled and overtaken, links cut, members paused and killed with what they had not synced, and time
//! jumps to the next event. One seed decides all of it.

mod clients;
mod replicas;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, MemberId, Partition};
use gomer_core::mutant::Mutants;
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rng::Rng;
use gomer_core::shard::{Input, Message, PeerMessage, ReplicaSet, Shard, ShardConfig, Ticket};
use gomer_core::store::StoreFault;
use gomer_core::store::memtable::Checkpoint;
use gomer_core::time::{Monotonic, Now, Time};
use gomer_core::vnode::command::Outcome;

use crate::checks::Checks;
use crate::disk::{Bug, Disk};
use crate::state::SharedState;

pub use clients::increment;

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
    /// Links that do not, from and to.
    pub silent: BTreeSet<(usize, usize)>,
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
            silent: BTreeSet::new(),
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

    /// A clock is set.
    pub fn skew(&mut self, member: usize, skew: i64) {
        self.members[member].skew = skew;
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
}
