//! Somebody who is being erased leaves a chat. What they wrote stays where it was read, and from then on says that its
//! author is gone.

use gomer_core::id::{Id, Order, Root};
use gomer_core::vnode::command::{Operation, Precondition, Write};

use super::members::{another_owner, changed_meanwhile, told, unlinked};
use super::read;
use super::seat::role_of;
use super::view::{About, ChatKind, ChatRole, Content, VERB_LEAVE, is_message};
use crate::methods::account::things::erase_records;
use crate::methods::post::view::json;
use crate::model::{CHAT, CHAT_MEMBER, CHAT_STAFF, MESSAGES};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Stop};

/// How often a change is tried again when others change the same.
const ATTEMPTS: usize = 8;

/// Marks this person's messages on one page of a chat, oldest first, strictly behind `from`. Gives where the next page
/// begins, or nothing when this was the last.
pub async fn mark(
    call: &Call,
    chat: Id,
    who: Id,
    from: Option<Order>,
    limit: u32,
) -> Result<Option<Order>, Stop> {
    let (page, _, end) = read::entries(call, chat, from, false, limit).await?;
    for view in page.iter().filter(|view| view.entry.activity.actor == who && is_message(view)) {
        let Ok(content) = serde_json::from_str::<Content>(&view.entry.activity.extra) else { continue };
        let extra = json(&Content { author_deleted: true, ..content });
        let (stream, id) = (MESSAGES, view.entry.id);
        let amend = Write::new(call.app.id, Root::chat(chat), Id::NIL)
            .when(Precondition::EntryRev(stream, id, view.entry.rev))
            .op(Operation::Amend { stream, id, extra });
        match call.cluster.write(amend).await.map_err(Stop::from) {
            Ok(_) => {}
            // Deleted, or marked by another member, at this moment.
            Err(stop) if changed_meanwhile(&stop) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(page.last().filter(|_| !end).map(|last| last.order))
}

/// Takes them out of it, and forgets what they were answered there. A group that they owned alone goes to another
/// member: to one of its moderators, if there is one.
pub async fn leave(call: &Call, chat: Id, who: Id) -> Result<(), Stop> {
    let root = Root::chat(chat);
    erase_records(call, root, who).await?;
    for _ in 0..ATTEMPTS {
        let Some(node) = call.node(root, chat).await?.filter(|view| view.node.ty == CHAT) else {
            return Ok(());
        };
        if call.link(root, CHAT_MEMBER, who).await?.is_none() {
            return Ok(());
        }
        let is_group = About::read(&node.node).kind == ChatKind::Group;
        let mut write =
            Write::new(call.app.id, root, Id::NIL).when(Precondition::LinkPresent(CHAT_MEMBER, who));
        if is_group
            && role_of(call, chat, who).await? == ChatRole::Owner
            && another_owner(call, root, who).await?.is_none()
            && let Some(heir) = heir(call, root, who).await?
        {
            write = write.when(Precondition::LinkPresent(CHAT_MEMBER, heir)).op(Operation::PutLink {
                ty: CHAT_STAFF,
                to: heir,
                section: gomer_core::id::Section::INVERSE,
                time: None,
                data: json(&ChatRole::Owner),
            });
        }
        write.ops.extend(unlinked(who));
        if is_group {
            write.ops.push(told(call, chat, who, VERB_LEAVE, &[]));
        }
        match call.cluster.write(write).await.map_err(Stop::from) {
            Ok(_) => return Ok(()),
            Err(stop) if changed_meanwhile(&stop) => {}
            Err(stop) => return Err(stop),
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Who is to own a group from now on.
async fn heir(call: &Call, root: Root, who: Id) -> Result<Option<Id>, Stop> {
    for ty in [CHAT_STAFF, CHAT_MEMBER] {
        let (page, _) = call.link_page(root, ty, None, 2).await?;
        if let Some(other) = page.iter().find(|link| link.to != who) {
            return Ok(Some(other.to));
        }
    }
    Ok(None)
}
