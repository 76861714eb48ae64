//! Making a chat: a group under an id of the caller's, a direct chat under the one id that its two people have.

use gomer_core::id::{Id, Root, Section};
use gomer_core::meta::state::App;
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::Sha256;

use super::members::{PER_CALL_MAX, known_people, to_people};
use super::read;
use super::seat::Seat;
use super::view::{About, Chat, ChatKind, ChatRole, Mine, Writers};
use crate::methods::notification::notice::{Kind, tell};
use crate::methods::post::each_once;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::json;
use crate::model::{CHAT, CHAT_MEMBER, CHAT_STAFF, CHATS};
use crate::problem::Code;
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::{List, Text, Timestamp, Uuid};

/// Most characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;

/// A new group.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateChat {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// What it is called.
    title: Text<1, TITLE_CHARS_MAX>,
    /// Up to 80 profiles who are its first members, beside the caller, who is its owner.
    #[serde(default = "nobody")]
    members: List<Uuid, 0, PER_CALL_MAX>,
    /// Who may write.
    #[serde(default)]
    writers: Writers,
}

fn nobody() -> List<Uuid, 0, PER_CALL_MAX> {
    List(Vec::new())
}

/// Makes a group. The same id again gives the first result.
pub async fn create(call: Call, args: CreateChat) -> Result<Reply<Chat>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = Root::chat(id);
    call.replay(root).await?;
    let mut reader = Reader::new(&call);
    if let Some(first) = made_before(&call, &mut reader, me, id).await? {
        return Ok(first);
    }
    let members: Vec<Id> =
        each_once(args.members.0).into_iter().map(|id| id.0).filter(|&id| id != me).collect();
    known_people(&mut reader, &members, "/members").await?;
    let about = About {
        kind: ChatKind::Group,
        title: Some(args.title.0),
        writers: args.writers,
        between: None,
        created_at: Timestamp(call.now.wall),
    };
    let owner = Operation::PutLink {
        ty: CHAT_STAFF,
        to: me,
        section: Section::INVERSE,
        time: None,
        data: json(&ChatRole::Owner),
    };
    let all: Vec<Id> = std::iter::once(me).chain(members).collect();
    let mut write = call.on(root).when(Precondition::NodeAbsent(id)).op(node(id, me, &about)).op(owner);
    write.ops.extend(all.iter().map(|&member| member_link(member)));
    write.steps = to_people(&all, vec![in_list(id, Mine::default())]);
    write.steps.extend(tell(Kind::ChatInvite, me, root, None, &all));
    let chat = fresh(id, me, about, ChatRole::Owner, all.len());
    match call.write(write, chat).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, &mut reader, me, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if the caller made this group before. 409 if the id is somebody else's or was deleted.
