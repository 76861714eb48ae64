//! A member's shards without a driver: turns are taken by hand, messages are handed over at once.

#![allow(dead_code, reason = "each test file uses its part")]

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, Partition, Root};
use gomer_core::mutant::Mutants;
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rng::Rng;
use gomer_core::shard::{Effect, Input, LOG_SLACK, Shard, ShardConfig, Ticket};

use gomer_core::store::map::{MapLog, MapState};
use gomer_core::store::memtable::Checkpoint;
use gomer_core::store::shared::Shared;
use gomer_core::time::{Monotonic, Now, Time};
use gomer_core::vnode::command::{Outcome, Write};
use gomer_core::vnode::query::{Answer, Query, Reading};
use gomer_core::vnode::read;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

type SharedLog = Shared<MapLog>;
type SharedState = Shared<MapState>;

/// The app of most tests.
pub const APP: AppId = AppId(1);

/// One shard with all partitions of a small ring.
pub struct World {
    pub shard: Option<Shard<SharedLog, SharedState>>,
    pub log: SharedLog,
    pub state: SharedState,
    pub now: Now,
    pub partitions: PartitionCount,
    inbox: VecDeque<Input>,
    answers: BTreeMap<Ticket, Result<Outcome, Fault>>,
    tickets: u64,
    starts: u64,
    pub rng: Rng,
    /// A checkpoint that was begun.
    checkpoint: Option<Checkpoint<SharedState>>,
    /// Whether messages between partitions are lost.
    pub deaf: bool,
    /// Messages from the first of these partitions to the second are lost.
    pub cut: Option<(Partition, Partition)>,
}

impl World {
    pub fn new(partitions: u16) -> World {
        let partitions = PartitionCount::new(partitions).expect("a power of two");
        let now = Now { mono: Monotonic::default(), wall: Time::from_millis(1_700_000_000_000) };
        let mut world = World {
            shard: None,
            log: SharedLog::default(),
            state: SharedState::default(),
            now,
            partitions,
            inbox: VecDeque::new(),
            answers: BTreeMap::new(),
            tickets: 0,
            starts: 0,
            rng: Rng::new(9),
            checkpoint: None,
            deaf: false,
            cut: None,
        };
        world.start();
        world
    }

    pub fn config(&self) -> ShardConfig {
        ShardConfig {
            partitions: self.partitions,
            vnodes: self.partitions.all().collect(),
            peer: 1,
            replicas: BTreeMap::new(),
            peers: BTreeMap::new(),
            log_slack: LOG_SLACK,
            seed: self.starts,
            checkpoint_bytes: 1,
            mutants: Mutants::NONE,
        }
    }

    /// Opens the shard on what is stored.
    pub fn start(&mut self) {
        self.starts += 1;
        let shard = Shard::open(self.log.clone(), self.state.clone(), self.config())
            .expect("stores of maps do not fail");
        self.shard = Some(shard);
        for _ in 0..20 {
            self.turn();
        }
        assert!(self.shard().is_live(), "a group of one is live after a few turns");
    }

    /// Ends the process between two turns: what was not handed over is lost.
    pub fn crash(&mut self) {
        self.shard = None;
        self.checkpoint = None;
        self.inbox.clear();
        self.start();
    }

    pub fn shard(&mut self) -> &mut Shard<SharedLog, SharedState> {
        self.shard.as_mut().expect("started")
    }

    /// Begins a checkpoint, or ends the one that was begun: what happens in between must not matter.
    pub fn checkpoint(&mut self) {
        match self.checkpoint.take() {
            Some(checkpoint) => {
                let base = checkpoint.run().expect("stores of maps do not fail");
                self.shard().finish_checkpoint(base).expect("stores of maps do not fail");
            }
            None => self.checkpoint = self.shard().begin_checkpoint(),
        }
    }

    pub fn id(&mut self) -> Id {
        Id::mint(self.now.wall, &mut self.rng)
    }

    pub fn turn(&mut self) {
        let inputs: Vec<Input> = self.inbox.drain(..).collect();
        let now = self.now;
        let effects = self.shard().turn(now, inputs).expect("stores of maps do not fail");
        for effect in effects {
            match effect {
                Effect::Done { ticket, result } => {
                    self.answers.insert(ticket, result);
                }
                Effect::Send { from, to, message } => {
                    if !self.deaf && self.cut != Some((from, to)) {
                        self.inbox.push_back(Input::Message { from, to, message });
                    }
                }
                Effect::Suspect { partition, fault } => {
                    panic!("partition {} is suspect: {fault}", partition.0)
                }
                Effect::Changed { .. } | Effect::MetaChanged { .. } => {}
                Effect::NotLeader { .. }
                | Effect::ReadIndex { .. }
                | Effect::ToPeer { .. }
                | Effect::Differs { .. } => {
                    panic!("a group of one has nobody to talk to")
                }
            }
        }
    }

    /// Turns until nothing happens any more.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.inbox.is_empty() && !self.shard().has_work() {
                return;
            }
            self.turn();
        }
        panic!("it never comes to rest");
    }

    /// Lets time pass, a tick each 100 ms.
    pub fn pass(&mut self, span: Duration) {
        for _ in 0..span.as_millis() / 100 {
            self.now.mono = self.now.mono + Duration::from_millis(100);
            self.now.wall = self.now.wall + Duration::from_millis(100);
            self.inbox.push_back(Input::Tick);
            self.turn();
            self.settle();
        }
    }

    /// Jumps, then ticks.
    pub fn jump(&mut self, span: Duration) {
        self.now.mono = self.now.mono + span;
        self.now.wall = self.now.wall + span;
        self.pass(Duration::from_millis(200));
    }

    /// Begins a write without taking a turn.
    pub fn begin(&mut self, write: Write) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let partition = self.partitions.of(write.app, write.root);
        self.inbox.push_back(Input::Write { ticket, partition, write: Box::new(write) });
        ticket
    }

    pub fn answer(&mut self, ticket: Ticket) -> Option<Result<Outcome, Fault>> {
        self.answers.remove(&ticket)
    }

    pub fn write(&mut self, write: Write) -> Result<Outcome, Fault> {
        let ticket = self.begin(write);
        for _ in 0..4 {
            self.turn();
            if let Some(result) = self.answers.remove(&ticket) {
                return result;
            }
        }
        panic!("a write on a group of one is answered in a turn or two");
    }

    pub fn reading(&mut self, root: Root, query: Query) -> Reading {
        let partition = self.partitions.of(APP, root);
        let reader = self.shard().reader();
        read::answer(&reader.view(), partition, APP, root, &query, Mutants::NONE).expect("rows check")
    }

    pub fn read(&mut self, root: Root, query: Query) -> Answer {
        self.reading(root, query).answer
    }

    pub fn partition_of(&self, root: Root) -> Partition {
        self.partitions.of(APP, root)
    }
}
