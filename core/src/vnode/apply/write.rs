//! A write on one root: operation record, preconditions, operations, steps.

use crate::fault::{Fault, Refused};
use crate::graph::link::PutLink;
use crate::graph::node::NewNode;
use crate::graph::{link, node};
use crate::id::{AppId, Id, Position};
use crate::mutant::Mutant;
use crate::rows::channel::DEPTH_MAX;
use crate::rows::node::Flags;
use crate::rows::operation::{self, OpRecord};
use crate::rows::{Edit, Place, ROW_BYTES_MAX, Txn};
use crate::streams::{append, mark, range, trim};

use super::super::command::{
    Done, Known, Operation, Outcome, Precondition, STEP_ROOTS_MAX, Step, WRITE_OPERATIONS_MAX, Write,
};
use super::super::journal::Touch;
use super::Applier;

/// What operations leave to be done at the vnode: steps and pipes and timers of their own.
#[derive(Default)]
pub(super) struct Aside {
    pub(super) overruled: Vec<String>,
    pub(super) steps: Vec<Step>,
    pub(super) pipes: Vec<Id>,
    pub(super) timer: Option<crate::time::Time>,
}

/// Limits that do not depend on rows.
pub(super) fn check(write: &Write) -> Result<(), Fault> {
    if write.ops.len() > WRITE_OPERATIONS_MAX {
        return Err(Fault::TooLarge("256 operations a write"));
    }
    if write.reply.iter().map(Vec::len).sum::<usize>() > ROW_BYTES_MAX - 1_024 {
        return Err(Fault::TooLarge("64 KiB of reply to an operation with an id"));
    }
    for op in &write.ops {
        if let Operation::SetTimer { write, .. } = op {
            check(write)?;
        }
    }
    let fan_outs = write.ops.iter().filter_map(|op| match op {
        Operation::FanOut { step, .. } => Some(&**step),
        _ => None,
    });
    write.steps.iter().chain(fan_outs).try_for_each(check_step)
}

fn check_step(step: &Step) -> Result<(), Fault> {
    if step.depth() > DEPTH_MAX {
        return Err(Fault::TooLarge("four steps in a chain"));
    }
    if step.ops.len() > WRITE_OPERATIONS_MAX {
        return Err(Fault::TooLarge("256 operations a step"));
    }
    step.then.iter().try_for_each(check_step)
}

impl Applier<'_, '_> {
    /// A write whose steps have this depth.
    pub(super) fn write(&mut self, write: &Write, depth: u8) -> Result<Outcome, Refused> {
        let place = self.place(write.app, write.root);
        let mut outcome = self.nothing();
        if let Some(op) = write.op
            && let Some(record) = self.txn.row::<OpRecord>(&operation::key(place, write.caller, op.id))?
        {
            if record.fingerprint != op.fingerprint && !self.mutants.has(Mutant::OtherBodyAccepted) {
                return Err(Fault::KeyReused.into());
            }
            outcome.position = record.position;
            outcome.time = record.time;
            outcome.rev = record.rev;
            outcome.era = self.applied.eras.of(record.rev);
            outcome.replayed = Some(record.reply);
            return Ok(outcome);
        }
        let edit = Edit {
            place,
            position: self.applied.position,
            time: self.applied.time,
            op: write.op.map_or(Id::NIL, |op| op.id),
            known: self.known(write),
        };
        let mut aside = Aside::default();
        self.begin(&edit, &write.pre, &write.ops, write.app, write.caller, depth, &mut outcome, &mut aside)?;
        outcome.rev = outcome.done.first().map_or(edit.position, |done| done.rev());
        outcome.era = self.applied.eras.of(outcome.rev);
        outcome.overruled = aside.overruled.clone();
        self.finish(&edit, write.app, write.caller, &write.steps, depth, &outcome.done, aside)?;
        if let Some(op) = write.op.filter(|_| !self.mutants.has(Mutant::OperationForgotten)) {
            let record = OpRecord {
                fingerprint: op.fingerprint,
                position: edit.position,
                rev: outcome.rev,
                time: edit.time,
                reply: write.reply.clone(),
            };
            self.txn.put(operation::key(place, write.caller, op.id), &record)?;
        }
        Ok(outcome)
    }

