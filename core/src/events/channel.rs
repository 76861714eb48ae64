//! The sending side of channels, as far as it is in memory. All of it can be lost: it is found again
//! from the outbox rows.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use crate::id::Partition;
use crate::rows::channel::{ChannelOut, OutboxStep, Queue, StepNumber, out_key, outbox_key, read_outbox_key};
use crate::rows::key::{KeyReader, KeyWriter, after_prefix};
use crate::rows::{Kind, unseal};
use crate::store::{Direction, StateRead, StoreFault};
use crate::time::Monotonic;
use crate::vnode::command::NumberedStep;

/// Steps in flight in one queue, at most.
const WINDOW_STEPS: usize = 256;
/// Bytes of one message, about.
const MESSAGE_BYTES: usize = 256 * 1024;
/// Without an answer for this long, what was sent is sent again from where the target is.
const RESEND_AFTER: Duration = Duration::from_millis(1_000);
/// A queue with more rows refuses clients' writes.
pub const QUEUE_STEPS_MAX: usize = 100_000;
/// Pipes pause while this many bulk steps wait.
pub const PIPE_STEPS_MAX: usize = 2_048;

#[derive(Debug, Default)]
struct Outgoing {
    /// Steps in the outbox.
    waiting: usize,
    /// The target has durably applied up to here.
    kept: StepNumber,
    /// Sent up to here.
    sent: StepNumber,
    /// How many are sent and not kept.
    in_flight: BTreeSet<StepNumber>,
    /// Removed from the outbox up to here.
    trimmed: StepNumber,
    /// When something was last sent or acknowledged.
    moved: Monotonic,
}

/// All queues of one partition.
#[derive(Debug, Default)]
pub struct Outbox {
    queues: BTreeMap<(Partition, Queue), Outgoing>,
    /// Queues that may have something to send.
    dirty: BTreeSet<(Partition, Queue)>,
    bulk: usize,
}

