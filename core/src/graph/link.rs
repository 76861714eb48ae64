//! Links: read, range, count, put, delete, change type.

use std::ops::ControlFlow;

use crate::fault::{Fault, Refused};
use crate::id::{Id, LinkType, Position, Section};
use crate::rows::edit::Done;
use crate::rows::key::after_prefix;
use crate::rows::link::{
    Link, LinkCount, LinkSlot, count_key, list_prefix, order_key, read_order_key, slot_key,
};
use crate::rows::link::{LinkPlace, LinkView};
use crate::rows::{Edit, Place, RowRef, Txn, get, unseal};
use crate::store::{Direction, StateRead, StoreFault};
use crate::time::Time;

/// Most bytes of a link's data.
pub const LINK_DATA_BYTES_MAX: usize = 16 * 1024;

/// Most links of one list. A root may have ten million rows; a link has three (its slot, its place in the list, its place
/// among the changes), and nothing else of a root grows without being trimmed or counted elsewhere.
pub const LIST_LINKS_MAX: u64 = 10_000_000 / 3;

/// Which part of a list is wanted, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkWindow {
    /// Strictly after this place.
    pub after: Option<LinkPlace>,
    /// Not older than this.
    pub since: Option<Time>,
    /// Not newer than this.
    pub until: Option<Time>,
}

/// Reads a link.
pub fn read(
    rows: &dyn StateRead,
    place: Place,
    ty: LinkType,
    to: Id,
) -> Result<Option<LinkView>, StoreFault> {
    let Some(slot) = get::<LinkSlot>(rows, &slot_key(place, ty, to))? else {
        return Ok(None);
    };
    match get::<Link>(rows, &order_key(place, ty, slot.time, to))? {
        Some(link) => Ok(Some(LinkView { to, time: slot.time, link })),
        None => Err(StoreFault::Corrupt(format!("link {ty:?} to {to} has a slot and no place in its list"))),
    }
}

