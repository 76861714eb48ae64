//! A vnode compares what its rows sum to with its other replicas'.

use crate::id::Position;
use crate::mutant::Mutant;
use crate::shard::digests::{Difference, Digests, Pace};
use crate::shard::input::Effect;
use crate::store::StoreFault;
use crate::time::Now;
use crate::vnode::peer::PeerBody;

use super::{Lost, Vnode};

impl Vnode {
    /// The rows are those of the position, and it is one at which digests are compared.
    pub(super) fn compare_applied(&mut self, effects: &mut Vec<Effect>) {
        if Digests::is_due(self.pace(), self.applied.position) && !self.group.is_alone() {
            self.compare(effects);
        }
    }

    /// Compares where the log has ended for a while.
    pub(super) fn compare_resting(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.applied.position.0 > 0
            && !self.group.is_alone()
            && self.digests.rests(self.pace(), now.mono, self.applied.position)
        {
            self.compare(effects);
        }
    }

    fn pace(&self) -> Pace {
        if self.group.has_learners() { Pace::MOVING } else { Pace::USUAL }
    }

    fn compare(&mut self, effects: &mut Vec<Effect>) {
        if self.mutants.has(Mutant::DigestNotCompared) {
            return;
        }
        let (position, digest) = (self.applied.position, self.applied.digest);
        let body = PeerBody::Digest { position: position.0, digest };
        self.replies.extend(self.group.others().into_iter().map(|peer| (peer, body.clone())));
        self.compared(self.group.peer(), position, digest, effects);
    }

    /// A replica's digest.
    pub(super) fn compared(&mut self, peer: u64, position: Position, digest: u64, effects: &mut Vec<Effect>) {
        let own = self.group.peer();
        let replicas = self.group.replicas();
        if !self.has_state() || !replicas.contains(peer) {
            return;
        }
        let found = self.digests.add(own, peer, position, digest, &replicas.voters);
        let Some(Difference { position, digests, overruled }) = found else { return };
        effects.push(Effect::Differs { partition: self.partition, position, digests });
        if overruled {
            let what = format!("a majority has other rows at position {position}");
            self.distrust(Lost::Rows, StoreFault::Corrupt(what), effects);
        }
    }
}
