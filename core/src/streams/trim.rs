//! Retention: an explicit write, so that every replica and every phone forgets the same entries.

use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::fault::Refused;
use crate::id::{Id, Root, StreamId};
use crate::rows::edit::Done;
use crate::rows::entry::{Entry, EntrySlot, slot_key, stream_prefix};
use crate::rows::key::after_prefix;
use crate::rows::{Edit, Txn, unseal};
use crate::store::{Direction, StateRead, StoreFault};

use super::append::remove;

/// Most entries that one trim drops.
pub const TRIM_MAX: usize = 256;

/// A trim by chance happens at one root in so many.
pub const SELDOM: u64 = 64;

/// Whether a trim by chance happens at this root. The same on every replica; other roots for each draw. The draw
/// is not to be the author's choice: who chose it could have a stream never trimmed.
pub fn is_drawn(root: Root, draw: Id) -> bool {
    let seed = xxh3_64_with_seed(draw.as_bytes(), root.kind as u64);
    xxh3_64_with_seed(root.id.as_bytes(), seed).is_multiple_of(SELDOM)
}

/// Keeps the newest `keep` entries, drops at most [`TRIM_MAX`] older ones. Reads `keep` keys:
/// call it now and then, not with every append.
pub fn trim(txn: &mut Txn<'_>, edit: &Edit, stream: StreamId, keep: u32) -> Result<Done, Refused> {
    let prefix = stream_prefix(edit.place, stream);
    let mut seen = 0u32;
    let mut old: Vec<Id> = Vec::new();
    let mut failed = Ok(());
    txn.scan(&prefix, &after_prefix(&prefix), Direction::Down, &mut |key, value| {
        seen += 1;
        if seen <= keep {
            return ControlFlow::Continue(());
        }
        match unseal::<Entry>(key, value) {
            Ok(entry) => old.push(entry.id),
            Err(fault) => failed = Err(fault),
        }
        if failed.is_err() || old.len() >= TRIM_MAX {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    failed?;
    for &id in &old {
        let slot: EntrySlot = txn
            .row(&slot_key(edit.place, stream, id))?
            .ok_or_else(|| StoreFault::Corrupt(format!("entry {id} of {stream:?} has no slot")))?;
        remove(txn, edit, stream, id, slot)?;
    }
    Ok(if old.is_empty() { Done::Unchanged(edit.position) } else { Done::Changed(edit.position) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::time::Time;

    #[test]
    fn each_draw_trims_other_roots_and_each_root_is_drawn_in_time() {
        let mut rng = Rng::new(5);
        let mut id = || Id::mint(Time::from_millis(1_700_000_000_000), &mut rng);
        let roots: Vec<Root> = (0..640).map(|_| Root::profile(id())).collect();
        let draws: Vec<Id> = (0..640).map(|_| id()).collect();
        for draw in &draws {
            let drawn = roots.iter().filter(|root| is_drawn(**root, *draw)).count();
            assert!((1..=30).contains(&drawn), "{drawn} of 640 roots, where 10 are expected");
        }
        for root in roots {
            let drawn = draws.iter().filter(|draw| is_drawn(root, **draw)).count();
            assert!((1..=30).contains(&drawn), "{drawn} of 640 draws");
        }
    }
}
