//! When a store was last written to, read from the store alone, before anything runs on it: for who must decide
//! whether the clock can be believed.

use crate::id::Partition;
use crate::rows::applied::{self, Applied};
use crate::rows::get;
use crate::store::{LogStore, StateStore, StoreFault};
use crate::time::Time;
use crate::vnode::command::Command;

use super::vnode::group_id;

/// The last entries of a log may be Raft's own, without a stamp; of so many one is a command, or the last checkpoint's
/// stamp must do.
const ENTRIES_MAX: u64 = 64;

/// The stamp of the last command that these vnodes have in their rows or logs; [`Time::ZERO`] if there is none.
pub fn last_stamp(
    log: &impl LogStore,
    state: &impl StateStore,
    vnodes: impl IntoIterator<Item = Partition>,
) -> Result<Time, StoreFault> {
    let rows = state.snapshot()?;
    let mut last = Time::ZERO;
    for partition in vnodes {
        let applied: Option<Applied> = get(&rows, &applied::key(partition))?;
        last = last.max(applied.map_or(Time::ZERO, |applied| applied.time));
        let group = group_id(partition);
        let Some((first, end)) = log.bounds(group)? else { continue };
        for index in (first.max(end.saturating_sub(ENTRIES_MAX))..=end).rev() {
            let entries = log.entries(group, index, index + 1, u64::MAX)?;
            let normal = entries.first().filter(|entry| entry.kind == 0 && !entry.data.is_empty());
            if let Some(command) = normal.and_then(|entry| postcard::from_bytes::<Command>(&entry.data).ok())
            {
                last = last.max(command.time);
                break;
            }
        }
    }
    Ok(last)
}
