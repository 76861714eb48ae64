//! The ordered outbox from one partition to another, and what both sides remember of it.

use serde::{Deserialize, Serialize};

use crate::id::{Partition, Position};

use super::key::{KeyReader, KeyWriter};
use super::{Kind, Row};

/// Which of the queues to a target: order holds within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Queue {
    /// How many steps of the chain lie before: 1 for a step of a client's write, at most [`DEPTH_MAX`].
    pub depth: u8,
    /// Bulk work (fan-out) stands behind nobody's like.
    pub bulk: bool,
}

/// A step at this depth may emit nothing, so that every queue drains.
pub const DEPTH_MAX: u8 = 4;

impl Queue {
    /// As one byte for keys: interactive queues first.
    pub fn byte(self) -> u8 {
        self.depth | if self.bulk { 0x80 } else { 0 }
    }

    /// Reads [`Queue::byte`].
    pub fn from_byte(byte: u8) -> Option<Queue> {
        let queue = Queue { depth: byte & 0x7f, bulk: byte & 0x80 != 0 };
        (1..=DEPTH_MAX).contains(&queue.depth).then_some(queue)
    }
}

/// Number of a step in its source: the position of the write that emitted it, and its ordinal there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct StepNumber {
    /// Position in the source's log.
    pub position: Position,
    /// Which step of that write, over all targets.
    pub ordinal: u32,
}

/// A step waiting in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxStep {
    /// The step before it in the same queue: the target applies it only if it keeps that one.
    pub previous: StepNumber,
    /// The step itself, encoded.
    pub body: Vec<u8>,
}

impl Row for OutboxStep {
    const KIND: Kind = Kind::Outbox;
}

/// What the source remembers of a queue: the last step it ever put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ChannelOut {
    /// That step.
    pub last: StepNumber,
    /// Steps up to here are acknowledged and gone.
    pub trimmed: StepNumber,
}

impl Row for ChannelOut {
    const KIND: Kind = Kind::ChannelOut;
}

/// What the target remembers of a queue: the last step it applied. Written with the step's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ChannelIn {
    /// That step.
    pub kept: StepNumber,
}

impl Row for ChannelIn {
    const KIND: Kind = Kind::ChannelIn;
}

/// A step that could not be carried out and will not be tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Where it came from.
    pub source: Partition,
    /// Its queue.
    pub queue: Queue,
    /// The step, encoded.
    pub body: Vec<u8>,
    /// Why.
    pub reason: String,
}

impl Row for DeadLetter {
    const KIND: Kind = Kind::DeadLetter;
}

/// The key of a waiting step.
pub fn outbox_key(source: Partition, target: Partition, queue: Queue, number: StepNumber) -> Vec<u8> {
    KeyWriter::of_partition(source, Kind::Outbox)
        .u16(target.0)
        .u8(queue.byte())
        .u64(number.position.0)
        .u32(number.ordinal)
        .end()
}

/// Reads what [`outbox_key`] wrote: target, queue, number.
pub fn read_outbox_key(key: &[u8]) -> Option<(Partition, Queue, StepNumber)> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Outbox)?;
    let target = Partition(rest.u16()?);
    let queue = Queue::from_byte(rest.u8()?)?;
    let number = StepNumber { position: Position(rest.u64()?), ordinal: rest.u32()? };
    rest.end().map(|()| (target, queue, number))
}

/// The key of a queue at its source.
pub fn out_key(source: Partition, target: Partition, queue: Queue) -> Vec<u8> {
    KeyWriter::of_partition(source, Kind::ChannelOut).u16(target.0).u8(queue.byte()).end()
}

/// The key of a queue at its target.
pub fn in_key(target: Partition, source: Partition, queue: Queue) -> Vec<u8> {
    KeyWriter::of_partition(target, Kind::ChannelIn).u16(source.0).u8(queue.byte()).end()
}

/// The key of a dead letter at its target.
pub fn dead_key(target: Partition, position: Position, ordinal: u32) -> Vec<u8> {
    KeyWriter::of_partition(target, Kind::DeadLetter).u64(position.0).u32(ordinal).end()
}
