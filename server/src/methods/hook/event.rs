//! Events of an app: what rows that changed mean outside, and who is told.
//!
//! An event is slim: what happened to which thing by whom. What the thing is now is read with the server key, so that a
//! delivery can neither be out of date nor give anything away that may not be read any more.
//!
//! One rule decides what leaves ([`crate::visibility`]): an event goes out if a moderator of the app may see the whole
//! thing. What is for its owner alone or for named people never does, nor does anything that is not in the list
//! here: credentials, sessions, devices, blocks, mutes, notes, settings, reports. Messages of chats leave only for
//! a hook that asked for them, in an app whose settings allow it.

use gomer_core::id::{AppId, Id, NodeType, Partition, Position, Root, RootKind, Section};
use gomer_core::rows::RowRef;
use gomer_core::rows::node::{Flags, Node};
use gomer_core::time::Time;
use gomer_core::vnode::query::DeltaItem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::followers::{Change, Changes};
use crate::methods::post::view::{Audience, audience, read};
use crate::methods::reply::view::{POST_OF, is_deleted};
use crate::model;
use crate::registry::{Call, Stop};
use crate::types::{Timestamp, Uuid};
use crate::visibility::{Sight, Thing, Tie, Viewer, sight};

/// What happened. What was made and changed again before anybody looked comes once, as it is by then: as `…updated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EventName {
    /// An album was made.
    #[serde(rename = "album.created")]
    AlbumCreated,
    /// An album is gone.
    #[serde(rename = "album.deleted")]
    AlbumDeleted,
    /// An album changed.
    #[serde(rename = "album.updated")]
    AlbumUpdated,
    /// A chat was made. Chats only.
    #[serde(rename = "chat.created")]
    ChatCreated,
    /// A chat changed. Chats only.
    #[serde(rename = "chat.updated")]
    ChatUpdated,
    /// Somebody checked in.
    #[serde(rename = "checkin.created")]
    CheckinCreated,
    /// A check-in is gone.
    #[serde(rename = "checkin.deleted")]
    CheckinDeleted,
    /// A check-in changed.
    #[serde(rename = "checkin.updated")]
    CheckinUpdated,
    /// A moderator took something down, or it waits for one.
    #[serde(rename = "content.removed")]
    ContentRemoved,
    /// Somebody follows somebody.
    #[serde(rename = "follow.created")]
    FollowCreated,
    /// Somebody follows somebody no longer.
    #[serde(rename = "follow.deleted")]
    FollowDeleted,
    /// Events may have been missed: the data was restored, or the hook was away too long. Sent to every hook.
    #[serde(rename = "hook.gap")]
    Gap,
    /// Somebody likes a post.
    #[serde(rename = "like.created")]
    LikeCreated,
    /// Somebody likes a post no longer.
    #[serde(rename = "like.deleted")]
    LikeDeleted,
    /// Something was said in a chat. Chats only.
    #[serde(rename = "message.created")]
    MessageCreated,
    /// A message is gone. Chats only.
    #[serde(rename = "message.deleted")]
    MessageDeleted,
    /// A message changed. Chats only.
    #[serde(rename = "message.updated")]
    MessageUpdated,
    /// A node of the app's own types is gone.
    #[serde(rename = "node.deleted")]
    NodeDeleted,
    /// A node of the app's own types was made or changed.
    #[serde(rename = "node.updated")]
    NodeUpdated,
    /// A photo was published.
    #[serde(rename = "photo.created")]
    PhotoCreated,
    /// A photo is gone.
    #[serde(rename = "photo.deleted")]
    PhotoDeleted,
    /// A photo changed.
    #[serde(rename = "photo.updated")]
    PhotoUpdated,
    /// A place was made.
    #[serde(rename = "place.created")]
    PlaceCreated,
    /// A place is gone.
    #[serde(rename = "place.deleted")]
    PlaceDeleted,
    /// A place changed, also by who checks in there.
    #[serde(rename = "place.updated")]
    PlaceUpdated,
    /// A post was published.
    #[serde(rename = "post.created")]
    PostCreated,
    /// A post is gone.
    #[serde(rename = "post.deleted")]
    PostDeleted,
    /// A post changed.
    #[serde(rename = "post.updated")]
    PostUpdated,
    /// Somebody is banned, whatever else changed.
    #[serde(rename = "profile.banned")]
    ProfileBanned,
    /// Somebody joined.
    #[serde(rename = "profile.created")]
    ProfileCreated,
    /// A profile is gone.
    #[serde(rename = "profile.deleted")]
    ProfileDeleted,
    /// A profile changed.
    #[serde(rename = "profile.updated")]
    ProfileUpdated,
    /// Somebody replied.
    #[serde(rename = "reply.created")]
    ReplyCreated,
    /// A reply is gone.
    #[serde(rename = "reply.deleted")]
    ReplyDeleted,
    /// A reply changed.
    #[serde(rename = "reply.updated")]
    ReplyUpdated,
    /// Somebody shared something.
    #[serde(rename = "share.created")]
    ShareCreated,
    /// A share is gone.
    #[serde(rename = "share.deleted")]
    ShareDeleted,
    /// A share changed.
    #[serde(rename = "share.updated")]
    ShareUpdated,
}

