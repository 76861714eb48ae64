//! What a shard is told, and what it wants done.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Partition, Position, Root};
use crate::meta::command::MetaCommand;
use crate::rows::channel::{Queue, StepNumber};
use crate::store::StoreFault;
use crate::vnode::command::{NumberedStep, Write, WriteResult};

/// Whom to answer: chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One thing to handle in a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are documented")]
pub enum Input {
    /// A client's write for a partition of this shard.
    Write { ticket: Ticket, partition: Partition, write: Box<Write> },
    /// A change of the metadata.
    Meta { ticket: Ticket, command: Box<MetaCommand> },
    /// A message from another partition, of this member or another.
    Message { from: Partition, to: Partition, message: Message },
    /// Time has passed: elections, re-sending, timers, pipes, checkpoints. About every 100 ms.
    Tick,
}

/// What partitions tell each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented")]
pub enum Message {
    /// Steps of one queue, in order.
    Steps { queue: Queue, steps: Vec<NumberedStep> },
    /// The sender has durably applied this queue of the receiver's up to here.
    Kept { queue: Queue, kept: StepNumber },
}

/// One thing to do after a turn. All of it is durable when it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are documented")]
pub enum Effect {
    /// Answer a write.
    Done { ticket: Ticket, result: WriteResult },
    /// Deliver to another partition, wherever it is. May be lost; it is sent again.
    Send { from: Partition, to: Partition, message: Message },
    /// A root changed: wake who waits for it.
    Changed { app: AppId, root: Root, position: Position },
    /// A vnode's rows cannot be trusted: it refuses writes until it is repaired. Say so loudly.
    Suspect { partition: Partition, fault: StoreFault },
    /// The metadata changed: load it again.
    MetaChanged { position: Position },
}
