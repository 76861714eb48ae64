//! What changed in a section since a position: the read behind every follower.
//!
//! A page never ends inside a position. A follower that is of another history or era, or behind what
//! the section remembers of its deletions, is *resynced*: it gets the live set from the start, and what it
//! holds and is not sent until `end` must go. While that lasts its cursor carries (S, p): S, the
//! position applied when the resync began, is what is checked against the forgotten position; p is
//! where the next page begins. A row rewritten meanwhile moves behind the page and comes again.

use std::ops::ControlFlow;

use crate::graph::{link, node};
use crate::id::{Position, Section};
use crate::mutant::{Mutant, Mutants};
use crate::rows::applied::Applied;
use crate::rows::change;
use crate::rows::key::after_prefix;
use crate::rows::tombstone::{self, Forgotten, Tombstone};
use crate::rows::{Place, RowRef, get, key::section_prefix};
use crate::store::{Direction, StateRead, StoreFault};
use crate::streams::{mark, range};

use super::query::{DeltaFrom, DeltaItem, DeltaPage};

/// A page of about `limit` changes of a section after `from`.
pub fn page(
    rows: &dyn StateRead,
    place: Place,
    applied: &Applied,
    section: Section,
    from: DeltaFrom,
    limit: usize,
    mutants: Mutants,
) -> Result<DeltaPage, StoreFault> {
    let forgotten = get::<Forgotten>(rows, &tombstone::forgotten_key(place, section))?
        .map_or(Position::ZERO, |forgotten| forgotten.position);
    let known =
        from.history == applied.history && applied.knows(from.era, from.resync.unwrap_or(from.position));
    // Who has nothing yet has nothing to lose: it is sent everything, and told nothing of deletions.
    let fresh = from.history == 0;
    let behind = from.resync.unwrap_or(from.position) < forgotten;
    let resync = !fresh && (!known || behind);
    let (start, begun) = match (fresh || resync, from.resync) {
        (true, _) => (Position::ZERO, Some(applied.position)),
        (false, begun) => (from.position, begun),
    };
    let (mut items, reached) = changes(rows, place, section, start, begun, limit.max(1))?;
    if mutants.has(Mutant::ReadAcrossPositions) {
        items.retain(|item| position_of(item) < applied.position);
    }
    let (position, resync_at, end) = match reached {
        Some(Position(position)) if mutants.has(Mutant::CursorOffByOne) => {
            (Position(position + 1), begun, false)
        }
        Some(position) => (position, begun, false),
        None => (applied.position, None, true),
    };
    // The era in which the position that will be checked was reached.
    let era = applied.eras.of(resync_at.unwrap_or(position));
    let next = DeltaFrom { position, resync: resync_at, history: applied.history, era };
    Ok(DeltaPage { resync, items, next, end })
}

/// Where the change stands.
pub(super) fn position_of(item: &DeltaItem) -> Position {
    match item {
        DeltaItem::Node(_, node) => node.rev,
        DeltaItem::Link(_, view) => view.link.rev,
        DeltaItem::Count(_, row) => row.rev,
        DeltaItem::Entry(_, view) => view.entry.rev,
        DeltaItem::Mark(_, mark) => mark.rev,
        DeltaItem::Gone(_, position, ..) => *position,
    }
}

/// Changes after `start`: `None` if that was all, else the position that the page ends with. While
/// the live set is being sent (`begun`), deletions up to that position are left out: the follower
/// sweeps what it was not sent.
fn changes(
    rows: &dyn StateRead,
    place: Place,
    section: Section,
    start: Position,
    begun: Option<Position>,
    limit: usize,
) -> Result<(Vec<DeltaItem>, Option<Position>), StoreFault> {
    let prefix = section_prefix(place, section);
    let from = if start == Position::ZERO { prefix.clone() } else { change::from(place, section, start) };
    let mut found: Vec<(Position, RowRef)> = Vec::new();
    let mut more = false;
    let mut failed = Ok(());
    rows.scan(&from, &after_prefix(&prefix), Direction::Up, &mut |key, _| {
        let Some((_, position, row)) = change::read_key(key) else {
            failed = Err(StoreFault::Corrupt("the key of a change cannot be read".into()));
            return ControlFlow::Break(());
        };
        if found.len() >= limit && found.last().is_some_and(|&(last, _)| last != position) {
            more = true;
            return ControlFlow::Break(());
        }
        found.push((position, row));
        ControlFlow::Continue(())
    })?;
    failed?;
    let reached = found.last().filter(|_| more).map(|&(position, _)| position);
    let mut items = Vec::with_capacity(found.len());
    for (position, row) in found {
        if let Some(item) = resolve(rows, place, section, row, position)?
            && !(matches!(item, DeltaItem::Gone(..)) && begun.is_some_and(|begun| position <= begun))
        {
            items.push(item);
        }
    }
    Ok((items, reached))
}

/// What a change speaks of, as it is now.
pub(super) fn resolve(
    rows: &dyn StateRead,
    place: Place,
    section: Section,
    row: RowRef,
    position: Position,
) -> Result<Option<DeltaItem>, StoreFault> {
    let live = match row {
        RowRef::Node(id) => node::read(rows, place, id)?.map(|node| (node.rev, DeltaItem::Node(id, node))),
        RowRef::Link(ty, to) => {
            link::read(rows, place, ty, to)?.map(|view| (view.link.rev, DeltaItem::Link(ty, view)))
        }
        RowRef::Count(ty) => {
            link::count_row(rows, place, ty)?.map(|count| (count.rev, DeltaItem::Count(ty, count)))
        }
        RowRef::Entry(stream, id) => {
            range::read(rows, place, stream, id)?.map(|view| (view.entry.rev, DeltaItem::Entry(stream, view)))
        }
        RowRef::Mark(stream) => {
            mark::read(rows, place, stream)?.map(|mark| (mark.rev, DeltaItem::Mark(stream, mark)))
        }
    };
    if let Some((rev, item)) = live {
        if rev != position {
            return Err(StoreFault::Corrupt(format!(
                "{row:?} is at {rev}, and the change index of {section:?} has it at {position}"
            )));
        }
        return Ok(Some(item));
    }
    let Some(tombstone) = get::<Tombstone>(rows, &tombstone::key(place, row))? else {
        return Err(StoreFault::Corrupt(format!(
            "{row:?} is in the change index, and neither live nor deleted"
        )));
    };
    Ok(Some(DeltaItem::Gone(row, position, tombstone.ty)))
}
