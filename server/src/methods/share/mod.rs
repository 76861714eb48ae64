//! `share`: showing others what somebody published: again in the app, with or without a comment, or by a short link.
//!
//! A share is a root. It appears as [`super::publication`] says, and in a list at its object, so that one sees who
//! shared it. Whoever reads it reads the object through their own eyes: a share makes nothing visible.
//!
//! Reading order: [`object`], [`view`], [`link`], [`page`].
//!
//! Must never learn: how the outside is asked. That is [`crate::outside`].

pub mod link;
pub mod object;
pub mod page;
pub mod view;

use gomer_core::id::{Id, Order, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::object::{Object, shared};
use self::view::{COMMENT_CHARS_MAX, Share, listed_shares, object_of, publication, share_root, shares};
use super::post::hydrate::Reader;
use super::post::view::{Audience, audience};
use crate::methods::account::settings::default_audience;
use crate::model::{SHARE, SHARES_HERE};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, Rate, Reply, Rev, Role, Stop};
use crate::types::{Limit, Page, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("share.create", create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["share.created"])
            .errors(&[Code::NotFound, Code::IdTaken, Code::CursorExpired])
            .about("Shares a post, check-in, place or profile in the app, with or without a comment."),
        Method::procedure("share.delete", delete)
            .role(Role::Owner)
            .emits(&["share.deleted"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Takes a share back for ever."),
        Method::query("share.list", list)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists who shared an object, as far as the caller may know, newest first."),
        Method::procedure("share.createLink", link::create)
            .role(Role::User)
            .emits(&["link.created"])
            .errors(&[Code::NotFound])
            .about("Makes my short link to an object, the same one each time, with tags for a preview."),
        Method::query("share.getLink", link::get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows where a short link leads, to whoever may see it."),
        Method::query("share.getPreview", page::get)
            .role(Role::User)
            .rate(Rate::Write)
            .errors(&[Code::NotFound, Code::Busy])
            .about(
                "Shows a page of the web in brief: title, picture, site. The server asks it, now and then.",
            ),
    ]
}

/// A new share.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateShare {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// What to share. Who may not see it does not see the share.
    object: Object,
    /// What to say of it.
    comment: Option<Text<1, COMMENT_CHARS_MAX>>,
    /// For whom; if absent, whom one's own settings say, or else the app's.
    audience: Option<Audience>,
}

async fn create(call: Call, args: CreateShare) -> Result<Reply<Share>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = share_root(id);
    call.replay(root).await?;
    if let Some(first) = made_before(&call, me, id).await? {
        return Ok(first);
    }
    let object = args.object.0;
    let seen = shared(&call, &mut Reader::new(&call), object).await?.ok_or_else(Stop::not_found)?;
    let settings = call.settings();
    let share = Share {
        id: args.id,
        author: Uuid(me),
        object: seen,
        comment: args.comment.map(|comment| comment.0),
        audience: match args.audience {
            Some(audience) => audience,
            None => default_audience(&call, me).await?,
        },
        created_at: Timestamp(call.now.wall),
        rev: Rev::Pending,
        removed: false,
    };
    let make = Operation::CreateNode {
        id,
        ty: SHARE,
        section: Section::PUBLIC,
        author: me,
        flags: Flags::default(),
        attrs: share.attrs(object),
    };
    let mut write = call.on(root).when(Precondition::NodeAbsent(id)).op(make);
    let (published, draw) = (publication(me, id, share.audience), call.cluster.mint());
    write.steps = published.appear(draw, settings.retention);
    if share.audience != Audience::OnlyMe {
        let keep = settings.retention.feed_entries;
        let here = vec![
            published.append(SHARES_HERE, Section::INTERNAL),
            Operation::TrimSeldom { stream: SHARES_HERE, keep, draw },
        ];
        write.steps.push(at_object(object, here));
    }
    match call.write(write, share).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, me, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

fn at_object(object: Root, ops: Vec<Operation>) -> Step {
    Step::to(object, ops).when(Precondition::NodePresent(object.id))
}

/// The first result, if the caller made this share before. 409 if the id is somebody else's or was deleted; 404 if what
/// it shares is gone.
async fn made_before(call: &Call, me: Id, id: Id) -> Result<Option<Reply<Share>>, Stop> {
    match call.node_or_tombstone(share_root(id), id).await? {
        (Some(view), _) if view.node.author == me && view.node.ty == SHARE => {
            let first = shares(call, &mut Reader::new(call), &[id]).await?.pop();
            first.map(|first| Some(Reply::new(first).rev(view.rev))).ok_or_else(Stop::not_found)
        }
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// Which share.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteShare {
    /// The share.
    id: Uuid,
    /// Refuse if the share is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeletedShare")]
struct Deleted {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

async fn delete(call: Call, args: DeleteShare) -> Result<Reply<Deleted>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = share_root(id);
    call.replay(root).await?;
    let deleted = Deleted { id: args.id, deleted: true };
    let (view, gone) = call.node_or_tombstone(root, id).await?;
    if view.is_none() && gone {
        return Ok(Reply::new(deleted));
    }
    let view = view.filter(|view| view.node.ty == SHARE).ok_or_else(Stop::not_found)?;
    // What it shares may be gone or hidden from its author by now: it is still theirs to take back.
    let seen = shares(&call, &mut Reader::new(&call), &[id]).await?.pop();
    if view.node.author != me {
        let stop = || Stop::forbidden("Only its author may do this.");
        return Err(seen.map_or_else(Stop::not_found, |_| stop()));
    }
    let guard = call.guard(id, &view, args.if_rev, &seen)?;
    let mut write = call.on(root).op(Operation::DeleteNode { id });
    write.pre.extend(guard);
    let published = publication(me, id, audience(&view.node));
    write.steps = published.disappear();
    if let Some(object) = object_of(&view.node) {
        write.steps.push(at_object(object, vec![published.retract(SHARES_HERE)]));
    }
    call.write(write, deleted).await
}

/// Which object.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListShares {
    /// The object.
    object: Object,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list(call: Call, args: ListShares) -> Result<Reply<Page<Share>>, Stop> {
    let object = args.object.0;
    let list = format!("share.list/{}", super::sync::names::root(object));
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut reader = Reader::new(&call);
    if shared(&call, &mut reader, object).await?.is_none() {
        return Err(Stop::not_found());
    }
    let (entries, end) = call.entry_page(object, SHARES_HERE, from, true, args.limit.0).await?;
    // The cursor is the place that was read, not the last item that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    let ids: Vec<Id> = entries.iter().map(|view| view.entry.activity.object.id).collect();
    let items = listed_shares(&call, &mut reader, &ids).await?;
    Ok(Reply::new(Page { items, cursor, end }))
}
