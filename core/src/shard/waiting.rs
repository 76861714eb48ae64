//! Who waits for which entry of a log.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::Fault;
use crate::time::Monotonic;
use crate::vnode::command::WriteResult;

use super::input::{Effect, Ticket};

/// How long a write waits for its majority. Then its outcome is unknown; it may still be done.
pub const WRITE_WAIT: Duration = Duration::from_millis(2_000);

/// Tickets by index and term of what was proposed for them.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    tickets: BTreeMap<(u64, u64), (Ticket, Monotonic)>,
}

impl Waiting {
    pub(super) fn add(&mut self, now: Monotonic, index: u64, term: u64, ticket: Ticket) {
        self.tickets.insert((index, term), (ticket, now));
    }

    /// The entry at `index` is applied. Who proposed it gets the result; who had proposed another one
    /// there knows now that it can never be committed.
    pub(super) fn applied(&mut self, index: u64, term: u64, result: WriteResult, effects: &mut Vec<Effect>) {
        while let Some(entry) = self.tickets.first_entry() {
            let (at, proposed) = *entry.key();
            if at > index {
                return;
            }
            let (ticket, _) = entry.remove();
            let result =
                if (at, proposed) == (index, term) { result.clone() } else { Err(Fault::Unavailable) };
            effects.push(Effect::Done { ticket, result });
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Answers who has waited too long.
    pub(super) fn tick(&mut self, now: Monotonic, effects: &mut Vec<Effect>) {
        self.tickets.retain(|_, &mut (ticket, since)| {
            let waits = now.since(since) < WRITE_WAIT;
            if !waits {
                effects.push(Effect::Done { ticket, result: Err(Fault::Timeout) });
            }
            waits
        });
    }

    /// Answers all.
    pub(super) fn give_up(&mut self, fault: Fault, effects: &mut Vec<Effect>) {
        for (_, (ticket, _)) in std::mem::take(&mut self.tickets) {
            effects.push(Effect::Done { ticket, result: Err(fault.clone()) });
        }
    }
}
