//! What a vnode is told to do: commands as they stand in the log, and what became of them.
//!
//! A write is one atomic command on one root. Everything in it is data: apply needs nothing but the
//! command and the rows, so every replica does the same.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::id::{AppId, Id, LinkType, NodeType, Order, Partition, Position, Root, Section, StreamId};
use crate::meta::command::MetaCommand;
use crate::rows::channel::{Queue, StepNumber};
use crate::rows::entry::Activity;
use crate::rows::node::Flags;
use crate::time::Time;

pub use crate::rows::edit::Done;

/// Most rows that one write may name.
pub const WRITE_OPERATIONS_MAX: usize = 256;
/// Most bytes of one encoded write.
pub const WRITE_BYTES_MAX: usize = 1024 * 1024;
/// Most roots that one step may name.
pub const STEP_ROOTS_MAX: usize = 80;

/// Identity of an operation, from an `Idempotency-Key` or `sync.push`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpKey {
    /// The operation id.
    pub id: Id,
    /// Hash of method and body.
    pub fingerprint: [u8; 16],
}

/// What somebody knew of a root when they queued a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Known {
    /// They did not follow it. Only who makes the root itself is asked for more: it may be one that was
    /// deleted long ago.
    Nothing,
    /// All of it up to a position.
    UpTo {
        /// That position.
        position: Position,
        /// Tag of the era in which it was reached: in another log it says nothing.
        era: u32,
    },
}

/// A client's write on one root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The tenant.
    pub app: AppId,
    /// The root.
    pub root: Root,
    /// On whose behalf; [`Id::NIL`] for the app's server or the system.
    pub caller: Id,
    /// If given, it takes effect at most once, and [`Write::reply`] comes again.
    pub op: Option<OpKey>,
    /// What the caller knew of the root when it queued this, if it says so. If the root has forgotten
    /// deletions that it did not know of, creating is refused as [`Fault::Expired`].
    pub known: Option<Known>,
    /// All must hold, or nothing is done.
    pub pre: Vec<Precondition>,
    /// Done in order, as a whole.
    pub ops: Vec<Operation>,
    /// For other roots; emitted if any operation changed something.
    pub steps: Vec<Step>,
    /// The reply to record, in parts between which the revision stands (see [`Outcome::rev`]).
    pub reply: Vec<Vec<u8>>,
}

impl Write {
    /// A write by `caller` that does nothing yet.
    pub fn new(app: AppId, root: Root, caller: Id) -> Write {
        Write {
            app,
            root,
            caller,
            op: None,
            known: None,
            pre: Vec::new(),
            ops: Vec::new(),
            steps: Vec::new(),
            reply: Vec::new(),
        }
    }

    /// Adds a precondition.
    pub fn when(mut self, pre: Precondition) -> Write {
        self.pre.push(pre);
        self
    }

    /// Adds an operation.
    pub fn op(mut self, op: Operation) -> Write {
        self.ops.push(op);
        self
    }

