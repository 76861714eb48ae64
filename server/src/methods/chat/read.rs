//! Reading a chat's messages as one member may see them: what the member deleted or cleared for themselves is
//! left out, and so is what people wrote whom a block hides.

use std::collections::BTreeSet;

use gomer_core::id::{Id, Order, Root};
use gomer_core::rows::applied::Eras;
use gomer_core::vnode::query::{Answer, EntryView, Query};

use super::seat::Seat;
use super::view::{Chat, Message, Mine, is_message};
use crate::methods::post::hydrate::Reader;
use crate::model::{HIDDEN_MESSAGES, MESSAGES};
use crate::problem::Code;
use crate::registry::{Call, Rev, Stop};

/// Unread messages are counted up to here: more is "99+".
pub const UNREAD_CAP: u32 = 100;
/// Most entries that counting looks at: of somebody who writes much and never says what they have read.
const UNREAD_SCAN: u32 = 1_000;
/// Entries that are looked through for the last message.
const LAST_SCAN: u32 = 20;

/// A page of a chat's entries, strictly beyond `from`, with the eras of their revisions; and whether they end there.
pub async fn entries(
    call: &Call,
    chat: Id,
    from: Option<Order>,
    newest_first: bool,
    limit: u32,
) -> Result<(Vec<EntryView>, Eras, bool), Stop> {
    let query = Query::EntryPage { stream: MESSAGES, from, newest_first, limit };
    let reading = call.read(Root::chat(chat), query).await?;
    match reading.answer {
        Answer::EntryPage(entries, end) => Ok((entries, reading.eras, end)),
        _ => Err(Code::Internal.into()),
    }
}

/// One entry, and its revision.
pub async fn entry(call: &Call, chat: Id, id: Id) -> Result<Option<(EntryView, Rev)>, Stop> {
    let reading = call.read(Root::chat(chat), Query::Entry { stream: MESSAGES, id }).await?;
    match reading.answer {
        Answer::Entry(entry) => Ok(entry.map(|view| {
            let rev = Rev::of(view.entry.rev, &reading.eras);
            (view, rev)
        })),
        _ => Err(Code::Internal.into()),
    }
}

/// Those of these entries that the member may see.
pub async fn visible(
    call: &Call,
    reader: &mut Reader,
    me: Id,
    cleared: Option<Order>,
    entries: Vec<EntryView>,
) -> Result<Vec<EntryView>, Stop> {
    let hidden = hidden(call, reader, me, cleared, &entries).await?;
    Ok(entries.into_iter().filter(|view| !hidden.contains(&view.entry.id)).collect())
}

/// The ids of those of these entries that the member may not see or does not want to.
pub async fn hidden(
    call: &Call,
    reader: &mut Reader,
    me: Id,
    cleared: Option<Order>,
    entries: &[EntryView],
) -> Result<BTreeSet<Id>, Stop> {
    if entries.is_empty() {
        return Ok(BTreeSet::new());
    }
    let authors: BTreeSet<Id> =
        entries.iter().map(|view| view.entry.activity.actor).filter(|&author| author != me).collect();
    let mut seen: BTreeSet<Id> = reader.profiles(authors.iter().copied()).await?.into_iter().collect();
    // Who was erased hides nothing: what they wrote belongs to the chat.
    seen.extend(authors.iter().copied().filter(|&author| reader.is_gone(author)));
    let ids: Vec<Id> = entries.iter().map(|view| view.entry.id).collect();
    let deleted = call.links(Root::profile(me), HIDDEN_MESSAGES, ids).await?;
    let hides = |(view, deleted): (&EntryView, bool)| {
        let author = view.entry.activity.actor;
        deleted || cleared.is_some_and(|to| view.order <= to) || (author != me && !seen.contains(&author))
    };
    Ok(entries
        .iter()
        .zip(deleted.iter().map(Option::is_some))
        .filter(|&it| hides(it))
        .map(|(view, _)| view.entry.id)
        .collect())
}

/// What waits in a chat for one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unread {
    /// Messages, up to [`UNREAD_CAP`].
    pub messages: u32,
    /// Those of them that mention the member.
    pub mentions: u32,
}

/// Counts the live messages of others after the member's read mark. Counted anew each time, so that it cannot drift.
pub async fn unread(call: &Call, reader: &mut Reader, me: Id, chat: Id, mine: Mine) -> Result<Unread, Stop> {
    let mut from = mine.read_to();
    let mut unread = Unread::default();
    let mut scanned = 0;
    loop {
        let (page, eras, end) = entries(call, chat, from, false, UNREAD_CAP).await?;
        from = page.last().map_or(from, |last| Some(last.order));
        scanned += page.len() as u32;
        let of_others = page.into_iter().filter(|view| is_message(view) && view.entry.activity.actor != me);
        for view in visible(call, reader, me, mine.cleared_to(), of_others.collect()).await? {
            unread.messages += 1;
            let message = Message::read(chat, &view, Rev::of(view.entry.rev, &eras));
            unread.mentions += u32::from(message.content.mentions.iter().any(|id| id.0 == me));
            if unread.messages == UNREAD_CAP {
                return Ok(unread);
            }
        }
        if end || scanned >= UNREAD_SCAN {
            return Ok(unread);
        }
    }
}

/// The chat with what waits there, and its newest message.
pub async fn chat(call: &Call, reader: &mut Reader, seat: &Seat) -> Result<Chat, Stop> {
    let (mut chat, mine) = seat.chat(call).await?;
    chat.unread = Some(unread(call, reader, seat.me, seat.id, mine).await?.messages);
    let (newest, eras, _) = entries(call, seat.id, None, true, LAST_SCAN).await?;
    let messages = newest.into_iter().filter(is_message).collect();
    let seen = visible(call, reader, seat.me, mine.cleared_to(), messages).await?;
    chat.last =
        seen.first().map(|view| Box::new(Message::read(seat.id, view, Rev::of(view.entry.rev, &eras))));
    Ok(chat)
}
