//! `reply`: replies to posts, and to replies. An item of news and a tracked tweet are as good as a post.
//!
//! A reply is a root of its own. That it is listed and counted at what it replies to follows by a step, under its id, so
//! that nothing is listed or counted twice. Who sees the post sees its replies, but for those whose authors a block hides.
//! A deleted reply loses what it said and keeps its place, as long as others reply to it.
//!
//! Reading order: [`view`], [`read`].
//!
//! Must never learn: how posts are shown.

pub mod read;
pub mod view;

use gomer_core::id::{Id, Order, Root, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::read::{Seen, comment, seen};
use self::view::{
    Comment, DELETED_AT, EDITED_AT, MENTIONS, Parent, ParentKind, REPLIES, TEXT, reply_count_id,
};
use super::account::made::note_mine;
use super::notification::notice::{Kind, tell};
use super::post::hydrate::Reader;
use super::post::publish::VERB_CREATE;
use super::post::view::{MENTIONS_MAX, TEXT_CHARS_MAX, json};
use super::post::{each_once, text_mentions};
use crate::model::{REPLIES as REPLIES_STREAM, REPLY, REPLY_COUNT};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Idempotency, Method, Reply, Rev, Role, Stop};
use crate::types::{Limit, List, Page, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("reply.create", create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["reply.created"])
            .errors(&[Code::NotFound, Code::IdTaken, Code::CursorExpired])
            .about("Replies to a post, an item of news, a tracked tweet or another reply."),
        Method::procedure("reply.delete", delete)
            .role(Role::Owner)
            .emits(&["reply.deleted"])
            .errors(&[Code::NotFound, Code::Forbidden])
            .about("Deletes a reply for ever; replies to it stay, under what is left of it."),
        Method::query("reply.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one reply with those that it goes back to."),
        Method::query("reply.list", list)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists the replies to a post or to a reply, oldest or newest first."),
        Method::procedure("reply.update", update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["reply.updated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Edits a reply."),
    ]
}

/// How often a change is tried again when others change the same.
const ATTEMPTS: usize = 4;

/// A new reply.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateReply {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// What it replies to.
    to: Parent,
    /// What it says.
    text: Text<1, TEXT_CHARS_MAX>,
    /// Profiles that it mentions; if absent, those whose handles stand in the text after an `@`.
    mentions: Option<List<Uuid, 0, MENTIONS_MAX>>,
}

async fn create(call: Call, args: CreateReply) -> Result<Reply<Comment>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = Root::reply(id);
    call.replay(root).await?;
    if let Some(first) = made_before(&call, me, id).await? {
        return Ok(first);
    }
    let mut reader = Reader::new(&call);
    let (post, author) = match seen(&call, &mut reader, args.to).await?.ok_or_else(Stop::not_found)? {
        Seen::Post(view) => (args.to.id.0, view.node.author),
        Seen::Reply(comment) if comment.deleted => return Err(Stop::not_found()),
        Seen::Reply(comment) => (comment.post.0, comment.author.0),
    };
    let mut reply = Comment::new(id, me, post, args.to, args.text.0, call.now.wall);
    reply.mentions = match args.mentions {
        Some(List(mentions)) => each_once(mentions),
        None => text_mentions(&call, reply.text.as_deref().unwrap_or_default()).await?,
    };
    let mut write = call.on(root).when(Precondition::NodeAbsent(id)).op(Operation::CreateNode {
        id,
        ty: REPLY,
        section: Section::PUBLIC,
        author: me,
        flags: Flags::default(),
        attrs: reply.attrs(),
    });
    write.steps.push(listed(&reply));
    write.steps.extend(note_mine(&call, root));
    let object = Root::reply(id);
    // What was read elsewhere has no author here.
    if author != Id::NIL {
        write.steps.extend(tell(Kind::Reply, me, object, Some(args.to.root()), &[author]));
    }
    let mentioned: Vec<Id> = reply.mentions.iter().map(|id| id.0).filter(|&id| id != author).collect();
    write.steps.extend(tell(Kind::Mention, me, object, Some(Root::post(post)), &mentioned));
    match call.write(write, reply).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, me, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if the caller made this reply before. 409 if the id is somebody else's or was deleted.
