//! Both ends of a channel: putting steps in the outbox, applying what arrives, trimming what is kept.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::id::{AppId, Id, Partition, Root};
use crate::mutant::Mutant;
use crate::rows::channel::{
    ChannelIn, ChannelOut, DEPTH_MAX, DeadLetter, OutboxStep, Queue, StepNumber, dead_key, in_key, out_key,
    outbox_key,
};
use crate::store::{Direction, StateRead, StoreFault};

use super::super::command::{NumberedStep, Step, SteppedBody};
use super::write::ROOTS_MAX;
use super::{Applier, Kept};

impl Applier<'_, '_> {
    /// Puts a step in the outbox, split by the partitions of its roots.
    pub(super) fn emit(&mut self, app: AppId, caller: Id, step: &Step, depth: u8) -> Result<(), StoreFault> {
        debug_assert!(depth <= DEPTH_MAX, "chains are checked before they are proposed");
        if self.mutants.has(Mutant::StepLost) && self.applied.position.0.is_multiple_of(16) {
            return Ok(());
        }
        let queue = Queue { depth: depth.min(DEPTH_MAX), bulk: step.bulk };
        if let [root] = step.roots[..] {
            let target = self.partitions.of(app, root);
            let body = SteppedBody { app, caller, step: step.clone() };
            return self.enqueue(target, queue, &body);
        }
        let mut by_target: BTreeMap<Partition, Vec<Root>> = BTreeMap::new();
        for &root in &step.roots {
            by_target.entry(self.partitions.of(app, root)).or_default().push(root);
        }
        for (target, roots) in by_target {
            for roots in roots.chunks(ROOTS_MAX) {
                let step = Step { roots: roots.to_vec(), ..step.clone() };
                self.enqueue(target, queue, &SteppedBody { app, caller, step })?;
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, target: Partition, queue: Queue, body: &SteppedBody) -> Result<(), StoreFault> {
        let out_key = out_key(self.partition, target, queue);
        let out = self.txn.row::<ChannelOut>(&out_key)?.unwrap_or_default();
        let number = StepNumber { position: self.applied.position, ordinal: self.steps };
        self.steps += 1;
        let body = postcard::to_stdvec(body).expect("steps are plain data, which postcard can encode");
        let step = OutboxStep { previous: out.last, body };
        self.txn.put_new(outbox_key(self.partition, target, queue, number), &step);
        self.txn.put(out_key, &ChannelOut { last: number, ..out })?;
        self.emitted.queues.push((target, queue));
        Ok(())
    }

    /// Applies steps that arrived, each exactly once and only after the one before it.
    pub(super) fn receive(
        &mut self,
        source: Partition,
        queue: Queue,
        steps: &[NumberedStep],
    ) -> Result<(), StoreFault> {
        let in_key = in_key(self.partition, source, queue);
        let before = self.txn.row::<ChannelIn>(&in_key)?.unwrap_or_default();
        let mut kept = before.kept;
        let mut gap = false;
        for step in steps {
            if step.number <= kept {
                continue;
            }
            if step.previous != kept {
                gap = true;
                break;
            }
            self.carry_out(source, queue, step)?;
            kept = step.number;
        }
        if self.mutants.has(Mutant::ChannelPositionApart) && self.applied.position.0.is_multiple_of(16) {
            kept = before.kept;
        }
        if kept != before.kept {
            self.txn.put(in_key, &ChannelIn { kept })?;
        }
        self.emitted.kept.push(Kept { source, queue, kept, gap });
        Ok(())
    }

    fn carry_out(&mut self, source: Partition, queue: Queue, step: &NumberedStep) -> Result<(), StoreFault> {
        let SteppedBody { app, caller, step } = match postcard::from_bytes(&step.body) {
            Ok(body) => body,
            Err(e) => {
                // It can never be understood, and must not hold up what stands behind it.
                let letter = DeadLetter { source, queue, body: step.body.clone(), reason: e.to_string() };
                let key = dead_key(self.partition, self.applied.position, self.appends.into());
                self.appends = self.appends.wrapping_add(1);
                return self.txn.put(key, &letter);
            }
        };
        for &root in &step.roots {
            let place = self.place(app, root);
            // A part that a rule refuses is done: that is its outcome.
            self.part(app, caller, place, &step, queue.depth + 1)?;
        }
        Ok(())
    }

    /// Removes steps that their targets have durably applied.
    pub(super) fn trimmed(&mut self, queues: &[(Partition, Queue, StepNumber)]) -> Result<(), StoreFault> {
        for &(target, queue, kept) in queues {
            let out_key = out_key(self.partition, target, queue);
            let Some(out) = self.txn.row::<ChannelOut>(&out_key)? else {
                continue;
            };
            if kept <= out.trimmed || kept > out.last {
                continue;
            }
            let from = outbox_key(self.partition, target, queue, out.trimmed);
            let mut to = outbox_key(self.partition, target, queue, kept);
            to.push(0);
            let mut keys = Vec::new();
            self.txn.scan(&from, &to, Direction::Up, &mut |key, _| {
                keys.push(key.to_vec());
                ControlFlow::Continue(())
            })?;
            self.emitted.trimmed.push((target, queue, keys.len(), kept));
            for key in keys {
                self.txn.remove(key)?;
            }
            self.txn.put(out_key, &ChannelOut { trimmed: kept, ..out })?;
        }
        Ok(())
    }
}
