//! One page out of several streams that are shown as one.
//!
//! Positions of different partitions cannot be compared, so entries are merged by time; the place in each
//! stream is exact. What is shown next to what may differ by the clocks' difference, but no entry is left
//! out or comes twice.

use gomer_core::id::{Order, Position};
use gomer_core::vnode::query::EntryView;
use serde::{Deserialize, Serialize};

/// A place in each stream: `None` is beyond all entries, on the side that one comes from.
pub type Places = Vec<Option<Order>>;

/// Where a page begins, and which way it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Strictly beyond these.
    pub places: Places,
    /// Towards newer entries.
    pub newer: bool,
}

impl Start {
    /// At the newest entry of each stream.
    pub fn newest(streams: usize) -> Start {
        Start { places: vec![None; streams], newer: false }
    }
}

/// What was read of one stream, in the direction of the page, and whether it ends there.
pub type Fetched = (Vec<EntryView>, bool);

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub struct Merged {
    /// Newest first.
    pub entries: Vec<EntryView>,
    /// Where older entries than these begin.
    pub before: Places,
    /// Where newer entries than these begin.
    pub after: Places,
    /// Whether there is nothing more in the direction of the page.
    pub end: bool,
}

/// Takes at most `limit` entries, the first ones in the direction of the page.
pub fn merge(start: &Start, fetched: Vec<Fetched>, limit: usize) -> Merged {
    let mut taken = vec![0; fetched.len()];
    let mut entries = Vec::new();
    while entries.len() < limit {
        let heads = fetched.iter().enumerate().filter_map(|(at, (list, _))| Some((at, list.get(taken[at])?)));
        let key = |view: &EntryView| (view.entry.time, view.entry.id);
        let next = if start.newer {
            heads.min_by_key(|(_, view)| key(view))
        } else {
            heads.max_by_key(|(_, view)| key(view))
        };
        let Some((at, view)) = next else { break };
        taken[at] += 1;
        entries.push(view.clone());
    }
    let end = fetched.iter().zip(&taken).all(|((list, ends), &taken)| *ends && taken == list.len());
    let bounds = fetched.iter().zip(&taken).zip(&start.places).map(|(((list, _), &taken), &from)| {
        let (first, last) =
            (list.first().map(|view| view.order), list.get(taken.wrapping_sub(1)).map(|view| view.order));
        match (start.newer, last) {
            (false, Some(last)) => (Some(last), first),
            (true, Some(last)) => (first, Some(last)),
            // Nothing of this stream is on the page: what is not older is newer.
            (false, None) => (from, from.map_or(first, |from| Some(before(from)))),
            (true, None) => (Some(from.map_or(Order::default(), after)), from),
        }
    });
    let (before, after) = bounds.unzip();
    if start.newer {
        entries.reverse();
    }
    Merged { entries, before, after, end }
}

/// The place right before another, so that what lies strictly after it includes that one.
fn before(order: Order) -> Order {
    match order.ordinal.checked_sub(1) {
        Some(ordinal) => Order { ordinal, ..order },
        None => Order { position: Position(order.position.0.saturating_sub(1)), ordinal: u16::MAX },
    }
}

/// The place right after another, so that what lies strictly before it includes that one.
fn after(order: Order) -> Order {
    match order.ordinal.checked_add(1) {
        Some(ordinal) => Order { ordinal, ..order },
        None => Order { position: Position(order.position.0.saturating_add(1)), ordinal: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::{Id, Root, Section};
    use gomer_core::rows::entry::{Activity, Entry};
    use gomer_core::time::Time;
    use proptest::prelude::*;

    fn view(position: u64, time: u64, stream: u8) -> EntryView {
        let mut id = [stream; 16];
        id[..8].copy_from_slice(&position.to_be_bytes());
        let id = Id::from_bytes(id);
        let activity =
            Activity { actor: id, verb: 1, object: Root::post(id), target: None, extra: String::new() };
        let entry = Entry {
            id,
            section: Section::PUBLIC,
            rev: Position(position),
            time: Time::from_millis(time),
            activity,
        };
        EntryView { order: Order { position: Position(position), ordinal: 0 }, entry }
    }

    /// What a store would answer: strictly beyond `from`, in the direction asked.
    fn fetch(stream: &[EntryView], from: Option<Order>, newer: bool, limit: usize) -> Fetched {
        let mut list: Vec<EntryView> = stream
            .iter()
            .filter(|view| from.is_none_or(|from| if newer { view.order > from } else { view.order < from }))
            .cloned()
            .collect();
        if !newer {
            list.reverse();
        }
        let end = list.len() <= limit;
        list.truncate(limit);
        (list, end)
    }

    fn page(streams: &[Vec<EntryView>], start: &Start, limit: usize) -> Merged {
        let fetched =
            streams.iter().zip(&start.places).map(|(s, &from)| fetch(s, from, start.newer, limit)).collect();
        merge(start, fetched, limit)
    }

    fn ids(entries: &[EntryView]) -> Vec<Id> {
        entries.iter().map(|view| view.entry.id).collect()
    }

    proptest! {
        /// Whatever the page size: down to the end and back up to the top, every entry comes once each way.
        #[test]
        fn pages_put_together_are_the_whole(
            gaps in prop::collection::vec(prop::collection::vec((1u64..4, 0u64..5), 0..12), 1..4),
            limit in 1usize..5,
        ) {
            let streams: Vec<Vec<EntryView>> = gaps.iter().enumerate().map(|(stream, gaps)| {
                let (mut position, mut time) = (0, 0);
                gaps.iter().map(|&(up, later)| {
                    position += up;
                    time += later;
                    view(position, time, stream as u8)
                }).collect()
            }).collect();
            let total: usize = streams.iter().map(Vec::len).sum();
            let mut start = Start::newest(streams.len());
            let mut down = Vec::new();
            let mut top = None;
            let bottom = loop {
                let merged = page(&streams, &start, limit);
                down.extend(ids(&merged.entries));
                top.get_or_insert(merged.after.clone());
                start.places = merged.before.clone();
                if merged.end { break merged; }
                prop_assert!(down.len() <= total);
            };
            prop_assert_eq!(down.len(), total);
            // From above the first page there is nothing newer.
            let newest = page(&streams, &Start { places: top.unwrap(), newer: true }, limit);
            prop_assert!(newest.entries.is_empty() && newest.end);
            // From the last page up again.
            let mut up = ids(&bottom.entries);
            let mut start = Start { places: bottom.after, newer: true };
            loop {
                let merged = page(&streams, &start, limit);
                up.splice(0..0, ids(&merged.entries));
                // Going back down from here begins with what was below this page.
                let back = page(&streams, &Start { places: merged.before, newer: false }, total + 1);
                prop_assert_eq!(back.entries.len(), up.len() - merged.entries.len());
                start.places = merged.after;
                if merged.end { break; }
                prop_assert!(up.len() <= total);
            }
            let (mut all, mut again) = (down, up);
            all.sort();
            again.sort();
            prop_assert_eq!(all, again);
        }
    }
}