    /// Adds a step for another root.
    pub fn step(mut self, step: Step) -> Write {
        self.steps.push(step);
        self
    }
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precondition {
    /// The node exists, else [`Fault::Absent`].
    NodePresent(Id),
    /// No such node, nor its tombstone, else [`Fault::Present`].
    NodeAbsent(Id),
    /// The node's revision is this, else [`Fault::Stale`].
    NodeRev(Id, Position),
    /// The link exists, else [`Fault::Absent`].
    LinkPresent(LinkType, Id),
    /// No such link, else [`Fault::Present`].
    LinkAbsent(LinkType, Id),
    /// The link exists with exactly this data, else [`Fault::Absent`]: a compare-and-set on links.
    LinkData(LinkType, Id, String),
    /// The node's attribute has exactly this JSON text (`None`: absent or cleared), else [`Fault::Stale`].
    AttrIs(Id, String, Option<String>),
    /// This reservation of a name was not refused, else [`Fault::NameTaken`].
    NotRefused(Id),
    /// No entry of this id was ever appended, as far as is remembered, else [`Fault::Present`].
    EntryAbsent(StreamId, Id),
    /// The entry is there at this revision, else [`Fault::Stale`]; gone: [`Fault::Absent`].
    EntryRev(StreamId, Id, Position),
}

/// One change of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented; their fields are named after the rows'")]
pub enum Operation {
    /// Makes a node. The same id again by the same author changes nothing; by another author it is
    /// [`Fault::IdTaken`]; after its deletion it is [`Fault::Present`].
    CreateNode {
        id: Id,
        ty: NodeType,
        section: Section,
        author: Id,
        flags: Flags,
        attrs: Vec<(String, String)>,
    },
    /// Makes the node or replaces all its attributes.
    PutNode { id: Id, ty: NodeType, section: Section, author: Id, attrs: Vec<(String, String)> },
    /// Changes attributes, each by its stamp: `None` clears. `edited` is the device's claim, clamped to
    /// the command's time. Absent node: [`Fault::Absent`].
    PatchNode { id: Id, attrs: Vec<(String, Option<String>)>, edited: Option<Time> },
    /// Adds a whole number to an attribute (absent counts as 0); never below 0.
    AddToAttr { id: Id, name: String, delta: i64 },
    /// Deletes a node for ever. Absent: changes nothing.
    DeleteNode { id: Id },
    /// Sets and clears marks.
    FlagNode { id: Id, set: Flags, clear: Flags },
    /// Adds a link or changes its data. `time` (default: the command's) orders the list; an existing
    /// link keeps its time unless one is given.
    PutLink { ty: LinkType, to: Id, section: Section, time: Option<Time>, data: String },
    /// Removes a link. Absent: changes nothing.
    DeleteLink { ty: LinkType, to: Id },
    /// Changes a link's type in one step, keeping time and data. Absent: changes nothing.
    RetypeLink { from: LinkType, into: LinkType, to: Id },
    /// Appends an entry. The same id again changes nothing.
    Append { stream: StreamId, id: Id, section: Section, activity: Activity },
    /// Takes an entry back for ever.
    Retract { stream: StreamId, id: Id },
    /// Keeps the newest `keep` entries of a stream, drops at most [`WRITE_OPERATIONS_MAX`] older ones.
    Trim { stream: StreamId, keep: u32 },
    /// Sets a read mark, by stamp; with `forward_only` it never moves back.
    Mark { stream: StreamId, at: Order, edited: Option<Time>, forward_only: bool },
    /// Reserves this name root for a profile, until it is confirmed or asked about at `due`.
    /// Somebody else's: [`Fault::NameTaken`].
    ReserveName { owner: Id, reservation: Id, due: Time },
    /// The owner's root has used the reservation.
    ConfirmName { owner: Id, reservation: Id },
    /// Frees the name, if this owner has it under this reservation.
    ReleaseName { owner: Id, reservation: Id },
    /// In the claiming root: answers a due reservation by a step back to the name: confirmed if the
    /// node's attribute `attr` is `used`, else durably refused and released.
    AskName { reservation: Id, name: Root, node: Id, attr: String, used: String },
    /// Starts a fan-out: `step` for each profile that the list names. The step's roots are ignored.
    FanOut { pipe: Id, links: LinkType, step: Box<Step> },
    /// Does `write` at `due` (see [`Proposal::Clock`]). The same id at the same due time is one timer.
    SetTimer { id: Id, due: Time, write: Box<Write> },
    /// Trims, at one root in [`crate::streams::trim::SELDOM`]: which ones, the root and `draw` decide. So an append to
    /// many roots, a fan-out, trims a few of them each time and never all at once.
    TrimSeldom { stream: StreamId, keep: u32, draw: Id },
    /// Replaces the extra text of a live entry, which keeps its place. Gone: [`Fault::Absent`].
    Amend { stream: StreamId, id: Id, extra: String },
    /// Deletes at most `rows` rows of the root, 1 to 256: all that it has but its name, or, with `records_of`, only what is
    /// remembered of that caller's operations. [`Done::Unchanged`] when nothing was left.
    Erase { records_of: Option<Id>, rows: u16 },
}

/// A write for other roots of the same app, carried by a channel: delivered at least once, in effect
/// exactly once, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// 1 to [`STEP_ROOTS_MAX`] roots. Steps are split by partition when they are emitted. Each root's
    /// part succeeds or fails alone.
    pub roots: Vec<Root>,
    /// If one does not hold, that root's part is done, without effect.
    pub pre: Vec<Precondition>,
    /// What to do at each root.
    pub ops: Vec<Operation>,
    /// Emitted from the target if its part changed something.
    pub then: Vec<Step>,
    /// Whether it stands in the bulk queue.
    pub bulk: bool,
}

