//! `news`: feeds that an app tracks (RSS, Atom, JSON Feed), and their items, which people like and reply to.
//!
//! Reading order: [`super::source`], [`view`], [`read`].
//!
//! Must never learn: how feeds are written. That is [`crate::feeds`].

pub mod read;
pub mod view;

use gomer_core::id::{Id, Order};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::view::{Feed, FeedAddress, NewsItem, items};
use super::post::hydrate::Reader;
use super::source::{Kind, create as create_source, delete as delete_source, source, source_root, sources};
use crate::model::{ALL_SOURCE_ITEMS, SOURCE_ITEMS};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, Reply, Rev, Role, Stop};
use crate::types::{Limit, Page, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("news.createFeed", create_feed)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::ClientId)
            .emits(&["feed.created"])
            .errors(&[Code::IdTaken, Code::TooLarge, Code::CursorExpired])
            .about("Tracks an RSS, Atom or JSON feed: it is read now and again, and its items are kept."),
        Method::procedure("news.deleteFeed", delete_feed)
            .role(Role::AppAdmin)
            .emits(&["feed.deleted"])
            .errors(&[Code::NotFound, Code::StaleRevision])
            .about("Stops tracking a feed; its items go with it."),
        Method::query("news.listFeeds", list_feeds)
            .role(Role::Anonymous)
            .errors(&[Code::CursorInvalid])
            .about("Lists the feeds of this app, those added last first."),
        Method::query("news.list", list)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists items of one feed or of all, those found last first."),
        Method::query("news.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one item with the likes and replies that were made here."),
    ]
}

/// A feed to track.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateFeed {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// Where it is: `https` or `http`, without a user's name. It is read from the public internet only.
    url: FeedAddress,
    /// What it is called; if absent, what it calls itself.
    title: Option<Text<1, 200>>,
}

async fn create_feed(call: Call, args: CreateFeed) -> Result<Reply<Feed>, Stop> {
    let id = args.id.0;
    call.replay(source_root(id)).await?;
    if let Some(first) = made_before(&call, id, &args.url).await? {
        return Ok(first);
    }
    let feed = Feed {
        id: args.id,
        url: args.url,
        title: args.title.map(|title| title.0),
        site: None,
        description: None,
        created_at: Timestamp(call.now.wall),
        rev: Rev::Pending,
        health: None,
    };
    let again = feed.url.clone();
    match create_source(&call, Kind::Feed, id, feed.attrs(), feed).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, id, &again).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if this feed was made before. 409 if the id is another feed's or was deleted.
async fn made_before(call: &Call, id: Id, url: &FeedAddress) -> Result<Option<Reply<Feed>>, Stop> {
    match call.node_or_tombstone(source_root(id), id).await? {
        (Some(view), _) if view.node.ty == Kind::Feed.ty() => match Feed::read(id, &view) {
            Some(feed) if feed.url == *url => Ok(Some(Reply::new(feed).rev(view.rev))),
            _ => Err(Code::IdTaken.into()),
        },
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// Which feed.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteFeed {
    /// The feed.
    id: Uuid,
    /// Refuse if the feed is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeletedFeed")]
struct Deleted {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

async fn delete_feed(call: Call, args: DeleteFeed) -> Result<Reply<Deleted>, Stop> {
    let id = args.id.0;
    call.replay(source_root(id)).await?;
    let deleted = Deleted { id: args.id, deleted: true };
    let (view, gone) = call.node_or_tombstone(source_root(id), id).await?;
    if view.is_none() && gone {
        return Ok(Reply::new(deleted));
    }
    let view = view.filter(|view| view.node.ty == Kind::Feed.ty()).ok_or_else(Stop::not_found)?;
    let guard = call.guard(id, &view, args.if_rev, &Feed::read(id, &view))?;
    delete_source(&call, id, Kind::Feed, guard, deleted).await
}

/// Which page.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListFeeds {
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_feeds(call: Call, args: ListFeeds) -> Result<Reply<Page<Feed>>, Stop> {
    const LIST: &str = "news.listFeeds";
    let after: Option<LinkPlace> = call.open_cursor(LIST, args.cursor.as_deref())?;
    let (found, place, end) = sources(&call, Kind::Feed, after, args.limit.0).await?;
    let cursor = place.map(|place| call.seal_cursor(LIST, &place)).or(args.cursor);
    let mut items = Vec::with_capacity(found.len());
    for (id, view) in found {
        let Some(feed) = Feed::read(id, &view) else { continue };
        items.push(if call.is_app_admin() { feed.with_health(&call).await? } else { feed });
    }
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Which items.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListNews {
    /// Of this feed; of all feeds, if absent.
    feed: Option<Uuid>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list(call: Call, args: ListNews) -> Result<Reply<Page<NewsItem>>, Stop> {
    let (root, stream, list) = match args.feed {
        Some(feed) => (source_root(feed.0), SOURCE_ITEMS, format!("news.list/{feed}")),
        None => (Kind::Feed.list_root(), ALL_SOURCE_ITEMS, "news.list".to_owned()),
    };
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    if let Some(feed) = args.feed
        && source(&call, Kind::Feed, feed.0).await?.is_none()
    {
        return Err(Stop::not_found());
    }
    let (entries, end) = call.entry_page(root, stream, from, true, args.limit.0).await?;
    // The cursor is the place that was read, not the last item that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    let ids: Vec<Id> = entries.iter().map(|view| view.entry.activity.object.id).collect();
    let items = items(&call, &mut Reader::new(&call), &ids).await?;
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Which item.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetNews {
    /// The item.
    id: Uuid,
}

async fn get(call: Call, args: GetNews) -> Result<Reply<NewsItem>, Stop> {
    let found = items(&call, &mut Reader::new(&call), &[args.id.0]).await?.pop();
    let item = found.ok_or_else(Stop::not_found)?;
    let rev = item.rev;
    Ok(Reply::new(item).rev(rev))
}
