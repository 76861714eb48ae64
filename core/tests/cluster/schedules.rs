//! Cluster: random schedules of crashes, losses, cuts, pauses, clocks, snapshots and replicas that come and
//! go. Whatever happens: nothing acknowledged is lost, one leader a term, reads that see all that was known
//! before, and equal rows in the end. The checks run in every turn; a seed is the whole run.

use std::collections::BTreeMap;
use std::time::Duration;

use gomer_core::id::{Id, Partition};
use gomer_core::vnode::command::OpKey;
use gomer_core::vnode::peer::ReplicaRole;

use crate::disk::Bug;
use crate::world::{Answered, Net, World, increment};

/// What a run has shown: a schedule in which nothing happens proves nothing.
#[derive(Debug, Default)]
struct Shown {
    writes: u64,
    unknown: u64,
    reads: usize,
    elections: usize,
    snapshots: u64,
    changes: u64,
    wiped: u64,
}

struct Schedule {
    world: World,
    ids: Vec<Id>,
    /// Writes that were acknowledged, and those of which nobody knows, by node.
    done: BTreeMap<Id, (u64, u64)>,
    pending: BTreeMap<gomer_core::shard::Ticket, Id>,
    changing: Vec<gomer_core::shard::Ticket>,
    shown: Shown,
}

impl Schedule {
    fn new(seed: u64, bug: Option<Bug>) -> Schedule {
        let members = 3 + (seed % 3) as usize;
        let mut world = World::with(seed, members, 3, 1 + (seed % 2) as u16, bug);
        world.links = !seed.is_multiple_of(3);
        let odds = |world: &mut World, of: u64| world.rng.below(100) < of;
        if odds(&mut world, 60) {
            let (loss, double) = (world.rng.below(25), world.rng.below(40));
            world.net = Net { loss, double, delay_max: 5 + world.rng.below(150) };
        }
        world.checkpoint_one_in = [0, 3, 20][world.rng.below(3) as usize];
        world.log_slack = [0, 20, 1_000][world.rng.below(3) as usize];
        if odds(&mut world, 70) {
            world.checks.crashes_left = 4 + world.rng.below(8);
            world.checks.crash_one_in = 60 + world.rng.below(300);
        }
        let ids: Vec<Id> = (0..4).map(|_| world.id()).collect();
        Schedule {
            world,
            ids,
            done: BTreeMap::new(),
            pending: BTreeMap::new(),
            changing: Vec::new(),
            shown: Shown::default(),
        }
    }

    fn run(mut self, steps: u64) -> Shown {
        for _ in 0..steps {
            self.step();
            let span = 1 + self.world.rng.below(120);
            self.world.millis(span);
            self.come_back();
            self.collect();
        }
        self.end()
    }

    fn up(&mut self) -> Option<usize> {
        let up: Vec<usize> = (0..self.world.members.len()).filter(|&m| self.world.is_up(m)).collect();
        (!up.is_empty()).then(|| up[self.world.rng.below(up.len() as u64) as usize])
    }

    fn partition(&mut self) -> Partition {
        let all: Vec<Partition> = self.world.partitions.all().collect();
        all[self.world.rng.below(all.len() as u64) as usize]
    }

    fn step(&mut self) {
        let partition = self.partition();
        let any = self.world.rng.below(self.world.members.len() as u64) as usize;
        match self.world.rng.below(100) {
            0..=54 => self.write(),
            55..=74 => {
                // Everywhere: also at who leads no more, and does not know it.
                for member in 0..self.world.members.len() {
                    if self.world.is_up(member) {
                        self.world.begin_read(member, partition);
                    }
                }
            }
            75..=77 => {
                let other = self.world.rng.below(self.world.members.len() as u64) as usize;
                if any != other {
                    self.world.cut.insert((any, other));
                }
            }
            78..=80 => self.world.isolate(any),
            81..=84 => self.world.cut.clear(),
            85..=86 => {
                let span = Duration::from_millis(self.world.rng.below(3_000));
                self.world.members[any].paused_until = self.world.time + span;
            }
            87..=88 => {
                if self.world.is_up(any) {
                    self.world.crash(any);
                    let later = Duration::from_millis(self.world.rng.below(6_000));
                    self.world.checks.down.push((self.world.time + later, any));
                }
            }
            89..=90 => {
                let skew = self.world.rng.below(20_000) as i64 - 10_000;
                self.world.skew(any, skew);
            }
            91 => {
                let draining = self.world.rng.below(2) == 0;
                if self.world.is_up(any) {
                    self.world.shard(any).drain(draining);
                }
            }
            92 => {
                let peer = self.world.peer(any, partition);
                for member in
                    (0..self.world.members.len()).filter(|&m| self.world.is_up(m)).collect::<Vec<_>>()
                {
                    self.world.shard(member).prefer(partition, Some(peer));
                }
            }
            93..=98 => self.change(partition),
            _ => self.wipe(),
        }
    }

