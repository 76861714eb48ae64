//! Read marks.

use crate::fault::Refused;
use crate::id::{Order, Section, StreamId};
use crate::rows::edit::Done;
use crate::rows::mark::{Mark, key};
use crate::rows::{Edit, Place, RowRef, Txn, get};
use crate::store::{StateRead, StoreFault};
use crate::time::Time;

/// Reads a mark.
pub fn read(rows: &dyn StateRead, place: Place, stream: StreamId) -> Result<Option<Mark>, StoreFault> {
    get(rows, &key(place, stream))
}

/// Sets a mark if the stamp is not older than the stored one; with `forward_only`, never back.
pub fn set(
    txn: &mut Txn<'_>,
    edit: &Edit,
    stream: StreamId,
    at: Order,
    edited: Option<Time>,
    forward_only: bool,
) -> Result<Done, Refused> {
    let old = read(txn, edit.place, stream)?;
    let stamp = edit.stamp(edited);
    if let Some(old) = old {
        let refused = if forward_only { at <= old.at } else { stamp < old.stamp || at == old.at };
        if refused {
            return Ok(Done::Unchanged(old.rev));
        }
    }
    txn.put(key(edit.place, stream), &Mark { at, stamp, rev: edit.position })?;
    let before = old.map(|old| (Section::PRIVATE, old.rev));
    edit.touch(txn, RowRef::Mark(stream), Section::PRIVATE, before)?;
    Ok(if old.is_some() { Done::Changed(edit.position) } else { Done::Created(edit.position) })
}
