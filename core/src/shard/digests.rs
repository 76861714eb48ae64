//! What replicas' rows sum to at the same positions. Equal positions must have equal digests.
//!
//! Compared at every 256th position, and where a group comes to rest; more often while a learner waits to be believed. Each
//! replica compares for itself, with what it knows of the others; a majority overrules who differs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::Position;
use crate::time::Monotonic;

/// How often digests are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Positions from one to the next while the log grows.
    every: u64,
    /// A log that has not grown for so long is compared where it ends.
    still: Duration,
}

impl Pace {
    /// Of a group of voters.
    pub(super) const USUAL: Pace = Pace { every: 256, still: Duration::from_millis(3_000) };
    /// Of a group with a learner: no replica moves before its rows were compared once.
    pub(super) const MOVING: Pace = Pace { every: 16, still: Duration::from_millis(500) };
}

/// Positions that are remembered: so far apart may replicas be that are compared.
const KEPT: usize = 64;

/// What comparing has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// Where.
    pub(super) position: Position,
    /// What each replica that has spoken sums to, by Raft id.
    pub(super) digests: Vec<(u64, u64)>,
    /// A majority of the voters agrees on another digest than this replica's.
    pub(super) overruled: bool,
}

/// Digests at some positions, by Raft id.
#[derive(Debug, Default)]
pub(super) struct Digests {
    known: BTreeMap<u64, BTreeMap<u64, u64>>,
    /// Positions of which a difference was told.
    told: BTreeMap<u64, bool>,
    /// The latest position at which another replica's was equal.
    agreed: BTreeMap<u64, u64>,
    /// Since when the log has ended here, and whether that was compared.
    still: (u64, Monotonic, bool),
}

impl Digests {
    /// Whether the digest at this position is to be compared.
    pub(super) fn is_due(pace: Pace, position: Position) -> bool {
        position.0.is_multiple_of(pace.every)
    }

    /// Whether the log has ended there for a while, and that was not compared yet.
    pub(super) fn rests(&mut self, pace: Pace, now: Monotonic, position: Position) -> bool {
        if self.still.0 != position.0 {
            self.still = (position.0, now, false);
        }
        let rests = !self.still.2 && now.since(self.still.1) >= pace.still;
        self.still.2 |= rests;
        rests
    }

    /// A replica's digest, also this one's.
    pub(super) fn add(
        &mut self,
        own: u64,
        peer: u64,
        position: Position,
        digest: u64,
        voters: &[u64],
    ) -> Option<Difference> {
        self.known.entry(position.0).or_default().insert(peer, digest);
        let difference = self.compare(own, position.0, voters);
        while self.known.len() > KEPT {
            self.known.pop_first();
        }
        while self.told.len() > KEPT {
            self.told.pop_first();
        }
        difference
    }

    fn compare(&mut self, own: u64, position: u64, voters: &[u64]) -> Option<Difference> {
        let known = self.known.get(&position)?;
        let mine = *known.get(&own)?;
        for (&peer, _) in known.iter().filter(|(peer, digest)| **peer != own && **digest == mine) {
            let agreed = self.agreed.entry(peer).or_default();
            *agreed = position.max(*agreed);
        }
        for (peer, _) in known.iter().filter(|(_, digest)| **digest != mine) {
            self.agreed.remove(peer);
        }
        let others = known.iter().filter(|(_, digest)| **digest != mine);
        let most = |digest: u64| voters.iter().filter(|voter| known.get(voter) == Some(&digest)).count();
        let overruled = others.clone().any(|(_, &digest)| most(digest) > voters.len() / 2);
        let differs = others.count() > 0;
        // Told once, and once more when it is certain that this one is wrong.
        if !differs || self.told.get(&position).is_some_and(|&told| told || !overruled) {
            return None;
        }
        self.told.insert(position, overruled);
        let digests = known.iter().map(|(&peer, &digest)| (peer, digest)).collect();
        Some(Difference { position: Position(position), digests, overruled })
    }

    /// Whether another replica's digest was equal when it was last compared.
    pub(super) fn agrees(&self, peer: u64) -> bool {
        self.agreed.contains_key(&peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position(256);

    #[test]
    fn equal_digests_agree_and_say_nothing() {
        let mut digests = Digests::default();
        assert_eq!(digests.add(1, 2, AT, 7, &[1, 2, 3]), None, "not there yet");
        assert!(!digests.agrees(2));
        assert_eq!(digests.add(1, 1, AT, 7, &[1, 2, 3]), None);
        assert!(digests.agrees(2) && !digests.agrees(3));
    }

    #[test]
    fn a_majority_overrules_who_differs_and_only_that_one() {
        let mut digests = Digests::default();
        assert_eq!(digests.add(1, 1, AT, 7, &[1, 2, 3]), None);
        let first = digests.add(1, 2, AT, 8, &[1, 2, 3]).expect("it differs");
        assert!(!first.overruled, "one against one");
        assert_eq!(first.digests, [(1, 7), (2, 8)]);
        assert_eq!(digests.add(1, 2, AT, 8, &[1, 2, 3]), None, "told once");
        assert!(digests.add(1, 3, AT, 8, &[1, 2, 3]).expect("it is certain").overruled);
        assert_eq!(digests.add(1, 3, AT, 8, &[1, 2, 3]), None);

        let mut right = Digests::default();
        right.add(2, 2, AT, 8, &[1, 2, 3]);
        right.add(2, 3, AT, 8, &[1, 2, 3]);
        assert!(!right.add(2, 1, AT, 7, &[1, 2, 3]).expect("it differs").overruled);
        assert!(right.agrees(3) && !right.agrees(1));
    }

    #[test]
    fn of_two_nobody_knows_who_is_wrong_and_learners_have_no_say() {
        let mut digests = Digests::default();
        digests.add(1, 1, AT, 7, &[1, 2]);
        assert!(!digests.add(1, 2, AT, 8, &[1, 2]).expect("it differs").overruled);
        let mut digests = Digests::default();
        digests.add(1, 1, AT, 7, &[1]);
        for learner in [2, 3, 4] {
            let difference = digests.add(1, learner, AT, 8, &[1]);
            assert!(difference.is_none_or(|difference| !difference.overruled));
        }
    }

    #[test]
    fn a_log_that_has_come_to_rest_is_compared_once() {
        let at = |millis| Monotonic(Duration::from_millis(millis));
        let mut digests = Digests::default();
        assert!(!digests.rests(Pace::USUAL, at(1_000), Position(5)));
        assert!(!digests.rests(Pace::USUAL, at(3_900), Position(5)));
        assert!(digests.rests(Pace::USUAL, at(4_000), Position(5)));
        assert!(!digests.rests(Pace::USUAL, at(9_000), Position(5)));
        assert!(!digests.rests(Pace::USUAL, at(9_100), Position(6)));
        assert!(digests.rests(Pace::USUAL, at(12_100), Position(6)));
        assert!(!digests.rests(Pace::MOVING, at(12_200), Position(7)));
        assert!(digests.rests(Pace::MOVING, at(12_700), Position(7)));
    }
}
