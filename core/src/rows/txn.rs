//! One state transaction: changes on top of a view, read through each other, with the digest kept.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::memtable::scan_merged;
use crate::store::{Direction, StateBatch, StateRead, StoreFault, Visit};

use super::{Row, get, seal};

/// Changes to rows that are visible to the transaction itself at once, and to others when the turn
/// publishes them.
pub struct Txn<'a> {
    base: &'a dyn StateRead,
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    digest: u64,
}

/// The changes of a finished transaction.
pub struct TxnChanges {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    digest: u64,
}

impl<'a> Txn<'a> {
    /// A transaction without changes.
    pub fn new(base: &'a dyn StateRead) -> Txn<'a> {
        Txn { base, rows: BTreeMap::new(), digest: 0 }
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
        self.rows.insert(key, Some(sealed));
    }

    /// Removes a row, if it is there.
    pub fn remove(&mut self, key: Vec<u8>) -> Result<(), StoreFault> {
        if let Some(old) = self.get(&key)? {
            self.digest = self.digest.wrapping_sub(row_hash(&key, &old));
            self.rows.insert(key, None);
        }
        Ok(())
    }

    /// Writes a row that the digest does not cover.
    pub fn put_local<R: Row>(&mut self, key: Vec<u8>, row: &R) {
        let sealed = seal(&key, row);
        self.rows.insert(key, Some(sealed));
    }

    /// Takes over the changes of a transaction that was begun on top of this one.
    pub fn absorb(&mut self, changes: TxnChanges) {
        self.digest = self.digest.wrapping_add(changes.digest);
        self.rows.extend(changes.rows);
    }

    /// The changes, cut loose from the view, for [`Txn::absorb`].
    pub fn into_changes(self) -> TxnChanges {
        TxnChanges { rows: self.rows, digest: self.digest }
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
