//! The deliberate bugs, by name: what each does, and which checks may find it. Which of them a run has is part of its
//! plan.
//!
//! Reading order: here (the table), [`crate::mutate`] (the command that proves it).

use gomer_core::mutant::Mutant;

/// A bug, and what is known of it.
#[derive(Clone, Copy)]
pub struct Known {
    /// Its name, as the command line and plans have it.
    pub name: &'static str,
    /// The bug.
    pub mutant: Mutant,
    /// What goes wrong, in one sentence.
    pub does: &'static str,
    /// The checks of which one must find it: the first that speaks is the one that counts.
    pub found_by: &'static [&'static str],
    /// How many members it takes.
    pub members: u32,
    /// A small plan that shows it.
    pub seed: u64,
}

/// What compares phones with each other; see [`crate::checks`].
const NEW_PHONE: &str = "a new phone sees what an old one sees";
/// What compares members with each other; see there too.
const REPLICAS: &str = "replicas have the same rows";
/// What a run ends with in which phones wait for ever; see [`crate::world`].
const CONVERGES: &str = "converges after healing";

/// All of them.
pub const ALL: &[Known] = &[
    Known {
        name: "acknowledge-before-sync",
        mutant: Mutant::AcknowledgeBeforeSync,
        does: "Writes are answered before they are on disk.",
        found_by: &["linearizable"],
        members: 1,
        seed: 2,
    },
    Known {
        name: "apply-reads-clock",
        mutant: Mutant::ApplyReadsClock,
        does: "What is applied is stamped with the time at which it is applied, also when it is replayed.",
        found_by: &["revisions", "folded", "linearizable"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "operation-forgotten",
        mutant: Mutant::OperationForgotten,
        does: "The reply to an operation is not kept, so that a retry is a new operation.",
        found_by: &["once", "apart"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "other-body-accepted",
        mutant: Mutant::OtherBodyAccepted,
        does: "An operation id may come again with another body.",
        found_by: &["apart", "once"],
        members: 1,
        seed: 3,
    },
    Known {
        name: "condition-ignored",
        mutant: Mutant::ConditionIgnored,
        does: "The condition on a revision is not looked at.",
        found_by: &["linearizable"],
        members: 1,
        seed: 28,
    },
    Known {
        name: "cursor-off-by-one",
        mutant: Mutant::CursorOffByOne,
        does: "A page of changes that is cut is followed by one that begins a position too late.",
        found_by: &["folded"],
        members: 1,
        seed: 4,
    },
    Known {
        name: "read-across-positions",
        mutant: Mutant::ReadAcrossPositions,
        does: "A page of changes has rows as of one position, and says that it is of the next.",
        found_by: &["folded"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "channel-position-apart",
        mutant: Mutant::ChannelPositionApart,
        does: "How far a channel is applied is now and then not saved with what was applied.",
        found_by: &["counts"],
        members: 1,
        seed: 2,
    },
    Known {
        name: "step-lost",
        mutant: Mutant::StepLost,
        does: "A step to another root is now and then left out.",
        found_by: &["counts", "fan-out"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "fan-out-short",
        mutant: Mutant::FanOutShort,
        does: "A fan-out leaves out the last of those whom it is for.",
        found_by: &["fan-out"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "app-left-out",
        mutant: Mutant::AppLeftOut,
        does: "The app is left out of the key of a name.",
        found_by: &["names"],
        members: 1,
        seed: 7,
    },
    Known {
        name: "deleted-still-shown",
        mutant: Mutant::DeletedStillShown,
        does: "A deletion is acknowledged and not done.",
        found_by: &["deleted"],
        members: 1,
        seed: 2,
    },
    Known {
        name: "blocked-still-shown",
        mutant: Mutant::BlockedStillShown,
        does: "A block hides nobody.",
        found_by: &["blocked"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "private-leaked",
        mutant: Mutant::PrivateLeaked,
        does: "For whom a post is does not matter.",
        found_by: &["audience"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "era-begins-late",
        mutant: Mutant::EraBeginsLate,
        does: "An era begins with the command that names it, not with the term whose leader names it.",
        found_by: &[NEW_PHONE, "folded"],
        members: 1,
        seed: 97,
    },
    Known {
        name: "refusal-untyped",
        mutant: Mutant::RefusalUntyped,
        does: "Who calls too often is told that something broke.",
        found_by: &["typed"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "scope-drop-lost",
        mutant: Mutant::ScopeDropLost,
        does: "That something may no longer be read is not told to those who have it.",
        found_by: &["folded"],
        members: 1,
        seed: 1,
    },
    Known {
        name: "vote-forgotten",
        mutant: Mutant::VoteForgotten,
        does: "Neither a vote nor its term is on disk.",
        found_by: &["linearizable", REPLICAS, CONVERGES],
        members: 3,
        seed: 6,
    },
    Known {
        name: "acknowledge-before-majority",
        mutant: Mutant::AcknowledgeBeforeMajority,
        does: "A leader applies and answers what only it has on disk.",
        found_by: &["linearizable", REPLICAS],
        members: 3,
        seed: 6,
    },
    Known {
        name: "follower-applies-uncommitted",
        mutant: Mutant::FollowerAppliesUncommitted,
        does: "A follower applies what it has on disk, whether a majority has it or not.",
        found_by: &[REPLICAS],
        members: 3,
        seed: 3,
    },
    Known {
        name: "digest-not-compared",
        mutant: Mutant::DigestNotCompared,
        does: "A follower leaves out a command now and then, and nobody compares what replicas' rows sum to.",
        found_by: &[REPLICAS],
        members: 3,
        seed: 6,
    },
];

/// The bug with this name.
pub fn named(name: &str) -> Option<&'static Known> {
    ALL.iter().find(|known| known.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use gomer_sim::invariants;

    #[test]
    fn each_has_a_name_and_promises_that_find_it() {
        let names: BTreeSet<&str> = ALL.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), ALL.len());
        for known in ALL {
            assert!(named(known.name).is_some_and(|found| found.mutant == known.mutant));
            assert!(!known.found_by.is_empty(), "{}", known.name);
            for promise in known.found_by {
                let is_promise = invariants::ALL.iter().any(|known| known.name == *promise);
                assert!(is_promise || [NEW_PHONE, REPLICAS, CONVERGES].contains(promise), "{promise}");
            }
        }
        assert!(named("none").is_none());
    }
}
