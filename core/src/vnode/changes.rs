//! What changed of an app in a whole partition since a position: the read behind followers outside of the group, like
//! an index or a hook. The latest version of every row at least once, and every deletion.
//!
//! There are two ways. Who is not far behind reads the *tail*: the [journal](super::journal) says which roots
//! changed at which position, the change index what of them; items come in order of position. Who is behind the
//! journal, or has nothing yet, *walks* the app's change index root by root, up to the position S that was applied
//! when the walk began, and then reads the tail from S. Within a page of a walk items are in order of position too;
//! a walk that fits in a page is in order as a whole.
//!
//! A row that is rewritten during a walk moves beyond S and comes with the tail. A follower of another history or
//! era, or behind what a section remembers of its deletions, is *resynced*: it walks from the start, and what it
//! holds and is not sent until `end` must go.

use std::ops::ControlFlow;

use crate::id::{AppId, Partition, Position, Root, Section};
use crate::rows::applied::Applied;
use crate::rows::change;
use crate::rows::key::{KeyWriter, after_prefix, section_prefix};
use crate::rows::tombstone::Forgotten;
use crate::rows::{Kind, Place, RowRef, unseal};
use crate::store::{Direction, StateRead, StoreFault};

use super::delta::{position_of, resolve};
use super::journal::Journals;
use super::query::{ChangeItem, ChangesFrom, ChangesPage, DeltaItem, Walk, WalkedTo};

/// A page holds items of about so many bytes at most, so that it fits in one answer from another member.
const PAGE_BYTES: usize = 1024 * 1024;
/// A page of a walk passes over so many stretches of rows that did not change at most: a few milliseconds.
const JUMPS_MAX: usize = 2_000;

/// A page of about `limit` changes after `from`. With a limit of 0: where the end is.
pub fn page(
    rows: &dyn StateRead,
    journals: Option<&Journals>,
    partition: Partition,
    app: AppId,
    applied: &Applied,
    from: ChangesFrom,
    limit: usize,
) -> Result<ChangesPage, StoreFault> {
    let here = Here { rows, partition, app, applied, limit };
    if limit == 0 {
        let next = here.next(applied.position, None);
        return Ok(ChangesPage { resync: false, items: Vec::new(), next, end: true });
    }
    if from.history == 0 {
        // Who has nothing yet has nothing to lose: it is sent everything, and told nothing of deletions.
        return here.walk(Position::ZERO, here.start(false));
    }
    let proven = from.walk.map_or(from.position, |walk| walk.begun);
    if from.history != applied.history || !applied.knows(from.era, proven) {
        return here.resync();
    }
    if let Some(walk) = from.walk {
        return here.walk(from.position, walk);
    }
    if let Some(journals) = journals
        && let Some(page) = here.tail(journals, from.position)?
    {
        return Ok(page);
    }
    if here.forgot(all_of(partition, app, Kind::Forgotten), from.position)? {
        return here.resync();
    }
    here.walk(from.position, here.start(true))
}

/// What a page is read from.
struct Here<'a> {
    rows: &'a dyn StateRead,
    partition: Partition,
    app: AppId,
    applied: &'a Applied,
    limit: usize,
}

