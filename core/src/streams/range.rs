//! Reading a stream.

use std::ops::ControlFlow;

use crate::id::{Id, Order, StreamId};
use crate::rows::entry::EntryView;
use crate::rows::entry::{Entry, EntrySlot, key, read_key, slot_key, stream_prefix};
use crate::rows::key::after_prefix;
use crate::rows::{Place, get, unseal};
use crate::store::{Direction, StateRead, StoreFault};

/// Reads one entry by its id.
pub fn read(
    rows: &dyn StateRead,
    place: Place,
    stream: StreamId,
    id: Id,
) -> Result<Option<EntryView>, StoreFault> {
    let Some(EntrySlot { order, retracted: None }) = get(rows, &slot_key(place, stream, id))? else {
        return Ok(None);
    };
    match get::<Entry>(rows, &key(place, stream, order))? {
        Some(entry) => Ok(Some(EntryView { order, entry })),
        None => Err(StoreFault::Corrupt(format!("entry {id} of {stream:?} has a slot and no place"))),
    }
}

/// A page strictly beyond `from`, and whether the stream ends with it.
pub fn page(
    rows: &dyn StateRead,
    place: Place,
    stream: StreamId,
    from: Option<Order>,
    newest_first: bool,
    limit: usize,
) -> Result<(Vec<EntryView>, bool), StoreFault> {
    let prefix = stream_prefix(place, stream);
    let (mut low, mut high) = (prefix.clone(), after_prefix(&prefix));
    let direction = if newest_first { Direction::Down } else { Direction::Up };
    match (from, newest_first) {
        (Some(order), true) => high = key(place, stream, order),
        (Some(order), false) => {
            low = key(place, stream, order);
            low.push(0);
        }
        (None, _) => {}
    }
    let mut page = Vec::new();
    let mut end = true;
    let mut failed = Ok(());
    rows.scan(&low, &high, direction, &mut |key, value| {
        if page.len() >= limit {
            end = false;
            return ControlFlow::Break(());
        }
        match (read_key(key), unseal(key, value)) {
            (Some((_, order)), Ok(entry)) => page.push(EntryView { order, entry }),
            (_, Err(fault)) => failed = Err(fault),
            (None, _) => failed = Err(StoreFault::Corrupt("the key of an entry cannot be read".into())),
        }
        if failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map(|()| (page, end))
}

/// Live entries after `read`, counted up to `cap`. Never a counter that can drift.
pub fn unread(
    rows: &dyn StateRead,
    place: Place,
    stream: StreamId,
    read: Option<Order>,
    cap: u32,
) -> Result<u32, StoreFault> {
    let prefix = stream_prefix(place, stream);
    let low = match read {
        Some(order) => {
            let mut key = key(place, stream, order);
            key.push(0);
            key
        }
        None => prefix.clone(),
    };
    let mut count = 0;
    if cap == 0 {
        return Ok(0);
    }
    rows.scan(&low, &after_prefix(&prefix), Direction::Up, &mut |_, _| {
        count += 1;
        if count >= cap { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(count)
}