    /// The position from which on the caller of a write may have missed deletions, if that matters.
    fn known(&self, write: &Write) -> Option<Position> {
        match write.known? {
            Known::UpTo { position, era } if self.applied.knows(era, position) => Some(position),
            // Of a past that did not happen: as good as nothing.
            Known::UpTo { .. } => Some(Position::ZERO),
            Known::Nothing => {
                let makes_root = |op: &Operation| match op {
                    Operation::CreateNode { id, .. } | Operation::PutNode { id, .. } => *id == write.root.id,
                    _ => false,
                };
                write.ops.iter().any(makes_root).then_some(Position::ZERO)
            }
        }
    }

    /// One root's part of a step: the same without a record. A rule's refusal is its outcome.
    pub(super) fn part(
        &mut self,
        app: AppId,
        caller: Id,
        place: Place,
        step: &Step,
        depth: u8,
    ) -> Result<Option<Fault>, crate::store::StoreFault> {
        let edit = Edit {
            place,
            position: self.applied.position,
            time: self.applied.time,
            op: Id::NIL,
            known: None,
        };
        let mut outcome = self.nothing();
        let mut aside = Aside::default();
        match self.begin(&edit, &step.pre, &step.ops, app, caller, depth, &mut outcome, &mut aside) {
            Ok(()) => {
                self.finish(&edit, app, caller, &step.then, depth, &outcome.done, aside)?;
                Ok(None)
            }
            Err(Refused::Rule(fault)) => Ok(Some(fault)),
            Err(Refused::Store(fault)) => Err(fault),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts that a write and a step have in common")]
    fn begin(
        &mut self,
        edit: &Edit,
        pre: &[Precondition],
        ops: &[Operation],
        app: AppId,
        caller: Id,
        depth: u8,
        outcome: &mut Outcome,
        aside: &mut Aside,
    ) -> Result<(), Refused> {
        for pre in pre {
            if !(self.mutants.has(Mutant::ConditionIgnored) && matches!(pre, Precondition::NodeRev(..))) {
                holds(self.txn, edit.place, pre)?;
            }
        }
        let mark = self.txn.mark();
        let mut appends = self.appends;
        for op in ops {
            let done = match op {
                Operation::FanOut { pipe, links, step } => {
                    super::pipe::start(self.txn, edit, app, caller, *pipe, *links, step, depth, aside)
                }
                Operation::DeleteNode { .. } if self.mutants.has(Mutant::DeletedStillShown) => {
                    Ok(Done::Changed(edit.position))
                }
                _ => operate(self.txn, edit, op, &mut appends, aside),
            };
            match done {
                Ok(done) => outcome.done.push(done),
                // A refused write leaves no row behind.
                Err(refused) => {
                    self.txn.go_back(mark);
                    return Err(refused);
                }
            }
        }
        self.appends = appends;
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the parts that a write and a step have in common")]
    fn finish(
        &mut self,
        edit: &Edit,
        app: AppId,
        caller: Id,
        steps: &[Step],
        depth: u8,
        done: &[Done],
        aside: Aside,
    ) -> Result<(), crate::store::StoreFault> {
        let changed = done.iter().any(|done| done.changed());
        if changed {
            let (position, root) = (edit.position, edit.place.root);
            self.emitted.changed.push(Touch { position, app, root });
        }
        // A write without operations exists for its steps.
        if changed || done.is_empty() {
            for step in steps {
                self.emit(app, caller, step, depth)?;
            }
        }
        for step in &aside.steps {
            self.emit(app, caller, step, depth)?;
        }
        self.emitted.pipes.extend(aside.pipes);
        if let Some(due) = aside.timer {
            self.emitted.timer = Some(self.emitted.timer.map_or(due, |first| first.min(due)));
        }
        Ok(())
    }
}

fn holds(txn: &Txn<'_>, place: Place, pre: &Precondition) -> Result<(), Refused> {
    let fault = match pre {
        Precondition::NodePresent(id) => node::read(txn, place, *id)?.is_none().then_some(Fault::Absent),
        Precondition::NodeAbsent(id) => {
            let there = node::read(txn, place, *id)?.is_some() || node::was_deleted(txn, place, *id)?;
            there.then_some(Fault::Present)
        }
        Precondition::NodeRev(id, rev) => match node::read(txn, place, *id)? {
            None => Some(Fault::Absent),
            Some(node) => (node.rev != *rev).then_some(Fault::Stale(node.rev)),
        },
        Precondition::LinkPresent(ty, to) => {
            link::read(txn, place, *ty, *to)?.is_none().then_some(Fault::Absent)
        }
        Precondition::LinkAbsent(ty, to) => {
            link::read(txn, place, *ty, *to)?.is_some().then_some(Fault::Present)
        }
        Precondition::LinkData(ty, to, data) => {
            let same = link::read(txn, place, *ty, *to)?.is_some_and(|view| view.link.data == *data);
            (!same).then_some(Fault::Absent)
        }
        Precondition::AttrIs(id, name, json) => match node::read(txn, place, *id)? {
            None => Some(Fault::Absent),
            Some(node) => (node.attr(name) != json.as_deref()).then_some(Fault::Stale(node.rev)),
        },
        Precondition::NotRefused(reservation) => {
            super::names::is_refused(txn, place, *reservation)?.then_some(Fault::NameTaken)
        }
        Precondition::EntryAbsent(stream, id) => {
            append::was_appended(txn, place, *stream, *id)?.then_some(Fault::Present)
        }
        Precondition::EntryRev(stream, id, rev) => match range::read(txn, place, *stream, *id)? {
            None => Some(Fault::Absent),
            Some(view) => (view.entry.rev != *rev).then_some(Fault::Stale(view.entry.rev)),
        },
    };
    fault.map_or(Ok(()), |fault| Err(fault.into()))
}

fn operate(
    txn: &mut Txn<'_>,
    edit: &Edit,
    op: &Operation,
    appends: &mut u16,
    aside: &mut Aside,
) -> Result<Done, Refused> {
    match op {
        Operation::CreateNode { id, ty, section, author, flags, attrs } => {
            let new = NewNode { ty: *ty, section: *section, author: *author, flags: *flags };
            node::create(txn, edit, *id, new, attrs)
        }
        Operation::PutNode { id, ty, section, author, attrs } => {
            let new = NewNode { ty: *ty, section: *section, author: *author, flags: Flags::default() };
            node::put(txn, edit, *id, new, attrs)
        }
        Operation::PatchNode { id, attrs, edited } => {
            node::patch(txn, edit, *id, attrs, *edited, &mut aside.overruled)
        }
        Operation::AddToAttr { id, name, delta } => node::add(txn, edit, *id, name, *delta),
        Operation::DeleteNode { id } => node::delete(txn, edit, *id),
        Operation::FlagNode { id, set, clear } => node::flag(txn, edit, *id, *set, *clear),
        Operation::PutLink { ty, to, section, time, data } => {
            link::put(txn, edit, PutLink { ty: *ty, to: *to, section: *section, time: *time, data })
        }
        Operation::DeleteLink { ty, to } => link::delete(txn, edit, *ty, *to),
        Operation::RetypeLink { from, into, to } => link::change_type(txn, edit, *from, *into, *to),
        Operation::Append { stream, id, section, activity } => {
            let ordinal = *appends;
            *appends = appends.checked_add(1).ok_or(Fault::TooLarge("65,536 appends a command"))?;
            append::append(txn, edit, *stream, *id, *section, activity, ordinal)
        }
        Operation::Retract { stream, id } => append::retract(txn, edit, *stream, *id),
        Operation::Amend { stream, id, extra } => append::amend(txn, edit, *stream, *id, extra),
        Operation::Trim { stream, keep } => trim::trim(txn, edit, *stream, *keep),
        Operation::TrimSeldom { stream, keep, draw } => match trim::is_drawn(edit.place.root, *draw) {
            true => trim::trim(txn, edit, *stream, *keep),
            false => Ok(Done::Unchanged(edit.position)),
        },
        Operation::Mark { stream, at, edited, forward_only } => {
            mark::set(txn, edit, *stream, *at, *edited, *forward_only)
        }
        Operation::ReserveName { owner, reservation, due } => {
            super::names::reserve(txn, edit, *owner, *reservation, *due)
        }
        Operation::ConfirmName { owner, reservation } => {
            super::names::confirm(txn, edit, *owner, *reservation)
        }
        Operation::ReleaseName { owner, reservation } => {
            super::names::release(txn, edit, *owner, *reservation)
        }
        Operation::AskName { reservation, name, node, attr, used } => {
            super::names::ask(txn, edit, *reservation, *name, (*node, attr, used), aside)
        }
        Operation::SetTimer { id, due, write } => super::sweep::set_timer(txn, edit, *id, *due, write, aside),
        Operation::Erase { records_of, rows } => super::erase::erase(txn, edit, *records_of, *rows),
        Operation::FanOut { .. } => unreachable!("handled by the caller, which knows the app"),
    }
}

/// Roots are split into steps of at most this many.
pub(super) const ROOTS_MAX: usize = STEP_ROOTS_MAX;
