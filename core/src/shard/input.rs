//! What a shard is told, and what it wants done.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::id::{AppId, MemberId, Partition, Position, Root};
use crate::meta::command::MetaCommand;
use crate::rows::channel::{Queue, StepNumber};
use crate::store::StoreFault;
use crate::vnode::command::{NumberedStep, Write, WriteResult};
use crate::vnode::peer::{PeerBody, ReplicaChange};

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
    /// A message from another replica of a partition of this shard.
    Peer(PeerMessage),
    /// May this partition be read here, and from which position on? Asks a majority of its replicas,
    /// together with all that ask in the same turn. Answered with [`Effect::ReadIndex`].
    ReadIndex { ticket: Ticket, partition: Partition },
    /// Other replicas of a partition from here on: one comes, one goes. A new voter has to be a learner first,
    /// close behind and with equal rows, else [`Fault::Busy`]; also while another change is under way. Answered
    /// with [`Effect::Done`]; until both sets agree, `Shard::replicas` still names the outgoing voters.
    Change { ticket: Ticket, partition: Partition, change: ReplicaChange },
    /// A row of this partition did not check when somebody read it: its rows are not to be trusted. Other
    /// replicas' take their place, if there are others.
    Damaged { partition: Partition, fault: StoreFault },
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

/// What one replica of a partition tells another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerMessage {
    /// The partition.
    pub partition: Partition,
    /// Raft id of the sender.
    pub from: u64,
    /// Raft id of the receiver: a replica that took another one's place is not meant.
    pub to: u64,
    /// What it says.
    pub body: PeerBody,
}

/// Whether a partition may be read on this member, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadPermit {
    /// Yes, from what is published, if the read begins before this moment.
    Lease(crate::time::Monotonic),
    /// Ask with [`Input::ReadIndex`] first.
    NeedsReadIndex,
    /// There, if it is known who leads; or here after [`Input::ReadIndex`]; or here at once, if the reader
    /// shows a position that is applied here.
    NotLeader {
        /// Who leads.
        leader: Option<MemberId>,
    },
}

/// One thing to do after a turn. All of it is durable when it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are documented")]
pub enum Effect {
    /// Answer a write.
    Done { ticket: Ticket, result: WriteResult },
    /// Nothing was done for this ticket: somebody else leads the partition. Ask there, or answer
    /// [`Fault::Unavailable`].
    NotLeader { ticket: Ticket, leader: Option<MemberId> },
    /// The partition may be read here: what is published has this position at least.
    ReadIndex { ticket: Ticket, result: Result<Position, Fault> },
    /// Send to another member; fits in one frame, but for very large entries. May be lost, and arrive late,
    /// twice or in another order.
    ToPeer { member: MemberId, messages: Vec<PeerMessage> },
    /// Deliver to another partition, wherever it is. May be lost; it is sent again.
    Send { from: Partition, to: Partition, message: Message },
    /// A root changed: wake who waits for it.
    Changed { app: AppId, root: Root, position: Position },
    /// Replicas have different rows at the same position: what each sums to, by Raft id. If a majority agrees
    /// on others than this one's, [`Effect::Suspect`] follows. Say so loudly.
    Differs { partition: Partition, position: Position, digests: Vec<(u64, u64)> },
    /// A vnode's rows cannot be trusted: it refuses writes until it is repaired. Say so loudly.
    Suspect { partition: Partition, fault: StoreFault },
    /// The metadata changed: load it again.
    MetaChanged { position: Position },
}
