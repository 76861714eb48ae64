//! My chats, what waits in them, and how far I have read.
//!
//! A message writes nothing at its readers. What is new is found when somebody asks: the heads of the chats in their
//! list are read, each in its own root, from the reader's mark on.

use gomer_core::id::{Id, Order, Root, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::members::{ATTEMPTS, changed_meanwhile};
use super::open::in_list;
use super::read::{self, UNREAD_CAP, entries, unread};
use super::seat::{Seat, mine};
use super::view::{Chat, Mine};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::json;
use crate::model::{CHAT_MEMBER, CHAT_READ, CHATS};
use crate::problem::{Code, Problem};
use crate::registry::{Call, OrderText, Reply, Stop};
use crate::types::{Empty, Limit, Page, Uuid};

/// Chats of one person that lists and counts look at: those that they came to last.
const CHATS_MAX: usize = 1_000;

/// Which chat.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetChat {
    /// The chat.
    id: Uuid,
}

/// Shows a chat.
pub async fn get(call: Call, args: GetChat) -> Result<Reply<Chat>, Stop> {
    let mut reader = Reader::new(&call);
    let seat = Seat::of(&call, &mut reader, call.me()?, args.id.0).await?;
    Ok(Reply::new(read::chat(&call, &mut reader, &seat).await?).rev(seat.node.rev))
}

/// A page of my chats.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListChats {
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// When something last happened in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Active {
    last: Time,
    chat: Id,
}

/// Lists my chats by what last happened in them.
pub async fn list(call: Call, args: ListChats) -> Result<Reply<Page<Chat>>, Stop> {
    const LIST: &str = "chat.list";
    let me = call.me()?;
    let after: Option<Active> = call.open_cursor(LIST, args.cursor.as_deref())?;
    let mut active = Vec::new();
    for (chat, joined, _) in my_chats(&call, me).await? {
        let (newest, _, _) = entries(&call, chat, None, true, 1).await?;
        let last = newest.first().map_or(joined, |newest| newest.entry.time);
        active.push(Active { last, chat });
    }
    active.sort_unstable_by(|a, b| b.cmp(a));
    active.retain(|active| after.is_none_or(|after| *active < after));
    let end = active.len() <= args.limit.0 as usize;
    active.truncate(args.limit.0 as usize);
    let cursor = active.last().map(|last| call.seal_cursor(LIST, last)).or(args.cursor);
    let mut reader = Reader::new(&call);
    let mut items = Vec::with_capacity(active.len());
    for Active { chat, .. } in active {
        if let Some(seat) = Seat::find(&call, &mut reader, me, chat).await? {
            items.push(read::chat(&call, &mut reader, &seat).await?);
        }
    }
    Ok(Reply::new(Page { items, cursor, end }))
}

/// The chats in my list, with when they came there and what I keep of them.
async fn my_chats(call: &Call, me: Id) -> Result<Vec<(Id, Time, Mine)>, Stop> {
    let mut chats = Vec::new();
    let mut after = None;
    loop {
        let (page, end) = call.link_page(Root::profile(me), CHATS, after, 500).await?;
        after = page.last().map(|last| LinkPlace { time: last.time, to: last.to });
        chats.extend(page.into_iter().map(|link| (link.to, link.time, Mine::of(&link.link.data))));
        if end || chats.len() >= CHATS_MAX {
            return Ok(chats);
        }
    }
}

/// What waits for me.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadChats {
    /// Chats with unread messages, those aside that I mute.
    chats: u32,
    /// Unread messages in them; of each chat, 100 stands for more than 99.
    messages: u32,
    /// Those of them that mention me.
    mentions: u32,
}

/// Counts what is unread in all my chats.
pub async fn get_unread(call: Call, _: Empty) -> Result<Reply<UnreadChats>, Stop> {
    let me = call.me()?;
    let mut reader = Reader::new(&call);
    let mut total = UnreadChats { chats: 0, messages: 0, mentions: 0 };
    for (chat, _, mine) in my_chats(&call, me).await? {
        // Most chats are read: that is seen before anything else is asked.
        let (newer, _, _) = entries(&call, chat, mine.read_to(), false, 1).await?;
        if newer.is_empty() {
            continue;
        }
        let Some(seat) = Seat::find(&call, &mut reader, me, chat).await? else { continue };
        if seat.chat(&call).await?.0.muted {
            continue;
        }
        let unread = unread(&call, &mut reader, me, chat, mine).await?;
        total.chats += u32::from(unread.messages > 0);
        total.messages += unread.messages;
        total.mentions += unread.mentions;
    }
    Ok(Reply::new(total))
}

/// How far I have read.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MarkRead {
    /// The chat.
    chat: Uuid,
    /// The newest message that I have read. This or `order`.
    id: Option<Uuid>,
    /// Its `order`, for a phone whose message may be deleted by the time this arrives.
    order: Option<OrderText>,
}

/// How far I have read a chat.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadMark {
    /// The chat.
    chat: Uuid,
    /// The place of the newest message that I have read; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_to: Option<OrderText>,
    /// Messages of others after it; 100 stands for more than 99.
    unread: u32,
}

/// Moves my read mark forward: in my own root, so that all my devices follow it, and by a step in the chat's, so that
/// the others see it.
pub async fn mark_read(call: Call, args: MarkRead) -> Result<Reply<ReadMark>, Stop> {
    let (me, chat) = (call.me()?, args.chat.0);
    let own = Root::profile(me);
    call.replay(own).await?;
    for _ in 0..ATTEMPTS {
        let mut reader = Reader::new(&call);
        Seat::of(&call, &mut reader, me, chat).await?;
        let at = place(&call, chat, &args).await?;
        let known = mine(&call, me, chat).await?;
        let before = known.as_ref().map_or(Mine::default(), |(mine, _)| *mine);
        let forward = at.max(before.read.and_then(OrderText::order));
        let after = Mine { read: forward.map(OrderText::At), ..before };
        let unread = unread(&call, &mut reader, me, chat, after).await?.messages;
        debug_assert!(unread <= UNREAD_CAP);
        let mark = ReadMark { chat: args.chat, read_to: after.read, unread };
        let Some(order) = after.read.filter(|_| after != before || call.op.is_some()) else {
            return Ok(Reply::new(mark));
        };
        let there = Operation::PutLink {
            ty: CHAT_READ,
            to: me,
            section: Section::INVERSE,
            time: None,
            data: json(&order),
        };
        let shown = Step::to(Root::chat(chat), vec![there]).when(Precondition::LinkPresent(CHAT_MEMBER, me));
        let write = call.on(own).op(in_list(chat, after)).step(shown).when(match known {
            Some((_, data)) => Precondition::LinkData(CHATS, chat, data),
            None => Precondition::LinkAbsent(CHATS, chat),
        });
        match call.write(write, mark).await {
            Err(stop) if changed_meanwhile(&stop) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// The place that is meant; no further than to what there is, else what comes later would be read before it came.
async fn place(call: &Call, chat: Id, args: &MarkRead) -> Result<Option<Order>, Stop> {
    match (args.id, args.order.and_then(OrderText::order)) {
        (Some(id), None) => match read::entry(call, chat, id.0).await? {
            Some((view, _)) => Ok(Some(view.order)),
            None => Err(Stop::not_found()),
        },
        (None, Some(order)) => {
            let (newest, _, _) = entries(call, chat, None, true, 1).await?;
            Ok(newest.first().map(|newest| newest.order.min(order)))
        }
        _ => Err(Stop::invalid("/id", "value", "Give one of `id` and `order`.")),
    }
}
