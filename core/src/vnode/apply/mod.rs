//! What a command does to rows: a function of the command and the rows, the same on every replica.
//!
//! A refused write leaves no row behind: what it changed in the turn's transaction before it was refused is
//! undone. What the leader must do afterwards (send steps, go on with
//! pipes, answer) is collected in [`Emitted`]; it is never a condition for what is written.

mod channel;
mod erase;
mod names;
mod pipe;
mod sweep;
mod write;

use crate::fault::{Fault, Refused};
use crate::id::{AppId, Id, Partition, Position, Root, RootKind};
use crate::mutant::{Mutant, Mutants};
use crate::ring::partition::PartitionCount;
use crate::rows::applied::{Applied, Era};
use crate::rows::channel::{Queue, StepNumber};
use crate::rows::{Place, Txn};
use crate::store::StoreFault;
use crate::time::Time;

use super::command::{Command, Done, Outcome, Proposal, WriteResult};
use super::journal::Touch;

pub use sweep::HORIZON;

/// What applying made necessary, for the leader.
#[derive(Debug, Default)]
pub struct Emitted {
    /// Queues that got steps.
    pub queues: Vec<(Partition, Queue)>,
    /// Queues of others, and how far they are applied.
    pub kept: Vec<Kept>,
    /// Steps that left the outbox, by queue, and up to where.
    pub trimmed: Vec<(Partition, Queue, usize, StepNumber)>,
    /// Pipes that are not at their end.
    pub pipes: Vec<Id>,
    /// Pipes that are.
    pub piped: Vec<Id>,
    /// Timers may be due from this time on.
    pub timer: Option<Time>,
    /// Timers are due that did not fit in one command.
    pub more_timers: bool,
    /// Roots whose rows changed.
    pub changed: Vec<Touch>,
    /// Where a sweep goes on; nothing when it is through.
    pub sweep: Option<Vec<u8>>,
    /// The metadata changed.
    pub meta: bool,
}

/// How far a queue of another partition is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The other partition.
    pub source: Partition,
    /// Its queue.
    pub queue: Queue,
    /// Applied up to here.
    pub kept: StepNumber,
    /// Steps were passed over, because the ones before them have not arrived.
    pub gap: bool,
}

/// Applies commands in order of position.
pub struct Applier<'t, 'a> {
    txn: &'t mut Txn<'a>,
    partition: Partition,
    partitions: PartitionCount,
    applied: &'t mut Applied,
    emitted: &'t mut Emitted,
    /// Steps emitted by the command so far: their ordinals.
    steps: u32,
    /// Entries appended by the command so far: their ordinals.
    appends: u16,
    mutants: Mutants,
}

impl<'t, 'a> Applier<'t, 'a> {
    /// Applies to these rows.
    pub fn new(
        txn: &'t mut Txn<'a>,
        partition: Partition,
        partitions: PartitionCount,
        applied: &'t mut Applied,
        emitted: &'t mut Emitted,
    ) -> Applier<'t, 'a> {
        let (steps, appends, mutants) = (0, 0, Mutants::NONE);
        Applier { txn, partition, partitions, applied, emitted, steps, appends, mutants }
    }

    /// The same with a deliberate bug.
    pub fn with(self, mutants: Mutants) -> Applier<'t, 'a> {
        Applier { mutants, ..self }
    }

    /// Applies the command at `position`, which is the one after the last, and returns what a waiting
    /// caller is told.
    pub fn command(
        &mut self,
        position: Position,
        term: u64,
        command: &Command,
    ) -> Result<WriteResult, StoreFault> {
        debug_assert_eq!(position.0, self.applied.position.0 + 1, "the log is applied without gaps");
        self.applied.position = position;
        self.applied.term = term;
        self.applied.time = self.applied.time.max(command.time);
        (self.steps, self.appends) = (0, 0);
        let result = match &command.what {
            Proposal::Write(write) => self.write(write, 1),
            Proposal::Steps { source, queue, steps } => {
                self.receive(*source, *queue, steps)?;
                Ok(self.nothing())
            }
            Proposal::Trimmed(queues) => {
                self.trimmed(queues)?;
                Ok(self.nothing())
            }
            Proposal::Clock => {
                self.clock()?;
                Ok(self.nothing())
            }
            Proposal::Pipe { id } => {
                self.pipe(*id)?;
                Ok(self.nothing())
            }
            Proposal::Era { tag, history } => {
                self.era(*tag, *history);
                Ok(self.nothing())
            }
            Proposal::Meta(command) => self.meta(command),
            Proposal::Sweep { from } => {
                self.sweep(from)?;
                Ok(self.nothing())
            }
        };
        self.applied.digest = self.applied.digest.wrapping_add(self.txn.take_digest());
        match result {
            Ok(outcome) => Ok(Ok(outcome)),
            Err(Refused::Rule(fault)) => Ok(Err(fault)),
            Err(Refused::Store(fault)) => Err(fault),
        }
    }

    /// Passes over an entry without a command (Raft's own).
    pub fn skip(&mut self, position: Position, term: u64) {
        self.applied.position = position;
        self.applied.term = term;
    }

    fn meta(&mut self, command: &crate::meta::command::MetaCommand) -> Result<Outcome, Refused> {
        let done = crate::meta::apply::apply(self.txn, self.applied.position, self.applied.time, command)??;
        self.emitted.meta = true;
        let (rev, era) = (done.rev(), self.applied.eras.of(done.rev()));
        Ok(Outcome { rev, era, done: vec![done], ..self.nothing() })
    }

    fn era(&mut self, tag: u32, history: u64) {
        if self.applied.history == 0 {
            self.applied.history = history;
        }
        // Zero stands for none.
        self.applied.eras.open(Era { tag: tag.max(1), first: self.applied.position });
    }

    fn nothing(&self) -> Outcome {
        Outcome {
            position: self.applied.position,
            time: self.applied.time,
            era: 0,
            rev: Position::ZERO,
            done: Vec::<Done>::new(),
            overruled: Vec::new(),
            replayed: None,
        }
    }

    fn place(&self, app: AppId, root: Root) -> Place {
        place(self.partition, app, root, self.mutants)
    }
}

/// Where the rows of a root are.
pub(super) fn place(partition: Partition, app: AppId, root: Root, mutants: Mutants) -> Place {
    let left_out = mutants.has(Mutant::AppLeftOut) && root.kind == RootKind::Name;
    Place { partition, app: if left_out { AppId(0) } else { app }, root }
}

/// Faults of a write that are the same however often it is tried, before it is proposed.
pub fn check(write: &super::command::Write) -> Result<(), Fault> {
    write::check(write)
}
