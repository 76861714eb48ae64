//! A group's part of a turn: what must be on disk, what may be said then, and what is committed.

use std::collections::BTreeSet;

use raft::ReadState;
use raft::prelude::{Entry, EntryType, Message, Ready};

use crate::mutant::Mutant;
use crate::store::{Ballot, LogBatch, LogStore, StoreFault};
use crate::time::Now;
use crate::vnode::lease::Lease;
use crate::vnode::peer::{PeerBody, PeerMessages, ReplicaChange};
use crate::vnode::tail::entry_out;

use super::{FETCHES, Group, TAIL_BYTES};

/// A turn's part of the log that is being written. Must be given back with [`Group::persisted`].
pub struct Pending {
    ready: Ready,
    committed: Vec<Entry>,
    /// Messages that may leave only when all of it is on disk.
    late: Vec<Message>,
}

/// A turn's part of the log, and the messages that need nothing of it on disk.
pub type Collected = (Pending, PeerMessages);

/// What is valid once the turn's part of the log is on disk.
#[derive(Default)]
pub struct Persisted {
    /// Committed entries, in order.
    pub committed: Vec<Committed>,
    /// Messages, each with its receiver.
    pub messages: PeerMessages,
    /// Reads that are allowed from a position on.
    pub reads: Vec<(Vec<u8>, u64)>,
}

/// A committed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its index, which is the position.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// What it holds.
    pub what: CommittedKind,
}

/// What a committed entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommittedKind {
    /// Nothing: the first entry of a term.
    Nothing,
    /// A command.
    Command(Vec<u8>),
    /// Other replicas from here on.
    Change(ReplicaChange),
}

impl Group {
    /// Whether there is anything to write or apply.
    pub fn has_ready(&self) -> bool {
        self.node.has_ready() || self.node.store().wants()
    }

    /// Reads from the log store what slow followers need.
    pub fn fetch(&mut self, log: &impl LogStore) -> Result<(), StoreFault> {
        for _ in 0..FETCHES {
            let Some(wanted) = self.node.mut_store().take_wanted() else { break };
            let id = self.id;
            self.node.mut_store().fetch(log, id, &wanted)?;
            self.node.on_entries_fetched(wanted.context);
            self.node.mut_store().forget_fetched();
        }
        self.repeatable();
        Ok(())
    }

    /// Adds what must be written to the turn's batch. Also returns the messages that need no persistence.
    pub fn collect(&mut self, now: Now, batch: &mut LogBatch) -> Option<Collected> {
        if !self.node.has_ready() {
            return None;
        }
        let mut ready = self.node.ready();
        let committed = ready.take_committed_entries();
        let entries = ready.take_entries();
        let mut early = ready.take_messages();
        let mut late = ready.take_persisted_messages();
        if let Some(hard) = ready.hs() {
            let ballot = Ballot { term: hard.get_term(), vote: hard.get_vote(), commit: hard.get_commit() };
            if !self.mutants.has(Mutant::VoteForgotten) {
                batch.ballots.push((self.id, ballot));
            }
            let old = &self.node.store().hard;
            if (old.term, old.vote) != (hard.term, hard.vote) {
                // A sole voter leads the moment it stands: it must not lead in a term it could forget.
                late.splice(..0, early.drain(..));
            }
            let hard = hard.clone();
            self.node.mut_store().hard = hard;
        }
        if !entries.is_empty() {
            batch.entries.push((self.id, entries.iter().map(entry_out).collect()));
            self.node.mut_store().append(entries);
        }
        let early = self.outgoing(now, early);
        Some((Pending { ready, committed, late }, early))
    }

