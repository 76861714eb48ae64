//! Retention: an explicit write, so that every replica and every phone forgets the same entries.

use std::ops::ControlFlow;

use crate::fault::Refused;
use crate::id::{Id, StreamId};
use crate::rows::edit::Done;
use crate::rows::entry::{Entry, EntrySlot, slot_key, stream_prefix};
use crate::rows::key::after_prefix;
use crate::rows::{Edit, Txn, unseal};
use crate::store::{Direction, StateRead, StoreFault};

use super::append::remove;

/// Most entries that one trim drops.
pub const TRIM_MAX: usize = 256;

/// Keeps the newest `keep` entries, drops at most [`TRIM_MAX`] older ones. Reads `keep` keys:
/// call it now and then, not with every append.
pub fn trim(txn: &mut Txn<'_>, edit: &Edit, stream: StreamId, keep: u32) -> Result<Done, Refused> {
    let prefix = stream_prefix(edit.place, stream);
    let mut seen = 0u32;
    let mut old: Vec<Id> = Vec::new();
    let mut failed = Ok(());
    txn.scan(&prefix, &after_prefix(&prefix), Direction::Down, &mut |key, value| {
        seen += 1;
        if seen <= keep {
            return ControlFlow::Continue(());
        }
        match unseal::<Entry>(key, value) {
            Ok(entry) => old.push(entry.id),
            Err(fault) => failed = Err(fault),
        }
        if failed.is_err() || old.len() >= TRIM_MAX {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    failed?;
    for &id in &old {
        let slot: EntrySlot = txn
            .row(&slot_key(edit.place, stream, id))?
            .ok_or_else(|| StoreFault::Corrupt(format!("entry {id} of {stream:?} has no slot")))?;
        remove(txn, edit, stream, id, slot)?;
    }
    Ok(if old.is_empty() { Done::Unchanged(edit.position) } else { Done::Changed(edit.position) })
}
