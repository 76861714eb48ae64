//! A chat and its messages: as clients see them, and as they stand in the chat's root.

use gomer_core::id::{Id, Order, Root};
use gomer_core::rows::entry::Activity;
use gomer_core::rows::node::Node;
use gomer_core::time::Time;
use gomer_core::vnode::query::EntryView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::permission::check::Object;
use crate::methods::post::publish::VERB_CREATE;
use crate::methods::post::view::{Place, json, read};
use crate::registry::{OrderText, Rev};
use crate::types::{Timestamp, Uuid};

/// Verb of an entry: people were made members (Activity Streams 2.0 `Add`).
pub const VERB_ADD: u16 = 3;
/// Verb of an entry: members were removed (Activity Streams 2.0 `Remove`).
pub const VERB_REMOVE: u16 = 4;
/// Verb of an entry: a member left (Activity Streams 2.0 `Leave`).
pub const VERB_LEAVE: u16 = 5;

/// What a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChatKind {
    /// Between two people: one per pair, for ever.
    Direct,
    /// Of any number of people, with roles.
    Group,
}

/// Who may write in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Writers {
    /// Every member.
    #[default]
    Members,
    /// Owners and moderators.
    Moderators,
}

/// What a member may do in a chat. In a direct chat both are members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChatRole {
    /// Reads, and writes if members may.
    Member,
    /// Also adds and removes members, and deletes messages for all.
    Moderator,
    /// Also changes the chat and gives roles.
    Owner,
}

/// A chat, as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub kind: ChatKind,
    /// What a group is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The other one of a direct chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<Uuid>,
    /// Who may write.
    pub writers: Writers,
    /// What I may do in it.
    pub my_role: ChatRole,
    /// How many members it has.
    pub member_count: u64,
    /// When it was made, by the server's clock.
    pub created_at: Timestamp,
    /// Its revision. Messages and members do not change it.
    pub rev: Rev,
    /// The place of the newest message that I have read; absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_to: Option<OrderText>,
    /// Messages of others after it; 100 stands for more than 99. Absent in the replies of procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
    /// The newest message, if there is one that I may see. Absent in the replies of procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Box<Message>>,
    /// I mute it: its messages do not count in `chat.getUnread`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
}

/// What the attributes of a chat's node say.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// What it is.
    pub kind: ChatKind,
    /// What it is called.
    pub title: Option<String>,
    /// Who may write.
    pub writers: Writers,
    /// The two of a direct chat.
    pub between: Option<[Uuid; 2]>,
    /// When it was made. An attribute, so that the reply to the call that made it says the same as every later one.
    pub created_at: Timestamp,
}

impl About {
    /// Reads a chat's node. What cannot be read is as strict as can be.
    pub fn read(node: &Node) -> About {
        About {
            kind: read(node, KIND).unwrap_or(ChatKind::Group),
            title: read(node, TITLE),
            writers: read(node, WRITERS).unwrap_or(Writers::Moderators),
            between: read(node, BETWEEN),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
        }
    }

    /// The attributes of a new chat's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs = vec![
            (KIND.to_owned(), json(&self.kind)),
            (WRITERS.to_owned(), json(&self.writers)),
            (CREATED_AT.to_owned(), json(&self.created_at)),
        ];
        attrs.extend(self.title.as_ref().map(|title| (TITLE.to_owned(), json(title))));
        attrs.extend(self.between.as_ref().map(|between| (BETWEEN.to_owned(), json(between))));
        attrs
    }

    /// The other one of a direct chat.
    pub fn other(&self, me: Id) -> Option<Id> {
        self.between?.into_iter().map(|id| id.0).find(|&id| id != me)
    }
}

/// What an entry of a chat tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MessageKind {
    /// Somebody wrote something.
    Message,
    /// The author added `profiles`.
    Added,
    /// The author removed `profiles`.
    Removed,
    /// The author left.
    Left,
}

/// A message, or what else happened in a chat.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id, chosen by the author's device.
    pub id: Uuid,
    /// The chat.
    pub chat: Uuid,
    /// Who wrote it.
    pub author: Uuid,
    /// What it is.
    pub kind: MessageKind,
    /// What it holds.
    #[serde(flatten)]
    pub content: Content,
    /// Its place in the chat, the same for everybody: a later message has a greater text.
    pub order: OrderText,
    /// Its revision.
    pub rev: Rev,
}

