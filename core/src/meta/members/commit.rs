//! Making the staged changes.

use crate::ring::member::MemberState;
use crate::ring::table::Ring;

use super::Membership;
use super::command::{Happening, Outcome, Refusal};
use super::plan::PlanId;

impl Membership {
    /// Makes exactly what the plan said. Of two operators with plans of one revision one is first, and the other is told.
    pub(super) fn commit(&mut self, plan: PlanId, target: &Ring) -> Result<Outcome, Refusal> {
        if self.committed == Some(plan) {
            return Ok(Outcome::AlreadyCommitted);
        }
        self.is_current(plan)?;
        if self.name(target) != plan {
            return Err(Refusal::UnknownPlan);
        }
        let (members, _) = self.changed();
        let stays = |id| {
            let state = members.get(&id).map(|member| member.state);
            matches!(state, Some(MemberState::Valid | MemberState::Down))
        };
        if target.len() != self.ring.len() || !target.is_sound(stays) {
            return Err(Refusal::UnsoundRing);
        }
        if self.staged.is_empty() && *target == self.target {
            return Err(Refusal::NothingStaged);
        }
        self.ring = self.left();
        self.members = members;
        self.target = target.clone();
        self.staged.clear();
        self.committed = Some(plan);
        self.generation += 1;
        self.target_generation = self.generation;
        self.happened(Happening::Committed(plan));
        self.arrange();
        Ok(Outcome::Committed(self.generation))
    }
}