    /// What was collected is on disk: returns what is valid now. When the committed entries are applied,
    /// [`Group::applied`] must be called.
    pub fn persisted(&mut self, now: Now, pending: Pending) -> Persisted {
        let Pending { mut ready, mut committed, mut late } = pending;
        let reads = ready.take_read_states();
        let mut light = self.node.advance_append(ready);
        let hasty = match self.leads() {
            true => self.mutants.has(Mutant::AcknowledgeBeforeMajority),
            false => self.mutants.has(Mutant::FollowerAppliesUncommitted),
        };
        if hasty {
            let log = &mut self.node.raft.raft_log;
            log.commit_to(log.persisted.max(log.committed));
        }
        if let Some(commit) = light.commit_index() {
            self.node.mut_store().hard.set_commit(commit);
        }
        committed.append(&mut light.take_committed_entries());
        late.append(&mut light.take_messages());
        self.repeatable();
        Persisted {
            committed: committed.into_iter().map(committed_out).collect(),
            messages: self.outgoing(now, late),
            reads: reads.into_iter().map(|ReadState { index, request_ctx }| (request_ctx, index)).collect(),
        }
    }

    /// All that was committed is applied. What is far enough behind leaves memory.
    pub fn applied(&mut self) {
        self.node.advance_apply();
        self.repeatable();
        let keep = if self.is_alone() { 0 } else { TAIL_BYTES };
        let applied = self.node.raft.raft_log.applied();
        self.node.mut_store().trim(applied, keep);
    }

    /// From where on the log must be kept, beyond what is in the state up to `position`, for followers
    /// that are at most `slack` entries behind.
    pub fn keep_from(&self, position: u64, slack: u64) -> u64 {
        if self.is_alone() {
            return position + 1;
        }
        let floor = position.saturating_sub(slack) + 1;
        let own = self.peer();
        let others = self.node.raft.prs().iter().filter(|(peer, _)| **peer != own);
        let behind = others.map(|(_, progress)| progress.matched).min().unwrap_or(0);
        if self.leads() { (behind + 1).clamp(floor, position + 1) } else { floor }
    }

    /// Peers that need what the log no longer holds: they must be sent a snapshot.
    pub fn lacking(&mut self) -> BTreeSet<u64> {
        self.node.mut_store().take_lacking()
    }

    /// The log store holds nothing before `first` any more.
    pub fn compacted(&mut self, first: u64) {
        self.node.mut_store().compacted(first);
    }

    /// Asks a majority whether this replica's leader still leads, to answer reads. The answer comes with
    /// [`Group::persisted`], or never.
    pub fn read_index(&mut self, context: Vec<u8>) {
        self.node.read_index(context);
        self.repeatable();
    }

    /// Until when nobody else can lead, if that is certain. To be asked only once an entry of the present
    /// term is applied.
    pub fn lease(&self, now: Now) -> Option<crate::time::Monotonic> {
        if !self.leads() || self.has_handed_over() {
            return None;
        }
        let conf = &self.node.store().conf;
        let sets = [conf.voters.as_slice(), conf.voters_outgoing.as_slice()];
        self.lease.until(now.mono, self.term(), self.peer(), &sets)
    }

    fn outgoing(&mut self, now: Now, messages: Vec<Message>) -> PeerMessages {
        let sent = Lease::stamp(now.mono);
        let mut out = Vec::with_capacity(messages.len());
        for mut message in messages {
            let (leader, term, heard) = self.heard;
            let echo = if message.to == leader && message.term == term { heard } else { 0 };
            let to = message.to;
            let body = PeerBody::of(&mut message, sent, echo);
            out.extend(body.filter(|body| !(self.stateless && body.is_candidacy())).map(|body| (to, body)));
        }
        out
    }
}

fn committed_out(entry: Entry) -> Committed {
    let what = match entry.get_entry_type() {
        EntryType::EntryNormal if entry.get_data().is_empty() => CommittedKind::Nothing,
        EntryType::EntryNormal => CommittedKind::Command(entry.get_data().to_vec()),
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => {
            CommittedKind::Change(ReplicaChange::of(&entry).unwrap_or_default())
        }
    };
    Committed { index: entry.get_index(), term: entry.get_term(), what }
}
