//! What the person did and the server has not confirmed: operations, in order, and what became of them.
//!
//! An operation keeps its id for life. Whoever does not know whether it took effect sends it again
//! under that id, and the server does it once. Nothing leaves this file silently: an operation ends
//! confirmed, or as a [`Report`] that stays until the app has answered it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::Turn;
use super::cache::{Key, Scope};
use super::cursor::Known;
use super::merge::{Change, Edit, Lost, Stamp, take_overruled};
use super::wire::{PushOperation, PushReply, PushResult};
use crate::id::{Id, IdError};
use crate::rng::Rng;
use crate::time::Time;

/// Most operations and unanswered reports that a phone keeps.
pub const OPERATIONS_MAX: usize = 10_000;

/// Most operations in one `sync.push`.
pub const PUSH_OPERATIONS_MAX: usize = 50;

/// Most bytes of operations in one `sync.push`, and so of one operation; the body limit is 256 KiB.
pub const PUSH_BYTES_MAX: usize = 240 * 1024;

/// So many times the server may fail at one operation (500) before it is set aside: it would hold up all others
/// for ever. With the waits in between, about a quarter of an hour.
pub const FAILURES_MAX: u32 = 12;

/// Names an operation, on this phone and on the server. Its order is the order of the edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OpId(Id);

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OpId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<OpId, IdError> {
        text.parse().map(OpId)
    }
}

impl From<Id> for OpId {
    fn from(id: Id) -> OpId {
        OpId(id)
    }
}

impl From<OpId> for String {
    fn from(op: OpId) -> String {
        op.to_string()
    }
}

impl TryFrom<String> for OpId {
    type Error = IdError;

    fn try_from(text: String) -> Result<OpId, IdError> {
        text.parse()
    }
}

/// A call that the app wants made, now or whenever there is a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The method, `post.create`.
    pub method: String,
    /// Its arguments, a JSON object.
    pub args: Value,
    /// The revision that must still hold, if nobody is to be overruled.
    pub if_rev: Option<String>,
    /// What the call will do to an entity, to be shown at once; nothing if the app cannot tell.
    pub edit: Option<Edit>,
}

/// Why a [`Write`] was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    /// [`OPERATIONS_MAX`] are waiting. Nothing is dropped to make room.
    Full,
    /// Its JSON has more than [`PUSH_BYTES_MAX`] bytes.
    TooLarge,
    /// It was to answer a report that is not (or no longer) there.
    NoSuchReport,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WriteError::Full => "the queue of unsent operations is full",
            WriteError::TooLarge => "the operation is too large to be sent",
            WriteError::NoSuchReport => "there is no such report to answer",
        })
    }
}

impl std::error::Error for WriteError {}

/// An operation of the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id.
    pub op: OpId,
    /// The method.
    pub method: String,
    /// The arguments.
    pub args: Value,
    /// The revision that must still hold.
    pub if_rev: Option<String>,
    /// When the person did it. Later than every earlier edit on this phone, also when the clock went back.
    pub edited_at: Time,
    /// What of it is shown before the server's own word arrives.
    pub edit: Option<Edit>,
    /// Up to where the phone knew its person's root then, so that what was deleted long ago is not made again.
    #[serde(default)]
    pub known: Option<Known>,
    /// How often the server has failed at it.
    #[serde(default)]
    pub failures: u32,
    /// How far it has come.
    pub progress: Progress,
}

impl Operation {
    /// The operation as it is pushed; the same bytes every time.
    pub(super) fn to_wire(&self) -> PushOperation<'_> {
        PushOperation {
            op: self.op,
            method: &self.method,
            args: &self.args,
            if_rev: self.if_rev.as_deref(),
            edited_at: self.edited_at.to_string(),
            known: self.known.as_ref(),
        }
    }

    fn wire_bytes(&self) -> usize {
        serde_json::to_string(&self.to_wire()).expect("JSON values serialise").len()
    }
}

/// How far an operation of the queue has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Progress {
    /// Not sent, or sent with unknown outcome.
    Waiting,
    /// Done on the server. Its edit is shown until a pull has brought the result, so that the screen
    /// does not flicker back.
    Applied,
}

/// An operation that did not end as the person meant it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The operation as it was.
    pub operation: Operation,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Finally refused: nothing was done, and nothing will be.
    Refused {
        /// HTTP status.
        status: u16,
        /// The problem's code; may be one that this phone does not know.
        code: String,
    },
    /// Not done, because the world has moved on since the edit (`stale-revision`, `cursor-expired`):
    /// the person says whether to do it again.
    NeedsDecision {
        /// HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
        /// The entity as it is now, if the server sent it.
        current: Option<Value>,
    },
    /// Set aside: the server failed at it again and again. Nobody knows whether it was done.
    SetAside {
        /// HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Done, but another edit had the later stamp for these attributes.
    Overruled {
        /// The attributes, at least one.
        lost: Vec<Lost>,
    },
}

