//! Who leads a partition, and who its replicas are: what is decided about the group and not by its log.

use std::time::Duration;

use crate::fault::Fault;
use crate::rows::replicas::Replicas;
use crate::shard::input::{Effect, Ticket};
use crate::time::Now;
use crate::vnode::peer::{ReplicaChange, ReplicaRole};

use super::Vnode;

/// Voters of a partition, at most.
const VOTERS_MAX: usize = 5;
/// A leader that somebody else is preferred to leads at least so long.
const LEAD_AT_LEAST: Duration = Duration::from_millis(5_000);
/// So long after one attempt to hand over the next is made.
const HAND_OVER_AGAIN: Duration = Duration::from_millis(1_500);

impl Vnode {
    /// Who should lead, if that is settled.
    pub(in crate::shard) fn prefer(&mut self, peer: Option<u64>) {
        self.preferred = peer;
        self.prioritise();
    }

    /// Whether this replica should lead nothing, because its member is about to stop.
    pub(in crate::shard) fn drain(&mut self, draining: bool) {
        self.draining = draining;
        self.prioritise();
    }

    fn prioritise(&mut self) {
        let preferred = self.preferred == Some(self.group.peer());
        self.group.set_priority(if self.draining { -1 } else { i64::from(preferred) });
    }

    /// Whether others could lead, and this one still does.
    pub(in crate::shard) fn is_drained(&self) -> bool {
        !self.group.leads() || self.group.is_sole_voter()
    }

    /// Hands over to who should lead rather than this replica, if somebody is ready to.
    pub(super) fn yield_lead(&mut self, now: Now) {
        let own = self.group.peer();
        let since = *self.led_since.get_or_insert(now.mono);
        let preferred = self.preferred.filter(|&peer| peer != own);
        let settled = now.mono.since(since) >= LEAD_AT_LEAST;
        let waits = self.handed_at.is_some_and(|at| now.mono.since(at) < HAND_OVER_AGAIN);
        if waits || !(self.draining || (settled && preferred.is_some())) {
            return;
        }
        let to = self.group.successor(preferred).filter(|&peer| self.draining || preferred == Some(peer));
        if let Some(to) = to {
            self.handed_at = Some(now.mono);
            self.wake();
            self.group.hand_over(to);
        }
    }

    /// Other replicas from here on.
    pub(in crate::shard) fn change(
        &mut self,
        now: Now,
        ticket: Ticket,
        change: &ReplicaChange,
        effects: &mut Vec<Effect>,
    ) {
        match self.try_change(now, change) {
            Ok(index) => self.waiting.add(now.mono, index, self.group.term(), ticket),
            Err(fault) => effects.push(Effect::Done { ticket, result: Err(fault) }),
        }
    }

    fn try_change(&mut self, now: Now, change: &ReplicaChange) -> Result<u64, Fault> {
        if self.condemned {
            return Err(Fault::Corrupt);
        }
        if !self.live {
            return Err(Fault::Unavailable);
        }
        let replicas = self.group.replicas();
        check(&replicas, change)?;
        for &(peer, role) in &change.steps {
            // A voter that is far behind, or has other rows, would be one in name only.
            if role == ReplicaRole::Voter
                && !replicas.voters.contains(&peer)
                && !(self.digests.agrees(peer) && self.group.is_close(peer))
            {
                return Err(Fault::Busy);
            }
        }
        let own = self.group.peer();
        if change.steps.iter().any(|&(peer, role)| peer == own && role != ReplicaRole::Voter) {
            // Who leads stays; somebody else leads first.
            let goes =
                |peer: u64| change.steps.iter().any(|step| step.0 == peer && step.1 != ReplicaRole::Voter);
            if let Some(to) = self.group.successor(self.preferred).filter(|&to| !goes(to)) {
                self.handed_at = Some(now.mono);
                self.group.hand_over(to);
            }
            return Err(Fault::Busy);
        }
        self.wake();
        self.group.propose_change(change)
    }
}

/// Whether the change can be made of these replicas: one comes, one goes.
fn check(replicas: &Replicas, change: &ReplicaChange) -> Result<(), Fault> {
    if change.steps.is_empty() || !change.is_sound() {
        return Err(Fault::Absent);
    }
    let (mut come, mut go) = (0, 0);
    for &(peer, role) in &change.steps {
        let votes = replicas.voters.contains(&peer);
        match role {
            // First it follows.
            ReplicaRole::Voter if !votes && !replicas.learners.contains(&peer) => return Err(Fault::Absent),
            ReplicaRole::Voter => come += usize::from(!votes),
            ReplicaRole::Learner => go += usize::from(votes),
            ReplicaRole::Gone if !replicas.contains(peer) => return Err(Fault::Absent),
            ReplicaRole::Gone => go += usize::from(votes),
        }
    }
    let voters = replicas.voters.len() + come - go;
    if come > 1 || go > 1 || voters == 0 || voters > VOTERS_MAX {
        return Err(Fault::TooLarge("one voter comes and one goes, of at most five"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReplicaRole::{Gone, Learner, Voter};

    fn of(steps: &[(u64, ReplicaRole)]) -> Result<(), Fault> {
        let replicas = Replicas { learners: vec![4, 5], ..Replicas::of(vec![1, 2, 3]) };
        check(&replicas, &ReplicaChange { steps: steps.to_vec() })
    }

    #[test]
    fn one_comes_and_one_goes() {
        for sound in
            [&[(6, Learner)][..], &[(4, Voter)], &[(4, Voter), (1, Gone)], &[(4, Gone)], &[(2, Learner)]]
        {
            assert_eq!(of(sound), Ok(()), "{sound:?}");
        }
    }

    #[test]
    fn two_at_once_strangers_and_nobody_left_are_refused() {
        let unsound = [&[][..], &[(6, Voter)], &[(6, Gone)], &[(4, Voter), (4, Gone)], &[(0, Learner)]];
        for change in unsound {
            assert_eq!(of(change), Err(Fault::Absent), "{change:?}");
        }
        for change in [&[(4, Voter), (5, Voter)][..], &[(1, Gone), (2, Gone)], &[(1, Gone), (2, Learner)]] {
            assert!(matches!(of(change), Err(Fault::TooLarge(_))), "{change:?}");
        }
        let alone = Replicas::of(vec![1]);
        let last = ReplicaChange { steps: vec![(1, Gone)] };
        assert!(matches!(check(&alone, &last), Err(Fault::TooLarge(_))));
    }
}
