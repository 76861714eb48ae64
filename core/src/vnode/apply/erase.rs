//! Erasing a root: every row of it that says anything goes, in slices, through the same deletions as one by one. So
//! counts, digests and followers learn of it as of any other; what is left are tombstones, which hold ids, and they go
//! at the horizon. What is derived from these rows in other roots is not touched: whoever erases sees to that first.

use std::ops::ControlFlow;

use crate::fault::{Fault, Refused};
use crate::graph::{link, node};
use crate::id::{Id, Section, StreamId};
use crate::rows::edit::Done;
use crate::rows::entry::Entry;
use crate::rows::key::{KeyReader, KeyWriter, after_prefix};
use crate::rows::mark::Mark;
use crate::rows::{Edit, Kind, RowRef, Txn, change};
use crate::rows::{entry as entry_rows, link as link_rows, mark as mark_rows};
use crate::store::{Direction, StateRead, StoreFault};
use crate::streams::append;

/// Erases at most `rows` rows. Only [`Done::Unchanged`] says that nothing was left. With `records_of`, only the records of
/// that caller's operations, which hold what was answered to them; without, all that the root has but its name.
pub(super) fn erase(
    txn: &mut Txn<'_>,
    edit: &Edit,
    records_of: Option<Id>,
    rows: u16,
) -> Result<Done, Refused> {
    if rows == 0 || usize::from(rows) > super::super::command::WRITE_OPERATIONS_MAX {
        return Err(Fault::TooLarge("256 rows erased at a time").into());
    }
    let mut left = usize::from(rows);
    if records_of.is_none() {
        for key in keys(txn, edit, Kind::LinkOrder, left)? {
            let (ty, _, to) = link_rows::read_order_key(&key).ok_or_else(unreadable)?;
            link::delete(txn, edit, ty, to)?;
            left -= 1;
        }
        for key in keys(txn, edit, Kind::Entry, left)? {
            let (stream, _) = entry_rows::read_key(&key).ok_or_else(unreadable)?;
            let Some(entry) = txn.row::<Entry>(&key)? else { continue };
            append::retract(txn, edit, stream, entry.id)?;
            left -= 1;
        }
        for key in keys(txn, edit, Kind::Mark, left)? {
            let (_, mut rest) = KeyReader::of_root(&key, Kind::Mark).ok_or_else(unreadable)?;
            let stream = StreamId(rest.u16().ok_or_else(unreadable)?);
            if let Some(mark) = txn.row::<Mark>(&mark_rows::key(edit.place, stream))? {
                let row = RowRef::Mark(stream);
                txn.remove(change::key(edit.place, Section::PRIVATE, mark.rev, row))?;
                txn.remove(key)?;
                left -= 1;
            }
        }
        for key in keys(txn, edit, Kind::Node, left)? {
            let mut id = [0; 16];
            id.copy_from_slice(&key[key.len() - 16..]);
            node::delete(txn, edit, Id::from_bytes(id))?;
            left -= 1;
        }
    }
    let prefix = KeyWriter::of_root(edit.place, Kind::Operation);
    let prefix = match records_of {
        Some(caller) => prefix.id(caller),
        None => prefix,
    };
    for key in below(txn, &prefix.end(), left)? {
        txn.remove(key)?;
        left -= 1;
    }
    Ok(if left == usize::from(rows) { Done::Unchanged(edit.position) } else { Done::Changed(edit.position) })
}

fn keys(txn: &Txn<'_>, edit: &Edit, kind: Kind, max: usize) -> Result<Vec<Vec<u8>>, StoreFault> {
    below(txn, &KeyWriter::of_root(edit.place, kind).end(), max)
}

fn below(txn: &Txn<'_>, prefix: &[u8], max: usize) -> Result<Vec<Vec<u8>>, StoreFault> {
    let mut keys = Vec::new();
    if max == 0 {
        return Ok(keys);
    }
    txn.scan(prefix, &after_prefix(prefix), Direction::Up, &mut |key, _| {
        keys.push(key.to_vec());
        if keys.len() >= max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(keys)
}

fn unreadable() -> StoreFault {
    StoreFault::Corrupt("the key of a row that is to be erased cannot be read".into())
}