impl EventName {
    /// Whether it tells of a chat: only for hooks that asked, in apps that allow it.
    pub const fn is_of_chats(self) -> bool {
        use EventName::{ChatCreated, ChatUpdated, MessageCreated, MessageDeleted, MessageUpdated};
        matches!(self, ChatCreated | ChatUpdated | MessageCreated | MessageDeleted | MessageUpdated)
    }
}

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ThingKind {
    /// An album.
    Album,
    /// A chat.
    Chat,
    /// A check-in.
    Checkin,
    /// A message.
    Message,
    /// A node of the app's own types.
    Node,
    /// A photo.
    Photo,
    /// A place.
    Place,
    /// A post.
    Post,
    /// A profile.
    Profile,
    /// A reply.
    Reply,
    /// A share.
    Share,
}

/// Which thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ThingKind,
    /// Its id.
    pub id: Uuid,
}

/// Something that happened in the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The same whenever this event is sent: who has dealt with it once is done. The `webhook-id` of a delivery.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub name: EventName,
    /// When, by the server's clock. Nobody knows any more of a deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// To what, by whom.
    pub data: EventData,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventData {
    /// The thing. Absent of a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// Who made it, follows or likes; absent of things that are gone, and of what the app's server made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Uuid>,
    /// The chat that a message is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<Uuid>,
}

/// The kinds of things that are a node in a root of their own.
struct Own {
    root: RootKind,
    ty: NodeType,
    kind: ThingKind,
    created: EventName,
    updated: EventName,
    deleted: EventName,
}

const fn own(
    root: RootKind,
    ty: NodeType,
    kind: ThingKind,
    [created, updated, deleted]: [EventName; 3],
) -> Own {
    Own { root, ty, kind, created, updated, deleted }
}

const OWN: [Own; 8] = {
    use EventName as E;
    use RootKind as R;
    use ThingKind as T;
    [
        own(R::Album, model::ALBUM, T::Album, [E::AlbumCreated, E::AlbumUpdated, E::AlbumDeleted]),
        own(
            R::CheckIn,
            model::CHECKIN,
            T::Checkin,
            [E::CheckinCreated, E::CheckinUpdated, E::CheckinDeleted],
        ),
        own(R::Photo, model::PHOTO, T::Photo, [E::PhotoCreated, E::PhotoUpdated, E::PhotoDeleted]),
        own(R::Place, model::PLACE, T::Place, [E::PlaceCreated, E::PlaceUpdated, E::PlaceDeleted]),
        own(R::Post, model::POST, T::Post, [E::PostCreated, E::PostUpdated, E::PostDeleted]),
        own(
            R::Profile,
            model::PROFILE,
            T::Profile,
            [E::ProfileCreated, E::ProfileUpdated, E::ProfileDeleted],
        ),
        own(R::Reply, model::REPLY, T::Reply, [E::ReplyCreated, E::ReplyUpdated, E::ReplyDeleted]),
        own(R::Share, model::SHARE, T::Share, [E::ShareCreated, E::ShareUpdated, E::ShareDeleted]),
    ]
};

