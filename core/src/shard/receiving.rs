//! The receiving side of a snapshot: asks for chunk after chunk, and survives what gets lost and who dies.
//!
//! Progress is a row, written with the rows that came. Nothing is asked for twice but after a loss; a later
//! cut begins anew, over the rows that are there.

use std::time::Duration;

use crate::id::Partition;
use crate::rows::applied::{self, Applied};
use crate::rows::ingest::{self, Cut, CutName, Ingest};
use crate::rows::{Txn, replicas};
use crate::store::StateRead;
use crate::time::Monotonic;
use crate::vnode::snapshot::{self, Chunk, ChunkFault, Want};

/// Without an answer for so long, a question is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// Without a new row for so long, somebody else is asked.
const ASK_OTHERS: Duration = Duration::from_millis(2_000);

/// How far a snapshot has come that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    /// It is not.
    No,
    /// Its rows are published.
    Published,
    /// The checkpoint under way writes them.
    Frozen,
    /// They are on disk: the vnode can be opened from them.
    Durable,
}

/// What became of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More is to come.
    Going,
    /// The snapshot is whole.
    Whole,
    /// All rows are there, and they do not sum to what the cut says. All is asked for again.
    Differs,
}

/// A snapshot that is being received.
#[derive(Debug)]
pub(super) struct Receiving {
    row: Ingest,
    /// Rows were changed, or a restart found that they had been.
    begun: bool,
    arrived: Option<Chunk>,
    asked: Option<Monotonic>,
    moved: Monotonic,
    /// Whom of the others to ask next.
    turn: usize,
    whole: Whole,
}

impl Receiving {
    /// Goes on after a restart.
    pub(super) fn resume(row: Ingest) -> Receiving {
        Receiving {
            row,
            begun: true,
            arrived: None,
            asked: None,
            moved: Monotonic::default(),
            turn: 0,
            whole: Whole::No,
        }
    }

    /// Begins.
    pub(super) fn begin(partition: Partition, before: Applied, damaged: bool) -> Receiving {
        let next = snapshot::range(partition).0;
        let row = Ingest { before, cut: None, source: 0, next, sum: 0, damaged };
        Receiving { begun: false, ..Receiving::resume(row) }
    }

    /// Whether this is a repair.
    pub(super) fn is_damaged(&self) -> bool {
        self.row.damaged
    }

    fn name(&self) -> Option<CutName> {
        self.row.cut.as_ref().map(Cut::name)
    }

    /// A cut is offered. It is taken if there is none yet, if whoever sent the present one has no longer got
    /// it, or if nothing has come for a while.
    pub(super) fn offered(&mut self, now: Monotonic, partition: Partition, from: u64, cut: Cut) {
        if self.whole != Whole::No {
            return;
        }
        if self.name() == Some(cut.name()) {
            // The same rows, from whoever has them.
            if now.since(self.moved) >= ASK_OTHERS {
                (self.row.source, self.asked, self.moved) = (from, None, now);
            }
            return;
        }
        let waits = self.row.cut.is_some() && from != self.row.source && now.since(self.moved) < ASK_OTHERS;
        // What came late, doubled or overtaken is no news.
        let older = self.row.cut.as_ref().is_some_and(|own| own.applied.position > cut.applied.position);
        if waits || (older && from == self.row.source) {
            return;
        }
        (self.row.cut, self.row.source) = (Some(cut), from);
        (self.row.next, self.row.sum) = (snapshot::range(partition).0, 0);
        (self.arrived, self.asked, self.moved) = (None, None, now);
    }

    /// A chunk has come. What was not asked for is not taken.
    pub(super) fn chunk(&mut self, chunk: Chunk) {
        if self.whole == Whole::No && self.name() == Some(chunk.cut) && chunk.from == self.row.next {
            self.arrived = Some(chunk);
        }
    }

    /// Whether there is something to write: a chunk, or that damaged rows are no state.
    pub(super) fn must_write(&self) -> bool {
        self.arrived.is_some() || (self.row.damaged && !self.begun)
    }

    /// Writes down that there is no state, if that is certain before any chunk has come.
    fn note(&mut self, txn: &mut Txn<'_>, partition: Partition) {
        self.begun = true;
        txn.remove_local(applied::key(partition));
        txn.put_local(ingest::key(partition), &self.row);
    }

    /// Writes what has come, with how far it goes.
    pub(super) fn write(
        &mut self,
        now: Monotonic,
        txn: &mut Txn<'_>,
        partition: Partition,
    ) -> Result<Progress, ChunkFault> {
        let Some(chunk) = self.arrived.take() else {
            self.note(txn, partition);
            return Ok(Progress::Going);
        };
        self.asked = None;
        let (next, sum) = snapshot::take(txn, partition, chunk)?;
        self.moved = now;
        (self.row.next, self.row.sum) = (next, self.row.sum.wrapping_add(sum));
        if self.row.next < snapshot::range(partition).1 {
            self.note(txn, partition);
            return Ok(Progress::Going);
        }
        let cut = self.row.cut.as_ref().expect("a chunk is of a cut");
        if self.row.sum != cut.applied.digest {
            self.row.cut = None;
            (self.row.next, self.row.sum) = (snapshot::range(partition).0, 0);
            self.note(txn, partition);
            return Ok(Progress::Differs);
        }
        txn.put_local(applied::key(partition), &cut.applied);
        txn.put_local(replicas::key(partition), &cut.replicas);
        txn.remove_local(ingest::key(partition));
        self.whole = Whole::Published;
        Ok(Progress::Whole)
    }

    /// Whether there is something to ask, now.
    pub(super) fn is_due(&self, now: Monotonic) -> bool {
        let waits = self.asked.is_some_and(|asked| now.since(asked) < ASK_AGAIN);
        self.whole == Whole::No && self.arrived.is_none() && !waits
    }

    /// Whom to ask what. `at_least`: what the own log can follow.
    pub(super) fn ask(
        &mut self,
        now: Monotonic,
        rows: &dyn StateRead,
        partition: Partition,
        at_least: u64,
        leader: Option<u64>,
        others: &[u64],
    ) -> Option<(u64, Want)> {
        self.asked = Some(now);
        let stuck = now.since(self.moved) >= ASK_OTHERS;
        let (to, cut) = match self.name() {
            Some(name) if !stuck => (self.row.source, Some(name)),
            _ => {
                self.turn += 1;
                // The leader first, then everybody: who leads may be this replica's own memory of the past.
                let other = others.get((self.turn / 2) % others.len().max(1)).copied();
                (leader.filter(|_| self.turn % 2 == 1).or(other)?, None)
            }
        };
        let from = if cut.is_some() { self.row.next.clone() } else { snapshot::range(partition).0 };
        // Rows that cannot be read are not spoken of; they are replaced.
        let held = if cut.is_some() { snapshot::held(rows, partition, &from).ok().flatten() } else { None };
        Some((to, Want { cut, at_least, from, held }))
    }

    /// Whether a checkpoint should write the rows soon.
    pub(super) fn wants_checkpoint(&self) -> bool {
        self.whole == Whole::Published
    }

    /// A checkpoint begins.
    pub(super) fn frozen(&mut self) {
        if self.whole == Whole::Published {
            self.whole = Whole::Frozen;
        }
    }

    /// The checkpoint under way is on disk.
    pub(super) fn checkpointed(&mut self) {
        if self.whole == Whole::Frozen {
            self.whole = Whole::Durable;
        }
    }

    /// Whether the vnode can be opened from the snapshot.
    pub(super) fn is_durable(&self) -> bool {
        self.whole == Whole::Durable
    }
}
