//! A memory table in front of a [`StateStore`]: rows that were applied since the last checkpoint.
//!
//! State transactions are not synced: the log is the write-ahead log. So a turn's rows go to an
//! ordered map in memory, where readers see them at once, and reach the store in one sorted,
//! synced transaction at the next checkpoint. Then the log may be compacted. While a checkpoint is
//! under way its rows are frozen, still readable, and new ones go to a fresh map: neither readers nor
//! the writer wait for the disk.

use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use super::{Direction, RowKey, Rows, StateBatch, StateRead, StateStore, StoreFault, Visit};

struct Layers<R> {
    /// Applied since the last checkpoint began.
    recent: StateBatch,
    /// What the checkpoint under way is writing; empty when there is none.
    frozen: Arc<StateBatch>,
    /// As of the last checkpoint that ended. Shared, so that a snapshot can be sent from it for a while.
    base: Arc<R>,
}

/// The writer's side.
pub struct Table<S: StateStore> {
    store: Arc<Mutex<S>>,
    layers: Arc<RwLock<Layers<S::Snapshot>>>,
    bytes: usize,
    checkpointing: bool,
}

/// A checkpoint's part that waits for the disk: to be run on any thread, once.
pub struct Checkpoint<S: StateStore> {
    store: Arc<Mutex<S>>,
    rows: Arc<StateBatch>,
}

impl<S: StateStore> Checkpoint<S> {
    /// Writes the frozen rows, synced, and returns what the store holds now, for [`Table::finish`].
    pub fn run(self) -> Result<S::Snapshot, StoreFault> {
        let mut store = self.store.lock().expect(UNPOISONED);
        store.commit(&self.rows)?;
        store.snapshot()
    }
}

/// What a row costs in memory beside its bytes, roughly: its share of a tree node, and a vector.
const ROW_OVERHEAD: usize = 96;

impl<S: StateStore> Table<S> {
    /// A table in front of `store`, empty.
    pub fn new(store: S) -> Result<Table<S>, StoreFault> {
        let base = Arc::new(store.snapshot()?);
        let layers = Layers { recent: StateBatch::default(), frozen: Arc::default(), base };
        let layers = Arc::new(RwLock::new(layers));
        Ok(Table { store: Arc::new(Mutex::new(store)), layers, bytes: 0, checkpointing: false })
    }

    /// A reader that sees each published batch as a whole. Cheap to clone, for any thread.
    pub fn reader(&self) -> Reader<S> {
        Reader { layers: self.layers.clone() }
    }

    /// The rows as of the last checkpoint, which later ones do not change.
    pub fn base(&self) -> Arc<S::Snapshot> {
        self.layers.read().expect(UNPOISONED).base.clone()
    }

    /// Makes a batch visible.
    pub fn publish(&mut self, batch: StateBatch) {
        if batch.rows.is_empty() {
            return;
        }
        let mut layers = self.layers.write().expect(UNPOISONED);
        for (key, row) in batch.rows {
            let key_len = key.len();
            self.bytes += key_len + row.as_ref().map_or(0, Vec::len) + ROW_OVERHEAD;
            if let Some(old) = layers.recent.rows.insert(key, row) {
                self.bytes -= key_len + old.map_or(0, |row| row.len()) + ROW_OVERHEAD;
            }
        }
    }

    /// About how many bytes of memory wait for the next checkpoint.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Freezes what waits, to be written by the returned value; `None` if nothing waits or a checkpoint
    /// is under way. It ends with [`Table::finish`].
    pub fn begin_checkpoint(&mut self) -> Option<Checkpoint<S>> {
        if self.bytes == 0 || self.checkpointing {
            return None;
        }
        let mut layers = self.layers.write().expect(UNPOISONED);
        let rows = Arc::new(std::mem::take(&mut layers.recent));
        layers.frozen = rows.clone();
        self.bytes = 0;
        self.checkpointing = true;
        Some(Checkpoint { store: self.store.clone(), rows })
    }

    /// The checkpoint's rows are in the store, as of this snapshot: they leave memory.
    pub fn finish(&mut self, base: S::Snapshot) {
        debug_assert!(self.checkpointing, "a checkpoint ends once");
        let mut layers = self.layers.write().expect(UNPOISONED);
        let old = (std::mem::replace(&mut layers.base, Arc::new(base)), std::mem::take(&mut layers.frozen));
        drop(layers);
        // Freeing a hundred thousand rows takes a while: not under the lock.
        drop(old);
        self.checkpointing = false;
    }
}

const UNPOISONED: &str = "nobody panics while holding the lock: a panic in a turn stops the process";

/// A reader's side: each [`Reader::view`] is one moment.
pub struct Reader<S: StateStore> {
    layers: Arc<RwLock<Layers<S::Snapshot>>>,
}

impl<S: StateStore> Clone for Reader<S> {
    fn clone(&self) -> Reader<S> {
        Reader { layers: self.layers.clone() }
    }
}

impl<S: StateStore> Reader<S> {
    /// The rows as of now. Holds the writer off while it lives: keep it for one read, never over an await.
    pub fn view(&self) -> View<'_, S> {
        View { layers: self.layers.read().expect(UNPOISONED) }
    }
}

