//! A shard's checkpoints: rows come to disk, and the log forgets what they cover.

use crate::store::memtable::Checkpoint;
use crate::store::{LogStore, StateStore, StoreFault};

use super::Shard;
use super::vnode::Vnode;

impl<L: LogStore, S: StateStore> Shard<L, S> {
    /// Begins a checkpoint if it is due and none is under way. What it returns waits for the disk and may
    /// run on any thread; turns go on meanwhile. To be asked when a turn's answers are out.
    pub fn begin_checkpoint(&mut self) -> Option<Checkpoint<S>> {
        let received =
            |vnode: &mut Vnode| vnode.receiving().is_some_and(|receiving| receiving.wants_checkpoint());
        let wanted = self.checkpoint_wanted || self.vnodes.values_mut().any(received);
        if self.table.bytes() < self.checkpoint_bytes && !wanted { None } else { self.freeze() }
    }

    fn freeze(&mut self) -> Option<Checkpoint<S>> {
        let checkpoint = self.table.begin_checkpoint()?;
        self.checkpoint_wanted = false;
        for receiving in self.vnodes.values_mut().filter_map(Vnode::receiving) {
            receiving.frozen();
        }
        self.covered = self.vnodes.iter().map(|(&partition, vnode)| (partition, vnode.position())).collect();
        Some(checkpoint)
    }

    /// Whether so much waits that turns should wait for the checkpoint under way: memory is bounded.
    pub fn is_behind(&self) -> bool {
        self.table.bytes() >= self.checkpoint_bytes.saturating_mul(3)
    }

    /// The checkpoint that was begun is on disk: the log forgets what it covers.
    pub fn finish_checkpoint(&mut self, base: S::Snapshot) -> Result<(), StoreFault> {
        self.table.finish(base);
        for (partition, position) in std::mem::take(&mut self.covered) {
            // It may have been released meanwhile.
            let Some(vnode) = self.vnodes.get_mut(&partition) else { continue };
            if let Some(receiving) = vnode.receiving() {
                // The log that there is must be able to follow whatever comes.
                receiving.checkpointed();
                continue;
            }
            let sent = self.sendings.keep_from(partition, position.0);
            let first = vnode.keep_from(position, self.log_slack).min(sent);
            self.log.compact(vnode.group(), first)?;
            vnode.compacted(first);
        }
        self.counts.checkpoints += 1;
        Ok(())
    }

    /// A whole checkpoint, at once. None may be under way.
    pub fn checkpoint(&mut self) -> Result<(), StoreFault> {
        match self.freeze() {
            Some(checkpoint) => self.finish_checkpoint(checkpoint.run()?),
            None => Ok(()),
        }
    }
}
