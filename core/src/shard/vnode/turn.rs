//! A vnode's part of a turn: what must be on disk, what is applied then, and what its outbox sends.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::events::channel::Outbox;
use crate::fault::Fault;
use crate::id::{Id, Partition, Position};
use crate::mutant::Mutant;
use crate::rows::applied;
use crate::rows::key::{KeyWriter, after_prefix};
use crate::rows::replicas;
use crate::rows::{Kind, Txn, pipe, timer};
use crate::shard::input::{Effect, Message};
use crate::store::{Direction, LogBatch, LogStore, StateRead, StoreFault};
use crate::time::{Now, Time};
use crate::vnode::apply::{Applier, Emitted, Kept};
use crate::vnode::command::{Command, Outcome, Proposal};
use crate::vnode::group::{Committed, CommittedKind, Pending};
use crate::vnode::journal::{Journals, Touch};
use crate::vnode::peer::PeerMessages;

use super::{Leadership, Lost, SWEEP_PAGE_EVERY, Vnode};

/// One in so many commands is left out by a follower that has this deliberate bug.
const LEFT_OUT: u64 = 16;

impl Vnode {
    /// Adds what must be written to the turn's batch. Also returns messages to other replicas that need
    /// nothing on disk.
    pub(in crate::shard) fn collect(
        &mut self,
        now: Now,
        log: &impl LogStore,
        batch: &mut LogBatch,
        effects: &mut Vec<Effect>,
    ) -> Result<(Option<Pending>, PeerMessages), StoreFault> {
        self.notice();
        // A sole voter has all that can ever be committed in its log; others wait until it is applied.
        let settled = self.group.is_sole_voter() || self.leadership.applied;
        if self.leadership.opens_era && !self.leadership.era_proposed && settled {
            let (tag, history) = (self.rng.next_u64() as u32, self.rng.next_u64() | 1);
            self.leadership.era_proposed = self.propose(now, Proposal::Era { tag, history }).is_ok();
        }
        if let Some(context) = self.reads.ask(now.mono) {
            self.group.read_index(context);
        }
        if let Err(fault) = self.group.fetch(log) {
            match fault {
                StoreFault::Corrupt(_) => self.distrust(Lost::Log, fault, effects),
                fault => return Err(fault),
            }
        }
        let mut messages = std::mem::take(&mut self.replies);
        let pending = self.group.collect(now, batch).map(|(pending, mut early)| {
            messages.append(&mut early);
            pending
        });
        Ok((pending, messages))
    }

    /// What was collected is on disk: applies what is committed. Returns messages to other replicas.
    pub(in crate::shard) fn persisted(
        &mut self,
        now: Now,
        pending: Pending,
        txn: &mut Txn<'_>,
        journals: &Journals,
        effects: &mut Vec<Effect>,
    ) -> PeerMessages {
        let persisted = self.group.persisted(now, pending);
        for (context, index) in persisted.reads {
            self.reads.answered(&context, index);
        }
        if !persisted.committed.is_empty() && self.has_state() {
            let mut emitted = Emitted::default();
            for entry in persisted.committed {
                if let Err(fault) = self.apply(now, entry, txn, &mut emitted, effects) {
                    self.distrust(Lost::Rows, fault, effects);
                }
                if !self.has_state() {
                    break;
                }
            }
            txn.put_local(applied::key(self.partition), &self.applied);
            journals.note(self.partition, &emitted.changed);
            self.digest(now, emitted, effects);
        }
        self.group.applied();
        self.notice();
        if self.condemned {
            return Vec::new();
        }
        self.reads.applied(self.applied.position, effects);
        persisted.messages
    }

    fn apply(
        &mut self,
        now: Now,
        entry: Committed,
        txn: &mut Txn<'_>,
        emitted: &mut Emitted,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        let position = Position(entry.index);
        let own = entry.term == self.leadership.term;
        let result = match entry.what {
            CommittedKind::Nothing => {
                if self.mutants.has(Mutant::EraBeginsLate) {
                    (self.applied.position, self.applied.term) = (position, entry.term);
                } else {
                    self.applied.pass(position, entry.term);
                }
                Err(Fault::Unavailable)
            }
            CommittedKind::Change(change) => {
                (self.applied.position, self.applied.term) = (position, entry.term);
                let replicas = self.group.change(&change)?;
                self.applied.voters.clone_from(&replicas.voters);
                txn.put_local(replicas::key(self.partition), &replicas);
                Ok(Outcome {
                    position,
                    time: self.applied.time,
                    era: 0,
                    rev: Position::ZERO,
                    done: Vec::new(),
                    overruled: Vec::new(),
                    replayed: None,
                })
            }
            CommittedKind::Command(_)
                if self.mutants.has(Mutant::DigestNotCompared)
                    && !self.group.leads()
                    && position.0.is_multiple_of(LEFT_OUT) =>
            {
                (self.applied.position, self.applied.term) = (position, entry.term);
                Err(Fault::Unavailable)
            }
            CommittedKind::Command(data) => {
                let mut command: Command = postcard::from_bytes(&data)
                    .map_err(|e| StoreFault::Corrupt(format!("entry {position} cannot be read: {e}")))?;
                if self.mutants.has(Mutant::ApplyReadsClock) {
                    command.time = now.wall;
                }
                let mut next = self.applied.clone();
                let mark = txn.mark();
                let applied = Applier::new(txn, self.partition, self.partitions, &mut next, emitted)
                    .with(self.mutants)
                    .command(position, entry.term, &command);
                // A store that fails in the middle of a command must not leave half of it.
                let result = applied.inspect_err(|_| txn.go_back(mark))?;
                txn.keep();
                self.applied = next;
                match command.what {
                    Proposal::Era { .. } => self.leadership.era_applied |= own,
                    Proposal::Clock => self.clock_proposed = false,
                    _ => {}
                }
                result
            }
        };
        self.leadership.applied |= own;
        self.waiting.applied(entry.index, entry.term, result, effects);
        self.compare_applied(effects);
        Ok(())
    }

