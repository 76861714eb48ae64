//! Moves that are done, and members that have left by them.

use crate::id::MemberId;
use crate::ring::member::MemberState;
use crate::ring::plan::{Move, moves};

use super::Membership;
use super::command::{Happening, Outcome, Refusal};

impl Membership {
    /// The moves that are left to be done.
    pub fn moves(&self) -> Vec<Move> {
        moves(&self.ring, &self.target)
    }

    /// A move is done. One replica comes and one goes at a time, so a ring on its way is a ring, too.
    pub(super) fn landed(&mut self, since: u64, done: Move) -> Result<Outcome, Refusal> {
        if since != self.target_generation {
            return Err(Refusal::TargetChanged(self.target_generation));
        }
        if usize::from(done.partition.0) >= self.ring.len() {
            return Err(Refusal::NoSuchMove);
        }
        if !self.moves().contains(&done) {
            return if self.is_done(done) { Ok(Outcome::Unchanged) } else { Err(Refusal::NoSuchMove) };
        }
        let losses = self.losses();
        let mut set = self.ring.holders(done.partition).to_vec();
        set.retain(|holder| Some(*holder) != done.from);
        set.extend(done.to);
        self.ring.set(done.partition, &set);
        self.generation += 1;
        self.arrange();
        // Nobody has agreed to lose what a plan did not name.
        if self.losses() != losses {
            self.happened(Happening::Landed(done));
        }
        Ok(Outcome::Done)
    }

    fn is_done(&self, done: Move) -> bool {
        let holders = self.ring.holders(done.partition);
        let wanted = self.target.holders(done.partition);
        (done.from.is_some() || done.to.is_some())
            && done.from.is_none_or(|from| !holders.contains(&from) && !wanted.contains(&from))
            && done.to.is_none_or(|to| holders.contains(&to) && wanted.contains(&to))
    }

    /// Where no replica is left to move, lets those lead who should; and lets those go who have given all away.
    pub(super) fn arrange(&mut self) {
        let wanted = self.target.clone();
        for (partition, target) in wanted.sets() {
            let held = self.ring.holders(partition);
            if held.len() == target.len() && target.iter().all(|holder| held.contains(holder)) {
                self.ring.set(partition, target);
            }
        }
        let gone = |id: &MemberId| self.members[id].state == MemberState::Leaving && !self.ring.has(*id);
        let gone: Vec<MemberId> = self.members.keys().copied().filter(gone).collect();
        for id in gone {
            self.members.remove(&id);
            while let Some(at) =
                self.staged.iter().position(|change| change.members().any(|other| other == id))
            {
                let dropped = self.staged.remove(at);
                self.happened(Happening::Dropped(dropped));
            }
        }
    }
}