impl Here<'_> {
    fn start(&self, deletions: bool) -> Walk {
        Walk { begun: self.applied.position, deletions, at: None }
    }

    fn resync(&self) -> Result<ChangesPage, StoreFault> {
        Ok(ChangesPage { resync: true, ..self.walk(Position::ZERO, self.start(false))? })
    }

    fn next(&self, position: Position, walk: Option<Walk>) -> ChangesFrom {
        let proven = walk.map_or(position, |walk| walk.begun);
        ChangesFrom { position, walk, history: self.applied.history, era: self.applied.eras.of(proven) }
    }

    fn place(&self, root: Root) -> Place {
        Place { partition: self.partition, app: self.app, root }
    }

    /// From the journal, in order of position. Nothing: it does not reach back so far.
    fn tail(&self, journals: &Journals, after: Position) -> Result<Option<ChangesPage>, StoreFault> {
        let now = self.applied.position;
        let Some(touched) = journals.between(self.partition, self.app, after, now, self.limit) else {
            return Ok(None);
        };
        let (mut items, mut bytes, mut reached) = (Vec::new(), 0, None);
        for &(position, root) in &touched.touches {
            let full = items.len() >= self.limit || bytes >= PAGE_BYTES;
            if full && reached.is_some_and(|reached| reached != position) {
                break;
            }
            let place = self.place(root);
            let forgotten = KeyWriter::of_root(place, Kind::Forgotten).end();
            if self.forgot((forgotten.clone(), after_prefix(&forgotten)), after)? {
                return self.resync().map(Some);
            }
            let prefix = KeyWriter::of_root(place, Kind::Change).end();
            let range = (prefix.clone(), after_prefix(&prefix));
            let mut found = Vec::new();
            let before = Position(position.0 - 1);
            visit(self.rows, range, (before, position), &mut usize::MAX.clone(), &mut |change| {
                found.push(change);
                ControlFlow::Continue(())
            })?;
            for change in found {
                bytes += self.add(&mut items, change)?;
            }
            reached = Some(position);
        }
        let all = touched.touches.last().map(|&(last, _)| last) == reached;
        let reached = if all { touched.up_to } else { reached.unwrap_or(touched.up_to) };
        Ok(Some(ChangesPage { resync: false, items, next: self.next(reached, None), end: reached == now }))
    }

    /// From the change index, root by root.
    fn walk(&self, after: Position, walk: Walk) -> Result<ChangesPage, StoreFault> {
        let (first, end) = all_of(self.partition, self.app, Kind::Change);
        let from = walk.at.map_or(first, |at| change::from(self.place(at.root), at.section, at.position));
        let (mut found, mut more): (Vec<Change>, bool) = (Vec::new(), false);
        let mut jumps = JUMPS_MAX;
        let stopped = visit(self.rows, (from, end), (after, walk.begun), &mut jumps, &mut |change| {
            if found.len() >= self.limit && found.last().is_some_and(|last| last.at() != change.at()) {
                more = true;
                return ControlFlow::Break(());
            }
            found.push(change);
            ControlFlow::Continue(())
        })?;
        let (mut items, mut bytes, mut at) = (Vec::new(), 0, stopped);
        let mut last: Option<WalkedTo> = None;
        for change in found {
            if bytes >= PAGE_BYTES && last.is_some_and(|last| last != change.at()) {
                more = true;
                break;
            }
            last = Some(change.at());
            bytes += self.add(&mut items, change)?;
        }
        if more {
            at = last;
        }
        if !walk.deletions {
            items.retain(|change| !matches!(change.item, DeltaItem::Gone(..)));
        }
        items.sort_by_key(|change| position_of(&change.item));
        if at.is_some() {
            let next = self.next(after, Some(Walk { at, ..walk }));
            return Ok(ChangesPage { resync: false, items, next, end: false });
        }
        // A sweep may have taken deletions away that the walk had not come to yet.
        if walk.deletions && self.forgot(all_of(self.partition, self.app, Kind::Forgotten), after)? {
            return self.resync();
        }
        let next = self.next(walk.begun, None);
        Ok(ChangesPage { resync: false, items, next, end: walk.begun == self.applied.position })
    }

    /// Adds what a change speaks of, as it is now, and says about how many bytes it has.
    fn add(&self, items: &mut Vec<ChangeItem>, change: Change) -> Result<usize, StoreFault> {
        let Change { place, section, position, row } = change;
        let Some(item) = resolve(self.rows, place, section, row, position)? else { return Ok(0) };
        let bytes = 64
            + match &item {
                DeltaItem::Node(_, node) => {
                    let of = |(name, attr): (&String, &crate::rows::node::Attr)| {
                        name.len() + attr.json.as_ref().map_or(0, String::len) + 24
                    };
                    node.attrs.iter().map(of).sum()
                }
                DeltaItem::Link(_, view) => view.link.data.len(),
                DeltaItem::Entry(_, view) => view.entry.activity.extra.len(),
                DeltaItem::Count(..) | DeltaItem::Mark(..) | DeltaItem::Gone(..) => 0,
            };
        items.push(ChangeItem { root: place.root, section, item });
        Ok(bytes)
    }

    /// Whether a section whose row lies between these keys has forgotten deletions after a position.
    fn forgot(&self, (from, to): (Vec<u8>, Vec<u8>), after: Position) -> Result<bool, StoreFault> {
        let (mut behind, mut failed) = (false, Ok(()));
        self.rows.scan(&from, &to, Direction::Up, &mut |key, value| {
            match unseal::<Forgotten>(key, value) {
                Ok(forgotten) => behind = forgotten.position > after,
                Err(fault) => failed = Err(fault),
            }
            if behind || failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        failed.map(|()| behind)
    }
}

/// One row of the change index.
struct Change {
    place: Place,
    section: Section,
    position: Position,
    row: RowRef,
}

impl Change {
    fn at(&self) -> WalkedTo {
        WalkedTo { root: self.place.root, section: self.section, position: self.position }
    }
}

/// All keys of an app that are of a kind.
fn all_of(partition: Partition, app: AppId, kind: Kind) -> (Vec<u8>, Vec<u8>) {
    let prefix = KeyWriter::of_partition(partition, kind).u32(app.0).end();
    let end = after_prefix(&prefix);
    (prefix, end)
}

/// Visits the changes between two keys whose positions lie after the first given and up to the second, and jumps
/// over the others. Where it stopped, if the jumps were used up; nothing: it came to the end, or the visitor ended it.
fn visit(
    rows: &dyn StateRead,
    (mut from, to): (Vec<u8>, Vec<u8>),
    (after, up_to): (Position, Position),
    jumps: &mut usize,
    each: &mut dyn FnMut(Change) -> ControlFlow<()>,
) -> Result<Option<WalkedTo>, StoreFault> {
    loop {
        let (mut jump, mut failed) = (None, Ok(()));
        rows.scan(&from, &to, Direction::Up, &mut |key, _| {
            let Some((place, section, position, row)) = change::read_whole_key(key) else {
                failed = Err(StoreFault::Corrupt("the key of a change cannot be read".into()));
                return ControlFlow::Break(());
            };
            if position > after && position <= up_to {
                return each(Change { place, section, position, row });
            }
            jump = Some((place, section, position > up_to));
            ControlFlow::Break(())
        })?;
        failed?;
        let Some((place, section, beyond)) = jump else { return Ok(None) };
        if *jumps == 0 {
            let position = if beyond { up_to } else { after };
            return Ok(Some(WalkedTo { root: place.root, section, position }));
        }
        *jumps -= 1;
        from = if beyond {
            after_prefix(&section_prefix(place, section))
        } else {
            change::from(place, section, after)
        };
    }
}
