//! The promises, one a file: what it says is its doc comment, how it is judged its `check`.
//!
//! To add one: a file here with `pub const PROMISE: Promise`, a line in [`ALL`], good and bad histories in its
//! tests, and a deliberate bug that only it must catch.
//!
//! Must never learn: how a run was made. Evidence is all that it sees.

pub mod apart;
pub mod blocked;
pub mod deleted;
pub mod linearizable;
pub mod names;
pub mod once;
pub mod revisions;
pub mod secrets;
#[cfg(test)]
mod told;
pub mod typed;

use std::fmt;

use crate::history::{Evidence, Record};

/// A promise.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// Its name, as it stands in reports and in the table of mutants.
    pub name: &'static str,
    /// What is promised, in one sentence.
    pub says: &'static str,
    /// Judges a run: each way in which it was broken.
    pub check: fn(&Evidence) -> Vec<Broken>,
}

/// How a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What happened, in one sentence.
    pub what: String,
    /// The calls that show it, in one line each.
    pub calls: Vec<String>,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub promise: &'static str,
    /// How.
    pub broken: Broken,
}

/// All promises, in the order in which they are judged: the one that says most about the cause comes first.
pub const ALL: &[Promise] = &[
    typed::PROMISE,
    secrets::PROMISE,
    apart::PROMISE,
    once::PROMISE,
    names::PROMISE,
    deleted::PROMISE,
    blocked::PROMISE,
    revisions::PROMISE,
    linearizable::PROMISE,
];

/// Judges a run by all promises.
pub fn judge(evidence: &Evidence) -> Vec<Violation> {
    let judged = ALL.iter().flat_map(|promise| {
        let broken = (promise.check)(evidence);
        broken.into_iter().map(|broken| Violation { promise: promise.name, broken })
    });
    judged.collect()
}

impl Broken {
    /// Something that these calls show.
    pub fn by<'a>(what: impl Into<String>, calls: impl IntoIterator<Item = &'a Record>) -> Broken {
        Broken { what: what.into(), calls: calls.into_iter().map(Record::told).collect() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.broken.what)?;
        self.broken.calls.iter().try_for_each(|call| write!(f, "\n  {call}"))
    }
}