/// A page of a list, newest first, and whether the list (or the window) ends with it.
pub fn range(
    rows: &dyn StateRead,
    place: Place,
    ty: LinkType,
    window: LinkWindow,
    limit: usize,
) -> Result<(Vec<LinkView>, bool), StoreFault> {
    let prefix = list_prefix(place, ty);
    let mut from = match window.after {
        Some(after) => next_key(order_key(place, ty, after.time, after.to)),
        None => prefix.clone(),
    };
    if let Some(until) = window.until {
        from = from.max(order_key(place, ty, until, Id::NIL));
    }
    let to = match window.since {
        // Keys of older links are greater.
        Some(since) if since > Time::ZERO => {
            order_key(place, ty, Time::from_millis(since.as_millis() - 1), Id::NIL)
        }
        _ => after_prefix(&prefix),
    };
    let mut page = Vec::new();
    let mut end = true;
    let mut failed = Ok(());
    rows.scan(&from, &to, Direction::Up, &mut |key, value| {
        if page.len() >= limit {
            end = false;
            return ControlFlow::Break(());
        }
        match (read_order_key(key), unseal(key, value)) {
            (Some((_, time, to)), Ok(link)) => page.push(LinkView { to, time, link }),
            (_, Err(fault)) => failed = Err(fault),
            (None, _) => failed = Err(StoreFault::Corrupt("the key of a link cannot be read".into())),
        }
        if failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map(|()| (page, end))
}

/// The first key after this one.
fn next_key(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// How many links a list has.
pub fn count(rows: &dyn StateRead, place: Place, ty: LinkType) -> Result<u64, StoreFault> {
    Ok(count_row(rows, place, ty)?.map_or(0, |row| row.count))
}

/// A list's count with its revision; nothing for a list that never had a link.
pub fn count_row(rows: &dyn StateRead, place: Place, ty: LinkType) -> Result<Option<LinkCount>, StoreFault> {
    get(rows, &count_key(place, ty))
}

/// What is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutLink<'a> {
    /// The list.
    pub ty: LinkType,
    /// The target.
    pub to: Id,
    /// Who reads it.
    pub section: Section,
    /// Where in the list; by default where it is, or the command's time.
    pub time: Option<Time>,
    /// Its data.
    pub data: &'a str,
}

/// Adds a link or changes it.
pub fn put(txn: &mut Txn<'_>, edit: &Edit, put: PutLink<'_>) -> Result<Done, Refused> {
    if put.data.len() > LINK_DATA_BYTES_MAX {
        return Err(Fault::TooLarge("16 KiB of data a link").into());
    }
    let row = RowRef::Link(put.ty, put.to);
    let link = Link { rev: edit.position, section: put.section, data: put.data.to_owned() };
    let Some(old) = read(txn, edit.place, put.ty, put.to)? else {
        let time = put.time.unwrap_or(edit.time);
        // First of all: it may refuse.
        recount(txn, edit, put.ty, put.section, 1)?;
        edit.unbury(txn, row)?;
        txn.put_new(slot_key(edit.place, put.ty, put.to), &LinkSlot { time });
        txn.put_new(order_key(edit.place, put.ty, time, put.to), &link);
        edit.touch(txn, row, put.section, None)?;
        return Ok(Done::Created(edit.position));
    };
    let time = put.time.unwrap_or(old.time);
    if time == old.time && old.link.data == put.data && old.link.section == put.section {
        return Ok(Done::Unchanged(old.link.rev));
    }
    if time != old.time {
        txn.remove(order_key(edit.place, put.ty, old.time, put.to))?;
        txn.put(slot_key(edit.place, put.ty, put.to), &LinkSlot { time })?;
    }
    txn.put(order_key(edit.place, put.ty, time, put.to), &link)?;
    edit.touch(txn, row, put.section, Some((old.link.section, old.link.rev)))?;
    Ok(Done::Changed(edit.position))
}

/// Removes a link. Absent: unchanged.
pub fn delete(txn: &mut Txn<'_>, edit: &Edit, ty: LinkType, to: Id) -> Result<Done, Refused> {
    let Some(old) = read(txn, edit.place, ty, to)? else {
        return Ok(Done::Unchanged(Position::ZERO));
    };
    txn.remove(slot_key(edit.place, ty, to))?;
    txn.remove(order_key(edit.place, ty, old.time, to))?;
    recount(txn, edit, ty, old.link.section, -1)?;
    edit.bury(txn, RowRef::Link(ty, to), (old.link.section, old.link.rev), Id::NIL, None)?;
    Ok(Done::Changed(edit.position))
}

/// Moves a link to another list, with its time and data. Absent: unchanged.
pub fn change_type(
    txn: &mut Txn<'_>,
    edit: &Edit,
    from: LinkType,
    into: LinkType,
    to: Id,
) -> Result<Done, Refused> {
    let Some(old) = read(txn, edit.place, from, to)? else {
        return Ok(Done::Unchanged(Position::ZERO));
    };
    if from == into {
        return Ok(Done::Unchanged(old.link.rev));
    }
    delete(txn, edit, from, to)?;
    let (section, time, data) = (old.link.section, Some(old.time), old.link.data.as_str());
    put(txn, edit, PutLink { ty: into, to, section, time, data })
}

/// The links of a list have one section, as long as its type has; the count is where its last change is.
fn recount(
    txn: &mut Txn<'_>,
    edit: &Edit,
    ty: LinkType,
    section: Section,
    delta: i64,
) -> Result<(), Refused> {
    let key = count_key(edit.place, ty);
    let old = txn.row::<LinkCount>(&key)?;
    let count = old.map_or(0, |old| old.count).checked_add_signed(delta).ok_or_else(|| {
        StoreFault::Corrupt(format!("the count of {ty:?} would fall below zero: it and its list disagree"))
    })?;
    if delta > 0 && count > LIST_LINKS_MAX {
        return Err(Fault::TooLarge("3,333,333 links in a list").into());
    }
    edit.touch(txn, RowRef::Count(ty), section, old.map(|old| (old.section, old.rev)))?;
    Ok(txn.put(key, &LinkCount { count, rev: edit.position, section })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AppId, Partition, Root};
    use crate::store::StateStore;
    use crate::store::map::MapState;

    const FOLLOWED_BY: LinkType = LinkType(2);

    #[test]
    fn a_list_that_is_full_takes_no_more_and_gives_up_what_it_has() {
        let place = Place { partition: Partition(0), app: AppId(1), root: Root::profile(Id::NIL) };
        let edit = |position| Edit {
            place,
            position: Position(position),
            time: Time::from_millis(position),
            op: Id::NIL,
            known: None,
        };
        let link = |n: u8| PutLink {
            ty: FOLLOWED_BY,
            to: Id::from_bytes([n; 16]),
            section: Section::INVERSE,
            time: None,
            data: "",
        };
        let base = MapState::new().snapshot().unwrap();
        let mut txn = Txn::new(&base);
        put(&mut txn, &edit(1), link(1)).unwrap();
        // As if all but one were there: the count is what is looked at.
        let nearly = LinkCount { count: LIST_LINKS_MAX - 1, rev: Position(1), section: Section::INVERSE };
        txn.put(count_key(place, FOLLOWED_BY), &nearly).unwrap();
        put(&mut txn, &edit(2), link(2)).unwrap();
        let refused = put(&mut txn, &edit(3), link(3)).unwrap_err();
        assert!(matches!(refused, Refused::Rule(Fault::TooLarge(_))), "{refused:?}");
        // What is there may be put again; what goes makes room.
        assert!(!put(&mut txn, &edit(4), link(2)).unwrap().changed());
        delete(&mut txn, &edit(5), FOLLOWED_BY, link(1).to).unwrap();
        assert_eq!(count(&txn, place, FOLLOWED_BY).unwrap(), LIST_LINKS_MAX - 1);
        put(&mut txn, &edit(6), link(4)).unwrap();
    }
}