async fn made_before(call: &Call, reader: &mut Reader, me: Id, id: Id) -> Result<Option<Reply<Chat>>, Stop> {
    match call.node_or_tombstone(Root::chat(id), id).await? {
        (Some(view), _) if view.node.author == me => match Seat::find(call, reader, me, id).await? {
            Some(seat) => Ok(Some(shown(call, reader, &seat).await?)),
            None => Err(Code::IdTaken.into()),
        },
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// With whom.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenDirect {
    /// The other profile.
    with: Uuid,
}

/// Gives the one direct chat with somebody, which is made if there is none. The other one hears of it with the
/// first message.
pub async fn open_direct(call: Call, args: OpenDirect) -> Result<Reply<Chat>, Stop> {
    let (me, other) = (call.me()?, args.with.0);
    if me == other {
        return Err(Stop::invalid("/with", "value", "Nobody has a direct chat with themselves."));
    }
    let id = direct_id(&call.app, me, other);
    let root = Root::chat(id);
    call.replay(root).await?;
    let mut reader = Reader::new(&call);
    if !reader.sees_profile(other).await? {
        return Err(Stop::not_found());
    }
    let between = if me < other { [me, other] } else { [other, me] };
    let about = About {
        kind: ChatKind::Direct,
        title: None,
        writers: Writers::Members,
        between: Some(between.map(Uuid)),
        created_at: Timestamp(call.now.wall),
    };
    let listed = to_people(&[me], vec![in_list(id, Mine::default())]).into_iter();
    let listed: Vec<Step> = listed.map(|step| step.when(Precondition::LinkAbsent(CHATS, id))).collect();
    if call.node(root, id).await?.is_none() {
        let mut write = call
            .on(root)
            .when(Precondition::NodeAbsent(id))
            .op(node(id, Id::NIL, &about))
            .op(member_link(me))
            .op(member_link(other));
        write.steps.clone_from(&listed);
        match call.write(write, fresh(id, me, about, ChatRole::Member, 2)).await {
            // The other one opened it at the same moment: that is the chat.
            Err(stop) if stop.code() == Some(Code::IdTaken) => {}
            done => return done,
        }
    }
    let seat = Seat::of(&call, &mut reader, me, id).await?;
    if super::seat::mine(&call, me, id).await?.is_some() && call.op.is_none() {
        return shown(&call, &mut reader, &seat).await;
    }
    let (chat, rev) = (read::chat(&call, &mut reader, &seat).await?, seat.node.rev);
    let mut write = call.on(root);
    write.steps = listed;
    Ok(call.write(write, chat).await?.rev(rev))
}

async fn shown(call: &Call, reader: &mut Reader, seat: &Seat) -> Result<Reply<Chat>, Stop> {
    Ok(Reply::new(read::chat(call, reader, seat).await?).rev(seat.node.rev))
}

/// The id of the one chat of two people. It follows from both, whoever is named first, and from the app's secret,
/// so that nobody can make something else under it before. Marked as version 4, so that clients can hand it back.
pub fn direct_id(app: &App, one: Id, other: Id) -> Id {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(&app.secret).expect("HMAC takes keys of any length");
    mac.update(b"gomer direct chat");
    mac.update(one.min(other).as_bytes());
    mac.update(one.max(other).as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Id::from_bytes(bytes)
}

fn node(id: Id, author: Id, about: &About) -> Operation {
    let (section, flags) = (Section::PUBLIC, Flags::default());
    Operation::CreateNode { id, ty: CHAT, section, author, flags, attrs: about.attrs() }
}

/// Makes somebody a member.
pub fn member_link(member: Id) -> Operation {
    Operation::PutLink {
        ty: CHAT_MEMBER,
        to: member,
        section: Section::INVERSE,
        time: None,
        data: String::new(),
    }
}

/// Puts a chat into the list of whoever's root this is done at.
pub fn in_list(chat: Id, mine: Mine) -> Operation {
    Operation::PutLink { ty: CHATS, to: chat, section: Section::PRIVATE, time: None, data: json(&mine) }
}

fn fresh(id: Id, me: Id, about: About, role: ChatRole, members: usize) -> Chat {
    Chat {
        id: Uuid(id),
        kind: about.kind,
        with: about.other(me).map(Uuid),
        title: about.title,
        writers: about.writers,
        my_role: role,
        member_count: members as u64,
        created_at: about.created_at,
        rev: Rev::Pending,
        read_to: None,
        unread: None,
        last: None,
        muted: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::nowhere;

    #[test]
    fn a_pair_has_one_id_in_each_app_and_clients_can_say_it() {
        let (ann, bob, eve) = (Id::from_bytes([1; 16]), Id::from_bytes([2; 16]), Id::from_bytes([3; 16]));
        let app = App { secret: [7; 32], ..nowhere() };
        let id = direct_id(&app, ann, bob);
        assert_eq!(direct_id(&app, bob, ann), id);
        assert_ne!(direct_id(&app, ann, eve), id);
        assert_ne!(direct_id(&App { secret: [8; 32], ..nowhere() }, ann, bob), id);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
