//! `notification`: the notification centre.
//!
//! Notices stand in their reader's own root, so they come to every device with `sync.pull`, and so do the marks: how far the
//! reader has seen them, and what was read. What they are about is looked at when they are shown, through the reader's eyes.
//!
//! Reading order: [`notice`], [`read`], [`preferences`], [`quiet`].
//!
//! Must never learn: why something is told.

pub mod notice;
pub mod preferences;
pub mod quiet;
pub mod read;

use gomer_core::id::{Id, Order, Root, Section};
use gomer_core::vnode::command::Operation;
use gomer_core::vnode::query::EntryView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::notice::Kind;
use self::read::{Group, Notices, Place, key_of};
use super::push::bell;
use super::sync::names;
use crate::model::{NOTIFICATIONS, NOTIFICATIONS_READ, READ_NOTIFICATIONS};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, OrderText, Reply, Role, Stop};
use crate::types::{Empty, Limit, Page, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("notification.delete", delete)
            .role(Role::Owner)
            .emits(&["notification.deleted"])
            .about("Dismisses one notification or its whole group, on all my devices, for ever."),
        Method::query("notification.getPreferences", preferences::get)
            .role(Role::Owner)
            .about("Shows which kinds of notifications I want."),
        Method::query("notification.getUnread", get_unread)
            .role(Role::User)
            .about("Counts notifications that I have not seen: the badge's number."),
        Method::query("notification.list", list)
            .role(Role::User)
            .errors(&[Code::CursorInvalid])
            .about("Lists what I am told of, grouped by thing and day, newest first."),
        Method::procedure("notification.markRead", mark_read)
            .role(Role::Owner)
            .emits(&["notification.read"])
            .errors(&[Code::NotFound])
            .about("Marks one notification, a group, or all up to a place as read, on all my devices."),
        Method::procedure("notification.markSeen", mark_seen)
            .role(Role::Owner)
            .emits(&["notification.seen"])
            .about("I opened the notification centre: the badge goes to zero on all my devices."),
        Method::procedure("notification.setPreferences", preferences::set)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["preferences.updated"])
            .errors(&[Code::StaleRevision])
            .about("Says which kinds of notifications I want."),
    ]
}

/// A page of notifications.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListNotifications {
    /// How many groups at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// What happened to one thing on one day.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Notification {
    /// The id of the newest of the group.
    id: Uuid,
    /// What happened.
    kind: Kind,
    /// Who did it: up to 3, the newest first.
    actors: Vec<Uuid>,
    /// How many did it that day.
    count: u32,
    /// What it was done to, or with: the like's post, the new reply, the chat. Like `post:UUID`.
    object: String,
    /// What it belongs to: of a reply, what it replies to.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// When the newest came.
    created_at: Timestamp,
    /// The place of the newest.
    order: OrderText,
    /// I have opened the centre since it came.
    seen: bool,
    /// All of the group were read.
    read: bool,
}

/// Most actors of a group that are named.
const ACTORS_MAX: usize = 3;

async fn list(call: Call, args: ListNotifications) -> Result<Reply<Page<Notification>>, Stop> {
    const LIST: &str = "notification.list";
    let me = call.me()?;
    let place: Place = call.open_cursor(LIST, args.cursor.as_deref())?.unwrap_or_default();
    let mut notices = Notices::of(&call, me).await?;
    let page = notices.groups(place, args.limit.0 as usize).await?;
    let seen_to = notices.seen_to().await?;
    let mut items = Vec::with_capacity(page.groups.len());
    for group in page.groups {
        let read = notices.read(&group.entries).await?.len() == group.entries.len();
        items.extend(shown(group, seen_to, read));
    }
    let cursor = Some(call.seal_cursor(LIST, &page.next));
    Ok(Reply::new(Page { items, cursor, end: page.end }))
}

fn shown(group: Group, seen_to: Option<Order>, read: bool) -> Option<Notification> {
    let newest = group.entries.first()?;
    let mut actors: Vec<Uuid> = Vec::new();
    for view in &group.entries {
        let actor = Uuid(view.entry.activity.actor);
        if actors.len() < ACTORS_MAX && !actors.contains(&actor) {
            actors.push(actor);
        }
    }
    Some(Notification {
        id: Uuid(newest.entry.id),
        kind: Kind::of(newest.entry.activity.verb)?,
        actors,
        count: group.entries.len() as u32,
        object: names::root(newest.entry.activity.object),
        target: newest.entry.activity.target.map(names::root),
        created_at: Timestamp(newest.entry.time),
        order: OrderText::At(newest.order),
        seen: seen_to.is_some_and(|seen| newest.order <= seen),
        read,
    })
}

/// What waits.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Badge {
    /// Notifications that I have neither seen nor read; 100 stands for more than 99.
    unread: u32,
}

async fn get_unread(call: Call, _: Empty) -> Result<Reply<Badge>, Stop> {
    let unread = Notices::of(&call, call.me()?).await?.unread().await?;
    Ok(Reply::new(Badge { unread }))
}

