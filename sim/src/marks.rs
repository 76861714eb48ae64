//! Coverage marks: counters of what is rare and must be met. They belong to a run; a soak adds them up, and one
//! that was never met in a long soak fails it: what never happens is not tested.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Marks that a long soak must meet. A mark that is counted and not named here is shown all the same.
pub const MUST: &[&str] = &[
    "checkpoint",
    "clock stepped",
    "connection half open",
    "connection reset",
    "connection waited for a cut",
    "connection waited for a link that flaps",
    "disk full",
    "disk rolled back",
    "disk scarce",
    "disk slow",
    "killed at append",
    "killed at commit",
    "killed at send",
    "killed at sync",
    "killed between effects",
    "killed while starting",
    "members cut off from each other",
    "paused",
    "packet late",
    "packet lost",
    "read rotten",
    "records lost",
    "restart",
    "sync failed",
    "time told by a clock that drifts",
    "time told by a clock that is off",
];

/// The marks of one run. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Marks(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Marks {
    /// It happened.
    pub fn hit(&self, name: &'static str) {
        *self.0.lock().expect(UNPOISONED).entry(name).or_default() += 1;
    }

    /// How often each was hit.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().expect(UNPOISONED).iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
