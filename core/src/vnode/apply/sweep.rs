//! What time does: timers run when they are due, deletions and operation records are forgotten at the
//! horizon. Both only by logged commands, so that every replica does the same.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::fault::Refused;
use crate::id::{Id, Section};
use crate::rows::entry::slot_key;
use crate::rows::key::{KeyWriter, after_prefix};
use crate::rows::operation::OpRecord;
use crate::rows::timer::{self, Timer};
use crate::rows::tombstone::{self, Forgotten, Tombstone};
use crate::rows::{Edit, Kind, RowRef, Txn, change, unseal};
use crate::store::{Direction, StateRead, StoreFault};
use crate::time::Time;

use super::super::command::{Done, Write};
use super::Applier;
use super::write::Aside;

/// How long deletions and operation records are remembered.
pub const HORIZON: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Timers that one command runs.
const TIMERS_MAX: usize = 256;
/// Rows that one sweep looks at.
const SWEEP_ROWS: usize = 512;

pub(super) fn set_timer(
    txn: &mut Txn<'_>,
    edit: &Edit,
    id: Id,
    due: Time,
    write: &Write,
    aside: &mut Aside,
) -> Result<Done, Refused> {
    let key = timer::key(edit.place.partition, due, id);
    let body = postcard::to_stdvec(write).expect("writes are plain data, which postcard can encode");
    let timer = Timer { body };
    if txn.row::<Timer>(&key)?.as_ref() == Some(&timer) {
        return Ok(Done::Unchanged(edit.position));
    }
    txn.put(key, &timer)?;
    aside.timer = Some(aside.timer.map_or(due, |first| first.min(due)));
    Ok(Done::Changed(edit.position))
}

impl Applier<'_, '_> {
    /// Runs what is due, in order of (due, id).
    pub(super) fn clock(&mut self) -> Result<(), StoreFault> {
        let from = KeyWriter::of_partition(self.partition, Kind::Timer).end();
        let to = timer::key(self.partition, self.applied.time + Duration::from_millis(1), Id::NIL);
        let mut due: Vec<(Vec<u8>, Timer)> = Vec::new();
        let mut failed = Ok(());
        self.txn.scan(&from, &to, Direction::Up, &mut |key, value| {
            match unseal(key, value) {
                Ok(timer) => due.push((key.to_vec(), timer)),
                Err(fault) => failed = Err(fault),
            }
            if failed.is_err() || due.len() >= TIMERS_MAX {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        failed?;
        self.emitted.more_timers = due.len() >= TIMERS_MAX;
        for (key, timer) in due {
            let write: Write = postcard::from_bytes(&timer.body)
                .map_err(|e| StoreFault::Corrupt(format!("the write of a timer cannot be read: {e}")))?;
            match self.write(&write, 1) {
                // What a rule refuses is done: that is its outcome.
                Ok(_) | Err(Refused::Rule(_)) => {}
                Err(Refused::Store(fault)) => return Err(fault),
            }
            self.txn.remove(key)?;
        }
        Ok(())
    }

    /// Looks at some rows from `from` on and forgets those older than the horizon.
    pub(super) fn sweep(&mut self, from: &[u8]) -> Result<(), StoreFault> {
        let kinds = [Kind::Tombstone, Kind::Operation];
        let mut seen = 0;
        for kind in kinds {
            let prefix = KeyWriter::of_partition(self.partition, kind).end();
            let end = after_prefix(&prefix);
            let start = from.max(&prefix);
            if start >= end.as_slice() {
                continue;
            }
            let mut rows = Vec::new();
            let mut next = None;
            self.txn.scan(start, &end, Direction::Up, &mut |key, value| {
                if seen >= SWEEP_ROWS {
                    next = Some(key.to_vec());
                    return ControlFlow::Break(());
                }
                seen += 1;
                rows.push((key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            })?;
            for (key, value) in rows {
                self.forget(kind, key, &value)?;
            }
            if next.is_some() {
                self.emitted.sweep = next;
                return Ok(());
            }
        }
        Ok(())
    }

    fn forget(&mut self, kind: Kind, key: Vec<u8>, value: &[u8]) -> Result<(), StoreFault> {
        let old = |time: Time| time + HORIZON < self.applied.time;
        if kind == Kind::Operation {
            if old(unseal::<OpRecord>(&key, value)?.time) {
                self.txn.remove(key)?;
            }
            return Ok(());
        }
        let tombstone: Tombstone = unseal(&key, value)?;
        let Some((place, row)) = tombstone::read_key(&key).filter(|_| old(tombstone.time)) else {
            return Ok(());
        };
        self.txn.remove(key)?;
        if tombstone.section != Section::INTERNAL {
            self.txn.remove(change::key(place, tombstone.section, tombstone.position, row))?;
        }
        if let RowRef::Entry(stream, id) = row {
            self.txn.remove(slot_key(place, stream, id))?;
        }
        let key = tombstone::forgotten_key(place, tombstone.section);
        let forgotten = self
            .txn
            .row::<Forgotten>(&key)?
            .map_or(tombstone.position, |f| f.position.max(tombstone.position));
        self.txn.put(key, &Forgotten { position: forgotten })
    }
}
