//! Feeds and their items as clients see them, and as attributes of nodes.

use std::collections::BTreeMap;

use gomer_core::id::Id;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::feeds;
use crate::methods::like::kind_of;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{CREATED_AT, Likes, counts_id, json, read};
use crate::methods::reply::view::{reply_count, reply_count_id};
use crate::methods::source::item::{FOUND_AT, PUBLISHED_AT, Read, SOURCE, item_root};
use crate::methods::source::state::{State, state_id};
use crate::methods::source::{Kind, source, source_root};
use crate::model::LIKES;
use crate::outside::place::Place;
use crate::registry::{Call, NodeView, Rev, Stop};
use crate::types::{Timestamp, Uuid};
use gomer_core::id::Root;

/// Nodes of an item's root: the item and its counts.
const ITEM_NODES_MAX: u32 = 8;

/// Where a feed is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct FeedAddress(#[schemars(length(max = 2048), url)] pub String);

impl<'de> Deserialize<'de> for FeedAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<FeedAddress, D::Error> {
        let text = String::deserialize(from)?;
        let place = Place::parse(&text).ok().filter(|place| place.as_str().len() <= 2_048);
        place
            .map(|place| FeedAddress(place.as_str().to_owned()))
            .ok_or_else(|| D::Error::custom("format: an http or https address without a user's name"))
    }
}

/// A feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewsFeed")]
pub struct Feed {
    /// Its id, chosen by who added it.
    pub id: Uuid,
    /// Where it is.
    pub url: FeedAddress,
    /// What it is called; absent until it was read, unless somebody said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The page that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// What it says that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Its revision.
    pub rev: Rev,
    /// How reading it goes; for administrators of the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// How reading a source goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SourceHealth")]
pub struct Health {
    /// When it was read last, whatever came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// When it is read next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Readings that failed since the last good one.
    pub failures: u32,
    /// Why the last one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Health {
    /// How reading this source goes.
    pub async fn of(call: &Call, id: Id) -> Result<Option<Health>, Stop> {
        let view = call.node(source_root(id), state_id(id)).await?;
        let state = view.map(|view| State::of(&view.node));
        Ok(state.map(|state| Health {
            read_at: state.read_at,
            next_at: state.next_at,
            failures: state.failures,
            problem: state.problem,
        }))
    }
}

impl Feed {
    /// Reads a feed's node. One without an address (a newer program wrote it) is none.
    pub fn read(id: Id, view: &NodeView) -> Option<Feed> {
        let node = &view.node;
        Some(Feed {
            id: Uuid(id),
            url: read(node, URL)?,
            title: read(node, TITLE).or_else(|| read(node, OWN_TITLE)),
            site: read(node, SITE),
            description: read(node, DESCRIPTION),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            rev: view.rev,
            health: None,
        })
    }

    /// The attributes of a new feed's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs =
            vec![(URL.to_owned(), json(&self.url)), (CREATED_AT.to_owned(), json(&self.created_at))];
        attrs.extend(self.title.as_ref().map(|title| (TITLE.to_owned(), json(title))));
        attrs
    }

    /// The same with how reading it goes.
    pub async fn with_health(self, call: &Call) -> Result<Feed, Stop> {
        let health = Health::of(call, self.id.0).await?;
        Ok(Feed { health, ..self })
    }
}

/// What a feed says of itself, as attributes.
pub fn told_by(feed: &feeds::Feed) -> Vec<(String, String)> {
    [(OWN_TITLE, &feed.title), (SITE, &feed.link), (DESCRIPTION, &feed.description)]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json(value.as_ref()?))))
        .collect()
}

/// An item of a feed. Its texts are plain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewsItem {
    /// Its id. With it, people like it and reply to it as to a post.
    pub id: Uuid,
    /// The feed.
    pub feed: Uuid,
    /// Its title; may be empty.
    pub title: String,
    /// Its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What it says, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// A picture of it, at a server of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// When it was published, as the feed claims; never later than it was found.
    pub published_at: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// Its revision.
    pub rev: Rev,
    /// Reactions that were made here.
    pub likes: Likes,
    /// How many replies were made here.
    pub replies: u64,
}

