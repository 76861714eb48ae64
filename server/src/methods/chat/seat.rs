//! Somebody's seat in a chat: whether they are in it, and what they may do there. Every method of the service
//! begins with it, and so does sync.

use gomer_core::id::{Id, LinkType, Root};
use gomer_core::vnode::command::Precondition;

use super::view::{About, Chat, ChatKind, ChatRole, Mine, WRITERS, Writers};
use crate::methods::block::Mute;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::json;
use crate::model::{CHAT, CHAT_MEMBER, CHAT_STAFF, CHATS, MUTES};
use crate::registry::{Call, NodeView, OrderText, Stop};
use crate::types::Uuid;

/// A member's seat.
pub struct Seat {
    /// The chat.
    pub id: Id,
    /// Who sits there.
    pub me: Id,
    /// The chat's node.
    pub node: NodeView,
    /// What the node says.
    pub about: About,
    /// What the member may do.
    pub role: ChatRole,
}

impl Seat {
    /// The seat of `me`, if there is such a chat and `me` is a member who may see it: between two people of whom
    /// one blocks the other, there is no chat.
    pub async fn find(call: &Call, reader: &mut Reader, me: Id, id: Id) -> Result<Option<Seat>, Stop> {
        let root = Root::chat(id);
        if call.link(root, CHAT_MEMBER, me).await?.is_none() {
            return Ok(None);
        }
        let Some(node) = call.node(root, id).await?.filter(|view| view.node.ty == CHAT) else {
            return Ok(None);
        };
        let about = About::read(&node.node);
        if let Some(other) = about.other(me)
            && !reader.sees_profile(other).await?
            && !reader.is_gone(other)
        {
            return Ok(None);
        }
        let role = match about.kind {
            ChatKind::Direct => ChatRole::Member,
            ChatKind::Group => role_of(call, id, me).await?,
        };
        Ok(Some(Seat { id, me, node, about, role }))
    }

    /// The same; 404 for everybody else.
    pub async fn of(call: &Call, reader: &mut Reader, me: Id, id: Id) -> Result<Seat, Stop> {
        Seat::find(call, reader, me, id).await?.ok_or_else(Stop::not_found)
    }

    /// Whether its holder may write.
    pub fn may_write(&self) -> bool {
        match self.about.writers {
            Writers::Members => true,
            Writers::Moderators => self.role >= ChatRole::Moderator,
        }
    }

    /// Stops those who have less than this role. In a direct chat nobody has more than a member.
    pub fn at_least(&self, role: ChatRole) -> Result<(), Stop> {
        match role {
            _ if self.role >= role => Ok(()),
            ChatRole::Owner => Err(Stop::forbidden("Only an owner of the chat may do this.")),
            _ => Err(Stop::forbidden("Only owners and moderators of the chat may do this.")),
        }
    }

    /// What must still hold when a write of this seat's holder is applied: that they are in the chat, and what
    /// they may do there.
    pub fn still(&self) -> Vec<Precondition> {
        let staff = match self.role {
            ChatRole::Member => Precondition::LinkPresent(CHAT_MEMBER, self.me),
            role => Precondition::LinkData(CHAT_STAFF, self.me, json(&role)),
        };
        vec![staff]
    }

    /// The same, and that the chat lets the same people write.
    pub fn still_writes(&self) -> Vec<Precondition> {
        let writers = self.node.node.attr(WRITERS).map(str::to_owned);
        let mut still = self.still();
        still.push(Precondition::AttrIs(self.id, WRITERS.to_owned(), writers));
        still
    }

    /// The chat as its holder sees it, as far as its own root and the holder's say.
    pub async fn chat(&self, call: &Call) -> Result<(Chat, Mine), Stop> {
        let mine = mine(call, self.me, self.id).await?.map_or(Mine::default(), |(mine, _)| mine);
        let members = call.counts(Root::chat(self.id), vec![CHAT_MEMBER]).await?;
        let mute = call.link(Root::profile(self.me), MUTES, self.id).await?;
        let mute = mute.and_then(|link| Mute::read(&link.link.data));
        let chat = Chat {
            id: Uuid(self.id),
            kind: self.about.kind,
            title: self.about.title.clone(),
            with: self.about.other(self.me).map(Uuid),
            writers: self.about.writers,
            my_role: self.role,
            member_count: members.first().copied().unwrap_or(0),
            created_at: self.about.created_at,
            rev: self.node.rev,
            read_to: mine.read_to().map(OrderText::At),
            unread: None,
            last: None,
            muted: mute.is_some_and(|mute| !mute.has_ended(call.now.wall)),
        };
        Ok((chat, mine))
    }
}

/// What a member of a group may do there.
pub async fn role_of(call: &Call, chat: Id, member: Id) -> Result<ChatRole, Stop> {
    let link = call.link(Root::chat(chat), CHAT_STAFF, member).await?;
    Ok(link.map_or(ChatRole::Member, |link| role_in(&link.link.data)))
}

/// The role that the link of an owner or a moderator says.
pub fn role_in(data: &str) -> ChatRole {
    serde_json::from_str(data).unwrap_or(ChatRole::Member)
}

/// What I keep of a chat in my own root, and its text; nothing if it is not in my list.
pub async fn mine(call: &Call, me: Id, chat: Id) -> Result<Option<(Mine, String)>, Stop> {
    let link = call.link(Root::profile(me), CHATS, chat).await?;
    Ok(link.map(|link| (Mine::of(&link.link.data), link.link.data)))
}

/// The links of a chat's root that lead to people.
pub const PEOPLE: [LinkType; 3] = [CHAT_MEMBER, CHAT_STAFF, crate::model::CHAT_READ];
