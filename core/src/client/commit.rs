//! What is stored: the state that a phone comes back from, and the steps by which it grows.
//!
//! A [`Commit`] holds everything that one event changed, the cursor with the rows of its page included.
//! A driver stores it as a whole: as one transaction of a small database, or by applying it to a
//! [`Saved`] and writing that. Both are plain JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cache::{Held, Key, Round, Row, Scope};
use super::cursor::Cursor;
use super::queue::{OpId, Operation, Report};
use super::session::Tokens;
use crate::time::Time;

/// A step of the stored state. Absent from a commit: unchanged. Present without a value: removed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Commit {
    /// Rows of the cache.
    #[serde(with = "pairs")]
    pub rows: BTreeMap<Key, Option<Row>>,
    /// Scopes that are read.
    #[serde(with = "pairs")]
    pub scopes: BTreeMap<Scope, Option<Held>>,
    /// The number of resyncs so far.
    pub round: Option<Round>,
    /// Where the next pull starts.
    pub cursor: Option<Cursor>,
    /// Unconfirmed operations.
    pub operations: BTreeMap<OpId, Option<Operation>>,
    /// Reports that the app has not answered.
    pub reports: BTreeMap<OpId, Option<Report>>,
    /// The time of the last edit.
    pub last_edit: Option<Time>,
    /// The tokens.
    pub session: Option<Tokens>,
}

/// The whole stored state. [`Saved::default`] is a new phone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Saved {
    /// Rows of the cache.
    #[serde(with = "pairs")]
    pub rows: BTreeMap<Key, Row>,
    /// Scopes that are read.
    #[serde(with = "pairs")]
    pub scopes: BTreeMap<Scope, Held>,
    /// The number of resyncs so far.
    pub round: Round,
    /// Where the next pull starts.
    pub cursor: Cursor,
    /// Unconfirmed operations.
    pub operations: BTreeMap<OpId, Operation>,
    /// Reports that the app has not answered.
    pub reports: BTreeMap<OpId, Report>,
    /// The time of the last edit.
    pub last_edit: Time,
    /// The tokens, once somebody has signed in.
    pub session: Option<Tokens>,
}

impl Saved {
    /// Takes the step.
    pub fn apply(&mut self, commit: Commit) {
        step(&mut self.rows, commit.rows);
        step(&mut self.scopes, commit.scopes);
        step(&mut self.operations, commit.operations);
        step(&mut self.reports, commit.reports);
        self.round = commit.round.unwrap_or(self.round);
        self.last_edit = commit.last_edit.unwrap_or(self.last_edit);
        if let Some(cursor) = commit.cursor {
            self.cursor = cursor;
        }
        if let Some(session) = commit.session {
            self.session = Some(session);
        }
    }
}

fn step<K: Ord, V>(stored: &mut BTreeMap<K, V>, changes: BTreeMap<K, Option<V>>) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(stored.insert(key, value)),
            None => drop(stored.remove(&key)),
        }
    }
}

/// A map as a list of pairs, because a JSON object has only strings for keys.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S, K, V>(map: &BTreeMap<K, V>, to: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        K: Serialize,
        V: Serialize,
    {
        to.collect_seq(map)
    }

    pub fn deserialize<'de, D, K, V>(from: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
    {
        let pairs: Vec<(K, V)> = Deserialize::deserialize(from)?;
        Ok(pairs.into_iter().collect())
    }
}
