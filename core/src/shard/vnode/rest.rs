//! A group without traffic rests: its leader sends no heartbeats, and nobody counts the time until an
//! election.
//!
//! That is sound only while something else would notice a dead leader: the links between members. A group
//! rests when all its replicas are at the same position and their members are heard, and wakes when one of
//! them is not, or when anybody says anything. A lease has ended long before, so that the first read
//! asks a majority. The time for which a link was silent counts as time without a leader.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::time::{Monotonic, Now};
use crate::vnode::peer::PeerBody;

use super::Vnode;

/// Without traffic for so long, a group may rest. Longer than it takes to compare digests.
const QUIET: Duration = Duration::from_millis(5_000);
/// The followers are asked again after so long.
const ASK_AGAIN: Duration = Duration::from_millis(1_000);

/// How a vnode comes to rest.
#[derive(Debug, Default)]
pub(super) struct Rest {
    resting: bool,
    /// At the last tick the members of all other replicas were heard.
    heard: bool,
    /// Since when nothing has happened.
    quiet: Option<Monotonic>,
    asked: Option<Monotonic>,
    /// Who would rest at the position asked about.
    agreed: (u64, BTreeSet<u64>),
}

impl Vnode {
    /// Whether time does not count here.
    pub(in crate::shard) fn rests(&self) -> bool {
        self.rest.resting
    }

    /// Something happens.
    pub(super) fn wake(&mut self) {
        if self.rest.resting || self.rest.quiet.is_some() {
            self.rest = Rest { heard: self.rest.heard, ..Rest::default() };
        }
    }

    /// Others should not count on this replica's silence.
    pub(super) fn wake_all(&mut self) {
        self.wake();
        self.replies.extend(self.group.others().into_iter().map(|peer| (peer, PeerBody::Wake)));
    }

    /// A tick. `heard`: the members of all replicas are.
    pub(super) fn rest_or_wake(&mut self, now: Now, heard: bool) {
        let backlog = self.outbox.waiting() > 0 || !self.pipes.is_empty() || !self.waiting.is_empty();
        let leads = self.live && self.has_state() && !self.draining && !backlog;
        self.rest.heard = heard;
        if !heard && self.rest.resting {
            // A leader that lives answers with a heartbeat before anybody stands for election.
            return self.wake_all();
        }
        if !heard || self.reads.is_waiting() {
            return self.wake();
        }
        if self.rest.resting || !self.group.leads() {
            return;
        }
        if !leads || !self.group.is_everywhere(self.applied.position.0) {
            return self.wake();
        }
        if now.mono.since(*self.rest.quiet.get_or_insert(now.mono)) < QUIET {
            return;
        }
        if self.rest.asked.is_none_or(|asked| now.mono.since(asked) >= ASK_AGAIN) {
            self.rest.asked = Some(now.mono);
            self.rest.agreed = (self.applied.position.0, BTreeSet::new());
            self.tell_rest(false);
        }
    }

    fn tell_rest(&mut self, now: bool) {
        let body = PeerBody::Rest { term: self.group.term(), index: self.applied.position.0, now };
        self.replies.extend(self.group.others().into_iter().map(|peer| (peer, body.clone())));
    }

    /// The leader asks whether this replica would rest, or says that all do.
    pub(super) fn asked_to_rest(&mut self, from: u64, term: u64, index: u64, now: bool) {
        let follows = term == self.group.term() && self.group.leader() == Some(from) && !self.group.leads();
        let there = self.group.last() == index && self.applied.position.0 == index && self.has_state();
        if !follows || !there || !self.rest.heard || self.reads.is_waiting() || self.draining {
            return;
        }
        if now {
            self.rest.resting = true;
        } else {
            self.replies.push((from, PeerBody::Rested { term, index }));
        }
    }

    /// A follower would rest there. When all would, all do.
    pub(super) fn agreed_to_rest(&mut self, from: u64, term: u64, index: u64) {
        let asked = self.rest.asked.is_some() && self.rest.agreed.0 == index;
        if !asked || !self.group.leads() || term != self.group.term() || self.group.last() != index {
            return;
        }
        self.rest.agreed.1.insert(from);
        if self.group.others().iter().all(|peer| self.rest.agreed.1.contains(peer)) {
            self.tell_rest(true);
            self.rest.resting = true;
        }
    }
}
