//! What may be staged.

use crate::id::MemberId;
use crate::ring::member::{Member, MemberState, is_member_name};

use super::change::Change;
use super::command::{Happening, Outcome, Refusal};
use super::{MEMBERS_MAX, Membership};

impl Membership {
    pub(super) fn stage(&mut self, change: &Change) -> Result<Outcome, Refusal> {
        if self.staged.contains(change) || self.changes_nothing(change) {
            return Ok(Outcome::Unchanged);
        }
        self.may(change)?;
        let matters =
            |other: &&Change| other.matters().any(|matter| change.matters().any(|own| own == matter));
        if let Some(other) = self.staged.iter().find(matters) {
            return Err(Refusal::AlreadyStaged(other.clone()));
        }
        if let Change::Join { member, name, zone, weight } = change {
            let (name, zone, weight) = (name.clone(), zone.clone(), *weight);
            self.members.insert(*member, Member { name, zone, weight, state: MemberState::Joining });
        }
        self.staged.push(change.clone());
        self.happened(Happening::Staged(change.clone()));
        Ok(Outcome::Done)
    }

    pub(super) fn clear(&mut self) -> Outcome {
        if self.staged.is_empty() {
            return Outcome::Unchanged;
        }
        self.staged.clear();
        self.members.retain(|_, member| member.state != MemberState::Joining);
        self.happened(Happening::Cleared);
        Outcome::Done
    }

    /// Whether it is so already, and nothing that is staged says otherwise.
    fn changes_nothing(&self, change: &Change) -> bool {
        let staged = |other: &Change| other.matters().any(|matter| change.matters().any(|own| own == matter));
        let is = |id: &MemberId, so: &dyn Fn(&Member) -> bool| self.members.get(id).is_some_and(so);
        !self.staged.iter().any(staged)
            && match change {
                Change::Zone(id, zone) => is(id, &|member| member.zone == *zone),
                Change::Weight(id, weight) => is(id, &|member| member.weight == *weight),
                Change::Down(id) => is(id, &|member| member.state == MemberState::Down),
                Change::Leave(id) => is(id, &|member| member.state == MemberState::Leaving),
                _ => false,
            }
    }

    /// Whether the members are such that it could be made.
    fn may(&self, change: &Change) -> Result<(), Refusal> {
        use MemberState::{Down, Joining, Leaving, Valid};
        match change {
            Change::Join { member, name, .. } => self.may_join(*member, name),
            Change::Leave(id) | Change::Down(id) => self.in_state(*id, &[Valid]),
            Change::Replace { old, new } => self.may_replace(*old, *new, &[Valid]),
            Change::ForceReplace { old, new } => self.may_replace(*old, *new, &[Valid, Leaving, Down]),
            Change::ForceRemove(id) => self.in_state(*id, &[Valid, Leaving, Down]),
            Change::Zone(id, _) | Change::Weight(id, _) => self.in_state(*id, &[Joining, Valid, Down]),
        }
    }

    fn may_join(&self, id: MemberId, name: &str) -> Result<(), Refusal> {
        if !is_member_name(name) {
            return Err(Refusal::BadName);
        }
        if self.members.contains_key(&id) {
            return Err(Refusal::AlreadyMember(id));
        }
        if let Some((other, _)) = self.members.iter().find(|(_, member)| member.name == name) {
            return Err(Refusal::NameTaken(*other));
        }
        if self.members.len() >= MEMBERS_MAX {
            return Err(Refusal::TooManyMembers);
        }
        Ok(())
    }

    fn may_replace(&self, old: MemberId, new: MemberId, states: &[MemberState]) -> Result<(), Refusal> {
        if old == new {
            return Err(Refusal::SameMember(old));
        }
        self.in_state(old, states)?;
        self.in_state(new, &[MemberState::Joining])
    }

    fn in_state(&self, id: MemberId, states: &[MemberState]) -> Result<(), Refusal> {
        let state = self.member(id)?.state;
        if states.contains(&state) { Ok(()) } else { Err(Refusal::WrongState(id, state)) }
    }
}