/// Up to where.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MarkSeen {
    /// The place of the newest that I saw; the newest of all, if absent.
    order: Option<OrderText>,
}

/// Up to where I have seen them.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Seen {
    /// The place; absent if there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderText>,
}

async fn mark_seen(call: Call, args: MarkSeen) -> Result<Reply<Seen>, Stop> {
    let own = Root::profile(call.me()?);
    call.replay(own).await?;
    let at = forward(&call, own, NOTIFICATIONS, args.order).await?;
    let mut write = call.on(own);
    write.ops.extend(at.map(|at| mark(NOTIFICATIONS, at)));
    write.steps.extend(bell::own(&call).await?);
    call.write(write, Seen { order: at.map(OrderText::At) }).await
}

/// The place to mark: no further than to what there is, and never back.
async fn forward(
    call: &Call,
    own: Root,
    stream: gomer_core::id::StreamId,
    order: Option<OrderText>,
) -> Result<Option<Order>, Stop> {
    let (newest, _) = call.entry_page(own, NOTIFICATIONS, None, true, 1).await?;
    let newest = newest.first().map(|newest| newest.order);
    let asked =
        order.and_then(OrderText::order).map_or(newest, |order| newest.map(|newest| newest.min(order)));
    Ok(asked.max(call.mark(own, stream).await?.map(|mark| mark.at)))
}

fn mark(stream: gomer_core::id::StreamId, at: Order) -> Operation {
    Operation::Mark { stream, at, edited: None, forward_only: true }
}

/// What was read.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MarkRead {
    /// This one. It or `order`.
    id: Option<Uuid>,
    /// And the rest of its group.
    #[serde(default)]
    group: bool,
    /// All up to this place.
    order: Option<OrderText>,
}

/// What is read now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Read {
    /// Those that were named, with the rest of the group if that was asked for.
    ids: Vec<Uuid>,
    /// The place up to which all are read; absent if they were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderText>,
}

async fn mark_read(call: Call, args: MarkRead) -> Result<Reply<Read>, Stop> {
    let own = Root::profile(call.me()?);
    call.replay(own).await?;
    match (args.id, args.order) {
        (Some(id), None) => {
            let ids = named(&call, own, id.0, args.group).await?;
            if ids.is_empty() {
                return Err(Stop::not_found());
            }
            let mut write = call.on(own);
            write.ops = ids.iter().map(|&id| read_link(id)).collect();
            write.steps.extend(bell::own(&call).await?);
            call.write(write, Read { ids: ids.into_iter().map(Uuid).collect(), order: None }).await
        }
        (None, Some(order)) => {
            let at = forward(&call, own, NOTIFICATIONS_READ, Some(order)).await?;
            let mut write = call.on(own);
            write.ops.extend(at.map(|at| mark(NOTIFICATIONS_READ, at)));
            write.steps.extend(bell::own(&call).await?);
            call.write(write, Read { ids: Vec::new(), order: at.map(OrderText::At) }).await
        }
        _ => Err(Stop::invalid("/id", "value", "Give one of `id` and `order`.")),
    }
}

fn read_link(notice: Id) -> Operation {
    let (ty, section, data) = (READ_NOTIFICATIONS, Section::PRIVATE, String::new());
    Operation::PutLink { ty, to: notice, section, time: None, data }
}

/// Most of a group that are named at once.
const GROUP_MAX: u32 = 200;

/// The notice with this id, and with it the rest of its group, as far as that is near.
async fn named(call: &Call, own: Root, id: Id, group: bool) -> Result<Vec<Id>, Stop> {
    let Some(one) = call.entry(own, NOTIFICATIONS, id).await? else { return Ok(Vec::new()) };
    let mut ids = vec![id];
    if group {
        let key = key_of(&one);
        let same = |view: &EntryView| key_of(view) == key && view.entry.id != id;
        let (older, _) = call.entry_page(own, NOTIFICATIONS, Some(one.order), true, GROUP_MAX).await?;
        ids.extend(older.iter().filter(|view| same(view)).map(|view| view.entry.id));
    }
    Ok(ids)
}

/// What to dismiss.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteNotification {
    /// This one.
    id: Uuid,
    /// And the rest of its group.
    #[serde(default)]
    group: bool,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeletedNotification {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

async fn delete(call: Call, args: DeleteNotification) -> Result<Reply<DeletedNotification>, Stop> {
    let own = Root::profile(call.me()?);
    call.replay(own).await?;
    let deleted = DeletedNotification { id: args.id, deleted: true };
    let ids = named(&call, own, args.id.0, args.group).await?;
    if ids.is_empty() && call.op.is_none() {
        return Ok(Reply::new(deleted));
    }
    let mut write = call.on(own);
    write.ops = ids.into_iter().map(|id| Operation::Retract { stream: NOTIFICATIONS, id }).collect();
    write.steps.extend(bell::own(&call).await?);
    call.write(write, deleted).await
}
