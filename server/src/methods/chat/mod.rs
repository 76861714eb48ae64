//! `chat`: conversations of two, and of groups with roles.
//!
//! A chat is a root. Its members, their roles and its messages stand there; who may read is who is a member. A message
//! is one write at that root, whatever the number of members: phones follow the root by position (`sync.pull` with
//! `chat:UUID`), and lists read its head. What is one member's own (the list of chats, how far they have read, what they
//! deleted for themselves) stands in that member's root. [Record 11](../adr/0011-chats.md) tells why.
//!
//! Reading order: [`view`], [`seat`], [`open`], [`messages`], [`members`], [`read`], [`lists`], [`typing`].
//!
//! Must never learn: how many members are connected, and where.

pub mod lists;
pub mod members;
pub mod messages;
pub mod open;
pub mod read;
pub mod seat;
pub mod sign_off;
pub mod typing;
pub mod update;
pub mod view;

use crate::problem::Code;
use crate::registry::{Idempotency, Method, Role};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("chat.addMembers", members::add)
            .role(Role::Owner)
            .emits(&["chat.memberAdded"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::Invalid])
            .about("Adds up to 80 members to a group."),
        Method::procedure("chat.create", open::create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["chat.created"])
            .errors(&[Code::IdTaken, Code::CursorExpired, Code::Invalid])
            .about("Opens a group with a title and up to 80 members; its maker is its owner."),
        Method::procedure("chat.deleteMessage", messages::delete)
            .role(Role::Owner)
            .emits(&["message.deleted"])
            .errors(&[Code::NotFound, Code::Forbidden])
            .about("Deletes a message for all, for me only, or for me with all that came before it."),
        Method::query("chat.get", lists::get)
            .role(Role::User)
            .errors(&[Code::NotFound])
            .about("Shows a chat with my read mark, what is unread and the newest message."),
        Method::query("chat.getUnread", lists::get_unread)
            .role(Role::User)
            .about("Counts unread chats, messages and mentions in one call."),
        Method::procedure("chat.leave", members::leave)
            .role(Role::User)
            .emits(&["chat.memberRemoved"])
            .errors(&[Code::Forbidden, Code::Invalid])
            .about("Leaves a group; nothing of it is shown to me any more."),
        Method::query("chat.list", lists::list)
            .role(Role::User)
            .errors(&[Code::CursorInvalid])
            .about("Lists my chats by what last happened in them, with what is unread."),
        Method::query("chat.listMembers", members::list)
            .role(Role::User)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists members with their roles and read marks, newest first."),
        Method::query("chat.listMessages", messages::list)
            .role(Role::User)
            .errors(&[Code::NotFound, Code::CursorInvalid, Code::Invalid])
            .about("Lists messages before, after or around a place."),
        Method::procedure("chat.markRead", lists::mark_read)
            .role(Role::User)
            .emits(&["chat.read"])
            .errors(&[Code::NotFound, Code::Invalid])
            .about("Moves my read mark forward; what is unread follows from it."),
        Method::procedure("chat.openDirect", open::open_direct)
            .role(Role::User)
            .emits(&["chat.created"])
            .errors(&[Code::NotFound, Code::Invalid])
            .about("Gives the one direct chat with a profile, which is made if there is none."),
        Method::procedure("chat.removeMembers", members::remove)
            .role(Role::Owner)
            .emits(&["chat.memberRemoved"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::Invalid])
            .about("Removes up to 80 members from a group; nothing of it is shown to them any more."),
        Method::procedure("chat.sendMessage", messages::send)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["message.created"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::IdTaken, Code::CursorExpired, Code::Invalid])
            .about(
                "Sends text, a link, a place or a shared object; the chat's own order counts, and no clock.",
            ),
        Method::procedure("chat.setMemberRole", members::set_role)
            .role(Role::Owner)
            .emits(&["chat.memberUpdated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::Invalid])
            .about("Makes a member an owner, a moderator or a plain member of a group."),
        Method::procedure("chat.setTyping", typing::set)
            .role(Role::User)
            .emits(&["chat.typing"])
            .errors(&[Code::NotFound, Code::Forbidden])
            .about("Says for 5 s that I am writing something, to those members who are connected."),
        Method::procedure("chat.update", update::update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["chat.updated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::Invalid, Code::StaleRevision])
            .about("Changes a group's title and who may write."),
        Method::procedure("chat.updateMessage", messages::update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["message.updated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Edits a message of mine; its place stays."),
    ]
}