impl Outbox {
    /// Finds the queues again after a start.
    pub fn load(rows: &dyn StateRead, partition: Partition) -> Result<Outbox, StoreFault> {
        let mut outbox = Outbox::default();
        let mut failed = Ok(());
        let prefix = KeyWriter::of_partition(partition, Kind::ChannelOut).end();
        rows.scan(&prefix, &after_prefix(&prefix), Direction::Up, &mut |key, value| {
            match (read_out_key(key), unseal::<ChannelOut>(key, value)) {
                (Some(name), Ok(out)) => {
                    let queue = Outgoing {
                        kept: out.trimmed,
                        sent: out.trimmed,
                        trimmed: out.trimmed,
                        ..Outgoing::default()
                    };
                    outbox.queues.insert(name, queue);
                    if out.last > out.trimmed {
                        outbox.dirty.insert(name);
                    }
                }
                (_, Err(fault)) => failed = Err(fault),
                (None, _) => failed = Err(StoreFault::Corrupt("the key of a queue cannot be read".into())),
            }
            if failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        failed?;
        let prefix = KeyWriter::of_partition(partition, Kind::Outbox).end();
        rows.scan(&prefix, &after_prefix(&prefix), Direction::Up, &mut |key, _| {
            if let Some((target, queue, _)) = read_outbox_key(key) {
                outbox.added(target, queue);
            }
            ControlFlow::Continue(())
        })?;
        Ok(outbox)
    }

    /// A step was put in a queue.
    pub fn added(&mut self, target: Partition, queue: Queue) {
        self.queues.entry((target, queue)).or_default().waiting += 1;
        self.dirty.insert((target, queue));
        self.bulk += usize::from(queue.bulk);
    }

    /// Steps were removed from a queue.
    pub fn removed(&mut self, target: Partition, queue: Queue, count: usize, trimmed: StepNumber) {
        let outgoing = self.queues.entry((target, queue)).or_default();
        outgoing.waiting = outgoing.waiting.saturating_sub(count);
        outgoing.trimmed = outgoing.trimmed.max(trimmed);
        if queue.bulk {
            self.bulk = self.bulk.saturating_sub(count);
        }
    }

    /// The target says how far it is.
    pub fn kept(&mut self, now: Monotonic, target: Partition, queue: Queue, kept: StepNumber) {
        let Some(outgoing) = self.queues.get_mut(&(target, queue)) else {
            return;
        };
        if kept > outgoing.kept {
            outgoing.kept = kept;
            outgoing.sent = outgoing.sent.max(kept);
            outgoing.in_flight = outgoing.in_flight.split_off(&kept);
            outgoing.in_flight.remove(&kept);
            outgoing.moved = now;
            self.dirty.insert((target, queue));
        }
    }

    /// Whether a queue is so long that clients' writes with steps are refused.
    pub fn is_full(&self) -> bool {
        self.queues.values().any(|queue| queue.waiting >= QUEUE_STEPS_MAX)
    }

    /// Whether pipes should wait.
    pub fn is_bulky(&self) -> bool {
        self.bulk >= PIPE_STEPS_MAX
    }

    /// Steps waiting in all queues.
    pub fn waiting(&self) -> usize {
        self.queues.values().map(|queue| queue.waiting).sum()
    }

    /// Whether [`Outbox::send`] has anything to do.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Marks queues whose steps were not acknowledged in time: they are sent again.
    pub fn tick(&mut self, now: Monotonic) {
        for (name, queue) in &mut self.queues {
            if !queue.in_flight.is_empty() && now.since(queue.moved) >= RESEND_AFTER {
                queue.in_flight.clear();
                queue.sent = queue.kept;
                self.dirty.insert(*name);
            }
        }
    }

    /// What can be removed from the outbox: queue by queue, up to where the target is.
    pub fn trimmable(&self) -> Vec<(Partition, Queue, StepNumber)> {
        let kept = self.queues.iter().filter(|(_, queue)| queue.kept > queue.trimmed);
        kept.map(|(&(target, name), queue)| (target, name, queue.kept)).take(256).collect()
    }

    /// The next messages, from applied rows only.
    pub fn send(
        &mut self,
        now: Monotonic,
        rows: &dyn StateRead,
        partition: Partition,
    ) -> Result<Vec<(Partition, Queue, Vec<NumberedStep>)>, StoreFault> {
        let mut messages = Vec::new();
        for name in std::mem::take(&mut self.dirty) {
            let Some(outgoing) = self.queues.get_mut(&name) else {
                continue;
            };
            let (target, queue) = name;
            let room = WINDOW_STEPS.saturating_sub(outgoing.in_flight.len());
            let steps = next_steps(rows, partition, target, queue, outgoing.sent, room)?;
            let Some(last) = steps.last() else {
                continue;
            };
            if outgoing.in_flight.is_empty() {
                outgoing.moved = now;
            }
            outgoing.sent = last.number;
            outgoing.in_flight.extend(steps.iter().map(|step| step.number));
            // There may be more than fits in a message; the window says when to stop.
            if outgoing.in_flight.len() < WINDOW_STEPS && outgoing.waiting > outgoing.in_flight.len() {
                self.dirty.insert(name);
            }
            messages.push((target, queue, steps));
        }
        Ok(messages)
    }
}

fn next_steps(
    rows: &dyn StateRead,
    partition: Partition,
    target: Partition,
    queue: Queue,
    sent: StepNumber,
    room: usize,
) -> Result<Vec<NumberedStep>, StoreFault> {
    let mut steps: Vec<NumberedStep> = Vec::new();
    if room == 0 {
        return Ok(steps);
    }
    let mut from = outbox_key(partition, target, queue, sent);
    from.push(0);
    let end = outbox_key(
        partition,
        target,
        queue,
        StepNumber { position: crate::id::Position(u64::MAX), ordinal: u32::MAX },
    );
    let mut bytes = 0;
    let mut failed = Ok(());
    rows.scan(&from, &end, Direction::Up, &mut |key, value| {
        match (read_outbox_key(key), unseal::<OutboxStep>(key, value)) {
            (Some((_, _, number)), Ok(row)) => {
                bytes += row.body.len();
                steps.push(NumberedStep { number, previous: row.previous, body: row.body });
            }
            (_, Err(fault)) => failed = Err(fault),
            (None, _) => failed = Err(StoreFault::Corrupt("the key of a step cannot be read".into())),
        }
        if failed.is_err() || steps.len() >= room || bytes >= MESSAGE_BYTES {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    failed.map(|()| steps)
}

fn read_out_key(key: &[u8]) -> Option<(Partition, Queue)> {
    let (partition, mut rest) = KeyReader::of_partition(key, Kind::ChannelOut)?;
    let target = Partition(rest.u16()?);
    let queue = Queue::from_byte(rest.u8()?)?;
    rest.end()?;
    debug_assert_eq!(key, out_key(partition, target, queue));
    Some((target, queue))
}