/// How many operations of a push were decided, and how many are to be sent again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub decided: usize,
    pub left: usize,
}

/// All operations that the server has not confirmed, and all reports that the app has not answered.
#[derive(Debug, Default)]
pub struct Queue {
    operations: BTreeMap<OpId, Operation>,
    reports: BTreeMap<OpId, Report>,
    last_edit: Time,
}

impl Queue {
    /// The queue as it was stored.
    pub(super) fn restore(
        operations: BTreeMap<OpId, Operation>,
        reports: BTreeMap<OpId, Report>,
        last_edit: Time,
    ) -> Queue {
        Queue { operations, reports, last_edit }
    }

    /// Unconfirmed operations, in the order of the edits.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// Reports that the app has not answered, oldest operation first.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.reports.values()
    }

    /// The edits of one entity that are to be shown over the cache.
    pub(super) fn edits_of<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = (Stamp, &'a Change)> {
        self.edits().filter(move |(_, edit)| edit.key == *key).map(|(stamp, edit)| (stamp, &edit.change))
    }

    /// The edits of one scope that are to be shown over the cache, by entity.
    pub(super) fn edits_in(&self, scope: &Scope) -> BTreeMap<&Key, Vec<(Stamp, &Change)>> {
        let mut by_key: BTreeMap<&Key, Vec<(Stamp, &Change)>> = BTreeMap::new();
        for (stamp, edit) in self.edits().filter(|(_, edit)| edit.key.scope == *scope) {
            by_key.entry(&edit.key).or_default().push((stamp, &edit.change));
        }
        by_key
    }

    fn edits(&self) -> impl Iterator<Item = (Stamp, &Edit)> {
        self.operations.values().filter_map(|operation| {
            let stamp = Stamp { time: operation.edited_at, op: operation.op };
            Some((stamp, operation.edit.as_ref()?))
        })
    }

    /// Takes a write into the queue, under a new id.
    pub(super) fn add(
        &mut self,
        now: Time,
        write: Write,
        known: Option<Known>,
        rng: &mut Rng,
        turn: &mut Turn,
    ) -> Result<OpId, WriteError> {
        if self.operations.len() + self.reports.len() >= OPERATIONS_MAX {
            return Err(WriteError::Full);
        }
        // Strictly later than the edit before, so that order of ids, order of stamps and order of the
        // person's doing are one and the same, also when the clock was set back.
        let edited_at = now.max(self.last_edit + Duration::from_millis(1));
        let operation = Operation {
            op: OpId(Id::mint(edited_at, rng)),
            method: write.method,
            args: write.args,
            if_rev: write.if_rev,
            edited_at,
            edit: write.edit,
            known,
            failures: 0,
            progress: Progress::Waiting,
        };
        if operation.wire_bytes() > PUSH_BYTES_MAX {
            return Err(WriteError::TooLarge);
        }
        self.last_edit = edited_at;
        turn.commit.last_edit = Some(edited_at);
        let op = operation.op;
        self.set(op, Some(operation), turn);
        Ok(op)
    }

    /// The app has seen this report.
    pub(super) fn answer(&mut self, op: OpId, turn: &mut Turn) {
        if self.reports.remove(&op).is_some() {
            turn.commit.reports.insert(op, None);
        }
    }

    /// The app does this instead of what was reported. The report stays if the write is not taken.
    pub(super) fn redo(
        &mut self,
        now: Time,
        op: OpId,
        write: Write,
        known: Option<Known>,
        rng: &mut Rng,
        turn: &mut Turn,
    ) -> Result<OpId, WriteError> {
        // Out for a moment, so that a full queue has room for the one that takes its place.
        let report = self.reports.remove(&op).ok_or(WriteError::NoSuchReport)?;
        let added = self.add(now, write, known, rng, turn);
        match added {
            Ok(_) => drop(turn.commit.reports.insert(op, None)),
            Err(_) => drop(self.reports.insert(op, report)),
        }
        added
    }

    /// The next operations to push, in order: at most `max`, at most [`PUSH_BYTES_MAX`].
    pub(super) fn next_push(&self, max: usize) -> Vec<&Operation> {
        let waiting = self.operations.values().filter(|operation| operation.progress == Progress::Waiting);
        let mut bytes = 0;
        waiting
            .take(max)
            .take_while(|operation| {
                bytes += operation.wire_bytes() + 1;
                bytes <= PUSH_BYTES_MAX + 1
            })
            .collect()
    }

    /// Takes in the reply to a push of `sent`. What has no result, what the server stopped at and what
    /// stands behind it wait for the next push, under the same ids.
    pub(super) fn settle(&mut self, sent: &[OpId], reply: PushReply, turn: &mut Turn) -> Settled {
        let mut results: BTreeMap<OpId, PushResult> =
            reply.results.into_iter().map(|result| (result.op, result)).collect();
        let executed = sent.iter().take_while(|op| Some(**op) != reply.stopped_at);
        let mut decided = 0;
        for op in executed {
            if let Some(result) = results.remove(op).filter(|result| !result.is_passing()) {
                self.conclude(*op, result, turn);
                decided += 1;
            }
        }
        // The one at which it stopped, if the server failed at it.
        if let Some(op) = reply.stopped_at.filter(|op| sent.contains(op))
            && let Some(PushResult { status, code, .. }) = results.remove(&op)
            && status == 500
            && self.stumble(op, status, code.unwrap_or_default(), turn)
        {
            decided += 1;
        }
        Settled { decided, left: sent.len() - decided }
    }

    /// The server failed at this operation. Whether it is set aside with that.
    pub(super) fn stumble(&mut self, op: OpId, status: u16, code: String, turn: &mut Turn) -> bool {
        let Some(mut operation) = self.operations.get(&op).cloned() else { return false };
        operation.failures += 1;
        let attempts = operation.failures;
        if attempts >= FAILURES_MAX {
            self.fail(op, Verdict::SetAside { status, code, attempts }, turn);
            return true;
        }
        self.set(op, Some(operation), turn);
        false
    }

    fn conclude(&mut self, op: OpId, result: PushResult, turn: &mut Turn) {
        if result.is_done() {
            return self.apply(op, result.value, turn);
        }
        let (status, code) = (result.status, result.code.unwrap_or_default());
        let verdict = match code.as_str() {
            "stale-revision" | "cursor-expired" => {
                Verdict::NeedsDecision { status, code, current: result.value }
            }
            _ => Verdict::Refused { status, code },
        };
        self.fail(op, verdict, turn);
    }

    /// The server has done it; `after` is the entity then.
    fn apply(&mut self, op: OpId, after: Option<Value>, turn: &mut Turn) {
        let Some(mut operation) = self.operations.get(&op).cloned() else { return };
        let before = operation.clone();
        operation.progress = Progress::Applied;
        if let (Some(edit), Some(after)) = (&mut operation.edit, after) {
            let lost = take_overruled(&mut edit.change, &after);
            if !lost.is_empty() {
                self.report(Report { operation: before, verdict: Verdict::Overruled { lost } }, turn);
            }
        }
        let shown = operation.edit.is_some();
        self.set(op, shown.then_some(operation), turn);
    }

    /// It is not done and leaves the queue: from here on it is the person's.
    pub(super) fn fail(&mut self, op: OpId, verdict: Verdict, turn: &mut Turn) {
        if let Some(operation) = self.operations.get(&op).cloned() {
            self.report(Report { operation, verdict }, turn);
            self.set(op, None, turn);
        }
    }

    /// Operations that are done, and whose result the next pull will bring.
    pub(super) fn applied(&self) -> Vec<OpId> {
        let applied = self.operations.values().filter(|operation| operation.progress == Progress::Applied);
        applied.map(|operation| operation.op).collect()
    }

    /// The cache holds the results of these now.
    pub(super) fn forget_applied(&mut self, ops: &[OpId], turn: &mut Turn) {
        for op in ops {
            self.set(*op, None, turn);
        }
    }

    fn report(&mut self, report: Report, turn: &mut Turn) {
        let op = report.operation.op;
        turn.commit.reports.insert(op, Some(report.clone()));
        turn.report(report.clone());
        self.reports.insert(op, report);
    }

    /// Puts or removes an operation: here, in what is stored, and in what is shown.
    fn set(&mut self, op: OpId, operation: Option<Operation>, turn: &mut Turn) {
        let old = match operation.clone() {
            Some(operation) => self.operations.insert(op, operation),
            None => self.operations.remove(&op),
        };
        for edit in [&old, &operation].into_iter().flatten().filter_map(|operation| operation.edit.as_ref()) {
            turn.changed(&edit.key);
        }
        turn.commit.operations.insert(op, operation);
    }
}
