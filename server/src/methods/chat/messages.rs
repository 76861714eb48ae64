//! Messages: sending, editing, deleting, listing.
//!
//! A message is an entry of the chat's stream. Its place is where its append stands in the log of the chat's partition,
//! so everybody sees the same order, and no clock has a say. Sending writes the chat's root and nothing else: members
//! read it there, however many they are.

use gomer_core::id::{Id, Order, Root, Section};
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::members::{ATTEMPTS, changed_meanwhile, to_people};
use super::open::in_list;
use super::read::{self, entries, visible};
use super::seat::{Seat, mine};
use super::view::{ChatRole, Content, Message, MessageKind, Mine, is_message};
use crate::methods::permission::check::Object;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::publish::VERB_CREATE;
use crate::methods::post::view::{MENTIONS_MAX, Place, TEXT_CHARS_MAX, WebAddress, json};
use crate::methods::post::{each_once, text_mentions};
use crate::model::{CHATS, HIDDEN_MESSAGES, MESSAGES};
use crate::problem::{Code, Problem};
use crate::registry::{Call, OrderText, Reply, Rev, Stop};
use crate::types::{Limit, List, Text, Timestamp, Uuid};

/// A new message. It says, points to, places or shares something.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendMessage {
    /// The chat.
    chat: Uuid,
    /// The message's id, chosen once by the caller: sent again, it is the same message.
    id: Uuid,
    /// What it says.
    text: Option<Text<1, TEXT_CHARS_MAX>>,
    /// What it points to.
    link: Option<WebAddress>,
    /// Where it was written, or where to meet.
    place: Option<Place>,
    /// Something to share.
    shared: Option<Object>,
    /// The message that it answers.
    reply_to: Option<Uuid>,
    /// Profiles that it mentions; if absent, those whose handles stand in the text after an `@`.
    mentions: Option<List<Uuid, 0, MENTIONS_MAX>>,
}