/// What a row means, before it has an id.
type Meaning = (EventName, Option<Time>, EventData);

/// The events in a page of changes, each with the position of its row; those of chats only if they may leave.
pub async fn events(
    call: &Call,
    partition: Partition,
    changes: &Changes,
    chats: bool,
) -> Result<Vec<(Position, Event)>, Stop> {
    let mut events = Vec::new();
    for change in &changes.items {
        let Some((name, time, data)) = meaning(call, change).await? else { continue };
        if name.is_of_chats() && !chats {
            continue;
        }
        let log = (changes.next.history, changes.eras.of(change.position));
        let id = event_id(call.app.id, partition, log, change);
        events.push((change.position, Event { id, name, timestamp: time.map(Timestamp), data }));
    }
    Ok(events)
}

/// The event that tells that others may have been missed, up to this position.
pub fn gap(app: AppId, partition: Partition, log: (u64, u32), at: Position) -> Event {
    let bytes = postcard::to_stdvec(&(app, partition, log, at)).expect("plain data");
    let id = id_text(Id::derived("event gap", &bytes));
    Event { id, name: EventName::Gap, timestamp: None, data: EventData::default() }
}

fn event_id(app: AppId, partition: Partition, log: (u64, u32), change: &Change) -> String {
    let row = match &change.row {
        DeltaItem::Node(id, _) => RowRef::Node(*id),
        DeltaItem::Link(ty, view) => RowRef::Link(*ty, view.to),
        DeltaItem::Count(ty, _) => RowRef::Count(*ty),
        DeltaItem::Entry(stream, view) => RowRef::Entry(*stream, view.entry.id),
        DeltaItem::Mark(stream, _) => RowRef::Mark(*stream),
        DeltaItem::Gone(row, ..) => *row,
    };
    let what = (app, partition, log, change.root, row, change.position);
    id_text(Id::derived("event", &postcard::to_stdvec(&what).expect("plain data")))
}

fn id_text(id: Id) -> String {
    let hex = id.text().as_str().replace('-', "");
    format!("evt_{hex}")
}

async fn meaning(call: &Call, change: &Change) -> Result<Option<Meaning>, Stop> {
    let Change { root, section, row, .. } = change;
    Ok(match row {
        DeltaItem::Node(id, node) if root.kind == RootKind::Node => {
            let open = *section == Section::PUBLIC && node.ty.0 >= model::OWN_TYPES_FROM;
            open.then(|| happened(EventName::NodeUpdated, node, ThingKind::Node, *id))
        }
        DeltaItem::Node(id, node) if root.kind == RootKind::Chat => {
            (*id == root.id && node.ty == model::CHAT).then(|| {
                let created = node.created == node.updated;
                let name = if created { EventName::ChatCreated } else { EventName::ChatUpdated };
                happened(name, node, ThingKind::Chat, *id)
            })
        }
        DeltaItem::Node(id, node) => {
            let own = OWN.iter().find(|own| own.root == root.kind && own.ty == node.ty && *id == root.id);
            match own {
                Some(own) if may_leave(call, *root, node).await? => Some(of_thing(own, *id, node)),
                _ => None,
            }
        }
        DeltaItem::Link(model::FOLLOWS, view) if root.kind == RootKind::Profile => {
            let data = tie(ThingKind::Profile, view.to, root.id);
            Some((EventName::FollowCreated, Some(view.time), data))
        }
        DeltaItem::Link(model::LIKED_BY, view) if root.kind == RootKind::Post => {
            let post = call.node(*root, root.id).await?;
            match post {
                Some(post) if may_leave(call, *root, &post.node).await? => {
                    let data = tie(ThingKind::Post, root.id, view.to);
                    Some((EventName::LikeCreated, Some(view.time), data))
                }
                _ => None,
            }
        }
        DeltaItem::Entry(model::MESSAGES, view) if root.kind == RootKind::Chat => {
            let fresh = view.order.position == view.entry.rev;
            let name = if fresh { EventName::MessageCreated } else { EventName::MessageUpdated };
            let actor = person(view.entry.activity.actor);
            let data = EventData { actor, ..message(root.id, view.entry.id) };
            Some((name, Some(view.entry.time), data))
        }
        DeltaItem::Gone(row, _, ty) => gone(*root, *section, *row, *ty),
        DeltaItem::Link(..) | DeltaItem::Count(..) | DeltaItem::Entry(..) | DeltaItem::Mark(..) => None,
    })
}

