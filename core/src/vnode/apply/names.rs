//! Unique names: reserve, confirm, release, and the question that an expiring reservation asks.
//!
//! A name's root and its owner's root are two logs. Expiry must not assume that the confirmation will
//! not come: it asks the claiming root, which answers *used*, or durably writes *refused*, after which no
//! write with that reservation succeeds. So there are never two owners.

use crate::fault::{Fault, Refused};
use crate::graph::node;
use crate::id::{Id, Position, Root};
use crate::rows::name::{Name, Refusal, key, refusal_key};
use crate::rows::{Edit, Place, Txn, get};
use crate::store::{StateRead, StoreFault};
use crate::time::Time;

use super::super::command::{Done, Operation, Step};
use super::write::Aside;

pub(super) fn is_refused(rows: &dyn StateRead, place: Place, reservation: Id) -> Result<bool, StoreFault> {
    Ok(get::<Refusal>(rows, &refusal_key(place, reservation))?.is_some())
}

pub(super) fn reserve(
    txn: &mut Txn<'_>,
    edit: &Edit,
    owner: Id,
    reservation: Id,
    due: Time,
) -> Result<Done, Refused> {
    let old = txn.row::<Name>(&key(edit.place))?;
    match old {
        Some(name) if name.owner != owner => return Err(Fault::NameTaken.into()),
        // Confirmed, or the same claim again: as asked.
        Some(name) if name.due.is_none() || name.reservation == reservation => {
            return Ok(Done::Unchanged(name.rev));
        }
        _ => {}
    }
    txn.put(key(edit.place), &Name { owner, reservation, due: Some(due), rev: edit.position })?;
    Ok(if old.is_some() { Done::Changed(edit.position) } else { Done::Created(edit.position) })
}

pub(super) fn confirm(txn: &mut Txn<'_>, edit: &Edit, owner: Id, reservation: Id) -> Result<Done, Refused> {
    match txn.row::<Name>(&key(edit.place))? {
        Some(name) if name.owner == owner && name.reservation == reservation => {
            if name.due.is_none() {
                return Ok(Done::Unchanged(name.rev));
            }
            txn.put(key(edit.place), &Name { due: None, rev: edit.position, ..name })?;
            Ok(Done::Changed(edit.position))
        }
        // Released meanwhile, because its owner refused: the owner's root never confirms then.
        _ => Err(Fault::NameTaken.into()),
    }
}

pub(super) fn release(txn: &mut Txn<'_>, edit: &Edit, owner: Id, reservation: Id) -> Result<Done, Refused> {
    match txn.row::<Name>(&key(edit.place))? {
        Some(name) if name.owner == owner && name.reservation == reservation => {
            txn.remove(key(edit.place))?;
            Ok(Done::Changed(edit.position))
        }
        _ => Ok(Done::Unchanged(Position::ZERO)),
    }
}

/// In the claiming root, whose id is the owner.
pub(super) fn ask(
    txn: &mut Txn<'_>,
    edit: &Edit,
    reservation: Id,
    name: Root,
    (id, attr, used): (Id, &str, &str),
    aside: &mut Aside,
) -> Result<Done, Refused> {
    let owner = edit.place.root.id;
    let uses = node::read(txn, edit.place, id)?.is_some_and(|node| node.attr(attr) == Some(used));
    if uses && !is_refused(txn, edit.place, reservation)? {
        aside.steps.push(Step::to(name, vec![Operation::ConfirmName { owner, reservation }]));
        return Ok(Done::Unchanged(edit.position));
    }
    txn.put(refusal_key(edit.place, reservation), &Refusal { time: edit.time })?;
    aside.steps.push(Step::to(name, vec![Operation::ReleaseName { owner, reservation }]));
    Ok(Done::Changed(edit.position))
}