    /// A write, with a step for another root, wherever somebody may take it.
    fn write(&mut self) {
        let Some(member) =
            self.world.leader(self.world.partitions.all().next().unwrap()).or_else(|| self.up())
        else {
            return;
        };
        let nth = self.world.rng.below(self.ids.len() as u64) as usize;
        let (id, other) = (self.ids[nth], self.ids[(nth + 1) % self.ids.len()]);
        let mut write = increment(id, &[other]);
        write.op = Some(OpKey { id: self.world.id(), fingerprint: [1; 16] });
        write.reply = vec![b"done".to_vec(), Vec::new()];
        let ticket = self.world.begin_write(member, write);
        self.pending.insert(ticket, id);
    }

    /// One replica comes, or goes, or takes another's place.
    fn change(&mut self, partition: Partition) {
        let Some(leader) = self.world.leader(partition) else { return };
        let set = self.world.shard(leader).replicas(partition).expect("it lives here");
        let any = self.world.rng.below(self.world.members.len() as u64) as usize;
        let peer = self.world.peer(any, partition);
        let old = set.voters[self.world.rng.below(set.voters.len() as u64) as usize];
        let steps = if set.learners.contains(&peer) {
            match set.voters.len() {
                ..=2 => vec![(peer, ReplicaRole::Voter)],
                _ => vec![(peer, ReplicaRole::Voter), (old, ReplicaRole::Gone)],
            }
        } else if !set.contains(peer) {
            vec![(peer, ReplicaRole::Learner)]
        } else if set.voters.len() > 3 {
            vec![(peer, ReplicaRole::Gone)]
        } else {
            return;
        };
        let ticket = self.world.begin_change(leader, partition, &steps);
        self.changing.push(ticket);
    }

    /// A disk is lost, where every group it holds a voter of has all others' in sync: the budget of faults.
    fn wipe(&mut self) {
        if self.shown.wiped > 0 || self.world.checks.crashes_left > 0 || self.world.bug.is_some() {
            return;
        }
        let any = self.world.rng.below(self.world.members.len() as u64) as usize;
        for partition in self.world.partitions.all().collect::<Vec<_>>() {
            let Some(leader) = self.world.leader(partition) else { return };
            let set = self.world.shard(leader).replicas(partition).expect("it lives here");
            if !set.outgoing.is_empty() || set.voters.len() < 3 {
                return;
            }
        }
        self.world.wipe(any);
        self.shown.wiped += 1;
        let later = Duration::from_millis(self.world.rng.below(3_000));
        self.world.checks.down.push((self.world.time + later, any));
    }

    fn come_back(&mut self) {
        let now = self.world.time;
        let mut down = std::mem::take(&mut self.world.checks.down);
        down.retain(|&(at, member)| {
            let waits = at > now;
            if !waits && !self.world.is_up(member) {
                self.world.start(member);
            }
            waits
        });
        self.world.checks.down.append(&mut down);
    }

    fn collect(&mut self) {
        for (ticket, answer) in std::mem::take(&mut self.world.answers) {
            if let Some(id) = self.pending.remove(&ticket) {
                let (done, unknown) = self.done.entry(id).or_default();
                match answer {
                    Answered::Done(Ok(_)) => *done += 1,
                    Answered::Done(Err(gomer_core::fault::Fault::Timeout)) => *unknown += 1,
                    // Certainly nothing was done.
                    _ => {}
                }
            } else if self.changing.contains(&ticket) && matches!(answer, Answered::Done(Ok(_))) {
                self.shown.changes += 1;
            }
        }
    }