impl Step {
    /// A step for one root.
    pub fn to(root: Root, ops: Vec<Operation>) -> Step {
        Step { roots: vec![root], pre: Vec::new(), ops, then: Vec::new(), bulk: false }
    }

    /// Adds a precondition.
    pub fn when(mut self, pre: Precondition) -> Step {
        self.pre.push(pre);
        self
    }

    /// Adds what follows from it.
    pub fn then(mut self, step: Step) -> Step {
        self.then.push(step);
        self
    }

    /// Levels of steps from this one down, itself included.
    pub fn depth(&self) -> u8 {
        let own_fan_outs = self.ops.iter().filter_map(|op| match op {
            Operation::FanOut { step, .. } => Some(step.depth()),
            _ => None,
        });
        1 + self.then.iter().map(Step::depth).chain(own_fan_outs).max().unwrap_or(0)
    }
}

/// A step as it travels: with the app, and the number of the step before it in its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedStep {
    /// Its number.
    pub number: StepNumber,
    /// The one before it.
    pub previous: StepNumber,
    /// [`SteppedBody`], encoded.
    pub body: Vec<u8>,
}

/// What an outbox row holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteppedBody {
    /// The tenant.
    pub app: AppId,
    /// On whose behalf the chain began.
    pub caller: Id,
    /// The step.
    pub step: Step,
}

/// An entry of a partition's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The leader's stamp; apply raises it to at least the one before.
    pub time: Time,
    /// What to do.
    pub what: Proposal,
}

/// What can be proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented; their fields are named after the rows'")]
pub enum Proposal {
    /// A client's write.
    Write(Box<Write>),
    /// Steps that arrived from another partition's queue, in order.
    Steps { source: Partition, queue: Queue, steps: Vec<NumberedStep> },
    /// Targets have durably applied these queues up to these steps.
    Trimmed(Vec<(Partition, Queue, StepNumber)>),
    /// It is now [`Command::time`]: at most 256 due timers run.
    Clock,
    /// The pipe goes on with its next page.
    Pipe { id: Id },
    /// A group of one has started: a new era.
    Era { tag: u32, history: u64 },
    /// A change of the metadata; only in its own log ([`crate::ring::partition::META`]).
    Meta(Box<MetaCommand>),
    /// Forgets deletions and operation records that are older than the horizon, from this key on.
    Sweep { from: Vec<u8> },
}

/// What became of a write that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Position of the write (of the first one, when replayed).
    pub position: Position,
    /// Its stamp.
    pub time: Time,
    /// Revision of what the first operation speaks of: what stands between the parts of the reply.
    pub rev: Position,
    /// Tag of the era that `rev` belongs to: not the present one, if nothing was changed.
    pub era: u32,
    /// What each operation did; empty when replayed.
    pub done: Vec<Done>,
    /// Attributes whose stored stamp was later than the write's: not changed.
    pub overruled: Vec<String>,
    /// If the operation id was used before with the same body: the reply that was recorded then.
    pub replayed: Option<Vec<Vec<u8>>>,
}

impl Outcome {
    /// Whether anything is different now.
    pub fn changed(&self) -> bool {
        self.done.iter().any(|done| done.changed())
    }
}

/// What a ticket gets.
pub type WriteResult = Result<Outcome, Fault>;