/// An item as it was read, as it is kept. Every attribute is set, so that what a feed takes back goes.
pub fn kept(item: feeds::Item) -> Read {
    let attrs = vec![
        (TITLE.to_owned(), json(&item.title)),
        (LINK.to_owned(), json(&item.link)),
        (SUMMARY.to_owned(), json(&item.summary)),
        (AUTHOR.to_owned(), json(&item.author)),
        (IMAGE.to_owned(), json(&item.image)),
        (CATEGORIES.to_owned(), json(&item.categories)),
    ];
    Read { key: item.key, published: item.published, attrs }
}

/// These items as far as the caller may see them, in the order asked. Those of a feed that is gone are gone.
pub async fn items(call: &Call, reader: &mut Reader, ids: &[Id]) -> Result<Vec<NewsItem>, Stop> {
    let mut feeds: BTreeMap<Id, bool> = BTreeMap::new();
    let mut items = Vec::with_capacity(ids.len());
    for &id in ids {
        let nodes = call.nodes(item_root(id), ITEM_NODES_MAX).await?;
        let node = |wanted: Id| nodes.iter().find(|(id, _)| *id == wanted).map(|(_, view)| view);
        let Some(view) = node(id).filter(|view| view.node.ty == Kind::Feed.item_ty()) else { continue };
        let Some(Uuid(feed)) = read(&view.node, SOURCE) else { continue };
        if let std::collections::btree_map::Entry::Vacant(unknown) = feeds.entry(feed) {
            unknown.insert(source(call, Kind::Feed, feed).await?.is_some());
        }
        if !feeds[&feed] || !reader.sees_common(&view.node).await? {
            continue;
        }
        let found = read(&view.node, FOUND_AT).unwrap_or(Timestamp(view.node.created));
        items.push(NewsItem {
            id: Uuid(id),
            feed: Uuid(feed),
            title: read(&view.node, TITLE).unwrap_or_default(),
            link: read(&view.node, LINK),
            summary: read(&view.node, SUMMARY),
            author: read(&view.node, AUTHOR),
            image: read(&view.node, IMAGE),
            categories: read(&view.node, CATEGORIES).unwrap_or_default(),
            published_at: read(&view.node, PUBLISHED_AT).unwrap_or(found),
            found_at: found,
            rev: view.rev,
            likes: Likes::of(node(counts_id(id)).map(|view| &view.node)),
            replies: reply_count(node(reply_count_id(id)).map(|view| &view.node)),
        });
    }
    if let Some(me) = call.maybe_me().filter(|_| !items.is_empty()) {
        let ids = items.iter().map(|item| item.id.0).collect();
        let links = call.links(Root::profile(me), LIKES, ids).await?;
        for (item, link) in items.iter_mut().zip(links) {
            item.likes.mine = link.map(|link| kind_of(&link.link.data));
        }
    }
    Ok(items)
}

/// Attribute of a feed: where it is.
const URL: &str = "url";
/// Attribute of a feed: what it is called here; of an item: its title.
const TITLE: &str = "title";
/// Attribute of a feed: what it calls itself.
const OWN_TITLE: &str = "ownTitle";
/// Attribute of a feed: its page.
const SITE: &str = "site";
/// Attribute of a feed: what it says that it is about.
const DESCRIPTION: &str = "description";
/// Attribute of an item: its page.
const LINK: &str = "link";
/// Attribute of an item: what it says.
const SUMMARY: &str = "summary";
/// Attribute of an item: who wrote it.
const AUTHOR: &str = "author";
/// Attribute of an item: a picture.
const IMAGE: &str = "image";
/// Attribute of an item: what it is about.
const CATEGORIES: &str = "categories";
