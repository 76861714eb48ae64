//! Append, amend and retract.

use crate::fault::{Fault, Refused};
use crate::id::{Id, Order, Position, Section, StreamId};
use crate::rows::edit::Done;
use crate::rows::entry::{Activity, Entry, EntrySlot, EntryView, key, slot_key};
use crate::rows::{Edit, Place, RowRef, Txn, get};
use crate::store::{StateRead, StoreFault};

use super::range;

/// Most bytes of an activity's extra text.
pub const EXTRA_BYTES_MAX: usize = 32 * 1024;

/// Appends an entry, as the `ordinal`-th append of this position. The same id again: unchanged.
pub fn append(
    txn: &mut Txn<'_>,
    edit: &Edit,
    stream: StreamId,
    id: Id,
    section: Section,
    activity: &Activity,
    ordinal: u16,
) -> Result<Done, Refused> {
    let slot_key = slot_key(edit.place, stream, id);
    if let Some(slot) = txn.row::<EntrySlot>(&slot_key)? {
        return Ok(Done::Unchanged(slot.order.position));
    }
    if activity.extra.len() > EXTRA_BYTES_MAX {
        return Err(Fault::TooLarge("32 KiB of text an entry").into());
    }
    edit.check_known(txn, section)?;
    let order = Order { position: edit.position, ordinal };
    let entry = Entry { id, section, rev: edit.position, time: edit.time, activity: activity.clone() };
    txn.put_new(key(edit.place, stream, order), &entry);
    txn.put_new(slot_key, &EntrySlot { order, retracted: None });
    edit.touch(txn, RowRef::Entry(stream, id), section, None)?;
    Ok(Done::Created(edit.position))
}

/// Whether an entry of this id is there or was, as far as the horizon remembers.
pub fn was_appended(
    rows: &dyn StateRead,
    place: Place,
    stream: StreamId,
    id: Id,
) -> Result<bool, StoreFault> {
    Ok(get::<EntrySlot>(rows, &slot_key(place, stream, id))?.is_some())
}

/// Replaces the extra text of a live entry. Its place stays: an edit never changes an order.
pub fn amend(txn: &mut Txn<'_>, edit: &Edit, stream: StreamId, id: Id, extra: &str) -> Result<Done, Refused> {
    if extra.len() > EXTRA_BYTES_MAX {
        return Err(Fault::TooLarge("32 KiB of text an entry").into());
    }
    let EntryView { order, mut entry } = range::read(txn, edit.place, stream, id)?.ok_or(Fault::Absent)?;
    if entry.activity.extra == extra {
        return Ok(Done::Unchanged(entry.rev));
    }
    let before = (entry.section, entry.rev);
    entry.activity.extra = extra.to_owned();
    entry.rev = edit.position;
    txn.put(key(edit.place, stream, order), &entry)?;
    edit.touch(txn, RowRef::Entry(stream, id), entry.section, Some(before))?;
    Ok(Done::Changed(edit.position))
}

/// Takes an entry back for ever. Absent or already retracted: unchanged.
pub fn retract(txn: &mut Txn<'_>, edit: &Edit, stream: StreamId, id: Id) -> Result<Done, Refused> {
    let slot_key = slot_key(edit.place, stream, id);
    let Some(slot) = txn.row::<EntrySlot>(&slot_key)? else {
        return Ok(Done::Unchanged(Position::ZERO));
    };
    if let Some((_, position)) = slot.retracted {
        return Ok(Done::Unchanged(position));
    }
    remove(txn, edit, stream, id, slot)?;
    Ok(Done::Changed(edit.position))
}

/// Removes a live entry, leaving a slot that says so and a tombstone.
pub(super) fn remove(
    txn: &mut Txn<'_>,
    edit: &Edit,
    stream: StreamId,
    id: Id,
    slot: EntrySlot,
) -> Result<(), StoreFault> {
    let entry_key = key(edit.place, stream, slot.order);
    let Some(entry) = txn.row::<Entry>(&entry_key)? else {
        return Err(StoreFault::Corrupt(format!("entry {id} of {stream:?} has a slot and no place")));
    };
    txn.remove(entry_key)?;
    let retracted = Some((edit.time, edit.position));
    txn.put(slot_key(edit.place, stream, id), &EntrySlot { retracted, ..slot })?;
    edit.bury(txn, RowRef::Entry(stream, id), (entry.section, entry.rev), entry.activity.actor, None)
}