    /// Takes note of what applying made necessary.
    fn digest(&mut self, now: Now, emitted: Emitted, effects: &mut Vec<Effect>) {
        for &Touch { app, root, .. } in &emitted.changed {
            effects.push(Effect::Changed { app, root, position: self.applied.position });
        }
        if emitted.meta {
            effects.push(Effect::MetaChanged { position: self.applied.position });
        }
        if !self.live {
            // All of the rest is found in the rows when it is needed.
            return;
        }
        for (target, queue) in emitted.queues {
            self.outbox.added(target, queue);
        }
        for (target, queue, count, trimmed) in emitted.trimmed {
            self.outbox.removed(target, queue, count, trimmed);
        }
        for Kept { source, queue, kept, gap } in emitted.kept {
            // After a gap nothing that was proposed counts as on its way: it must be taken again when it
            // is repeated.
            if gap || self.arriving.get(&(source, queue)).is_some_and(|&proposed| proposed <= kept) {
                self.arriving.remove(&(source, queue));
            }
            let message = Message::Kept { queue, kept };
            effects.push(Effect::Send { from: self.partition, to: source, message });
        }
        self.pipes.extend(emitted.pipes);
        for id in emitted.piped {
            self.pipes.remove(&id);
        }
        self.go_on_with_pipes(now);
        if let Some(due) = emitted.timer {
            self.timer = Some(self.timer.map_or(due, |first| first.min(due)));
        }
        if emitted.sweep.is_some() {
            self.sweep_from = emitted.sweep;
            self.sweep_at = Some(now.mono + SWEEP_PAGE_EVERY);
        }
    }

    /// Sends from the outbox and looks for the next timer, from rows that are published.
    pub(in crate::shard) fn published(
        &mut self,
        now: Now,
        rows: &dyn StateRead,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreFault> {
        match self.send(now, rows, effects) {
            // Damage here is this replica's alone: no reason for all partitions of the member to end.
            Err(fault @ StoreFault::Corrupt(_)) => {
                self.distrust(Lost::Rows, fault, effects);
                Ok(())
            }
            result => result,
        }
    }

    fn send(&mut self, now: Now, rows: &dyn StateRead, effects: &mut Vec<Effect>) -> Result<(), StoreFault> {
        if !self.has_state() || !self.group.leads() {
            return Ok(());
        }
        if !self.live {
            let Leadership { applied, opens_era, era_applied, .. } = self.leadership;
            if !applied || (opens_era && !era_applied) {
                return Ok(());
            }
            self.outbox = Outbox::load(rows, self.partition)?;
            self.pipes = load_pipes(rows, self.partition)?;
            self.timer = first_timer(rows, self.partition)?;
            self.live = true;
            self.go_on_with_pipes(now);
        }
        if self.timer.is_some_and(|due| due <= self.applied.time) && !self.clock_proposed {
            self.timer = first_timer(rows, self.partition)?;
        }
        for (to, queue, steps) in self.outbox.send(now.mono, rows, self.partition)? {
            let message = Message::Steps { queue, steps };
            effects.push(Effect::Send { from: self.partition, to, message });
        }
        Ok(())
    }
}

pub(super) fn load_pipes(rows: &dyn StateRead, partition: Partition) -> Result<BTreeSet<Id>, StoreFault> {
    let prefix = KeyWriter::of_partition(partition, Kind::Pipe).end();
    let mut pipes = BTreeSet::new();
    rows.scan(&prefix, &after_prefix(&prefix), Direction::Up, &mut |key, _| {
        pipes.extend(pipe::read_key(key));
        ControlFlow::Continue(())
    })?;
    Ok(pipes)
}

pub(super) fn first_timer(rows: &dyn StateRead, partition: Partition) -> Result<Option<Time>, StoreFault> {
    let prefix = KeyWriter::of_partition(partition, Kind::Timer).end();
    let mut first = None;
    rows.scan(&prefix, &after_prefix(&prefix), Direction::Up, &mut |key, _| {
        first = timer::read_key(key).map(|(due, _)| due);
        ControlFlow::Break(())
    })?;
    Ok(first)
}
