//! Deliberate bugs, for the simulator: each breaks one promise, and shows whether the check of that promise finds
//! it. They are data: whoever starts a shard says which one it has.
//!
//! There are none in a normal build. Without the feature `mutants`, which nothing but the simulator turns on,
//! [`Mutants`] has no bytes, [`Mutants::has`] is the constant `false`, and what stands behind it is not compiled in.
//! A test looks for [`MARKER`] in the release binary.

/// Stands in every program that can have a deliberate bug.
#[cfg(feature = "mutants")]
pub const MARKER: &str = "this program has deliberate bugs in it";

/// A deliberate bug.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "mutants", derive(Debug))]
pub enum Mutant {
    /// Writes are answered before they are on disk.
    AcknowledgeBeforeSync,
    /// What is applied is stamped with the time at which it is applied, also when it is replayed.
    ApplyReadsClock,
    /// The reply to an operation is not kept, so that a retry is a new operation.
    OperationForgotten,
    /// An operation id may come again with another body.
    OtherBodyAccepted,
    /// The condition on a revision is not looked at.
    ConditionIgnored,
    /// A page of changes that is cut is followed by one that begins a position too late.
    CursorOffByOne,
    /// A page of changes has rows as of one position, and says that it is of the next.
    ReadAcrossPositions,
    /// How far a channel is applied is now and then not saved with what was applied.
    ChannelPositionApart,
    /// A step to another root is now and then left out.
    StepLost,
    /// A fan-out leaves out the last of those whom it is for.
    FanOutShort,
    /// The app is left out of the key of a name.
    AppLeftOut,
    /// A deletion is acknowledged and not done.
    DeletedStillShown,
    /// A block hides nobody.
    BlockedStillShown,
    /// For whom a post is does not matter.
    PrivateLeaked,
    /// An era begins with the command that names it, not with the term whose leader names it.
    EraBeginsLate,
    /// Who calls too often is told that something broke.
    RefusalUntyped,
    /// That something may no longer be read is not told to those who have it.
    ScopeDropLost,
    /// Neither a vote nor its term is on disk.
    VoteForgotten,
    /// A leader applies and answers what only it has on disk.
    AcknowledgeBeforeMajority,
    /// A follower applies what it has on disk, whether a majority has it or not.
    FollowerAppliesUncommitted,
    /// A follower leaves out a command now and then, and nobody compares what replicas' rows sum to.
    DigestNotCompared,
}

/// Which of them a process has: none, or one. No more than a word, in a build that can have one at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mutants(#[cfg(feature = "mutants")] Option<Mutant>);

impl Mutants {
    /// None.
    pub const NONE: Mutants = Mutants(
        #[cfg(feature = "mutants")]
        None,
    );

    /// Whether it has this bug.
    #[inline(always)]
    #[cfg_attr(not(feature = "mutants"), allow(unused_variables))]
    pub const fn has(self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        {
            matches!(self.0, Some(has) if has as u8 == mutant as u8)
        }
        #[cfg(not(feature = "mutants"))]
        {
            false
        }
    }
}

#[cfg(feature = "mutants")]
impl Mutants {
    /// This one.
    pub const fn one(mutant: Mutant) -> Mutants {
        Mutants(Some(mutant))
    }
}

#[cfg(all(test, not(feature = "mutants")))]
mod tests {
    use super::*;

    #[test]
    fn a_normal_build_has_no_room_for_one() {
        assert_eq!(size_of::<Mutants>(), 0);
        const { assert!(!Mutants::NONE.has(Mutant::AcknowledgeBeforeSync)) };
    }
}