    fn end(mut self) -> Shown {
        for member in 0..self.world.members.len() {
            if self.world.is_up(member) {
                self.world.shard(member).drain(false);
            }
        }
        self.world.cut.clear();
        self.world.gather();
        self.world.heal();
        self.collect();
        self.world.checks.healed(&self.world.members, self.world.partitions);
        // Whoever was never answered, because its member died, is unknown too.
        for id in std::mem::take(&mut self.pending).into_values() {
            self.done.entry(id).or_default().1 += 1;
        }
        let member =
            (0..self.world.members.len()).find(|&m| !self.world.members[m].gone).expect("some are left");
        for (nth, &id) in self.ids.clone().iter().enumerate() {
            let of = |id| self.done.get(&id).copied().unwrap_or_default();
            let (own, before) = (of(id), of(self.ids[(nth + self.ids.len() - 1) % self.ids.len()]));
            let (least, most) = (own.0 + before.0, own.0 + before.0 + own.1 + before.1);
            let number = self.world.number(member, id);
            assert!(
                (least..=most).contains(&number),
                "{number} increments, of {least} to {most} that were told"
            );
            (self.shown.writes, self.shown.unknown) = (self.shown.writes + own.0, self.shown.unknown + own.1);
        }
        self.shown.reads = self.world.reads;
        self.shown.elections = self.world.checks.elections;
        let now = self.world.members.iter().filter_map(|m| m.shard.as_ref());
        self.shown.snapshots = self.world.snapshots + now.map(|shard| shard.status().snapshots).sum::<u64>();
        self.shown
    }
}

fn schedules(seeds: std::ops::Range<u64>) -> Shown {
    let mut sum = Shown::default();
    let mut failed = Vec::new();
    for seed in seeds {
        let run = std::panic::AssertUnwindSafe(|| Schedule::new(seed, None).run(160));
        match std::panic::catch_unwind(run) {
            Ok(shown) => {
                sum.writes += shown.writes;
                sum.unknown += shown.unknown;
                sum.reads += shown.reads;
                sum.elections += shown.elections;
                sum.snapshots += shown.snapshots;
                sum.changes += shown.changes;
                sum.wiped += shown.wiped;
            }
            Err(_) => {
                println!("schedule {seed} fails; alone: GOMER_SCHEDULES={seed}..{}", seed + 1);
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "schedules that fail: {failed:?}");
    sum
}

/// `GOMER_SCHEDULES=from..to` runs others, which takes half a second each.
#[test]
fn whatever_happens_nothing_is_lost_and_all_agree() {
    let given = std::env::var("GOMER_SCHEDULES").ok();
    let range = given.as_deref().and_then(|range| {
        let (from, to) = range.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    let shown = schedules(range.unwrap_or(0..100));
    println!("{shown:?}");
    if given.is_none() {
        let Shown { writes, unknown, reads, elections, snapshots, changes, wiped } = shown;
        assert!(
            writes > 1_000 && reads > 2_000 && elections > 100,
            "a calm night: {writes} {reads} {elections}"
        );
        assert!(
            unknown > 20 && snapshots > 20 && changes > 20 && wiped > 5,
            "{unknown} {snapshots} {changes} {wiped}"
        );
    }
}

/// The checks are worth what they catch: each deliberate bug within so many seeds. Those of leases need an
/// instant that chance seldom finds: see `replication`.
#[test]
fn deliberate_bugs_are_caught() {
    for bug in [Bug::NothingSynced, Bug::AnsweredBeforeSync, Bug::StepsRenumbered] {
        let caught = (0..60).find(|&seed| {
            let run = std::panic::AssertUnwindSafe(|| Schedule::new(seed, Some(bug)).run(160));
            std::panic::catch_unwind(run).is_err()
        });
        println!("{bug:?} is caught by seed {caught:?}");
        assert!(caught.is_some(), "{bug:?} is not caught");
    }
}
