//! The promises, one a file: what it says is its doc comment, how it is judged its `check`.
//!
//! To add one: a file here with `pub const PROMISE: Promise`, a line in [`ALL`], good and bad histories in its
//! tests, and a deliberate bug that only it must catch.
//!
//! Must never learn: how a run was made. Evidence is all that it sees.

pub mod apart;
pub mod audience;
pub mod blocked;
pub mod counts;
pub mod deleted;
pub mod fan_out;
pub mod folded;
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
    /// Nobody knows: the search for an order was given up. Counted and told, and no violation.
    pub undecided: bool,
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
    audience::PROMISE,
    revisions::PROMISE,
    linearizable::PROMISE,
    folded::PROMISE,
    counts::PROMISE,
    fan_out::PROMISE,
];

/// What a run was found to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// Searches that were given up before they knew.
    pub undecided: Vec<Violation>,
    /// Calls that were judged.
    pub calls: usize,
}

/// Judges a run by all promises. Where a disk was rolled back, it is several histories; see
/// [`Evidence::histories`].
pub fn judge(evidence: &Evidence) -> Judgement {
    let mut judgement = Judgement { calls: evidence.all().count(), ..Judgement::default() };
    for history in evidence.histories() {
        for promise in ALL {
            for broken in (promise.check)(&history) {
                let list = match broken.undecided {
                    true => &mut judgement.undecided,
                    false => &mut judgement.violations,
                };
                list.push(Violation { promise: promise.name, broken });
            }
        }
    }
    judgement
}

impl Broken {
    /// Something that these calls show.
    pub fn by<'a>(what: impl Into<String>, calls: impl IntoIterator<Item = &'a Record>) -> Broken {
        let calls = calls.into_iter().map(Record::told).collect();
        Broken { what: what.into(), calls, undecided: false }
    }

    /// Something that no single call shows.
    pub fn overall(what: impl Into<String>) -> Broken {
        Broken { what: what.into(), calls: Vec::new(), undecided: false }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.broken.what)?;
        self.broken.calls.iter().try_for_each(|call| write!(f, "\n  {call}"))
    }
}
