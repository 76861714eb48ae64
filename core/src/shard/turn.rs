//! A shard's turn, in its two halves.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::id::{MemberId, Partition};
use crate::mutant::Mutant;
use crate::ring::partition::META;
use crate::rows::Txn;
use crate::store::{LogBatch, LogStore, StateStore, StoreFault};
use crate::time::Now;
use crate::vnode::group::Pending;
use crate::vnode::peer::{PeerBody, PeerMessages};
use crate::vnode::snapshot::Transfer;

use super::Shard;
use super::input::{Effect, Input, PeerMessage};
use super::sending::Offer;
use super::vnode::Vnode;

/// Chunks of snapshots that one turn reads.
const CHUNKS_A_TURN: usize = 4;

impl<L: LogStore, S: StateStore> Shard<L, S> {
    /// One turn. An error means that the disk failed: the process must end, nothing of this turn was
    /// answered.
    pub fn turn(
        &mut self,
        now: Now,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<Vec<Effect>, StoreFault> {
        let mut turn = self.begin(now, inputs)?;
        let mut effects = turn.take_early();
        effects.append(&mut self.finish(turn)?);
        Ok(effects)
    }

    /// The first half of a turn: up to what must be on disk. Its early effects ([`Turn::take_early`]) should
    /// be carried out before the second half, which waits for the disk.
    pub fn begin(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>) -> Result<Turn, StoreFault> {
        let mut turn = Turn { now, ..Turn::default() };
        self.open_received(&mut turn.effects)?;
        for input in inputs {
            self.take(now, input, &mut turn.effects);
        }
        let mut early = Outgoing::default();
        for &partition in &self.busy {
            let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
            let (pending, messages) = vnode.collect(now, &self.log, &mut turn.batch, &mut turn.effects)?;
            turn.pending.extend(pending.map(|pending| (partition, pending)));
            early.add(&self.peers, partition, vnode.peer(), messages);
        }
        turn.early = early.effects();
        Ok(turn)
    }

    /// The second half: one sync, then what is committed is applied and published, and answers.
    pub fn finish(&mut self, turn: Turn) -> Result<Vec<Effect>, StoreFault> {
        let Turn { now, batch, pending, early, mut effects } = turn;
        debug_assert!(early.is_empty(), "early effects are taken before the second half");
        if !batch.is_empty() {
            self.log.append(&batch, !self.mutants.has(Mutant::AcknowledgeBeforeSync))?;
            self.counts.syncs += 1;
            self.counts.entries += batch.entries.iter().map(|(_, entries)| entries.len() as u64).sum::<u64>();
        }
        if !pending.is_empty() || self.busy.iter().any(|partition| self.vnodes[partition].has_chunk()) {
            let reader = self.table.reader();
            let view = reader.view();
            let mut txn = Txn::new(&view);
            let mut outgoing = Outgoing::default();
            for (partition, ready) in pending {
                let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
                let messages = vnode.persisted(now, ready, &mut txn, &self.journals, &mut effects);
                outgoing.add(&self.peers, partition, vnode.peer(), messages);
            }
            for partition in &self.busy {
                let vnode = self.vnodes.get_mut(partition).expect("only vnodes are busy");
                if vnode.has_chunk() {
                    vnode.ingest(now, &mut txn, &mut effects)?;
                }
            }
            let rows = txn.into_batch();
            drop(view);
            self.counts.rows += rows.rows.len() as u64;
            self.table.publish(rows);
            effects.append(&mut outgoing.effects());
        }
        self.send(now, &mut effects)?;
        Ok(effects)
    }

    fn take(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Write { ticket, partition, write } => match self.vnodes.get_mut(&partition) {
                Some(vnode) if vnode.is_elsewhere() => {
                    let leader = vnode.leader().and_then(|peer| self.peers.get(&peer).copied());
                    effects.push(Effect::NotLeader { ticket, leader });
                }
                Some(vnode) => {
                    vnode.write(now, ticket, write, self.full, effects);
                    self.busy.insert(partition);
                }
                None => effects.push(Effect::Done { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Meta { ticket, command } => match self.vnodes.get_mut(&META) {
                Some(vnode) if vnode.is_elsewhere() => {
                    let leader = vnode.leader().and_then(|peer| self.peers.get(&peer).copied());
                    effects.push(Effect::NotLeader { ticket, leader });
                }
                Some(vnode) => {
                    vnode.meta(now, ticket, command, effects);
                    self.busy.insert(META);
                }
                None => effects.push(Effect::Done { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Message { from, to, message } => {
                if let Some(vnode) = self.vnodes.get_mut(&to) {
                    vnode.message(now, from, message);
                    self.busy.insert(to);
                }
            }
            Input::Peer(message) => {
                if let Some(vnode) = self.vnodes.get_mut(&message.partition) {
                    vnode.peer_message(now, message, effects);
                    self.busy.insert(vnode.partition());
                }
            }
            Input::ReadIndex { ticket, partition } => match self.vnodes.get_mut(&partition) {
                Some(vnode) => {
                    vnode.read_index(now, ticket, effects);
                    self.busy.insert(partition);
                }
                None => effects.push(Effect::ReadIndex { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Change { ticket, partition, change } => match self.vnodes.get_mut(&partition) {
                Some(vnode) if vnode.is_elsewhere() => {
                    let leader = vnode.leader().and_then(|peer| self.peers.get(&peer).copied());
                    effects.push(Effect::NotLeader { ticket, leader });
                }
                Some(vnode) => {
                    vnode.change(now, ticket, &change, effects);
                    self.busy.insert(partition);
                }
                None => effects.push(Effect::Done { ticket, result: Err(Fault::Unavailable) }),
            },
            Input::Damaged { partition, fault } => {
                if let Some(vnode) = self.vnodes.get_mut(&partition).filter(|vnode| vnode.has_state()) {
                    self.sendings.forget(partition);
                    vnode.distrust_rows(fault, effects);
                    self.busy.insert(partition);
                }
            }
            Input::Tick => {
                self.sendings.tick(now.mono);
                let vnodes = &self.vnodes;
                self.sendings.done(|partition, peer, at| vnodes[&partition].has_matched(peer, at));
                let heard: Vec<bool> = if self.heard.is_empty() {
                    vec![false; self.vnodes.len()]
                } else {
                    let all = |vnode: &Vnode| vnode.others().iter().all(|&peer| self.hears(now, peer));
                    self.vnodes.values().map(all).collect()
                };
                for ((&partition, vnode), heard) in self.vnodes.iter_mut().zip(heard) {
                    vnode.tick(now, heard, effects);
                    if vnode.has_work() {
                        self.busy.insert(partition);
                    }
                }
            }
        }
    }

    /// Sends from outboxes what is published, and snapshots; keeps those busy that have more.
    fn send(&mut self, now: Now, effects: &mut Vec<Effect>) -> Result<(), StoreFault> {
        let reader = self.table.reader();
        let mut outgoing = Outgoing::default();
        let mut chunks = CHUNKS_A_TURN;
        for partition in std::mem::take(&mut self.busy) {
            let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
            vnode.published(now, &reader.view(), effects)?;
            let (peer, mut messages) = (vnode.peer(), PeerMessages::new());
            messages.extend(
                vnode.ask(now, &reader.view()).map(|(to, want)| (to, Transfer::Want(want))).map(transfer),
            );
            self.serve(now, partition, &mut chunks, &mut messages, effects)?;
            outgoing.add(&self.peers, partition, peer, messages);
            let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
            if vnode.has_work() {
                self.busy.insert(partition);
            }
        }
        effects.append(&mut outgoing.effects());
        Ok(())
    }

    /// Answers what other replicas ask of a snapshot, and offers one to those for whom the log will not do.
    fn serve(
        &mut self,
        now: Now,
        partition: Partition,
        chunks: &mut usize,
        messages: &mut PeerMessages,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        let vnode = self.vnodes.get_mut(&partition).expect("only vnodes are busy");
        let mut offers: BTreeMap<u64, u64> = vnode.lacking().into_iter().map(|peer| (peer, 0)).collect();
        let term = vnode.term();
        while *chunks > 0
            && let Some((peer, want)) = vnode.take_want()
        {
            *chunks -= 1;
            match self.sendings.chunk(now.mono, partition, peer, &want) {
                Ok(Some(chunk)) => messages.push(transfer((peer, Transfer::Chunk(chunk)))),
                Ok(None) => {
                    offers.insert(peer, want.at_least);
                }
                Err(fault @ StoreFault::Corrupt(_)) => {
                    self.sendings.forget(partition);
                    vnode.distrust_rows(fault, effects);
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            }
        }
        for (peer, at_least) in offers {
            match self.sendings.offer(now.mono, partition, peer, at_least, self.table.base())? {
                Offer::Cut(cut) => messages.push(transfer((peer, Transfer::Offer { term, cut }))),
                Offer::Later => self.checkpoint_wanted = true,
                Offer::NotNow => {}
            }
        }
        Ok(())
    }

    /// Opens the vnodes whose snapshots have come and are on disk.
    fn open_received(&mut self, effects: &mut Vec<Effect>) -> Result<(), StoreFault> {
        let reader = self.table.reader();
        for (&partition, vnode) in &mut self.vnodes {
            if vnode.receiving().is_some_and(|receiving| receiving.is_durable()) {
                vnode.reopen(&mut self.log, &reader.view())?;
                self.journals.begin(partition, vnode.position());
                self.busy.insert(partition);
                self.counts.snapshots += 1;
                if partition == META {
                    effects.push(Effect::MetaChanged { position: vnode.position() });
                }
            }
        }
        Ok(())
    }
}

fn transfer((to, transfer): (u64, Transfer)) -> (u64, PeerBody) {
    (to, PeerBody::Transfer(transfer))
}

/// A turn between its halves. To be given to [`Shard::finish`]; if it is not, the shard must be thrown away.
#[derive(Default)]
#[must_use = "a turn has a second half"]
pub struct Turn {
    now: Now,
    batch: LogBatch,
    pending: Vec<(Partition, Pending)>,
    early: Vec<Effect>,
    effects: Vec<Effect>,
}

impl Turn {
    /// Messages to other members that need nothing of this turn on disk.
    pub fn take_early(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.early)
    }
}

/// Messages to other members, by member.
#[derive(Default)]
struct Outgoing(BTreeMap<MemberId, Vec<PeerMessage>>);

impl Outgoing {
    fn add(
        &mut self,
        peers: &BTreeMap<u64, MemberId>,
        partition: Partition,
        from: u64,
        messages: PeerMessages,
    ) {
        for (to, body) in messages {
            // Nobody knows yet where it lives: as if it was lost.
            let Some(&member) = peers.get(&to) else { continue };
            self.0.entry(member).or_default().push(PeerMessage { partition, from, to, body });
        }
    }

    fn effects(self) -> Vec<Effect> {
        self.0.into_iter().map(|(member, messages)| Effect::ToPeer { member, messages }).collect()
    }
}
