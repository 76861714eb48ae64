//! Where the phone stands: what it follows, and up to where it has seen it.
//!
//! The cursor is opaque and goes with the rows that it covers, in one commit: were it stored first, a
//! crash in between would lose a page for ever; were it stored later, deletes could be applied twice.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Most roots that a phone follows beside its own profile.
pub const ROOTS_MAX: usize = 50;

/// What the next `sync.pull` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The last page's cursor; nothing before the first page, or when everything is to come again.
    pub token: Option<String>,
    /// What the app has open beside the person's own profile.
    pub roots: Roots,
    /// The `Gomer-Position` of the last push. Sent back, it lets a replica answer that has applied at
    /// least that, so that the phone reads its own writes, whichever member it asks. A pull's position is
    /// not kept: its cursor says as much, and a pull that was out while a push was answered would put
    /// an earlier position in place of a later one.
    pub position: Option<String>,
    /// Up to where the person's own root is known, as the last page said; goes with what the person does.
    #[serde(default)]
    pub known: Option<Known>,
}

/// Up to where a root is known, in the server's words: not to be read, only to be handed back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The root.
    pub root: String,
    /// The revision.
    pub rev: String,
}

/// Roots to follow, as on the wire (`post:UUID`): at most [`ROOTS_MAX`].
///
/// What becomes of the rows of a root that is no longer followed is the server's word (`scopeDropped`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Roots(BTreeSet<String>);

/// More than [`ROOTS_MAX`] roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyRoots;

impl fmt::Display for TooManyRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {ROOTS_MAX} roots to follow")
    }
}

impl std::error::Error for TooManyRoots {}

impl Roots {
    /// These roots, each counted once.
    pub fn new(roots: impl IntoIterator<Item = String>) -> Result<Roots, TooManyRoots> {
        let roots: BTreeSet<String> = roots.into_iter().collect();
        if roots.len() > ROOTS_MAX { Err(TooManyRoots) } else { Ok(Roots(roots)) }
    }

    /// The roots, in order.
    pub fn as_set(&self) -> &BTreeSet<String> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_roots_are_followed_and_not_one_more() {
        let roots = |n: usize| (0..n).map(|i| format!("post:{i}"));
        assert_eq!(Roots::new(roots(ROOTS_MAX)).unwrap().as_set().len(), 50);
        assert_eq!(Roots::new(roots(ROOTS_MAX + 1)), Err(TooManyRoots));
        let twice = roots(ROOTS_MAX).chain(roots(ROOTS_MAX));
        assert!(Roots::new(twice).is_ok(), "the same root twice is one root");
    }
}
