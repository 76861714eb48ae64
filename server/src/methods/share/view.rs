//! A share as clients see it, as its node's attributes, and what one caller may see of many. A share says nothing
//! without its object: who may not see the object does not see the share.

use gomer_core::id::{Id, Root, RootKind};
use gomer_core::rows::node::{Flags, Node};
use schemars::JsonSchema;
use serde::Serialize;

use super::object::{Object, Shared, shared};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{AUDIENCE, Audience, CREATED_AT, audience, json, read};
use crate::methods::publication::Publication;
use crate::model::{SHARE, SHARES};
use crate::registry::{Call, NodeView, Rev, Stop};
use crate::types::{Timestamp, Uuid};

/// Verb of an entry: somebody shared something (Activity Streams 2.0 `Announce`).
pub const VERB_SHARE: u16 = 81;

/// Most characters of a comment.
pub const COMMENT_CHARS_MAX: usize = 5_000;

/// A share.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Its id, chosen by the author's device.
    pub id: Uuid,
    /// Who shared.
    pub author: Uuid,
    /// What.
    pub object: Shared,
    /// What they say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// For whom.
    pub audience: Audience,
    /// When, by the server's clock.
    pub created_at: Timestamp,
    /// Its revision.
    pub rev: Rev,
    /// A moderator took it down; only its author still sees it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl Share {
    /// Reads a share's node. What cannot be read (a newer program wrote it) is as if it were not set.
    fn read(id: Id, view: &NodeView, object: Shared) -> Share {
        let node = &view.node;
        Share {
            id: Uuid(id),
            author: Uuid(node.author),
            object,
            comment: read(node, COMMENT),
            audience: audience(node),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            rev: view.rev,
            removed: node.flags.has(Flags::REMOVED),
        }
    }

    /// The attributes of a new share's node.
    pub fn attrs(&self, object: Root) -> Vec<(String, String)> {
        let mut attrs = vec![
            (OBJECT.to_owned(), json(&Object(object))),
            (AUDIENCE.to_owned(), json(&self.audience)),
            (CREATED_AT.to_owned(), json(&self.created_at)),
        ];
        attrs.extend(self.comment.as_ref().map(|comment| (COMMENT.to_owned(), json(comment))));
        attrs
    }
}

/// The root of a share.
pub fn share_root(id: Id) -> Root {
    Root::new(RootKind::Share, id)
}

/// What a share's node names.
pub fn object_of(node: &Node) -> Option<Root> {
    read(node, OBJECT).map(|object: Object| object.0)
}

/// A share as something that was published.
pub fn publication(author: Id, id: Id, audience: Audience) -> Publication {
    Publication { author, object: share_root(id), verb: VERB_SHARE, audience, own: SHARES }
}

/// These shares as far as the caller may see them and what they share, in the order asked.
pub async fn shares(call: &Call, reader: &mut Reader, ids: &[Id]) -> Result<Vec<Share>, Stop> {
    let mut items = Vec::with_capacity(ids.len());
    for &id in ids {
        let Some(view) = call.node(share_root(id), id).await?.filter(|view| view.node.ty == SHARE) else {
            continue;
        };
        if !reader.sees(&view.node).await? {
            continue;
        }
        let Some(object) = object_of(&view.node) else { continue };
        if let Some(object) = shared(call, reader, object).await? {
            items.push(Share::read(id, &view, object));
        }
    }
    Ok(items)
}

/// The same for lists that nobody asked for one by one: what the caller mutes is left out.
pub async fn listed_shares(call: &Call, reader: &mut Reader, ids: &[Id]) -> Result<Vec<Share>, Stop> {
    let mut items = shares(call, reader, ids).await?;
    let mutes = reader.own_mutes().await?;
    items.retain(|item| {
        let (by, texts) = match &item.object {
            Shared::Post(post) => (Some(post.author.0), vec![post.text.as_str()]),
            Shared::Checkin(checkin) => {
                (Some(checkin.author.0), checkin.note.as_deref().into_iter().collect())
            }
            Shared::News(item) => {
                (None, vec![item.title.as_str(), item.summary.as_deref().unwrap_or_default()])
            }
            Shared::Tweet(tweet) => (None, vec![tweet.text.as_str()]),
            Shared::Place(_) | Shared::Profile(_) => (None, Vec::new()),
        };
        let tags: Vec<&str> = match &item.object {
            Shared::Post(post) => post.tags.iter().map(|tag| tag.0.as_str()).collect(),
            _ => Vec::new(),
        };
        let said = texts.into_iter().chain(item.comment.as_deref()).collect::<Vec<_>>().join("\n");
        !reader.mutes(item.author.0)
            && !by.is_some_and(|by| reader.mutes(by))
            && !mutes.iter().any(|mute| mute.silences(item.id.0, &said, &tags))
    });
    Ok(items)
}

/// Attribute: what is shared.
pub const OBJECT: &str = "object";
/// Attribute: what is said of it.
const COMMENT: &str = "comment";
