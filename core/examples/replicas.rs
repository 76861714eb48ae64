//! What a write costs three members in all, beside one alone: CPU time of the core, frames encoded and decoded.
//!
//! `cargo run --release -p gomer-core --example replicas`. Stores are maps, so neither disks nor sockets count.

#![allow(clippy::disallowed_methods, reason = "an example measures; the core that it drives has no clock")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gomer_core::id::{AppId, Id, MemberId, NodeType, Partition, Root, Section};
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rng::Rng;
use gomer_core::rows::node::Flags;
use gomer_core::shard::{Effect, Input, LOG_SLACK, PeerMessage, ReplicaSet, Shard, ShardConfig, Ticket};
use gomer_core::store::map::{MapLog, MapState};
use gomer_core::time::{Monotonic, Now, Time};
use gomer_core::vnode::command::{Operation, Write};

const PARTITION: Partition = Partition(0);
/// Writes that wait when a turn begins.
const A_TURN: u64 = 32;
const WRITES: u64 = 3_200;

struct Group {
    members: Vec<Shard<MapLog, MapState>>,
    millis: u64,
    done: u64,
    start: Instant,
}

impl Group {
    fn new(members: u64) -> Group {
        let voters: Vec<u64> = (1..=members).collect();
        let shards = voters.iter().map(|&peer| {
            let set = ReplicaSet { peer, voters: voters.clone(), preferred: peer == 1 };
            let config = ShardConfig {
                partitions: PartitionCount::new(1).expect("a power of two"),
                vnodes: vec![PARTITION],
                peer,
                replicas: BTreeMap::from([(PARTITION, set)]),
                peers: voters.iter().map(|&peer| (peer, MemberId(peer))).collect(),
                log_slack: LOG_SLACK,
                seed: peer,
                checkpoint_bytes: usize::MAX,
                mutants: gomer_core::mutant::Mutants::default(),
            };
            Shard::open(MapLog::new(), MapState::new(), config).expect("maps do not fail")
        });
        let mut group = Group { members: shards.collect(), millis: 0, done: 0, start: Instant::now() };
        while group.leader().is_none() {
            for member in 0..group.members.len() {
                group.turns(member, vec![Input::Tick]);
            }
            group.millis += 100;
        }
        group
    }

    fn leader(&self) -> Option<usize> {
        self.members.iter().position(|shard| shard.leads(PARTITION))
    }

    /// A turn, and all that follows from it.
    fn turns(&mut self, member: usize, inputs: Vec<Input>) {
        let mono = Monotonic(Duration::from_millis(self.millis));
        let now = Now { mono, wall: Time::from_millis(1_700_000_000_000 + self.millis) };
        let mut waiting = vec![(member, inputs)];
        while let Some((member, inputs)) = waiting.pop() {
            for effect in self.members[member].turn(now, inputs).expect("maps do not fail") {
                match effect {
                    Effect::ToPeer { member: to, messages } => {
                        let frame = postcard::to_stdvec(&messages).expect("plain data");
                        let messages: Vec<PeerMessage> = postcard::from_bytes(&frame).expect("just encoded");
                        waiting
                            .insert(0, (to.0 as usize - 1, messages.into_iter().map(Input::Peer).collect()));
                    }
                    Effect::Done { result, .. } => self.done += u64::from(result.is_ok()),
                    _ => {}
                }
            }
            if self.members[member].has_work() {
                waiting.insert(0, (member, Vec::new()));
            }
        }
    }

    /// CPU time of so many writes.
    fn write(&mut self, rng: &mut Rng) -> Duration {
        let before = cpu(self.start);
        let (leader, done) = (self.leader().expect("somebody leads"), self.done);
        for _ in 0..WRITES / A_TURN {
            let inputs = (0..A_TURN).map(|ticket| {
                let id = Id::mint(Time::from_millis(1_700_000_000_000), rng);
                let mut write = Write::new(AppId(1), Root::post(id), id);
                write.ops = vec![Operation::CreateNode {
                    id,
                    ty: NodeType(2),
                    section: Section::PUBLIC,
                    author: id,
                    flags: Flags::default(),
                    attrs: vec![("text".into(), "about as long as posts are, which is not very long".into())],
                }];
                Input::Write { ticket: Ticket(ticket), partition: PARTITION, write: Box::new(write) }
            });
            self.turns(leader, inputs.collect());
            self.millis += 1;
        }
        assert_eq!(self.done - done, WRITES, "all are done");
        cpu(self.start) - before
    }
}

/// CPU time of this thread where the system tells it, else the time of the day.
fn cpu(start: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|line| line.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn main() {
    let mut rng = Rng::new(1);
    let (mut one, mut three) = (Group::new(1), Group::new(3));
    one.write(&mut rng);
    three.write(&mut rng);
    let mut ratios: Vec<f64> = (0..9)
        .map(|_| {
            let (alone, together) = (one.write(&mut rng), three.write(&mut rng));
            println!("{:>6.2} us alone, {:>6.2} us together", micros(alone), micros(together));
            together.as_secs_f64() / alone.as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("three members against one: {:.2} (median; {:.2} to {:.2})", ratios[4], ratios[0], ratios[8]);
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / WRITES as f64
}
