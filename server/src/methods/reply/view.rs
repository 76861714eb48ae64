//! A reply as clients see it, and as its node's attributes.

use gomer_core::id::{Id, Root};
use gomer_core::rows::node::{Flags, Node};
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::post::view::{json, read};
use crate::registry::{NodeView, Rev};
use crate::types::{Timestamp, Uuid};

/// What can be replied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ParentKind {
    /// A post.
    Post,
    /// Another reply.
    Reply,
}

/// What is replied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parent {
    /// What it is.
    pub kind: ParentKind,
    /// Which one.
    pub id: Uuid,
}

impl Parent {
    /// Its root, where its replies are listed and counted.
    pub fn root(self) -> Root {
        match self.kind {
            ParentKind::Post => Root::post(self.id.0),
            ParentKind::Reply => Root::reply(self.id.0),
        }
    }
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// Its id, chosen by the author's device.
    pub id: Uuid,
    /// Who wrote it.
    pub author: Uuid,
    /// The post at the root of its thread: who sees that may see the reply.
    pub post: Uuid,
    /// What it replies to.
    pub to: Parent,
    /// What it says; absent of a deleted one, which stays for the replies to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Profiles that it mentions.
    pub mentions: Vec<Uuid>,
    /// When it was written, by the server's clock.
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// It was deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// A moderator took it down; only its author still sees it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// Its revision. Replies to it do not change it.
    pub rev: Rev,
    /// How many replies it has itself; absent in the replies of procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies: Option<u64>,
}

impl Comment {
    /// A reply that is about to be made.
    pub fn new(id: Id, author: Id, post: Id, to: Parent, text: String, now: Time) -> Comment {
        Comment {
            id: Uuid(id),
            author: Uuid(author),
            post: Uuid(post),
            to,
            text: Some(text),
            mentions: Vec::new(),
            created_at: Timestamp(now),
            edited_at: None,
            deleted: false,
            removed: false,
            rev: Rev::Pending,
            replies: None,
        }
    }

    /// Reads a reply's node. Nothing, if it does not say what it replies to: then nobody can tell who may see it.
    pub fn read(id: Id, view: &NodeView) -> Option<Comment> {
        let node = &view.node;
        Some(Comment {
            id: Uuid(id),
            author: Uuid(node.author),
            post: read(node, POST_OF)?,
            to: read(node, TO)?,
            text: read(node, TEXT),
            mentions: read(node, MENTIONS).unwrap_or_default(),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            edited_at: read(node, EDITED_AT),
            deleted: is_deleted(node),
            removed: node.flags.has(Flags::REMOVED),
            rev: view.rev,
            replies: None,
        })
    }

    /// The attributes of a new reply's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        vec![
            (POST_OF.to_owned(), json(&self.post)),
            (TO.to_owned(), json(&self.to)),
            (TEXT.to_owned(), json(&self.text)),
            (MENTIONS.to_owned(), json(&self.mentions)),
            (CREATED_AT.to_owned(), json(&self.created_at)),
        ]
    }
}

/// Whether a reply's author deleted it.
pub fn is_deleted(node: &Node) -> bool {
    node.attr(DELETED_AT).is_some()
}

/// The id of the node that counts an object's replies, in the object's root.
pub fn reply_count_id(object: Id) -> Id {
    Id::derived("reply count", object.as_bytes())
}

/// What that node says; 0 if there is none.
pub fn reply_count(node: Option<&Node>) -> u64 {
    node.and_then(|node| read(node, REPLIES)).unwrap_or(0)
}

/// Attribute: the post at the root of the thread.
pub const POST_OF: &str = "post";
/// Attribute: what it replies to.
pub const TO: &str = "to";
/// Attribute: what it says.
pub const TEXT: &str = "text";
/// Attribute: ids of mentioned profiles.
pub const MENTIONS: &str = "mentions";
/// Attribute: when it was written. An attribute for the reason that a post's is one.
pub const CREATED_AT: &str = "createdAt";
/// Attribute: when it was last edited.
pub const EDITED_AT: &str = "editedAt";
/// Attribute: when it was deleted. The node stays: what replies to it could not be judged without.
pub const DELETED_AT: &str = "deletedAt";
/// Attribute of the node that counts.
pub const REPLIES: &str = "replies";
