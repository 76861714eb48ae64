//! A vnode loses its rows, or is too far behind for the log, and takes those of other replicas; and it gives
//! others its own.

use std::collections::BTreeSet;

use crate::fault::Fault;
use crate::id::Position;
use crate::rows::Txn;
use crate::rows::applied::Applied;
use crate::shard::input::Effect;
use crate::shard::receiving::{Progress, Receiving};
use crate::store::{LogStore, StateRead, StoreFault};
use crate::time::Now;
use crate::vnode::snapshot::{ChunkFault, Transfer, Want};

use super::{Lost, Vnode};

/// Others' questions that wait, at most.
const WANTS_MAX: usize = 16;

impl Vnode {
    /// The rows or the log cannot be trusted. Others go on; rows are asked of them.
    pub(super) fn distrust(&mut self, lost: Lost, fault: StoreFault, effects: &mut Vec<Effect>) {
        effects.push(Effect::Suspect { partition: self.partition, fault });
        self.wake_all();
        // Alone, nobody else can have done it.
        let alone = self.group.is_alone();
        let fault = if alone { Fault::Corrupt } else { Fault::Timeout };
        self.waiting.give_up(fault, effects);
        if alone || lost == Lost::Log {
            self.condemned = true;
            self.reads.give_up(effects);
            if !alone && self.group.leads() {
                self.group.resign();
            }
        } else {
            self.receive(true, effects);
        }
    }

    /// A row did not check.
    pub(in crate::shard) fn distrust_rows(&mut self, fault: StoreFault, effects: &mut Vec<Effect>) {
        self.distrust(Lost::Rows, fault, effects);
    }

    /// From here on there is no state, until a snapshot is whole.
    pub(super) fn receive(&mut self, damaged: bool, effects: &mut Vec<Effect>) {
        self.wake();
        self.reads.give_up(effects);
        self.wants.clear();
        self.group.lose_state();
        self.notice();
        self.ask = true;
        let before = self.applied.clone();
        self.receiving = Some(Receiving::begin(self.partition, before, damaged));
    }

    /// Another replica speaks of snapshots.
    pub(super) fn transfer(&mut self, now: Now, from: u64, transfer: Transfer, effects: &mut Vec<Effect>) {
        match transfer {
            Transfer::Want(want) => {
                if self.has_state() && (self.wants.len() < WANTS_MAX || self.wants.contains_key(&from)) {
                    self.wants.insert(from, want);
                }
            }
            Transfer::Chunk(chunk) => {
                if let Some(receiving) = &mut self.receiving {
                    receiving.chunk(chunk);
                }
            }
            Transfer::Offer { term, cut } => {
                let Applied { position, history, .. } = cut.applied;
                // Another log's rows: a restored group's, or another cluster's.
                let strange = self.applied.history != 0 && history != self.applied.history;
                if strange || position.0 == 0 {
                    return;
                }
                let fits = self.group.can_follow(position.0);
                if let Some(receiving) = self.receiving.as_mut() {
                    if fits {
                        receiving.offered(now.mono, self.partition, from, *cut);
                        self.ask = true;
                    }
                    return;
                }
                // Only the present leader knows that the log will not do.
                if term != self.group.term() || self.group.leader() != Some(from) {
                    return;
                }
                if position <= self.applied.position {
                    self.replies.push((from, self.group.acknowledge(self.applied.position.0)));
                } else if fits {
                    self.receive(false, effects);
                    if let Some(receiving) = self.receiving.as_mut() {
                        receiving.offered(now.mono, self.partition, from, *cut);
                    }
                }
            }
        }
    }

    /// Whether the snapshot that is received has something to write.
    pub(in crate::shard) fn has_chunk(&self) -> bool {
        self.receiving.as_ref().is_some_and(Receiving::must_write)
    }

    /// Writes what has come of a snapshot.
    pub(in crate::shard) fn ingest(
        &mut self,
        now: Now,
        txn: &mut Txn<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        let Some(receiving) = &mut self.receiving else { return Ok(()) };
        self.ask = true;
        match receiving.write(now.mono, txn, self.partition) {
            Ok(Progress::Going | Progress::Whole) | Err(ChunkFault::Refused(_)) => Ok(()),
            Ok(Progress::Differs) => {
                let what = "a received snapshot does not sum to its digest";
                effects.push(Effect::Suspect {
                    partition: self.partition,
                    fault: StoreFault::Corrupt(what.into()),
                });
                Ok(())
            }
            // Rows that cannot be read cannot be replaced one by one either: the disk is at fault.
            Err(ChunkFault::Store(fault)) => Err(fault),
        }
    }

    /// What to ask whom for, if a snapshot is being received.
    pub(in crate::shard) fn ask(&mut self, now: Now, rows: &dyn StateRead) -> Option<(u64, Want)> {
        self.ask = false;
        let (leader, others) = (self.group.leader(), self.group.others());
        let floor = self.group.floor();
        let receiving = self.receiving.as_mut().filter(|receiving| receiving.is_due(now.mono))?;
        receiving.ask(now.mono, rows, self.partition, floor, leader, &others)
    }

    /// What others ask for.
    pub(in crate::shard) fn take_want(&mut self) -> Option<(u64, Want)> {
        self.wants.pop_first()
    }

    /// Replicas that need what the log no longer holds.
    pub(in crate::shard) fn lacking(&mut self) -> BTreeSet<u64> {
        let lacking = self.group.lacking();
        if self.has_state() { lacking } else { BTreeSet::new() }
    }

    /// Whether a replica follows the log from there.
    pub(in crate::shard) fn has_matched(&self, peer: u64, position: Position) -> bool {
        self.group.has_matched(peer, position.0)
    }

    /// A received snapshot is on disk: the vnode is opened from it, as if it had been restarted.
    pub(in crate::shard) fn reopen(
        &mut self,
        log: &mut impl LogStore,
        rows: &dyn StateRead,
    ) -> Result<(), StoreFault> {
        let rng = self.rng.split(self.applied.position.0);
        let next =
            Vnode::open(log, rows, self.partition, self.partitions, self.set.clone(), rng, self.mutants)?;
        let old = std::mem::replace(self, next);
        self.waiting = old.waiting;
        self.prefer(old.preferred);
        self.drain(old.draining);
        Ok(())
    }
}
