//! Which roots changed at which position, of late: a list in memory that every replica keeps while it applies.
//!
//! The change index is ordered by root first, because a phone follows roots. Who follows a whole partition needs the
//! order of positions across roots, and gets it from here: the journal names the root, the change index has the rest.
//! No row is written for it. It begins where the rows of a start begin, or a snapshot's; who is behind that walks
//! the change index instead (`docs/adr`, 19).
//!
//! It runs ahead of what is published: a turn notes its changes before it publishes its rows. A reader takes the
//! rows first, and leaves out what the journal has beyond them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, RwLock};

use crate::id::{AppId, Partition, Position, Root};

/// Changes that are remembered for one partition: half a mebibyte.
const ROOM: usize = 16_384;

/// A root changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touch {
    /// At this position.
    pub position: Position,
    /// The tenant.
    pub app: AppId,
    /// The root.
    pub root: Root,
}

#[derive(Debug, Default)]
struct Journal {
    /// Everything after it is here.
    since: Position,
    /// In order of position.
    touches: VecDeque<Touch>,
}

/// The journals of the partitions of one shard. Cheap to clone; clones are the same journals.
#[derive(Debug, Clone)]
pub struct Journals {
    of: Arc<RwLock<BTreeMap<Partition, Journal>>>,
    room: usize,
}

impl Default for Journals {
    fn default() -> Journals {
        Journals::with_room(ROOM)
    }
}

/// What a journal has of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Roots by position, each once for a position.
    pub touches: Vec<(Position, Root)>,
    /// Nothing else changed up to here.
    pub up_to: Position,
}

impl Journals {
    /// Journals that remember so many changes each.
    pub fn with_room(room: usize) -> Journals {
        Journals { of: Arc::default(), room: room.max(1) }
    }

    /// The rows of a partition are those of this position: what changed before it is not known here.
    pub(crate) fn begin(&self, partition: Partition, since: Position) {
        let mut journals = self.of.write().expect(UNPOISONED);
        journals.insert(partition, Journal { since, touches: VecDeque::new() });
    }

    /// Adds changes, in order of position and after all that are there.
    pub(crate) fn note(&self, partition: Partition, touches: &[Touch]) {
        if touches.is_empty() {
            return;
        }
        let mut journals = self.of.write().expect(UNPOISONED);
        let Some(journal) = journals.get_mut(&partition) else { return };
        journal.touches.extend(touches);
        let surplus = journal.touches.len().saturating_sub(self.room);
        if surplus > 0 {
            // A position goes as a whole: half of one would be worse than none.
            journal.since = journal.touches[surplus - 1].position;
            while journal.touches.front().is_some_and(|touch| touch.position <= journal.since) {
                journal.touches.pop_front();
            }
        }
    }

    /// What changed of an app after `after` and up to `up_to`: about `limit` roots, and no position in part. Nothing if
    /// the journal does not reach back so far.
    pub(crate) fn between(
        &self,
        partition: Partition,
        app: AppId,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Option<Touched> {
        let journals = self.of.read().expect(UNPOISONED);
        let journal = journals.get(&partition).filter(|journal| journal.since <= after)?;
        let start = journal.touches.partition_point(|touch| touch.position <= after);
        let mut touches: Vec<(Position, Root)> = Vec::new();
        for touch in journal.touches.range(start..).take_while(|touch| touch.position <= up_to) {
            if touch.app != app {
                continue;
            }
            if touches.len() >= limit.max(1)
                && let Some(&(last, _)) = touches.last()
                && last != touch.position
            {
                return Some(Touched { touches: once(touches), up_to: last });
            }
            touches.push((touch.position, touch.root));
        }
        Some(Touched { touches: once(touches), up_to })
    }
}

/// A command may touch a root more than once.
fn once(mut touches: Vec<(Position, Root)>) -> Vec<(Position, Root)> {
    touches.sort_unstable();
    touches.dedup();
    touches
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    const HERE: Partition = Partition(3);
    const APP: AppId = AppId(1);

    fn touch(position: u64, app: u32, root: u8) -> Touch {
        let root = Root::post(Id::from_bytes([root; 16]));
        Touch { position: Position(position), app: AppId(app), root }
    }

    fn seen(journals: &Journals, after: u64, up_to: u64, limit: usize) -> Option<(Vec<u64>, u64)> {
        let touched = journals.between(HERE, APP, Position(after), Position(up_to), limit)?;
        Some((touched.touches.iter().map(|(position, _)| position.0).collect(), touched.up_to.0))
    }

    #[test]
    fn it_answers_for_what_came_since_it_began_and_for_nothing_before() {
        let journals = Journals::with_room(100);
        assert_eq!(seen(&journals, 0, 9, 9), None, "nobody began it");
        journals.begin(HERE, Position(5));
        journals
            .note(HERE, &[touch(6, 1, 1), touch(6, 1, 2), touch(6, 1, 1), touch(8, 2, 1), touch(9, 1, 1)]);
        assert_eq!(seen(&journals, 4, 9, 9), None);
        assert_eq!(seen(&journals, 5, 9, 9), Some((vec![6, 6, 9], 9)));
        assert_eq!(seen(&journals, 6, 8, 9), Some((vec![], 8)), "another app's, and what is not published");
        assert_eq!(seen(&journals, 9, 12, 9), Some((vec![], 12)));
        journals.begin(HERE, Position(20));
        assert_eq!(seen(&journals, 9, 30, 9), None, "a snapshot took the rows' place");
    }

    #[test]
    fn a_page_and_what_is_forgotten_end_between_positions() {
        let journals = Journals::with_room(4);
        journals.begin(HERE, Position(0));
        journals.note(HERE, &[touch(1, 1, 1), touch(2, 1, 1), touch(2, 1, 2), touch(3, 1, 1)]);
        assert_eq!(seen(&journals, 0, 3, 2), Some((vec![1, 2, 2], 2)));
        assert_eq!(seen(&journals, 0, 3, 1), Some((vec![1], 1)));
        // One too many: the oldest goes. Then two too many, in the middle of a position: all of it goes.
        journals.note(HERE, &[touch(4, 1, 1)]);
        assert_eq!(seen(&journals, 0, 4, 9), None);
        assert_eq!(seen(&journals, 1, 4, 9), Some((vec![2, 2, 3, 4], 4)));
        journals.note(HERE, &[touch(5, 1, 1)]);
        assert_eq!(seen(&journals, 1, 5, 9), None);
        assert_eq!(seen(&journals, 2, 5, 9), Some((vec![3, 4, 5], 5)));
    }
}
