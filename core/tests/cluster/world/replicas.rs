//! Members that join groups and leave them.

use super::{Answered, CALM, Event, World, incarnate};
use gomer_core::fault::Fault;
use gomer_core::id::Partition;
use gomer_core::shard::{Input, Ticket};
use gomer_core::vnode::peer::{ReplicaChange, ReplicaRole};

impl World {
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
}
