//! The sending side of snapshots: which cuts are kept for whom, and for how long.
//!
//! A cut is the state store as of a checkpoint. It costs nothing to make; what it costs to keep is the
//! store's old pages and the log behind it, so few are kept, and none that nobody asks for any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::id::{Partition, Position};
use crate::rows::ingest::Cut;
use crate::store::{StateRead, StoreFault};
use crate::time::Monotonic;
use crate::vnode::snapshot::{self, Chunk, Want};

/// Snapshots that a shard sends at once.
const SENDING_MAX: usize = 4;
/// Nobody has asked for so long: the cut is let go.
const KEPT_IDLE: Duration = Duration::from_secs(30);
/// Entries that the log keeps behind a cut that is being sent. Beyond that, a later cut is sent.
const KEPT_ENTRIES: u64 = 200_000;
/// An offer is repeated after so long.
const OFFER_AGAIN: Duration = Duration::from_millis(200);

/// What can be said to a receiver.
pub(super) enum Offer {
    /// This can be asked for.
    Cut(Box<Cut>),
    /// What the last checkpoint holds is too old: after the next one.
    Later,
    /// It was said just now, or too much is being sent.
    NotNow,
}

struct Sending<R> {
    cut: Cut,
    rows: Arc<R>,
    used: Monotonic,
    offered: Option<Monotonic>,
}

/// What a shard sends, by partition and Raft id of the receiver.
pub(super) struct Sendings<R> {
    kept: BTreeMap<(Partition, u64), Sending<R>>,
    /// Cuts that were let go because the log behind them grew too long.
    pub(super) restarted: u64,
}

impl<R: StateRead> Sendings<R> {
    pub(super) fn new() -> Sendings<R> {
        Sendings { kept: BTreeMap::new(), restarted: 0 }
    }

    /// What to offer a receiver: what it is being sent already, or the rows of the last checkpoint.
    pub(super) fn offer(
        &mut self,
        now: Monotonic,
        partition: Partition,
        to: u64,
        at_least: u64,
        base: Arc<R>,
    ) -> Result<Offer, StoreFault> {
        let key = (partition, to);
        if self.kept.get(&key).is_some_and(|sending| sending.cut.applied.position.0 < at_least) {
            self.kept.remove(&key);
        }
        if !self.kept.contains_key(&key) {
            if self.kept.len() >= SENDING_MAX {
                return Ok(Offer::NotNow);
            }
            let cut = snapshot::cut(&*base, partition)?.filter(|cut| cut.applied.position.0 >= at_least);
            let Some(cut) = cut else { return Ok(Offer::Later) };
            self.kept.insert(key, Sending { cut, rows: base, used: now, offered: None });
        }
        let sending = self.kept.get_mut(&key).expect("just put in");
        if sending.offered.is_some_and(|offered| now.since(offered) < OFFER_AGAIN) {
            return Ok(Offer::NotNow);
        }
        sending.offered = Some(now);
        Ok(Offer::Cut(Box::new(sending.cut.clone())))
    }

    /// The answer to what a receiver asks for, if that cut is kept for it.
    pub(super) fn chunk(
        &mut self,
        now: Monotonic,
        partition: Partition,
        to: u64,
        want: &Want,
    ) -> Result<Option<Chunk>, StoreFault> {
        let Some(sending) = self.kept.get_mut(&(partition, to)) else { return Ok(None) };
        let name = sending.cut.name();
        if want.cut != Some(name) {
            return Ok(None);
        }
        sending.used = now;
        snapshot::chunk(&*sending.rows, name, partition, want)
    }

    /// From which index on the log must be kept for what is being sent. `position`: what a checkpoint covers.
    pub(super) fn keep_from(&mut self, partition: Partition, position: u64) -> u64 {
        let mut first = position + 1;
        let restarted = &mut self.restarted;
        self.kept.retain(|key, sending| {
            let at = sending.cut.applied.position.0;
            if key.0 != partition {
                return true;
            }
            let keep = at + KEPT_ENTRIES >= position;
            if keep {
                first = first.min(at + 1);
            } else {
                *restarted += 1;
            }
            keep
        });
        first
    }

    /// Lets go what nobody asks for.
    pub(super) fn tick(&mut self, now: Monotonic) {
        self.kept.retain(|_, sending| now.since(sending.used) < KEPT_IDLE);
    }

    /// Lets go what has arrived: `follows` says whether a receiver has the log from a position on.
    pub(super) fn done(&mut self, follows: impl Fn(Partition, u64, Position) -> bool) {
        self.kept.retain(|&(partition, to), sending| !follows(partition, to, sending.cut.applied.position));
    }

    /// The rows of this partition cannot be trusted.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.kept.retain(|key, _| key.0 != partition);
    }
}
