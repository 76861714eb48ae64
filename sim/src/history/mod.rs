//! The history of a run: what clients asked and were told, what phones hold in the end, what was logged.
//!
//! On disk it is JSON, one [`Line`] a line, so that histories of real processes are judged by the same checks.
//! Values that clients write are unique (see [`crate::workload::app_mark`]): a value that is read names its write.
//!
//! Reading order: here (what is recorded), [`read`] (what a record speaks of), [`rollback`] (what becomes of a
//! history when a disk is replaced by an older copy), [`fold`] (what
//! a follower came to), [`file`] (lines on disk).

pub mod file;
pub mod fold;
pub mod read;
mod rollback;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One call of a client, from its first byte to its last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Who called. One process has one call under way at a time.
    pub process: String,
    /// The app that it called.
    pub app: String,
    /// As whom, by the id of the profile; absent without a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// In which session; reads of one session never go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The operation id: `Idempotency-Key`, or `op` of a push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// The method.
    pub method: String,
    /// Its arguments.
    pub args: Value,
    /// The `Gomer-Position` that was sent along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// What is wrong with the call on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mischief: Option<Mischief>,
    /// When it was sent, in microseconds since the run began.
    pub invoked: u64,
    /// When the answer was there; absent if none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<u64>,
    /// What is known of it.
    pub outcome: Outcome,
}

/// What a client knows of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// It was done.
    #[serde(rename_all = "camelCase")]
    Ok {
        /// The reply.
        value: Value,
        /// The `Gomer-Position` of the reply.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<String>,
        /// Whether the reply says that it is an earlier one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        replayed: bool,
    },
    /// It was not done, and never will be.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// HTTP status.
        status: u16,
        /// The problem document.
        problem: Value,
        /// `Retry-After`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u64>,
    },
    /// It may have been done, or be done at any later time.
    #[serde(rename_all = "camelCase")]
    Unknown {
        /// HTTP status, if there was an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// The problem document.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        problem: Value,
    },
}

/// What is wrong with a call on purpose. None of these may be answered with anything but a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mischief {
    /// A cursor that another user of the same app got.
    CursorOfAnotherUser,
    /// A cursor of another app.
    CursorOfAnotherApp,
    /// A cursor with one bit changed.
    CursorChanged,
    /// An id that exists in another app only.
    IdOfAnotherApp,
    /// A token of another app.
    TokenOfAnotherApp,
    /// A token with one bit changed.
    TokenChanged,
    /// An operation id again, with another body.
    OtherBody,
    /// A field that no method knows.
    UnknownField,
    /// A number where an id belongs.
    WrongType,
}

/// What a phone holds when everything has come to rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct View {
    /// The phone.
    pub process: String,
    /// Its app.
    pub app: String,
    /// Whose it is, by the id of the profile.
    pub user: String,
    /// The roots that it follows beside its own.
    pub roots: Vec<String>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A row of a phone's cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// The root, like `post:UUID`.
    pub root: String,
    /// The section.
    pub section: String,
    /// The type.
    #[serde(rename = "type")]
    pub of_type: String,
    /// The id.
    pub id: String,
    /// Its revision.
    pub rev: String,
    /// Its value.
    pub value: Value,
}

/// The only disk that had the data was replaced by a copy: what was written in between is gone, and nobody
/// promised otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolledBack {
    /// When the copy was made, in microseconds since the run began.
    pub copied: u64,
    /// When it took the place of the disk.
    pub restored: u64,
}

/// A line of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// A call.
    Call(Record),
    /// From here on nothing goes wrong, everything has arrived, and nobody writes: what is read from here on is
    /// what came of it all. Calls before it that were under way are over.
    Settled,
    /// The only disk that had the data was replaced by an older copy of itself.
    RolledBack(RolledBack),
    /// What a phone holds.
    View(View),
    /// A line that a server logged.
    Log(String),
    /// Something that must be in no log line.
    Secret(String),
}

/// All that a run leaves for the checks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// Calls while things went wrong, in the order in which they were sent.
    pub calls: Vec<Record>,
    /// Calls after everything had come to rest, in the order in which they were sent.
    pub rest: Vec<Record>,
    /// Whether everything came to rest: what must hold only then is not judged before.
    pub settled: bool,
    /// Disks that were rolled back, in order of time.
    pub rolled_back: Vec<RolledBack>,
    /// What phones held then.
    pub views: Vec<View>,
    /// What was logged.
    pub log: Vec<String>,
    /// What must not have been.
    pub secrets: Vec<String>,
}

impl Evidence {
    /// Adds a line.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Call(record) if self.settled => self.rest.push(record),
            Line::Call(record) => self.calls.push(record),
            Line::Settled => self.settled = true,
            Line::RolledBack(rolled_back) => self.rolled_back.push(rolled_back),
            Line::View(view) => self.views.push(view),
            Line::Log(line) => self.log.push(line),
            Line::Secret(secret) => self.secrets.push(secret),
        }
    }

    /// From its lines.
    pub fn of(lines: impl IntoIterator<Item = Line>) -> Evidence {
        let mut evidence = Evidence::default();
        lines.into_iter().for_each(|line| evidence.add(line));
        evidence.sort();
        evidence
    }

    /// Puts calls in the order in which they were sent: they are recorded when they are over.
    pub fn sort(&mut self) {
        self.calls.sort_by_key(|record| record.invoked);
        self.rest.sort_by_key(|record| record.invoked);
        self.rolled_back.sort_by_key(|rolled_back| rolled_back.restored);
    }

    /// All calls, in order.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Record> + Clone {
        self.calls.iter().chain(&self.rest)
    }
}

impl Outcome {
    /// What an answer says: status, body, headers. Nothing is taken for a definite failure unless the contract
    /// says that it was refused before it was carried out.
    pub fn of_answer(
        status: u16,
        body: Value,
        position: Option<String>,
        replayed: bool,
        retry_after_s: Option<u64>,
    ) -> Outcome {
        match status {
            200..300 => Outcome::Ok { value: body, position, replayed },
            304 => Outcome::Ok { value: Value::Null, position, replayed },
            // `in-progress` speaks of an earlier call with the same id, which may yet be done.
            409 if body["code"] == "in-progress" => Outcome::Unknown { status: Some(409), problem: body },
            400..500 | 503 | 507 => Outcome::Failed { status, problem: body, retry_after_s },
            _ => Outcome::Unknown { status: Some(status), problem: body },
        }
    }

    /// No answer came.
    pub const LOST: Outcome = Outcome::Unknown { status: None, problem: Value::Null };
}