/// What a message holds: the JSON of its entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Where it was written, or where to meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Something that it shares. Whether its reader may see that is another matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Object>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Uuid>,
    /// Profiles that it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Uuid>,
    /// Who was added or removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Uuid>,
    /// When it was sent, by the server's clock. Not what orders messages.
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// Its author was erased: there is no such profile any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub author_deleted: bool,
}

impl Content {
    /// Nothing yet.
    pub fn new(now: Time) -> Content {
        Content {
            text: None,
            link: None,
            place: None,
            shared: None,
            reply_to: None,
            mentions: Vec::new(),
            profiles: Vec::new(),
            created_at: Timestamp(now),
            edited_at: None,
            author_deleted: false,
        }
    }

    /// The activity of the entry that holds it.
    pub fn activity(&self, chat: Id, actor: Id, verb: u16) -> Activity {
        let (object, extra) = (Root::chat(chat), json(self));
        Activity { actor, verb, object, target: None, extra }
    }
}

impl Message {
    /// Reads an entry. What cannot be read (a newer program wrote it) says nothing but that it is there.
    pub fn read(chat: Id, view: &EntryView, rev: Rev) -> Message {
        let activity = &view.entry.activity;
        let content = serde_json::from_str(&activity.extra).unwrap_or_else(|_| Content::new(view.entry.time));
        Message {
            id: Uuid(view.entry.id),
            chat: Uuid(chat),
            author: Uuid(activity.actor),
            kind: match activity.verb {
                VERB_ADD => MessageKind::Added,
                VERB_REMOVE => MessageKind::Removed,
                VERB_LEAVE => MessageKind::Left,
                _ => MessageKind::Message,
            },
            content,
            order: OrderText::At(view.order),
            rev,
        }
    }
}

/// Whether an entry is a message that somebody wrote.
pub fn is_message(view: &EntryView) -> bool {
    view.entry.activity.verb == VERB_CREATE
}

/// What I keep of a chat in my own root: the data of the link to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mine {
    /// How far I have read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<OrderText>,
    /// What I do not want to see any more: everything up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<OrderText>,
}

impl Mine {
    /// Reads a link's data.
    pub fn of(data: &str) -> Mine {
        serde_json::from_str(data).unwrap_or_default()
    }

    /// How far I have read: also what I cleared.
    pub fn read_to(&self) -> Option<Order> {
        let place = |text: Option<OrderText>| text.and_then(OrderText::order);
        place(self.read).max(place(self.cleared))
    }

    /// Up to where I cleared it.
    pub fn cleared_to(&self) -> Option<Order> {
        self.cleared.and_then(OrderText::order)
    }
}

/// Attribute: direct or group.
pub const KIND: &str = "kind";
/// Attribute: what a group is called.
pub const TITLE: &str = "title";
/// Attribute: who may write.
pub const WRITERS: &str = "writers";
/// Attribute: the two of a direct chat.
pub const BETWEEN: &str = "between";
/// Attribute: when it was made.
pub const CREATED_AT: &str = "createdAt";

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::Position;

    fn at(position: u64) -> Order {
        Order { position: Position(position), ordinal: 0 }
    }

    #[test]
    fn what_is_cleared_is_read() {
        let mine = Mine { read: Some(OrderText::At(at(3))), cleared: Some(OrderText::At(at(7))) };
        assert_eq!(Mine::of(&json(&mine)), mine);
        assert_eq!((mine.read_to(), mine.cleared_to()), (Some(at(7)), Some(at(7))));
        assert_eq!(Mine::of("{}").read_to(), None);
        assert_eq!(Mine::of("not JSON"), Mine::default());
    }

    #[test]
    fn an_entry_of_a_newer_program_says_only_that_it_is_there() {
        let mut activity = Content::new(Time::ZERO).activity(Id::NIL, Id::NIL, 999);
        activity.extra = "[]".into();
        let entry = gomer_core::rows::entry::Entry {
            id: Id::NIL,
            section: gomer_core::id::Section::PUBLIC,
            rev: Position(1),
            time: Time::from_millis(5),
            activity,
        };
        let message = Message::read(Id::NIL, &EntryView { order: at(1), entry }, Rev::At(Position(1), 0));
        assert_eq!((message.kind, message.content.text), (MessageKind::Message, None));
        assert_eq!(message.content.created_at, Timestamp(Time::from_millis(5)));
    }
}
