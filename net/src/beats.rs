//! Who takes its turns: this member's loops, which its links say to others, and other members, as theirs say.
//!
//! A process can live and its loops stand still, before a disk that does not answer. Then its links must not stand
//! in for the heartbeats of groups that rest.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use gomer_core::id::MemberId;
use gomer_core::time::Monotonic;

/// A loop that did not go round for so long stands still: three ticks.
const LATE: Duration = Duration::from_millis(300);

/// All of them.
pub(crate) struct Beats {
    /// When each loop of this member last went round; nothing: it has not begun.
    turned: Vec<Mutex<Option<Monotonic>>>,
    /// When each other member last said that all of its loops do.
    heard: Mutex<BTreeMap<MemberId, Monotonic>>,
}

impl Beats {
    /// Nobody has been heard, and none of that many loops has begun.
    pub(crate) fn new(loops: usize) -> Beats {
        Beats { turned: (0..loops).map(|_| Mutex::default()).collect(), heard: Mutex::default() }
    }

    /// That loop goes round.
    pub(crate) fn turned(&self, number: usize, now: Monotonic) {
        *self.turned[number].lock().expect(UNPOISONED) = Some(now);
    }

    /// Whether all loops go round.
    pub(crate) fn all_turn(&self, now: Monotonic) -> bool {
        let turns = |at: &Mutex<Option<Monotonic>>| {
            at.lock().expect(UNPOISONED).is_some_and(|at| now.since(at) < LATE)
        };
        self.turned.iter().all(turns)
    }

    /// That member's loops go round.
    pub(crate) fn heard(&self, member: MemberId, now: Monotonic) {
        self.heard.lock().expect(UNPOISONED).insert(member, now);
    }

    /// Who was ever heard, and when last.
    pub(crate) fn all_heard(&self) -> Vec<(MemberId, Monotonic)> {
        self.heard.lock().expect(UNPOISONED).iter().map(|(&member, &at)| (member, at)).collect()
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    #[test]
    fn one_loop_that_stands_still_is_enough() {
        let beats = Beats::new(2);
        beats.turned(0, at(100));
        assert!(!beats.all_turn(at(100)), "the other has not begun");
        beats.turned(1, at(200));
        assert!(beats.all_turn(at(399)));
        beats.turned(1, at(390));
        assert!(!beats.all_turn(at(400)), "the first is late");
        beats.turned(0, at(900));
        beats.turned(1, at(910));
        assert!(beats.all_turn(at(1_000)), "and goes on");
    }

    #[test]
    fn the_last_time_counts() {
        let beats = Beats::new(1);
        assert_eq!(beats.all_heard(), []);
        beats.heard(MemberId(7), at(1));
        beats.heard(MemberId(3), at(2));
        beats.heard(MemberId(7), at(5));
        assert_eq!(beats.all_heard(), [(MemberId(3), at(2)), (MemberId(7), at(5))]);
    }
}
