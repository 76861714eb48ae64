//! What is asked of the members, by clients and by tests.

use crate::disk::Bug;
use gomer_core::id::{Id, NodeType, Partition, Root, Section};
use gomer_core::mutant::Mutants;
use gomer_core::rows::node::Flags;
use gomer_core::shard::{Input, PeerMessage, ReadPermit, Ticket};
use gomer_core::store::StoreFault;
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Outcome, Step, Write};
use gomer_core::vnode::query::{Answer, Query};
use gomer_core::vnode::read;

use super::{APP, Answered, Event, World};

impl World {
    /// A reader at this member, who may rely on all that was acknowledged or read before.
    pub fn begin_read(&mut self, member: usize, partition: Partition) {
        let floor = self.checks.floor(partition);
        self.happen(member, Event::Read { partition, floor });
    }

    pub(super) fn read(&mut self, member: usize, partition: Partition, floor: u64) {
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

    pub(super) fn ticket(&mut self, member: usize, partition: Partition, floor: u64) -> Ticket {
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
