//! How long a leader can be sure that nobody else leads.
//!
//! A follower that hears its leader gives no vote to anybody else for an election time-out (the crate's
//! check-quorum does that), and says when, on the leader's own clock, what it heard was sent. If a majority
//! has heard what was sent at `s`, no other leader can be elected before `s` plus an election time-out of
//! theirs. Their first tick may follow at once, and their clocks may run faster by 1 %: so it is one tick
//! less, and 1 % less. No clock is ever compared with another one's.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Monotonic;

use super::group::{ELECTION_TICKS, TICK};

/// How much clocks may differ in speed, in percent.
const DRIFT_PERCENT: u32 = 1;

/// What a leader knows of its followers.
#[derive(Debug, Default)]
pub(super) struct Lease {
    term: u64,
    /// When what each of them last heard was sent.
    echoes: BTreeMap<u64, u64>,
}

impl Lease {
    /// A moment as it travels: never zero, which says "nothing".
    pub(super) fn stamp(now: Monotonic) -> u64 {
        (now.0.as_nanos() as u64).max(1)
    }

    /// A follower has heard in this term what was sent then.
    pub(super) fn echoed(&mut self, term: u64, from: u64, sent: u64) {
        if self.term != term {
            self.term = term;
            self.echoes.clear();
        }
        let last = self.echoes.entry(from).or_default();
        *last = sent.max(*last);
    }

    /// Until when the lease lasts, if it has not ended. `sets`: the voters; while the configuration is
    /// joint the outgoing ones too, and then both majorities count.
    pub(super) fn until(&self, now: Monotonic, term: u64, own: u64, sets: &[&[u64]]) -> Option<Monotonic> {
        let stamp = Lease::stamp(now);
        let heard = |&peer: &u64| match peer {
            peer if peer == own => stamp,
            _ if self.term != term => 0,
            // An echo of what was not sent yet is not believed.
            peer => self.echoes.get(&peer).copied().filter(|&sent| sent <= stamp).unwrap_or(0),
        };
        let mut since = stamp;
        for voters in sets.iter().filter(|voters| !voters.is_empty()) {
            let mut times: Vec<u64> = voters.iter().map(heard).collect();
            times.sort_unstable();
            // As many as a majority have heard this or something later.
            since = since.min(times[(times.len() - 1) / 2]);
        }
        let until = Monotonic(Duration::from_nanos(since)) + LENGTH;
        (since != 0 && now < until).then_some(until)
    }
}

/// How long a lease lasts from when it was heard of.
pub const LENGTH: Duration = Duration::from_millis(
    (ELECTION_TICKS as u64 - 1) * TICK.as_millis() as u64 * (100 - DRIFT_PERCENT as u64) / 100,
);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    #[test]
    fn it_counts_from_what_a_majority_has_heard() {
        let mut lease = Lease::default();
        let voters: &[u64] = &[1, 2, 3, 4, 5];
        lease.echoed(7, 2, Lease::stamp(at(1_000)));
        assert_eq!(lease.until(at(1_100), 7, 1, &[voters]), None, "two of five are no majority");
        lease.echoed(7, 3, Lease::stamp(at(1_050)));
        assert_eq!(lease.until(at(1_100), 7, 1, &[voters]), Some(at(1_891)));
        lease.echoed(7, 2, Lease::stamp(at(900)));
        assert_eq!(
            lease.until(at(1_890), 7, 1, &[voters]),
            Some(at(1_891)),
            "a late echo takes nothing back"
        );
        assert_eq!(lease.until(at(1_891), 7, 1, &[voters]), None);
        assert_eq!(lease.until(at(1_100), 8, 1, &[voters]), None, "another term, other promises");
    }

    #[test]
    fn a_joint_configuration_needs_both_majorities() {
        let mut lease = Lease::default();
        for peer in [2, 3] {
            lease.echoed(1, peer, Lease::stamp(at(500)));
        }
        assert!(lease.until(at(600), 1, 1, &[&[1, 2, 3], &[]]).is_some());
        assert_eq!(lease.until(at(600), 1, 1, &[&[1, 2, 3], &[1, 4, 5]]), None);
        lease.echoed(1, 5, Lease::stamp(at(400)));
        assert_eq!(lease.until(at(600), 1, 1, &[&[1, 2, 3], &[1, 4, 5]]), Some(at(1_291)));
    }

    #[test]
    fn an_echo_from_the_future_is_not_believed() {
        let mut lease = Lease::default();
        lease.echoed(1, 2, Lease::stamp(at(90_000)));
        assert_eq!(lease.until(at(600), 1, 1, &[&[1, 2, 3]]), None);
    }
}
