//! Who is in a chat: adding, removing, leaving, roles.
//!
//! Membership is a link in the chat's root: it decides who reads and writes from the moment it is made or gone.
//! What stands in a member's own root (the chat in their list) follows by a step.

use gomer_core::id::{Id, Root, Section};
use gomer_core::vnode::command::{Operation, Precondition, STEP_ROOTS_MAX, Step};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::open::{in_list, member_link};
use super::read;
use super::seat::{PEOPLE, Seat, role_in};
use super::view::{ChatKind, ChatRole, Content, Mine, VERB_ADD, VERB_LEAVE, VERB_REMOVE};
use crate::methods::notification::notice::{Kind, tell};
use crate::methods::post::each_once;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::json;
use crate::methods::profile::view::{People, Profile};
use crate::model::{CHAT_MEMBER, CHAT_READ, CHAT_STAFF, CHATS, MESSAGES};
use crate::problem::{Code, Problem};
use crate::registry::{Call, OrderText, Reply, Stop};
use crate::types::{Limit, List, Page, Timestamp, Uuid};

/// Most people that one call adds or removes.
pub const PER_CALL_MAX: usize = STEP_ROOTS_MAX;
/// Most members of a chat.
pub const MEMBERS_MAX: u64 = 20_000;
/// How often a change is tried again when others change the same.
pub const ATTEMPTS: usize = 4;

/// Whom to add or to remove.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeMembers {
    /// The chat; a group.
    chat: Uuid,
    /// 1 to 80 profiles.
    profiles: List<Uuid, 1, PER_CALL_MAX>,
}

/// Who was added or removed.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedMembers {
    /// The chat.
    chat: Uuid,
    /// Those of the profiles who were not, or no longer, members before.
    changed: Vec<Uuid>,
    /// How many members the chat has now.
    member_count: u64,
}

