//! One state transaction: changes on top of a view, read through each other, with the digest kept.

use xxhash_rust::xxh3::xxh3_64;

use crate::store::memtable::scan_merged;
use crate::store::{Direction, RowKey, Rows, StateBatch, StateRead, StoreFault, Visit};

use super::{Row, get, seal};

/// Changes to rows that are visible to the transaction itself at once, and to others when the turn
/// publishes them.
pub struct Txn<'a> {
    base: &'a dyn StateRead,
    rows: Rows,
    digest: u64,
    /// What each change since the last [`Txn::keep`] replaced, oldest first.
    undo: Vec<(RowKey, Replaced)>,
}

/// What stood in the transaction under a key: nothing, a removal, or a row.
type Replaced = Option<Option<Vec<u8>>>;

/// A point to go back to: see [`Txn::mark`].
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    undo: usize,
    digest: u64,
}

impl<'a> Txn<'a> {
    /// A transaction without changes.
    pub fn new(base: &'a dyn StateRead) -> Txn<'a> {
        Txn { base, rows: Rows::new(), digest: 0, undo: Vec::new() }
    }

    /// Writes a row.
    pub fn put<R: Row>(&mut self, key: Vec<u8>, row: &R) -> Result<(), StoreFault> {
        let sealed = seal(&key, row);
        if let Some(old) = self.get(&key)? {
            self.digest = self.digest.wrapping_sub(row_hash(&key, &old));
        }
        self.put_sealed(key, sealed);
        Ok(())
    }

    /// Writes a row whose key cannot exist yet, because the position of this very write is in it.
    pub fn put_new<R: Row>(&mut self, key: Vec<u8>, row: &R) {
        let sealed = seal(&key, row);
        debug_assert!(matches!(self.get(&key), Ok(None)), "the key exists: it holds no fresh position");
        self.put_sealed(key, sealed);
    }

    fn put_sealed(&mut self, key: Vec<u8>, sealed: Vec<u8>) {
        self.digest = self.digest.wrapping_add(row_hash(&key, &sealed));
        self.set(key, Some(sealed));
    }

    fn set(&mut self, key: Vec<u8>, row: Option<Vec<u8>>) {
        let key = RowKey::from(key);
        let replaced = self.rows.insert(key.clone(), row);
        self.undo.push((key, replaced));
    }

    /// Removes a row, if it is there.
    pub fn remove(&mut self, key: Vec<u8>) -> Result<(), StoreFault> {
        if let Some(old) = self.get(&key)? {
            self.digest = self.digest.wrapping_sub(row_hash(&key, &old));
            self.set(key, None);
        }
        Ok(())
    }

    /// Writes a row that the digest does not cover.
    pub fn put_local<R: Row>(&mut self, key: Vec<u8>, row: &R) {
        let sealed = seal(&key, row);
        self.set(key, Some(sealed));
    }

    /// Writes a row that came sealed from another replica. Who does so keeps the digest.
    pub fn put_received(&mut self, key: Vec<u8>, sealed: Vec<u8>) {
        self.set(key, Some(sealed));
    }

    /// Removes a row that the digest does not cover, or whose sum somebody else keeps.
    pub fn remove_local(&mut self, key: Vec<u8>) {
        self.set(key, None);
    }

    /// The point that is reached now. A part of the changes (one write, one root's part of a step) is undone
    /// as a whole by going back to it; marks nest.
    pub fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), digest: self.digest }
    }

    /// Undoes what was changed since the mark.
    pub fn go_back(&mut self, mark: Mark) {
        for (key, replaced) in self.undo.drain(mark.undo..).rev() {
            match replaced {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
        self.digest = mark.digest;
    }

    /// What was changed so far stays: no mark from before is gone back to.
    pub fn keep(&mut self) {
        self.undo.clear();
    }

    /// Reads a row.
    pub fn row<R: Row>(&self, key: &[u8]) -> Result<Option<R>, StoreFault> {
        get(self, key)
    }

    /// What the changes since the last call add to the digest (a wrapping sum).
    pub fn take_digest(&mut self) -> u64 {
        std::mem::take(&mut self.digest)
    }

    /// How many rows were changed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The changes.
    pub fn into_batch(self) -> StateBatch {
        StateBatch { rows: self.rows }
    }
}

impl StateRead for Txn<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        match self.rows.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) -> Result<(), StoreFault> {
        scan_merged(&self.rows, self.base, from, to, direction, visit)
    }
}

/// What one row adds to the digest.
pub fn row_hash(key: &[u8], value: &[u8]) -> u64 {
    // The value ends with a checksum that covers the key, so hashing the value alone is enough to
    // tell rows apart; the key's length-free prefix would only slow this down.
    xxh3_64(value) ^ xxh3_64(key).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Kind;
    use crate::store::StateStore;
    use crate::store::map::MapState;
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    struct Sample(u8);

    impl Row for Sample {
        const KIND: Kind = Kind::Node;
    }

    /// A change of one of few keys: a row, or its removal.
    fn change(txn: &mut Txn<'_>, (key, value): (u8, Option<u8>)) {
        match value {
            Some(value) => txn.put(vec![key], &Sample(value)).unwrap(),
            None => txn.remove(vec![key]).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn what_is_undone_was_never_there(
            before in prop::collection::vec((0u8..4, any::<Option<u8>>()), 0..6),
            undone in prop::collection::vec((0u8..4, any::<Option<u8>>()), 0..6),
            inside in prop::collection::vec((0u8..4, any::<Option<u8>>()), 0..6),
            after in prop::collection::vec((0u8..4, any::<Option<u8>>()), 0..6),
        ) {
            let store = MapState::default();
            let base = store.snapshot().unwrap();
            let (mut plain, mut marked) = (Txn::new(&base), Txn::new(&base));
            for txn in [&mut plain, &mut marked] {
                before.iter().for_each(|it| change(txn, *it));
                txn.keep();
            }
            let mark = marked.mark();
            undone.iter().for_each(|it| change(&mut marked, *it));
            let inner = marked.mark();
            inside.iter().for_each(|it| change(&mut marked, *it));
            marked.go_back(inner);
            undone.iter().for_each(|it| change(&mut marked, *it));
            marked.go_back(mark);
            for txn in [&mut plain, &mut marked] {
                after.iter().for_each(|it| change(txn, *it));
            }
            prop_assert_eq!(plain.take_digest(), marked.take_digest());
            prop_assert_eq!(plain.into_batch().rows, marked.into_batch().rows);
        }
    }
}