/// The rows as of one moment.
pub struct View<'a, S: StateStore> {
    layers: RwLockReadGuard<'a, Layers<S::Snapshot>>,
}

impl<S: StateStore> StateRead for View<'_, S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        let layers = &*self.layers;
        match layers.recent.rows.get(key).or_else(|| layers.frozen.rows.get(key)) {
            Some(row) => Ok(row.clone()),
            None => layers.base.get(key),
        }
    }

    fn scan(&self, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) -> Result<(), StoreFault> {
        let layers = &*self.layers;
        if layers.frozen.rows.is_empty() {
            return scan_merged(&layers.recent.rows, &*layers.base, from, to, direction, visit);
        }
        let lower = Over { upper: &layers.frozen, lower: &*layers.base };
        scan_merged(&layers.recent.rows, &lower, from, to, direction, visit)
    }
}

/// A batch over what is below it.
struct Over<'a> {
    upper: &'a StateBatch,
    lower: &'a dyn StateRead,
}

impl StateRead for Over<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        match self.upper.rows.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.lower.get(key),
        }
    }

    fn scan(&self, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) -> Result<(), StoreFault> {
        scan_merged(&self.upper.rows, self.lower, from, to, direction, visit)
    }
}

/// Scans `upper` over `lower`: where both have a key, `upper` holds; `None` there hides the row.
pub fn scan_merged(
    upper: &Rows,
    lower: &dyn StateRead,
    from: &[u8],
    to: &[u8],
    direction: Direction,
    visit: Visit<'_>,
) -> Result<(), StoreFault> {
    if from >= to {
        return Ok(());
    }
    let range = upper.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
    match direction {
        Direction::Up => merge(range, lower, from, to, direction, visit, |upper, lower| upper < lower),
        Direction::Down => {
            merge(range.rev(), lower, from, to, direction, visit, |upper, lower| upper > lower)
        }
    }
}

fn merge<'u>(
    upper: impl Iterator<Item = (&'u RowKey, &'u Option<Vec<u8>>)>,
    lower: &dyn StateRead,
    from: &[u8],
    to: &[u8],
    direction: Direction,
    visit: Visit<'_>,
    before: impl Fn(&[u8], &[u8]) -> bool,
) -> Result<(), StoreFault> {
    let mut upper = upper.peekable();
    let mut broken = false;
    lower.scan(from, to, direction, &mut |key, row| {
        while let Some((upper_key, upper_row)) = upper.next_if(|(upper_key, _)| before(upper_key, key)) {
            if let Some(upper_row) = upper_row
                && visit(upper_key, upper_row).is_break()
            {
                broken = true;
                return ControlFlow::Break(());
            }
        }
        let flow = match upper.next_if(|(upper_key, _)| upper_key[..] == *key) {
            Some((_, Some(upper_row))) => visit(key, upper_row),
            Some((_, None)) => ControlFlow::Continue(()),
            None => visit(key, row),
        };
        broken = flow.is_break();
        flow
    })?;
    if broken {
        return Ok(());
    }
    for (key, row) in upper {
        if let Some(row) = row
            && visit(key, row).is_break()
        {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;

    impl StateRead for BTreeMap<Vec<u8>, Vec<u8>> {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
            Ok(BTreeMap::get(self, key).cloned())
        }

        fn scan(
            &self,
            from: &[u8],
            to: &[u8],
            direction: Direction,
            visit: Visit<'_>,
        ) -> Result<(), StoreFault> {
            let range: Vec<_> = self.range(from.to_vec()..to.to_vec()).collect();
            let rows: Box<dyn Iterator<Item = _>> = match direction {
                Direction::Up => Box::new(range.into_iter()),
                Direction::Down => Box::new(range.into_iter().rev()),
            };
            for (key, row) in rows {
                if visit(key, row).is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        vec(0u8..4, 0..4)
    }

    proptest! {
        #[test]
        fn a_merged_scan_equals_a_scan_of_the_merged_map(
            lower in btree_map(key(), vec(any::<u8>(), 0..3), 0..20),
            upper in btree_map(key(), option::of(vec(any::<u8>(), 0..3)), 0..20),
            from in key(),
            to in key(),
            down: bool,
            stop_after in 1usize..30,
        ) {
            let mut model = lower.clone();
            for (key, row) in &upper {
                match row {
                    Some(row) => model.insert(key.clone(), row.clone()),
                    None => model.remove(key),
                };
            }
            let mut expected: Vec<_> = if from < to {
                model.range(from.clone()..to.clone()).map(|(k, v)| (k.clone(), v.clone())).collect()
            } else {
                Vec::new()
            };
            let direction = if down { expected.reverse(); Direction::Down } else { Direction::Up };
            expected.truncate(stop_after);
            let mut seen = Vec::new();
            let upper = upper.into_iter().collect::<StateBatch>().rows;
            scan_merged(&upper, &lower, &from, &to, direction, &mut |key, row| {
                seen.push((key.to_vec(), row.to_vec()));
                if seen.len() == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }).expect("maps do not fail");
            prop_assert_eq!(seen, expected);
        }
    }
}
