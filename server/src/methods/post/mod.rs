//! `post`: what people publish, with an audience per post.
//!
//! A post is a root of its own. Making one is one write there; everything else (the author's streams, the
//! followers' home timelines, feed and tags) follows by steps, see [`publish`]. What anybody gets to see goes
//! through [`hydrate::Reader`].
//!
//! Reading order: [`view`], [`words`], [`publish`], [`edit`], [`hydrate`].
//!
//! Must never learn: how timelines are shown.

pub mod edit;
pub mod hydrate;
pub mod publish;
pub mod view;
pub mod words;

use std::collections::BTreeSet;

use gomer_core::id::{Id, Order, Root, RootKind, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::Deserialize;

use self::hydrate::Reader;
use self::view::{
    Audience, MEDIA_MAX, MENTIONS_MAX, Place, Post, TAGS_MAX, TEXT_CHARS_MAX, Tag, WebAddress, counts_id,
};
use super::notification::notice::{Kind, tell};
use crate::methods::account::settings::default_audience;
use crate::methods::media;
use crate::model::{COUNTS, POST, PUBLISHED, TAG};
use crate::names::Handle;
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, NodeView, Reply, Role, Stop};
use crate::types::{Limit, List, Page, Text, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("post.create", create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["post.created"])
            .errors(&[Code::IdTaken, Code::CursorExpired])
            .about("Publishes text with media, link, place, mentions and tags, for an audience that is chosen per post."),
        Method::query("post.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one post with its reactions and the caller's own."),
        Method::query("post.getMany", get_many)
            .role(Role::Anonymous)
            .about("Shows up to 100 posts by id; those that the caller may not see are left out."),
        Method::procedure("post.update", edit::update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["post.updated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Edits a post; older revisions are kept."),
        Method::procedure("post.delete", edit::delete)
            .role(Role::Owner)
            .emits(&["post.deleted"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Deletes a post for ever."),
        Method::query("post.listByProfile", list_by_profile)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists the posts of a profile, newest first."),
        Method::query("post.listByTag", list_by_tag)
            .role(Role::Anonymous)
            .errors(&[Code::CursorInvalid])
            .about("Lists the public posts that carry a tag, newest first."),
    ]
}

/// A new post.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreatePost {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// What it says. May be empty if it shows something.
    text: Text<0, TEXT_CHARS_MAX>,
    /// What it shows: finished uploads of the author's.
    media: Option<List<Uuid, 0, MEDIA_MAX>>,
    /// Who may read it; if absent, whom one's own settings say, or else the app's.
    audience: Option<Audience>,
    /// Profiles that it mentions; if absent, those whose handles stand in the text after an `@`.
    mentions: Option<List<Uuid, 0, MENTIONS_MAX>>,
    /// Its tags; if absent, the words in the text after a `#`.
    tags: Option<List<Tag, 0, TAGS_MAX>>,
    /// What it points to.
    link: Option<WebAddress>,
    /// Where it was written.
    place: Option<Place>,
}

async fn create(call: Call, args: CreatePost) -> Result<Reply<Post>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = Root::post(id);
    call.replay(root).await?;
    if let Some(first) = made_before(&call, me, id).await? {
        return Ok(first);
    }
    let settings = call.settings();
    let mut post = Post::new(id, me, args.text.0, call.now.wall);
    post.audience = match args.audience {
        Some(audience) => audience,
        None => default_audience(&call, me).await?,
    };
    post.mentions = match args.mentions {
        Some(List(mentions)) => each_once(mentions),
        None => text_mentions(&call, &post.text).await?,
    };
    post.tags = match args.tags {
        Some(List(tags)) => each_once(tags),
        None => text_tags(&post.text),
    };
    post.link = args.link.map(|link| link.0);
    post.place = args.place;
    let media = each_once(args.media.map_or(Vec::new(), |list| list.0));
    if post.text.is_empty() && media.is_empty() {
        return Err(Stop::invalid("/text", "length", "A post says or shows something."));
    }
    let place = media::references::Place::Post(args.id);
    post.attached = media::references::claim(&call, me, &media, place, |at| format!("/media/{at}")).await?;
    let node = |id, ty, author, attrs| Operation::CreateNode {
        id,
        ty,
        section: Section::PUBLIC,
        author,
        flags: Flags::default(),
        attrs,
    };
    let mut write = call
        .on(root)
        .when(Precondition::NodeAbsent(id))
        .op(node(id, POST, me, post.attrs()))
        .op(node(counts_id(id), COUNTS, Id::NIL, Vec::new()));
    write.steps = publish::publish(&post, call.cluster.mint(), settings.retention);
    if post.audience != Audience::OnlyMe {
        let mentioned: Vec<Id> = post.mentions.iter().map(|id| id.0).collect();
        write.steps.extend(tell(Kind::Mention, me, root, None, &mentioned));
    }
    match call.write(write, post.shown(&call).await?).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, me, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if the caller made this post before. 409 if the id is somebody else's or was deleted.
async fn made_before(call: &Call, me: Id, id: Id) -> Result<Option<Reply<Post>>, Stop> {
    match call.node_or_tombstone(Root::post(id), id).await? {
        (Some(view), _) if view.node.author == me && view.node.ty == POST => {
            Ok(Some(Reply::new(Post::read(id, &view).shown(call).await?).rev(view.rev)))
        }
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// The caller's own post. 403 if it is somebody else's that the caller may see; else 404.
async fn mine(call: &Call, me: Id, id: Id) -> Result<NodeView, Stop> {
    let view = call.node(Root::post(id), id).await?.filter(|view| view.node.ty == POST);
    let view = view.ok_or_else(Stop::not_found)?;
    if view.node.author == me {
        return Ok(view);
    }
    let mut reader = Reader::new(call);
    if reader.sees(&view.node).await? {
        return Err(Stop::forbidden("Only its author may do this."));
    }
    Err(Stop::not_found())
}

/// Those of a list that were not before it in the list.
pub fn each_once<T: Ord + Clone>(list: Vec<T>) -> Vec<T> {
    let mut known = BTreeSet::new();
    list.into_iter().filter(|item| known.insert(item.clone())).collect()
}

/// Tags in a text.
fn text_tags(text: &str) -> Vec<Tag> {
    words::tags(text, TAGS_MAX).into_iter().map(Tag).collect()
}

/// Profiles that a text mentions by their handles.
pub async fn text_mentions(call: &Call, text: &str) -> Result<Vec<Uuid>, Stop> {
    let mut mentions = Vec::new();
    for handle in words::handles(text, MENTIONS_MAX) {
        let Some(handle) = Handle::parse(&handle) else { continue };
        let owner = call.name(handle.root()).await?;
        // A name that is not confirmed yet is nobody's.
        mentions.extend(owner.filter(|name| name.due.is_none()).map(|name| Uuid(name.owner)));
    }
    Ok(each_once(mentions))
}

/// Which post.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetPost {
    /// The post.
    id: Uuid,
}

async fn get(call: Call, args: GetPost) -> Result<Reply<Post>, Stop> {
    let mut reader = Reader::new(&call);
    let post = reader.posts(&[args.id.0]).await?.pop().ok_or_else(Stop::not_found)?;
    let rev = post.rev;
    Ok(Reply::new(post).rev(rev))
}

/// Which posts.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetPosts {
    /// 1 to 100 posts.
    ids: List<Uuid, 1, 100>,
}

/// Posts.
#[derive(serde::Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Posts {
    /// Those that there are and that the caller may see, in the order asked.
    items: Vec<Post>,
}