/// Adds members.
pub async fn add(call: Call, args: ChangeMembers) -> Result<Reply<ChangedMembers>, Stop> {
    let (me, id) = (call.me()?, args.chat.0);
    let root = Root::chat(id);
    call.replay(root).await?;
    let asked: Vec<Id> = each_once(args.profiles.0).into_iter().map(|id| id.0).collect();
    for _ in 0..ATTEMPTS {
        let mut reader = Reader::new(&call);
        let seat = Seat::of(&call, &mut reader, me, id).await?;
        seat.at_least(ChatRole::Moderator)?;
        let links = call.links(root, CHAT_MEMBER, asked.clone()).await?;
        let new: Vec<Id> =
            asked.iter().zip(links).filter(|(_, link)| link.is_none()).map(|(&id, _)| id).collect();
        known_people(&mut reader, &new, "/profiles").await?;
        let count = member_count(&call, root).await? + new.len() as u64;
        if count > MEMBERS_MAX {
            let detail = format!("A chat has at most {MEMBERS_MAX} members.");
            return Err(Stop::invalid("/profiles", "range", detail));
        }
        let changed = ChangedMembers {
            chat: Uuid(id),
            changed: new.iter().copied().map(Uuid).collect(),
            member_count: count,
        };
        if new.is_empty() && call.op.is_none() {
            return Ok(Reply::new(changed));
        }
        // What was written before they came is not unread to them.
        let (newest, _, _) = read::entries(&call, id, None, true, 1).await?;
        let read = newest.first().map(|newest| OrderText::At(newest.order));
        let mut write = call.on(root);
        write.pre = seat.still();
        if !new.is_empty() {
            write.ops = new.iter().map(|&member| member_link(member)).collect();
            write.ops.push(told(&call, id, me, VERB_ADD, &new));
            write.steps = to_people(&new, vec![in_list(id, Mine { read, cleared: None })]);
            write.steps.extend(tell(Kind::ChatInvite, me, root, None, &new));
        }
        match call.write(write, changed).await {
            Err(stop) if changed_meanwhile(&stop) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Removes members.
pub async fn remove(call: Call, args: ChangeMembers) -> Result<Reply<ChangedMembers>, Stop> {
    let (me, id) = (call.me()?, args.chat.0);
    let root = Root::chat(id);
    call.replay(root).await?;
    let asked: Vec<Id> = each_once(args.profiles.0).into_iter().map(|id| id.0).collect();
    if asked.contains(&me) {
        return Err(Stop::invalid("/profiles", "value", "Leave with `chat.leave`."));
    }
    for _ in 0..ATTEMPTS {
        let seat = Seat::of(&call, &mut Reader::new(&call), me, id).await?;
        seat.at_least(ChatRole::Moderator)?;
        let links = call.links(root, CHAT_MEMBER, asked.clone()).await?;
        let gone: Vec<Id> =
            asked.iter().zip(links).filter(|(_, link)| link.is_some()).map(|(&id, _)| id).collect();
        let staff = call.links(root, CHAT_STAFF, gone.clone()).await?;
        // A moderator removes members; only an owner removes owners and moderators.
        if seat.role < ChatRole::Owner && staff.iter().any(Option::is_some) {
            return Err(Stop::forbidden("Only an owner of the chat removes its owners and moderators."));
        }
        let count = member_count(&call, root).await?.saturating_sub(gone.len() as u64);
        let changed = ChangedMembers {
            chat: Uuid(id),
            changed: gone.iter().copied().map(Uuid).collect(),
            member_count: count,
        };
        if gone.is_empty() && call.op.is_none() {
            return Ok(Reply::new(changed));
        }
        let mut write = call.on(root);
        write.pre = seat.still();
        if seat.role < ChatRole::Owner {
            write.pre.extend(gone.iter().map(|&member| Precondition::LinkAbsent(CHAT_STAFF, member)));
        }
        if !gone.is_empty() {
            write.ops = gone.iter().flat_map(|&member| unlinked(member)).collect();
            write.ops.push(told(&call, id, me, VERB_REMOVE, &gone));
            write.steps = to_people(&gone, vec![Operation::DeleteLink { ty: CHATS, to: id }]);
        }
        match call.write(write, changed).await {
            Err(stop) if changed_meanwhile(&stop) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Which chat.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaveChat {
    /// The chat; a group.
    chat: Uuid,
}

/// What was left.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftChat {
    /// The chat.
    chat: Uuid,
    /// Always true.
    left: bool,
}

/// Leaves a group. From then on its member sees nothing of it.
pub async fn leave(call: Call, args: LeaveChat) -> Result<Reply<LeftChat>, Stop> {
    let (me, id) = (call.me()?, args.chat.0);
    let root = Root::chat(id);
    call.replay(root).await?;
    let left = || LeftChat { chat: args.chat, left: true };
    for _ in 0..ATTEMPTS {
        // Who is not in it has left it: whether there is such a chat does not matter.
        let Some(seat) = Seat::find(&call, &mut Reader::new(&call), me, id).await? else {
            return Ok(Reply::new(left()));
        };
        if seat.about.kind == ChatKind::Direct {
            let detail = "Nobody leaves a direct chat; clear it with `chat.deleteMessage`.";
            return Err(Stop::invalid("/chat", "value", detail));
        }
        let mut write = call.on(root);
        write.pre = seat.still();
        if seat.role == ChatRole::Owner && member_count(&call, root).await? > 1 {
            // Somebody must own what goes on: the other owner must still be one when this is applied.
            let other = another_owner(&call, root, me).await?.ok_or_else(|| {
                Stop::forbidden("The last owner makes another one with `chat.setMemberRole` before leaving.")
            })?;
            write.pre.push(Precondition::LinkData(CHAT_STAFF, other, json(&ChatRole::Owner)));
        }
        write.ops = unlinked(me).to_vec();
        write.ops.push(told(&call, id, me, VERB_LEAVE, &[]));
        write.steps = to_people(&[me], vec![Operation::DeleteLink { ty: CHATS, to: id }]);
        match call.write(write, left()).await {
            Err(stop) if changed_meanwhile(&stop) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Whose role.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetMemberRole {
    /// The chat; a group.
    chat: Uuid,
    /// A member.
    profile: Uuid,
    /// What the member may do from now on.
    role: ChatRole,
}

/// What a member may do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRole {
    /// The chat.
    chat: Uuid,
    /// The member.
    profile: Uuid,
    /// What the member may do.
    role: ChatRole,
}

/// Gives a member a role. Owners may do this, also to themselves as long as another owner stays.
pub async fn set_role(call: Call, args: SetMemberRole) -> Result<Reply<MemberRole>, Stop> {
    let (me, id, member) = (call.me()?, args.chat.0, args.profile.0);
    let root = Root::chat(id);
    call.replay(root).await?;
    for _ in 0..ATTEMPTS {
        let seat = Seat::of(&call, &mut Reader::new(&call), me, id).await?;
        seat.at_least(ChatRole::Owner)?;
        if call.link(root, CHAT_MEMBER, member).await?.is_none() {
            return Err(Stop::invalid("/profile", "value", "Not a member of the chat."));
        }
        let mut write = call.on(root);
        write.pre = seat.still();
        write.pre.push(Precondition::LinkPresent(CHAT_MEMBER, member));
        if member == me && args.role < ChatRole::Owner {
            let other = another_owner(&call, root, me).await?;
            let other = other.ok_or_else(|| Stop::forbidden("The last owner stays one."))?;
            write.pre.push(Precondition::LinkData(CHAT_STAFF, other, json(&ChatRole::Owner)));
        }
        write.ops.push(match args.role {
            ChatRole::Member => Operation::DeleteLink { ty: CHAT_STAFF, to: member },
            role => Operation::PutLink {
                ty: CHAT_STAFF,
                to: member,
                section: Section::INVERSE,
                time: None,
                data: json(&role),
            },
        });
        let role = MemberRole { chat: args.chat, profile: args.profile, role: args.role };
        match call.write(write, role).await {
            Err(stop) if changed_meanwhile(&stop) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Whose members.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListMembers {
    /// The chat.
    chat: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// A member.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatMember {
    /// Who.
    profile: Profile,
    /// What they may do.
    role: ChatRole,
    /// Since when.
    joined_at: Timestamp,
    /// The place of the newest message that they have read; absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_to: Option<OrderText>,
}

/// Lists members, newest first. Whom a block hides from me is left out.
pub async fn list(call: Call, args: ListMembers) -> Result<Reply<Page<ChatMember>>, Stop> {
    let (me, id) = (call.me()?, args.chat.0);
    let root = Root::chat(id);
    let list = format!("chat.listMembers/{}", args.chat);
    let after: Option<LinkPlace> = call.open_cursor(&list, args.cursor.as_deref())?;
    Seat::of(&call, &mut Reader::new(&call), me, id).await?;
    let (links, end) = call.link_page(root, CHAT_MEMBER, after, args.limit.0).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(&list, &place)).or(args.cursor);
    let ids: Vec<Id> = links.iter().map(|link| link.to).collect();
    let staff = call.links(root, CHAT_STAFF, ids.clone()).await?;
    let marks = call.links(root, CHAT_READ, ids.clone()).await?;
    let profiles = People::new(&call).profiles(&ids).await?;
    let mut items = Vec::with_capacity(links.len());
    for (((link, profile), staff), mark) in links.into_iter().zip(profiles).zip(staff).zip(marks) {
        let Some(profile) = profile else { continue };
        items.push(ChatMember {
            profile,
            role: staff.map_or(ChatRole::Member, |link| role_in(&link.link.data)),
            joined_at: Timestamp(link.time),
            read_to: mark.and_then(|link| serde_json::from_str(&link.link.data).ok()),
        });
    }
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Refuses people who do not exist or whom the caller may not know of: the same answer for both.
pub async fn known_people(reader: &mut Reader, people: &[Id], pointer: &str) -> Result<(), Stop> {
    let seen = reader.profiles(people.iter().copied()).await?;
    match people.iter().position(|id| !seen.contains(id)) {
        None => Ok(()),
        Some(at) => Err(Stop::invalid(format!("{pointer}/{at}"), "value", "There is no such profile.")),
    }
}

/// Steps that do this at the roots of these people, as long as the people are there.
pub fn to_people(people: &[Id], ops: Vec<Operation>) -> Vec<Step> {
    let step = |people: &[Id]| Step {
        roots: people.iter().copied().map(Root::profile).collect(),
        pre: Vec::new(),
        ops: ops.clone(),
        then: Vec::new(),
        bulk: false,
    };
    people.chunks(STEP_ROOTS_MAX).map(step).collect()
}

/// Takes all of somebody's links out of a chat's root: also their read mark, so that nothing is left to be counted.
pub fn unlinked(member: Id) -> [Operation; 3] {
    PEOPLE.map(|ty| Operation::DeleteLink { ty, to: member })
}

/// The entry that tells a chat who came and went.
pub fn told(call: &Call, chat: Id, actor: Id, verb: u16, profiles: &[Id]) -> Operation {
    let profiles = profiles.iter().copied().map(Uuid).collect();
    let content = Content { profiles, ..Content::new(call.now.wall) };
    Operation::Append {
        stream: MESSAGES,
        id: call.cluster.mint(),
        section: Section::PUBLIC,
        activity: content.activity(chat, actor, verb),
    }
}

async fn member_count(call: &Call, root: Root) -> Result<u64, Stop> {
    Ok(call.counts(root, vec![CHAT_MEMBER]).await?.first().copied().unwrap_or(0))
}

/// An owner beside this one.
pub async fn another_owner(call: &Call, root: Root, me: Id) -> Result<Option<Id>, Stop> {
    let mut after = None;
    loop {
        let (page, end) = call.link_page(root, CHAT_STAFF, after, 100).await?;
        let owner = |link: &&gomer_core::vnode::query::LinkView| {
            link.to != me && role_in(&link.link.data) == ChatRole::Owner
        };
        if let Some(owner) = page.iter().find(owner) {
            return Ok(Some(owner.to));
        }
        match page.last() {
            Some(last) if !end => after = Some(LinkPlace { time: last.time, to: last.to }),
            _ => return Ok(None),
        }
    }
}

/// Whether a write was refused because what it was based on is no longer so: read again, decide again.
pub fn changed_meanwhile(stop: &Stop) -> bool {
    matches!(stop.code(), Some(Code::NotFound | Code::StaleRevision | Code::IdTaken))
}