/// What went. Nobody can tell any more for whom it was: its id alone is told, and only of things that are told of.
fn gone(root: Root, section: Section, row: RowRef, ty: Option<NodeType>) -> Option<Meaning> {
    let (name, data) = match row {
        RowRef::Node(id) if root.kind == RootKind::Node => {
            let own = section == Section::PUBLIC && ty.is_some_and(|ty| ty.0 >= model::OWN_TYPES_FROM);
            own.then(|| (EventName::NodeDeleted, thing(ThingKind::Node, id)))?
        }
        RowRef::Node(id) => {
            let is = |own: &&Own| own.root == root.kind && Some(own.ty) == ty && id == root.id;
            let own = OWN.iter().find(is)?;
            (own.deleted, thing(own.kind, id))
        }
        RowRef::Link(model::FOLLOWS, to) if root.kind == RootKind::Profile => {
            (EventName::FollowDeleted, tie(ThingKind::Profile, to, root.id))
        }
        RowRef::Link(model::LIKED_BY, to) if root.kind == RootKind::Post => {
            (EventName::LikeDeleted, tie(ThingKind::Post, root.id, to))
        }
        RowRef::Entry(model::MESSAGES, id) if root.kind == RootKind::Chat => {
            (EventName::MessageDeleted, message(root.id, id))
        }
        RowRef::Link(..) | RowRef::Entry(..) | RowRef::Mark(_) | RowRef::Count(_) => return None,
    };
    Some((name, None, data))
}

fn of_thing(own: &Own, id: Id, node: &Node) -> Meaning {
    let is = |flag| node.flags.has(flag);
    let name = if own.kind == ThingKind::Profile && is(Flags::BANNED) {
        EventName::ProfileBanned
    } else if own.kind == ThingKind::Reply && is_deleted(node) {
        EventName::ReplyDeleted
    } else if is(Flags::REMOVED) || is(Flags::HIDDEN) {
        EventName::ContentRemoved
    } else if node.created == node.updated {
        own.created
    } else {
        own.updated
    };
    happened(name, node, own.kind, id)
}

/// The rule: whether a moderator may see the whole of it.
async fn may_leave(call: &Call, root: Root, node: &Node) -> Result<bool, Stop> {
    let audience = match root.kind {
        RootKind::Profile | RootKind::Place => Audience::Public,
        // A reply is for those who may see the post.
        RootKind::Reply => {
            let Some(Uuid(post)) = read(node, POST_OF) else { return Ok(false) };
            let post = call.node(Root::post(post), post).await?;
            // Without its post nobody sees it but its author.
            post.map_or(Audience::OnlyMe, |post| audience(&post.node))
        }
        _ => audience(node),
    };
    let thing = match root.kind {
        RootKind::Profile => Thing::profile(root.id, node.flags),
        _ => Thing::of(node.author, Flags::default(), node.flags, audience.into()),
    };
    Ok(sight(Viewer::Moderator(NOBODY), thing, Tie::default()) == Sight::Whole)
}

fn happened(name: EventName, node: &Node, kind: ThingKind, id: Id) -> Meaning {
    (name, Some(node.updated), EventData { actor: person(node.author), ..thing(kind, id) })
}

fn thing(kind: ThingKind, id: Id) -> EventData {
    EventData { object: Some(Object { kind, id: Uuid(id) }), ..EventData::default() }
}

fn tie(kind: ThingKind, id: Id, actor: Id) -> EventData {
    EventData { actor: person(actor), ..thing(kind, id) }
}

fn message(chat: Id, id: Id) -> EventData {
    EventData { chat: Some(Uuid(chat)), ..thing(ThingKind::Message, id) }
}

fn person(id: Id) -> Option<Uuid> {
    (id != Id::NIL).then_some(Uuid(id))
}

/// A moderator who is nobody: owner of nothing.
const NOBODY: Id = Id::from_bytes([0xff; 16]);
