//! What a vnode is told by clients and by other partitions becomes proposals.

use crate::fault::Fault;
use crate::id::Partition;
use crate::meta::command::MetaCommand;
use crate::ring::partition::META;
use crate::rows::channel::Queue;
use crate::shard::input::{Effect, Message, Ticket};
use crate::time::Now;
use crate::vnode::apply;
use crate::vnode::command::{Command, NumberedStep, Operation, Proposal, WRITE_BYTES_MAX, Write};

use super::Vnode;

impl Vnode {
    /// A client's write. `full`: the disk is below its reserve.
    pub(in crate::shard) fn write(
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

    pub(super) fn try_write(
        &mut self,
        now: Now,
        ticket: Ticket,
        write: Box<Write>,
        full: bool,
    ) -> Result<(), Fault> {
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
    pub(in crate::shard) fn meta(
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

    /// A message from another partition. What cannot be taken now is sent again.
    pub(in crate::shard) fn message(&mut self, now: Now, from: Partition, message: Message) {
        if !self.has_state() || !self.live {
            return;
        }
        match message {
            Message::Kept { queue, kept } => self.outbox.kept(now.mono, from, queue, kept),
            Message::Steps { queue, steps } => self.arrive(now, from, queue, steps),
        }
    }

    pub(super) fn arrive(&mut self, now: Now, source: Partition, queue: Queue, mut steps: Vec<NumberedStep>) {
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

    /// Proposes the next page of each pipe, unless the bulk queues are long.
    pub(super) fn go_on_with_pipes(&mut self, now: Now) {
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

    pub(super) fn propose(&mut self, now: Now, what: Proposal) -> Result<u64, Fault> {
        self.wake();
        let time = self.applied.time.max(now.wall);
        let data = postcard::to_stdvec(&Command { time, what }).expect("commands are plain data");
        if data.len() > WRITE_BYTES_MAX {
            return Err(Fault::TooLarge("1 MiB a write"));
        }
        self.group.propose(data)
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
