//! Replies as one caller may see them: the only way by which they leave the server.

use gomer_core::id::{Id, Root};
use gomer_core::rows::node::Flags;

use super::view::{Comment, Parent, ParentKind, reply_count, reply_count_id};
use crate::methods::post::hydrate::Reader;
use crate::model::REPLY;
use crate::registry::{Call, NodeView, Stop};

/// Nodes of a reply's root: the reply, and the count of its replies.
const NODES_MAX: u32 = 4;

/// Something that can be replied to, seen by somebody.
pub enum Seen {
    /// A post.
    Post(Box<NodeView>),
    /// A reply.
    Reply(Box<Comment>),
}

/// What can be replied to, if the caller may see it.
pub async fn seen(call: &Call, reader: &mut Reader, parent: Parent) -> Result<Option<Seen>, Stop> {
    Ok(match parent.kind {
        ParentKind::Post => reader.subject(parent.id.0).await?.map(|view| Seen::Post(Box::new(view))),
        ParentKind::Reply => comment(call, reader, parent.id.0).await?.map(|it| Seen::Reply(Box::new(it))),
    })
}

/// The reply with this id, if the caller may see its post and its author, and it was not taken down.
pub async fn comment(call: &Call, reader: &mut Reader, id: Id) -> Result<Option<Comment>, Stop> {
    let nodes = call.nodes(Root::reply(id), NODES_MAX).await?;
    let node = |wanted: Id| nodes.iter().find(|(id, _)| *id == wanted).map(|(_, view)| view);
    let Some(view) = node(id).filter(|view| view.node.ty == REPLY) else { return Ok(None) };
    let Some(mut comment) = Comment::read(id, view) else { return Ok(None) };
    let is_mine = call.maybe_me() == Some(view.node.author);
    let taken_down = view.node.flags.has(Flags::REMOVED) || view.node.flags.has(Flags::HIDDEN);
    if taken_down && !is_mine
        || !reader.sees_profile(view.node.author).await?
        || reader.subject(comment.post.0).await?.is_none()
    {
        return Ok(None);
    }
    comment.replies = Some(reply_count(node(reply_count_id(id)).map(|view| &view.node)));
    Ok(Some(comment))
}