async fn made_before(call: &Call, me: Id, id: Id) -> Result<Option<Reply<Comment>>, Stop> {
    let Some(view) = call.node(Root::reply(id), id).await? else { return Ok(None) };
    match Comment::read(id, &view) {
        Some(comment) if view.node.author == me && !comment.deleted => {
            Ok(Some(Reply::new(comment).rev(view.rev)))
        }
        _ => Err(Code::IdTaken.into()),
    }
}

/// The step that lists and counts a new reply at what it replies to, if that is still there.
fn listed(reply: &Comment) -> Step {
    let (parent, counts) = (reply.to.id.0, reply_count_id(reply.to.id.0));
    let activity = Activity {
        actor: reply.author.0,
        verb: VERB_CREATE,
        object: Root::reply(reply.id.0),
        target: Some(reply.to.root()),
        extra: String::new(),
    };
    let ops = vec![
        Operation::Append { stream: REPLIES_STREAM, id: reply.id.0, section: Section::PUBLIC, activity },
        Operation::CreateNode {
            id: counts,
            ty: REPLY_COUNT,
            section: Section::PUBLIC,
            author: Id::NIL,
            flags: Flags::default(),
            attrs: Vec::new(),
        },
        Operation::AddToAttr { id: counts, name: REPLIES.to_owned(), delta: 1 },
    ];
    Step::to(reply.to.root(), ops).when(Precondition::NodePresent(parent))
}

/// The caller's own reply. 403 if it is somebody else's that the caller may see; else 404.
async fn mine(call: &Call, me: Id, id: Id) -> Result<(crate::registry::NodeView, Comment), Stop> {
    let view = call.node(Root::reply(id), id).await?.filter(|view| view.node.ty == REPLY);
    let view = view.ok_or_else(Stop::not_found)?;
    if view.node.author == me {
        let comment = Comment::read(id, &view).ok_or_else(Stop::not_found)?;
        return Ok((view, comment));
    }
    match comment(call, &mut Reader::new(call), id).await? {
        Some(_) => Err(Stop::forbidden("Only its author may do this.")),
        None => Err(Stop::not_found()),
    }
}

/// An edit.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateReply {
    /// The reply.
    id: Uuid,
    /// What it says from now on.
    text: Text<1, TEXT_CHARS_MAX>,
    /// Profiles that it mentions; if absent, those whose handles stand in the text after an `@`.
    mentions: Option<List<Uuid, 0, MENTIONS_MAX>>,
    /// Refuse if the reply is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

