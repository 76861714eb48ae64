//! Reads that ask a majority whether the leader still leads. All that come in one turn ask together.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::Fault;
use crate::id::Position;
use crate::time::Monotonic;

use super::input::{Effect, Ticket};

/// How long a read waits before it is refused.
const READ_WAIT: Duration = Duration::from_millis(2_000);
/// A round without an answer for so long was lost, or met no leader: its reads ask again.
const ASK_AGAIN: Duration = Duration::from_millis(300);

#[derive(Debug)]
struct Round {
    reads: Vec<(Ticket, Monotonic)>,
    asked: Monotonic,
    /// The answer: they may be served when this is applied.
    index: Option<u64>,
}

/// The rounds of one vnode.
#[derive(Debug)]
pub(super) struct Reads {
    /// Tells this replica's rounds from others' and from those of its earlier starts.
    origin: [u8; 16],
    next: u64,
    fresh: Vec<(Ticket, Monotonic)>,
    rounds: BTreeMap<u64, Round>,
}

impl Reads {
    pub(super) fn new(peer: u64, random: u64) -> Reads {
        let mut origin = [0; 16];
        origin[..8].copy_from_slice(&peer.to_be_bytes());
        origin[8..].copy_from_slice(&random.to_be_bytes());
        Reads { origin, next: 0, fresh: Vec::new(), rounds: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, now: Monotonic, ticket: Ticket) {
        self.fresh.push((ticket, now));
    }

    /// Begins a round for what came since the last one: what to ask the leader.
    pub(super) fn ask(&mut self, now: Monotonic) -> Option<Vec<u8>> {
        if self.fresh.is_empty() {
            return None;
        }
        self.next += 1;
        let reads = std::mem::take(&mut self.fresh);
        self.rounds.insert(self.next, Round { reads, asked: now, index: None });
        Some([&self.origin[..], &self.next.to_be_bytes()].concat())
    }

    /// The leader's answer.
    pub(super) fn answered(&mut self, context: &[u8], index: u64) {
        if let Some((origin, number)) = context.split_last_chunk::<8>()
            && origin == self.origin
            && let Some(round) = self.rounds.get_mut(&u64::from_be_bytes(*number))
        {
            round.index = Some(index);
        }
    }

    /// Allows the reads whose position is applied.
    pub(super) fn applied(&mut self, position: Position, effects: &mut Vec<Effect>) {
        self.rounds.retain(|_, round| {
            let ready = round.index.is_some_and(|index| index <= position.0);
            if ready {
                for &(ticket, _) in &round.reads {
                    effects.push(Effect::ReadIndex { ticket, result: Ok(position) });
                }
            }
            !ready
        });
    }

    pub(super) fn tick(&mut self, now: Monotonic, effects: &mut Vec<Effect>) {
        let fresh = &mut self.fresh;
        self.rounds.retain(|_, round| {
            round.reads.retain(|&(ticket, since)| {
                let waits = now.since(since) < READ_WAIT;
                if !waits {
                    effects.push(Effect::ReadIndex { ticket, result: Err(Fault::Unavailable) });
                }
                waits
            });
            if round.index.is_none() && now.since(round.asked) >= ASK_AGAIN {
                fresh.append(&mut round.reads);
            }
            !round.reads.is_empty()
        });
    }

    pub(super) fn give_up(&mut self, effects: &mut Vec<Effect>) {
        let waiting = std::mem::take(&mut self.rounds).into_values().flat_map(|round| round.reads);
        for (ticket, _) in waiting.chain(std::mem::take(&mut self.fresh)) {
            effects.push(Effect::ReadIndex { ticket, result: Err(Fault::Unavailable) });
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.has_fresh() || !self.rounds.is_empty()
    }

    pub(super) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }
}
