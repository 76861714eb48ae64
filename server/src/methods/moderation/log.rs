//! The log of decisions: each entry has the hash of the one before, so that nobody can change, drop or add one unseen.
//! The chain is checked whenever a page of it is read.

use gomer_core::id::{Id, Order, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::vnode::command::{Operation, Precondition, Write};
use gomer_core::vnode::query::EntryView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::bans::BanTarget;
use super::{root, root_of};
use crate::blob::hex;
use crate::methods::permission::check::Object;
use crate::methods::post::view::{json, read};
use crate::model::{DECISIONS, LOG_HEAD};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Stop};
use crate::types::{Limit, Page, Timestamp, Uuid};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A case was given to a moderator, or to nobody.
    Assigned,
    /// A case was closed.
    Resolved,
    /// Content was taken down.
    Removed,
    /// Content was put back.
    Restored,
    /// A profile, device or range of addresses was banned.
    Banned,
    /// A ban was lifted.
    Unbanned,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Its number: 1, 2, 3 and so on.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Which moderator; absent for the app's server and administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Uuid>,
    /// What was decided.
    pub action: Action,
    /// About which profile or content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// Who or what was banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<BanTarget>,
    /// To whom a case was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Uuid>,
    /// Why, or with which outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The hash of the decision before: SHA-256 over its text, in hex; 64 zeros for the first.
    pub previous: String,
}

impl Decision {
    /// One that is not in the log yet.
    pub fn new(action: Action) -> Decision {
        Decision {
            number: 0,
            at: Timestamp(gomer_core::time::Time::ZERO),
            by: None,
            action,
            object: None,
            target: None,
            assignee: None,
            reason: None,
            until: None,
            previous: String::new(),
        }
    }
}

/// The end of the chain, and what is to be added to it by one write.
pub struct Log {
    number: u64,
    hash: String,
    unchanged: Precondition,
    ops: Vec<Operation>,
}

impl Log {
    /// The log as it is.
    pub async fn open(call: &Call) -> Result<Log, Stop> {
        let id = head_id();
        let head = call.node(root(), id).await?;
        Ok(match head {
            None => Log {
                number: 0,
                hash: ORIGIN.to_owned(),
                unchanged: Precondition::NodeAbsent(id),
                ops: Vec::new(),
            },
            Some(view) => {
                let (number, hash) = head_of(&view.node)?;
                Log { number, hash, unchanged: Precondition::NodeRev(id, view.node.rev), ops: Vec::new() }
            }
        })
    }

    /// Adds a decision of this caller's, now.
    pub fn add(&mut self, call: &Call, decision: Decision) {
        self.number += 1;
        let decision = Decision {
            number: self.number,
            at: Timestamp(call.now.wall),
            by: call.maybe_me().map(Uuid),
            previous: std::mem::take(&mut self.hash),
            ..decision
        };
        let text = json(&decision);
        self.hash = hash_of(&text);
        let object = decision.object.map_or(root(), root_of);
        let activity = Activity {
            actor: call.author(),
            verb: VERB_DECIDE,
            object,
            target: None,
            extra: format!(r#"{{"decision":{text},"hash":"{}"}}"#, self.hash),
        };
        self.ops.push(Operation::Append {
            stream: DECISIONS,
            id: Id::derived("decision", &self.number.to_be_bytes()),
            section: Section::INTERNAL,
            activity,
        });
    }

    /// The write, with what was added. It fails if somebody else added something meanwhile.
    pub fn on(self, mut write: Write) -> Write {
        if self.ops.is_empty() {
            return write;
        }
        write.pre.push(self.unchanged);
        write.ops.extend(self.ops);
        write.op(Operation::PutNode {
            id: head_id(),
            ty: LOG_HEAD,
            section: Section::INTERNAL,
            author: Id::NIL,
            attrs: vec![(NUMBER.to_owned(), json(&self.number)), (HASH.to_owned(), json(&self.hash))],
        })
    }
}

/// A page of the log.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListLog {
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// Where a page ended, and what the next one must begin with.
#[derive(Serialize, Deserialize)]
struct Place {
    order: Order,
    number: u64,
    hash: String,
}

/// Lists decisions.
pub async fn list(call: Call, args: ListLog) -> Result<Reply<Page<Decision>>, Stop> {
    const LIST: &str = "moderation.listLog";
    let place: Option<Place> = call.open_cursor(LIST, args.cursor.as_deref())?;
    let (mut number, mut hash, from) = match place {
        Some(place) => (place.number, place.hash, Some(place.order)),
        None => match call.node(root(), head_id()).await? {
            Some(view) => {
                let (number, hash) = head_of(&view.node)?;
                (number, hash, None)
            }
            None => (0, ORIGIN.to_owned(), None),
        },
    };
    let (mut entries, end) = call.entry_page(root(), DECISIONS, from, true, args.limit.0).await?;
    if from.is_none() {
        // What was decided between the two reads comes with the next first page.
        entries.retain(|view| number_of(view).is_none_or(|it| it <= number));
    }
    let mut items = Vec::with_capacity(entries.len());
    for view in &entries {
        let decision = checked(view, number, &hash)?;
        number -= 1;
        hash.clone_from(&decision.previous);
        items.push(decision);
    }
    if end && (number, hash.as_str()) != (0, ORIGIN) {
        return Err(corrupt());
    }
    let place = entries.last().map(|last| Place { order: last.order, number, hash });
    let cursor = place.map(|place| call.seal_cursor(LIST, &place)).or(args.cursor);
    Ok(Reply::new(Page { items, cursor, end }))
}

/// An entry as it is stored: the decision's text stays as it was hashed, also when later programs write more fields.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    decision: &'a RawValue,
    hash: &'a str,
}

fn number_of(view: &EntryView) -> Option<u64> {
    let stored: Stored<'_> = serde_json::from_str(&view.entry.activity.extra).ok()?;
    serde_json::from_str::<Decision>(stored.decision.get()).ok().map(|decision| decision.number)
}

/// The decision in an entry, if it is the one with this number and hash.
fn checked(view: &EntryView, number: u64, hash: &str) -> Result<Decision, Stop> {
    let stored: Stored<'_> = serde_json::from_str(&view.entry.activity.extra).map_err(|_| corrupt())?;
    let text = stored.decision.get();
    let decision: Decision = serde_json::from_str(text).map_err(|_| corrupt())?;
    if number == 0 || decision.number != number || stored.hash != hash || hash_of(text) != hash {
        return Err(corrupt());
    }
    Ok(decision)
}

fn corrupt() -> Stop {
    Problem::new(Code::Corrupt)
        .detail("The log of decisions was changed: its chain of hashes is broken.")
        .into()
}

fn head_of(node: &gomer_core::rows::node::Node) -> Result<(u64, String), Stop> {
    read(node, NUMBER).zip(read(node, HASH)).ok_or_else(corrupt)
}

fn head_id() -> Id {
    Id::derived("log head", b"")
}

fn hash_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()).into())
}

/// What stands before the first decision.
const ORIGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Attribute of the head: how many decisions there are.
const NUMBER: &str = "number";
/// Attribute of the head: the hash of the last one.
const HASH: &str = "hash";
/// The verb of a decision.
const VERB_DECIDE: u16 = 40;