async fn update(call: Call, args: UpdateReply) -> Result<Reply<Comment>, Stop> {
    let (me, id) = (call.me()?, args.id.0);
    let root = Root::reply(id);
    call.replay(root).await?;
    let mentions = match args.mentions {
        Some(List(mentions)) => each_once(mentions),
        None => text_mentions(&call, &args.text.0).await?,
    };
    for _ in 0..ATTEMPTS {
        let (view, before) = mine(&call, me, id).await?;
        if before.deleted {
            return Err(Stop::not_found());
        }
        call.guard(id, &view, args.if_rev, &before)?;
        let text = Some(args.text.0.clone());
        if before.text == text && before.mentions == mentions && call.op.is_none() {
            return Ok(Reply::new(before).rev(view.rev));
        }
        let edited_at = Timestamp(call.edited.map_or(call.now.wall, |edited| edited.min(call.now.wall)));
        let attrs = vec![
            (TEXT.to_owned(), Some(json(&text))),
            (MENTIONS.to_owned(), Some(json(&mentions))),
            (EDITED_AT.to_owned(), Some(json(&edited_at))),
        ];
        // From the state that was read, so that the reply is exact; who edits later wins.
        let write = call.on(root).when(Precondition::NodeRev(id, view.node.rev)).op(Operation::PatchNode {
            id,
            attrs,
            edited: None,
        });
        let mentions = mentions.clone();
        let after = Comment { text, mentions, edited_at: Some(edited_at), rev: Rev::Pending, ..before };
        match call.write(write, after).await {
            Err(stop) if stop.code() == Some(Code::StaleRevision) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Which reply.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OneReply {
    /// The reply.
    id: Uuid,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeletedReply {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

async fn delete(call: Call, args: OneReply) -> Result<Reply<DeletedReply>, Stop> {
    let (me, id) = (call.me()?, args.id.0);
    let root = Root::reply(id);
    call.replay(root).await?;
    let gone = || DeletedReply { id: args.id, deleted: true };
    for _ in 0..ATTEMPTS {
        let (view, comment) = mine(&call, me, id).await?;
        if comment.deleted {
            return Ok(Reply::new(gone()));
        }
        let attrs = vec![
            (TEXT.to_owned(), None),
            (MENTIONS.to_owned(), None),
            (EDITED_AT.to_owned(), None),
            (DELETED_AT.to_owned(), Some(json(&Timestamp(call.now.wall)))),
        ];
        let counts = reply_count_id(comment.to.id.0);
        let counted = Operation::AddToAttr { id: counts, name: REPLIES.to_owned(), delta: -1 };
        let write = call
            .on(root)
            .when(Precondition::NodeRev(id, view.node.rev))
            .op(Operation::PatchNode { id, attrs, edited: None })
            .step(Step::to(comment.to.root(), vec![counted]).when(Precondition::NodePresent(counts)));
        match call.write(write, gone()).await {
            Err(stop) if stop.code() == Some(Code::StaleRevision) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// A reply, and what it goes back to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReplyInThread {
    /// The reply.
    #[serde(flatten)]
    reply: Comment,
    /// The replies between the post and this one, from the post down; at most 50, the nearest.
    ancestors: Vec<Ancestor>,
}

/// A reply that another one goes back to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Ancestor {
    /// Its id.
    id: Uuid,
    /// The reply; absent if the caller may not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Comment>,
}

/// Most ancestors that are shown.
const ANCESTORS_MAX: usize = 50;

async fn get(call: Call, args: OneReply) -> Result<Reply<ReplyInThread>, Stop> {
    let mut reader = Reader::new(&call);
    let reply = comment(&call, &mut reader, args.id.0).await?.ok_or_else(Stop::not_found)?;
    let mut ancestors = Vec::new();
    let mut up = reply.to;
    while up.kind == ParentKind::Reply && ancestors.len() < ANCESTORS_MAX {
        // The way up is known also through what this reader may not see; the post was judged already.
        let Some(view) = call.node(Root::reply(up.id.0), up.id.0).await? else { break };
        let Some(between) = Comment::read(up.id.0, &view) else { break };
        let shown = comment(&call, &mut reader, up.id.0).await?;
        ancestors.push(Ancestor { id: up.id, reply: shown });
        up = between.to;
    }
    ancestors.reverse();
    let rev = reply.rev;
    Ok(Reply::new(ReplyInThread { reply, ancestors }).rev(rev))
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum From {
    /// The oldest first.
    #[default]
    Oldest,
    /// The newest first.
    Newest,
}

/// Whose replies.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListReplies {
    /// To this post.
    post: Option<Uuid>,
    /// Or to this reply.
    reply: Option<Uuid>,
    /// In which order: the oldest first, if absent.
    #[serde(default)]
    from: From,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list(call: Call, args: ListReplies) -> Result<Reply<Page<Comment>>, Stop> {
    let to = match (args.post, args.reply) {
        (Some(id), None) => Parent { kind: ParentKind::Post, id },
        (None, Some(id)) => Parent { kind: ParentKind::Reply, id },
        _ => return Err(Stop::invalid("/post", "value", "Give one of `post` and `reply`.")),
    };
    let list = format!("reply.list/{:?}/{}/{:?}", to.kind, to.id, args.from);
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut reader = Reader::new(&call);
    seen(&call, &mut reader, to).await?.ok_or_else(Stop::not_found)?;
    let newest_first = args.from == From::Newest;
    let (entries, end) = call.entry_page(to.root(), REPLIES_STREAM, from, newest_first, args.limit.0).await?;
    // The cursor is the place that was read, not the last item that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    let mut items = Vec::with_capacity(entries.len());
    for entry in entries {
        let reply = comment(&call, &mut reader, entry.entry.activity.object.id).await?;
        // What is left of a deleted one is shown for what hangs on it.
        items.extend(reply.filter(|reply| !reply.deleted || reply.replies > Some(0)));
    }
    Ok(Reply::new(Page { items, cursor, end }))
}