/// Sends a message.
pub async fn send(call: Call, args: SendMessage) -> Result<Reply<Message>, Stop> {
    let me = call.me()?;
    let (chat, id) = (args.chat.0, args.id.0);
    let root = Root::chat(chat);
    call.replay(root).await?;
    let mut content = Content::new(call.now.wall);
    content.mentions = match (args.mentions, &args.text) {
        (Some(List(mentions)), _) => each_once(mentions),
        (None, Some(text)) => text_mentions(&call, &text.0).await?,
        (None, None) => Vec::new(),
    };
    content.text = args.text.map(|text| text.0);
    content.link = args.link.map(|link| link.0);
    content.place = args.place;
    content.shared = args.shared;
    content.reply_to = args.reply_to;
    if content.text.is_none() && content.link.is_none() && content.place.is_none() && content.shared.is_none()
    {
        return Err(Stop::invalid(
            "/text",
            "missing",
            "A message says, points to, places or shares something.",
        ));
    }
    let mut taken = false;
    for _ in 0..ATTEMPTS {
        let seat = Seat::of(&call, &mut Reader::new(&call), me, chat).await?;
        match read::entry(&call, chat, id).await? {
            Some((view, rev)) if is_message(&view) && view.entry.activity.actor == me => {
                return Ok(Reply::new(Message::read(chat, &view, rev)).rev(rev));
            }
            Some(_) => return Err(Code::IdTaken.into()),
            // It was there and is deleted: that is final.
            None if taken => return Err(Code::IdTaken.into()),
            None => {}
        }
        if !seat.may_write() {
            return Err(Stop::forbidden("Only owners and moderators write in this chat."));
        }
        let mut write = call.on(root).when(Precondition::EntryAbsent(MESSAGES, id)).op(Operation::Append {
            stream: MESSAGES,
            id,
            section: Section::PUBLIC,
            activity: content.activity(chat, me, VERB_CREATE),
        });
        write.pre.extend(seat.still_writes());
        if let Some(other) = seat.about.other(me)
            && mine(&call, other, chat).await?.is_none()
        {
            // The other one hears of a direct chat with its first message.
            let steps = to_people(&[other], vec![in_list(chat, Mine::default())]).into_iter();
            // Who was erased hears of nothing any more.
            let there = |step: Step| {
                step.when(Precondition::LinkAbsent(CHATS, chat)).when(Precondition::NodePresent(other))
            };
            write.steps = steps.map(there).collect();
        }
        let message = Message {
            id: args.id,
            chat: args.chat,
            author: Uuid(me),
            kind: MessageKind::Message,
            content: content.clone(),
            order: OrderText::Pending,
            rev: Rev::Pending,
        };
        match call.write(write, message).await {
            Err(stop) if changed_meanwhile(&stop) => taken = stop.code() == Some(Code::IdTaken),
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// An edit.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateMessage {
    /// The chat.
    chat: Uuid,
    /// A message of mine.
    id: Uuid,
    /// What it says from now on.
    text: Text<1, TEXT_CHARS_MAX>,
    /// Profiles that it mentions; if absent, those whose handles stand in the text after an `@`.
    mentions: Option<List<Uuid, 0, MENTIONS_MAX>>,
    /// Refuse if the message is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Edits a message. Its place stays.
pub async fn update(call: Call, args: UpdateMessage) -> Result<Reply<Message>, Stop> {
    let me = call.me()?;
    let (chat, id) = (args.chat.0, args.id.0);
    let root = Root::chat(chat);
    call.replay(root).await?;
    let mentions = match args.mentions {
        Some(List(mentions)) => each_once(mentions),
        None => text_mentions(&call, &args.text.0).await?,
    };
    let guard = args.if_rev.or(call.if_match);
    for _ in 0..ATTEMPTS {
        let mut reader = Reader::new(&call);
        let seat = Seat::of(&call, &mut reader, me, chat).await?;
        let (view, rev) = seen(&call, &mut reader, &seat, id).await?.ok_or_else(Stop::not_found)?;
        if view.entry.activity.actor != me {
            return Err(Stop::forbidden("Only its author edits a message."));
        }
        let before = Message::read(chat, &view, rev);
        if guard.is_some_and(|guard| guard != rev) {
            return Err(Problem::new(Code::StaleRevision).current(rev, &before).into());
        }
        let text = Some(args.text.0.clone());
        if before.content.text == text && before.content.mentions == mentions && call.op.is_none() {
            return Ok(Reply::new(before).rev(rev));
        }
        let edited_at =
            Some(Timestamp(call.edited.map_or(call.now.wall, |edited| edited.min(call.now.wall))));
        let content = Content { text, mentions: mentions.clone(), edited_at, ..before.content.clone() };
        let extra = json(&content);
        let mut write = call
            .on(root)
            .when(Precondition::EntryRev(MESSAGES, id, view.entry.rev))
            .op(Operation::Amend { stream: MESSAGES, id, extra });
        write.pre.extend(seat.still_writes());
        let after = Message { content, rev: Rev::Pending, ..before };
        if !seat.may_write() {
            return Err(Stop::forbidden("Only owners and moderators write in this chat."));
        }
        match call.write(write, after).await {
            Err(stop) if changed_meanwhile(&stop) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// The message with this id, if the member may see it.
async fn seen(
    call: &Call,
    reader: &mut Reader,
    seat: &Seat,
    id: Id,
) -> Result<Option<(gomer_core::vnode::query::EntryView, Rev)>, Stop> {
    let Some((view, rev)) = read::entry(call, seat.id, id).await?.filter(|(view, _)| is_message(view)) else {
        return Ok(None);
    };
    let cleared = mine(call, seat.me, seat.id).await?.and_then(|(mine, _)| mine.cleared_to());
    let seen = visible(call, reader, seat.me, cleared, vec![view]).await?.pop();
    Ok(seen.map(|view| (view, rev)))
}

/// For whom something is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeleteFor {
    /// For all, for ever: of one's own messages, or as an owner or moderator of the chat.
    All,
    /// For me, on all my devices.
    Me,
    /// For me, with all that came before it: clears the history.
    MeUpToHere,
}

/// What to delete.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteMessage {
    /// The chat.
    chat: Uuid,
    /// The message.
    id: Uuid,
    /// For whom.
    #[serde(rename = "for")]
    whom: DeleteFor,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedMessage {
    /// The chat.
    chat: Uuid,
    /// The message.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

/// Deletes a message, for all or for the caller. What is not there is deleted.
pub async fn delete(call: Call, args: DeleteMessage) -> Result<Reply<DeletedMessage>, Stop> {
    let me = call.me()?;
    let (chat, id) = (args.chat.0, args.id.0);
    let (root, own) = (Root::chat(chat), Root::profile(me));
    call.replay(if args.whom == DeleteFor::All { root } else { own }).await?;
    let deleted = || DeletedMessage { chat: args.chat, id: args.id, deleted: true };
    for _ in 0..ATTEMPTS {
        let mut reader = Reader::new(&call);
        let seat = Seat::of(&call, &mut reader, me, chat).await?;
        let Some((view, _)) = seen(&call, &mut reader, &seat, id).await? else {
            return Ok(Reply::new(deleted()));
        };
        let write = match args.whom {
            DeleteFor::All => {
                let mine = view.entry.activity.actor == me;
                if !mine {
                    seat.at_least(ChatRole::Moderator)?;
                }
                let mut write = call.on(root).op(Operation::Retract { stream: MESSAGES, id });
                write.pre = seat.still();
                write
            }
            DeleteFor::Me => call.on(own).op(Operation::PutLink {
                ty: HIDDEN_MESSAGES,
                to: id,
                section: Section::PRIVATE,
                time: None,
                data: json(&HiddenIn { chat: args.chat }),
            }),
            DeleteFor::MeUpToHere => {
                let known = mine(&call, me, chat).await?;
                let before = known.as_ref().map_or(Mine::default(), |(mine, _)| *mine);
                let cleared = Some(OrderText::At(view.order));
                let write = call.on(own).op(in_list(chat, Mine { cleared, ..before }));
                write.when(match known {
                    Some((_, data)) => Precondition::LinkData(CHATS, chat, data),
                    None => Precondition::LinkAbsent(CHATS, chat),
                })
            }
        };
        match call.write(write, deleted()).await {
            Err(stop) if changed_meanwhile(&stop) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// The data of the link to a message that I deleted for myself.
#[derive(Serialize)]
struct HiddenIn {
    chat: Uuid,
}

/// Which messages.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListMessages {
    /// The chat.
    chat: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// A page's `cursor`: go on in its direction.
    cursor: Option<String>,
    /// A page's `after`: what is newer than that page.
    after: Option<String>,
    /// A page's `before`: what is older than that page.
    before: Option<String>,
    /// A place: half of the page from it on back, and half after it.
    around: Option<OrderText>,
}

/// A page of messages.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    /// Newest first, whichever way the page was fetched. May be empty though there is more.
    items: Vec<Message>,
    /// Goes on in the direction of this page.
    cursor: String,
    /// For what is older than this page.
    before: String,
    /// For what is newer than this page.
    after: String,
    /// Whether there is nothing more in the direction of this page, for now.
    end: bool,
}

/// A place between two messages, and a direction.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Start {
    /// Strictly beyond this; from the end, if absent.
    from: Option<Order>,
    /// Towards what is newer.
    newer: bool,
}

/// Lists messages, from the newest back, on from a page in either direction, or around a place.
pub async fn list(call: Call, args: ListMessages) -> Result<Reply<MessagePage>, Stop> {
    let (me, chat) = (call.me()?, args.chat.0);
    let list = format!("chat.listMessages/{}", args.chat);
    let start = start(&call, &list, &args)?;
    let mut reader = Reader::new(&call);
    Seat::of(&call, &mut reader, me, chat).await?;
    let limit = args.limit.0;
    let (mut page, eras, end) = match args.around.and_then(OrderText::order) {
        None => entries(&call, chat, start.from, !start.newer, limit).await?,
        Some(at) => {
            let half = limit.div_ceil(2);
            let here = Order { ordinal: at.ordinal.saturating_add(1), ..at };
            let (mut older, eras, end) = entries(&call, chat, Some(here), true, half).await?;
            let (newer, _, _) = entries(&call, chat, Some(at), false, limit - half).await?;
            older.reverse();
            older.extend(newer);
            older.reverse();
            (older, eras, end)
        }
    };
    if start.newer {
        page.reverse();
    }
    // The cursors are the places that were read, not the messages that are shown: nothing is skipped or repeated.
    let (newest, oldest) = (page.first().map(|view| view.order), page.last().map(|view| view.order));
    let cleared = mine(&call, me, chat).await?.and_then(|(mine, _)| mine.cleared_to());
    let page = visible(&call, &mut reader, me, cleared, page).await?;
    let items = page.iter().map(|view| Message::read(chat, view, Rev::of(view.entry.rev, &eras))).collect();
    let seal = |from: Option<Order>, newer: bool| call.seal_cursor(&list, &Start { from, newer });
    // Behind an empty page lies the place that it was read from. Of an empty chat, everything is newer than nothing.
    let before = seal(oldest.or(start.from), false);
    let after = seal(newest.or(start.from).or(Some(Order::default())), true);
    let cursor = if start.newer { after.clone() } else { before.clone() };
    Ok(Reply::new(MessagePage { items, cursor, before, after, end }))
}

fn start(call: &Call, list: &str, args: &ListMessages) -> Result<Start, Stop> {
    let tokens = [&args.cursor, &args.before, &args.after];
    let given = tokens.iter().filter(|token| token.is_some()).count() + usize::from(args.around.is_some());
    if given > 1 {
        let detail = "Give one of `cursor`, `before`, `after` and `around`.";
        return Err(Stop::invalid("/cursor", "value", detail));
    }
    let token = tokens.iter().find_map(|token| token.as_deref());
    let Some(mut start) = call.open_cursor::<Start>(list, token)? else {
        return Ok(Start { from: None, newer: false });
    };
    if args.cursor.is_none() {
        start.newer = args.after.is_some();
    }
    Ok(start)
}
