//! The record of an erasure: one link per person in a root of the app, outside of the person's own, so that it outlives
//! them. It holds when, how far and how much, and nothing of what was erased.
//!
//! Each step of the work changes it by compare-and-set: two members that both work on it do no harm.

use std::collections::BTreeMap;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, LinkType, Order, Root, RootKind, Section};
use gomer_core::vnode::command::{Operation, Precondition};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::post::view::json;
use crate::model::{ERASED, ERASURE_IDS, ERASURES};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Stop};
use crate::types::{Timestamp, Uuid};

/// Who wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// The person.
    Owner,
    /// The app's administrators or its server.
    Admin,
}

/// How far the work is. In this order; each may be done again from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Nothing is done yet: it can be called off.
    Waiting,
    /// What there is, is counted.
    Count,
    /// The profile is emptied and hidden, and nobody can sign in to it any more.
    Close,
    /// Posts.
    Posts,
    /// Photos.
    Photos,
    /// Albums.
    Albums,
    /// Check-ins.
    CheckIns,
    /// Shares.
    Shares,
    /// Replies, nodes of the app's own types, short links.
    Made,
    /// Reactions.
    Likes,
    /// Whom they follow.
    Following,
    /// Whom they asked.
    Requested,
    /// Who follows them.
    Followers,
    /// Who asked them.
    RequestedBy,
    /// Whom they block.
    Blocks,
    /// Who blocks them.
    BlockedBy,
    /// Photos of others that show them.
    Shown,
    /// What they wrote in chats is marked, chat by chat, and they leave.
    Chats,
    /// Links of the app's own types.
    OwnLinks,
    /// The profile is gone; then its handle and address are free again.
    Names,
    /// All that is left in their root.
    Wipe,
    /// What was on its way to them has come.
    Settle,
    /// Nothing is left.
    Done,
}

/// Where in a stage: the last link, and in a chat the last message, that was seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct At {
    /// The last link of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkPlace>,
    /// The last entry of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// An erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its id, chosen by who wanted it.
    pub id: Uuid,
    /// Whom it is about.
    pub profile: Uuid,
    /// Who wanted it.
    pub by: By,
    /// When it was wanted.
    pub requested_at: Timestamp,
    /// From when on it is done.
    pub due_at: Timestamp,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// When nothing was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// How far.
    pub stage: Stage,
    /// Where in the stage.
    #[serde(default)]
    pub at: At,
    /// Since when what is on its way is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wiped_at: Option<Timestamp>,
    /// How much there was of each kind.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
}

/// The root of an app's erasures.
pub fn root() -> Root {
    Root::new(RootKind::Misc, Id::derived("erasures", b""))
}

/// The erasure of a person, with the text to compare with, whether it is to be done or done.
pub async fn of(call: &Call, profile: Id) -> Result<Option<(Record, String)>, Stop> {
    for ty in [ERASURES, ERASED] {
        if let Some(link) = call.link(root(), ty, profile).await? {
            let record = serde_json::from_str(&link.link.data).map_err(|_| unreadable())?;
            return Ok(Some((record, link.link.data)));
        }
    }
    Ok(None)
}

/// Whose erasure has this id.
pub async fn profile_of(call: &Call, id: Id) -> Result<Option<Id>, Stop> {
    let link = call.link(root(), ERASURE_IDS, id).await?;
    Ok(link.and_then(|link| link.link.data.parse().ok()))
}

fn unreadable() -> Stop {
    Problem::new(Code::Internal).detail("The record of an erasure cannot be read.").into()
}

fn put(ty: LinkType, record: &Record) -> Operation {
    Operation::PutLink {
        ty,
        to: record.profile.0,
        section: Section::INTERNAL,
        time: Some(record.due_at.0),
        data: json(record),
    }
}

impl Record {
    /// The operations and the condition that make it.
    pub fn make(&self) -> (Vec<Precondition>, Vec<Operation>) {
        let (profile, id) = (self.profile.0, self.id.0);
        let pre = vec![
            Precondition::LinkAbsent(ERASURES, profile),
            Precondition::LinkAbsent(ERASED, profile),
            Precondition::LinkAbsent(ERASURE_IDS, id),
        ];
        let by_id = Operation::PutLink {
            ty: ERASURE_IDS,
            to: id,
            section: Section::INTERNAL,
            time: None,
            data: profile.to_string(),
        };
        (pre, vec![put(ERASURES, self), by_id])
    }

    /// The same that call it off, as long as it is as `text` says.
    pub fn unmake(&self, text: &str) -> (Vec<Precondition>, Vec<Operation>) {
        let profile = self.profile.0;
        let pre = vec![Precondition::LinkData(ERASURES, profile, text.to_owned())];
        let ops = vec![
            Operation::DeleteLink { ty: ERASURES, to: profile },
            Operation::DeleteLink { ty: ERASURE_IDS, to: self.id.0 },
        ];
        (pre, ops)
    }

    /// Stores it in the place of `text`; whether it was still that. Nothing of it is written otherwise.
    pub async fn store(&self, call: &Call, text: &str) -> Result<bool, Stop> {
        let profile = self.profile.0;
        let mut write = call
            .on(root())
            .when(Precondition::LinkData(ERASURES, profile, text.to_owned()))
            .op(put(ERASURES, self));
        if self.stage == Stage::Done {
            write = write.op(Operation::RetypeLink { from: ERASURES, into: ERASED, to: profile });
        }
        write.app = call.app.id;
        match call.cluster.write(write).await {
            Ok(_) => Ok(true),
            Err(Fault::Absent) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }
}