async fn get_many(call: Call, args: GetPosts) -> Result<Reply<Posts>, Stop> {
    let ids: Vec<Id> = args.ids.0.into_iter().map(|id| id.0).collect();
    let items = Reader::new(&call).posts(&each_once(ids)).await?;
    Ok(Reply::new(Posts { items }))
}

/// Whose posts.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListByProfile {
    /// The profile.
    id: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_by_profile(call: Call, args: ListByProfile) -> Result<Reply<Page<Post>>, Stop> {
    let root = Root::profile(args.id.0);
    let list = format!("post.listByProfile/{}", args.id);
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut reader = Reader::new(&call);
    if !reader.sees_profile(args.id.0).await? {
        return Err(Stop::not_found());
    }
    let (entries, end) = call.entry_page(root, PUBLISHED, from, true, args.limit.0).await?;
    // The cursor is the place that was read, not the last item that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    // What else they published may have the id of anybody's post.
    let objects = entries.iter().map(|view| view.entry.activity.object);
    let ids: Vec<Id> = objects.filter(|root| root.kind == RootKind::Post).map(|root| root.id).collect();
    let items = reader.posts(&ids).await?;
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Which tag.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListByTag {
    /// The tag, with or without the `#`.
    tag: Tag,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_by_tag(call: Call, args: ListByTag) -> Result<Reply<Page<Post>>, Stop> {
    let list = format!("post.listByTag/{}", args.tag.0);
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    let (entries, end) =
        call.entry_page(publish::tag_root(&args.tag.0), TAG, from, true, args.limit.0).await?;
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    let ids: Vec<Id> = entries.iter().map(|view| view.entry.activity.object.id).collect();
    let mut reader = Reader::new(&call);
    let mut items = reader.listed_posts(&ids).await?;
    // A tag that an edit took off is still in its list.
    items.retain(|post| post.tags.contains(&args.tag));
    Ok(Reply::new(Page { items, cursor, end }))
}
