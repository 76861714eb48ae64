//! What an index is: an edge. Real servers have one on their disk, tests and the simulator one in memory; both pass one
//! suite of tests.

use std::collections::BTreeMap;
use std::fmt;

use gomer_core::id::{AppId, Id, Partition};

use super::document::{Document, Key, Kind, Mark};
use super::question::Question;

/// How far an index has followed each app in each partition, in whatever form its follower wants to find again.
pub type Places = BTreeMap<(AppId, Partition), String>;

/// What changes an index, at once or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Kept instead of what was kept of the same things before.
    pub put: Vec<Document>,
    /// Kept no longer. Nothing in [`Batch::put`] is in here.
    pub drop: Vec<Key>,
    /// Those that were followed further; others are where they were.
    pub places: Places,
}

impl Batch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.drop.is_empty() && self.places.is_empty()
    }
}

/// One that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Where it stands.
    pub mark: Mark,
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
}

/// The index's files cannot be read or written. Nothing is lost that cannot be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFault(pub String);

impl fmt::Display for IndexFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for IndexFault {}

/// Keeps documents, and finds them.
pub trait Index: Send + Sync + 'static {
    /// How far it has followed.
    fn places(&self) -> Places;

    /// Changes it. When this returns, the change is seen by every [`Index::find`], and it is there after a crash, or that
    /// crash finds an index before the change. May block; one at a time.
    fn apply(&self, batch: Batch) -> Result<(), IndexFault>;

    /// Those that fit a question, the first of their shelf first, strictly behind a mark; at most `limit`.
    fn find(&self, question: &Question, after: Option<Mark>, limit: usize) -> Result<Vec<Hit>, IndexFault>;

    /// Forgets everything, its places too. May block.
    fn clear(&self) -> Result<(), IndexFault>;

    /// How many documents it keeps.
    fn len(&self) -> u64;

    /// Whether it keeps none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
